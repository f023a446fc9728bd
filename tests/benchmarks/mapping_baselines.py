"""Our figures beside the baselines of the literature's tools: run as a script.

Every row is mapped by ``--place best --route best`` (objective: hops times hottest link), and,
beside it in the same process, by one annealer run with ``ner``; CPU times are of placer and
router. Baselines are the least weighted tree hops and the least hottest link of nine tools, which
need not come from one mapping. ``s2chip`` is SpiNNaker2's 38 places as a mesh that branches
anywhere, with 4 PEs each; the others have 16 PEs a chip. Takes about half an hour of CPU.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from statistics import geometric_mean, median

from chipsim.machine.library import load_machine
from chipsim.machine.model import Machine
from chipsim.mapping.crowd import with_pes_per_tile
from chipsim.mapping.generators import generate
from chipsim.mapping.portfolio import find

HOLES = [[3, 2], [3, 3], [6, 2], [6, 3]]


@dataclass(frozen=True)
class Row:
    """A workload, and the least tree hops and the least hottest link of all baseline tools."""

    graph: str
    machine: str
    hops: int
    load: int


ROWS = (
    Row("ff:n=128,layers=4", "spinnaker1-48", 2119, 327),
    Row("ff:n=128,layers=4,reverse=1", "spinnaker1-48", 4309, 498),
    Row("ff:n=512,layers=4", "spinnaker1-48", 32758, 1213),
    Row("ff:n=512,layers=16,reverse=1", "spinnaker1-48", 21002, 498),
    Row("ff:n=64,layers=4,reverse=1", "s2chip", 4510, 250),
    Row("ff:n=128,layers=4", "s2chip", 9244, 345),
    Row("replicas:n=16,layers=4,copies=4", "s2chip", 1092, 52),
    Row("rgg:n=256", "spinnaker1-48", 1266, 67),
    Row("rgg:n=512", "spinnaker1-48", 2797, 74),
    Row("rgg:n=1024", "spinnaker1-torus-12x12", 10221, 117),
    Row("ff:n=1024,layers=8,reverse=1", "spinnaker1-torus-12x12", 157943, 1870),
)


def machine(name: str) -> Machine:
    """Return the machine of a row."""
    if name == "s2chip":
        return with_pes_per_tile(load_machine("mesh-7x6", {"floor.holes": HOLES}), 4)
    return with_pes_per_tile(load_machine(name), 16)


def main() -> None:
    """Print a table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3, help="seeds per row, default 3")
    parser.add_argument("--rows", default="", help="numbers of rows, such as 0,3 (all)")
    arguments = parser.parse_args()
    print("| workload @ machine | baseline hops / hottest | best: hops / hottest | s, annealer s |")
    print("|---|---|---|---|")
    small = generate("ff:n=8,layers=2")
    for placer, router in (("annealing", "ner"), ("best", "best")):  # compile
        find(small, machine("s2chip"), placer, router)
    ratios = []
    chosen = [int(word) for word in arguments.rows.split(",") if word] or range(len(ROWS))
    for row in (ROWS[number] for number in chosen):
        graph, where = generate(row.graph), machine(row.machine)
        trials = [find(graph, where, "best", "best", seed) for seed in range(arguments.seeds)]
        annealer = find(graph, where, "annealing", "ner")
        hops = median(trial.metrics.total.tree_hops for trial in trials)
        load = median(trial.metrics.total.max_link_load for trial in trials)
        seconds = median(trial.place_s + trial.route_s for trial in trials)
        print(
            f"| {row.graph} @ {row.machine} | {row.hops} / {row.load} "
            f"| {hops:.0f} ({100 * (hops / row.hops - 1):+.1f} %) "
            f"/ {load:.0f} ({100 * (load / row.load - 1):+.1f} %) "
            f"| {seconds:.1f}, {annealer.place_s + annealer.route_s:.1f} |",
            flush=True,
        )
        ratios.append((hops / row.hops, load / row.load))
    means = [100 * (geometric_mean(column) - 1) for column in zip(*ratios, strict=True)]
    print(f"\nGeometric means: hops {means[0]:+.1f} %, hottest link {means[1]:+.1f} %")


if __name__ == "__main__":
    main()
