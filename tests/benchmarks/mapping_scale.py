"""CPU time by stage and peak memory of large mappings: run as a script.

Every case runs in a process of its own, with everything compiled before (by a small mapping on the
same kind of machine). ``rest`` is the check of placement and routes and the static figures,
``figures`` the tables, an entry per net and router, and the search for circles of waiting.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import time
from dataclasses import dataclass
from itertools import pairwise

from chipsim.machine.library import load_machine
from chipsim.mapping.crowd import with_pes_per_tile
from chipsim.mapping.figures import figures
from chipsim.mapping.generators import generate
from chipsim.mapping.trial import attempt


@dataclass(frozen=True)
class Case:
    """A graph on a machine; 0 PEs: as many as a chip has."""

    graph: str
    machine: str
    pes: int
    placer: str


CASES = (
    Case("ws:n=4096", "hex-torus-12x12", 32, "sequential"),
    Case("ws:n=4096", "hex-torus-12x12", 32, "hilbert"),
    Case("rgg:n=4096", "hex-torus-12x12", 32, "hilbert_bfs"),
    Case("rgg:n=4096", "spinnaker2-triads-1x1", 0, "hilbert_bfs"),
    Case("ff:n=4096,layers=32", "hex-torus-12x12", 32, "hilbert"),
    Case("ws:n=100000", "spinnaker2-triads-3x2", 0, "hilbert"),
    Case("ws:n=100000", "spinnaker1-torus-84x72", 0, "hilbert"),
)


def main() -> None:
    """Print a table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", default="", help="numbers of cases, such as 0,3 (all)")
    parser.add_argument("--here", type=int, help="run one case in this process")
    arguments = parser.parse_args()
    if arguments.here is not None:
        print(_line(CASES[arguments.here]), flush=True)
        return
    chosen = [int(word) for word in arguments.rows.split(",") if word] or range(len(CASES))
    print(
        "| graph @ machine | placer | graph | machine | place | route | rest | figures "
        "| all, CPU s | peak MB |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|", flush=True)
    for number in chosen:
        subprocess.run([sys.executable, __file__, "--here", str(number)], check=True)


def _line(case: Case) -> str:
    small = load_machine("spinnaker1-48" if case.machine.startswith("spinn") else "hex-torus-4x4")
    attempt(generate("ff:n=8,layers=2"), small, case.placer, "ner")
    marks = [time.process_time()]

    def mark() -> None:
        marks.append(time.process_time())

    graph = generate(case.graph)
    mark()
    machine = load_machine(case.machine)
    if case.pes:
        machine = with_pes_per_tile(machine, case.pes)
    mark()
    trial = attempt(graph, machine, case.placer, "ner")
    mark()
    figures(trial)
    mark()
    made, built, mapped, found = (b - a for a, b in pairwise(marks))
    stages = (
        made,
        built,
        trial.place_s,
        trial.route_s,
        mapped - trial.place_s - trial.route_s,
        found,
        marks[-1] - marks[0],
    )
    cells = " | ".join(f"{seconds:.1f}" for seconds in stages)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return f"| {case.graph} @ {case.machine} | {case.placer} | {cells} | {peak:.0f} |"


if __name__ == "__main__":
    main()
