"""Our figures beside the baselines of the literature's tools: ``python -m`` or as a script.

Rows on ``s2chip`` (SpiNNaker2's 38 places as a mesh that branches anywhere, 4 PEs each) compare
with the baselines, which were measured on the same hypothetical mesh. Rows on ``torus12`` run here
on a torus with four neighbours, where the baselines' is hexagonal: their figures are not
comparable and are printed for orientation only. Takes minutes; ``--quick`` leaves the torus out.
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
    Row("ff:n=64,layers=4,reverse=1", "s2chip", 4510, 250),
    Row("ff:n=128,layers=4", "s2chip", 9244, 345),
    Row("replicas:n=16,layers=4,copies=4", "s2chip", 1092, 52),
    Row("rgg:n=1024", "torus12", 10221, 117),
)


def machine(name: str) -> Machine:
    """Return the machine of a row."""
    if name == "s2chip":
        return with_pes_per_tile(load_machine("mesh-7x6", {"floor.holes": HOLES}), 4)
    return with_pes_per_tile(load_machine("torus-12x12"), 16)


def main() -> None:
    """Print a table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3, help="seeds per row, default 3")
    parser.add_argument("--quick", action="store_true", help="s2chip rows only")
    arguments = parser.parse_args()
    print("| workload @ machine | baseline hops / hottest | best hops (its hottest) | seconds |")
    print("|---|---|---|---|")
    find(generate("ff:n=8,layers=2"), machine("s2chip"), "annealing", "ner")  # compile
    ratios = []
    for row in ROWS:
        if arguments.quick and row.machine != "s2chip":
            continue
        trials = [
            find(generate(row.graph), machine(row.machine), "best", "ner", seed)
            for seed in range(arguments.seeds)
        ]
        hops = median(trial.metrics.total.tree_hops for trial in trials)
        load = median(trial.metrics.total.max_link_load for trial in trials)
        seconds = median(trial.place_s + trial.route_s for trial in trials)
        print(
            f"| {row.graph} @ {row.machine} | {row.hops} / {row.load} | {hops:.0f} ({load:.0f}) "
            f"{100 * (hops / row.hops - 1):+.1f} % ({100 * (load / row.load - 1):+.1f} %) "
            f"| {seconds:.1f} |",
            flush=True,
        )
        if row.machine == "s2chip":
            ratios.append((hops / row.hops, load / row.load))
    means = [100 * (geometric_mean(column) - 1) for column in zip(*ratios, strict=True)]
    print(f"\nGeometric mean, s2chip rows: hops {means[0]:+.1f} %, hottest link {means[1]:+.1f} %")


if __name__ == "__main__":
    main()
