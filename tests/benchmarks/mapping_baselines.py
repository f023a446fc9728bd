"""Our figures beside the baselines of the literature's tools: run as a script.

Every row is mapped by ``--place best --route best`` (objective ``both``) for several seeds, and,
beside it, by one annealer run with ``ner``; CPU times are of placer and router together, medians.
Baselines are the least weighted tree hops and the least hottest link of nine tools, which need not
come from one mapping. ``s2chip`` is SpiNNaker2's 38 places as a mesh that branches anywhere, with
4 PEs each; the others have 16 PEs a chip, and count channels between chips.

``--cache FILE`` keeps every measured mapping in a CSV file, so that a run can be interrupted, or
done row by row; remove it when strategies change. Takes about ten minutes of CPU.
"""

from __future__ import annotations

import argparse
import csv
from dataclasses import dataclass
from pathlib import Path
from statistics import geometric_mean, median

from chipsim.machine.library import load_machine
from chipsim.machine.model import Machine
from chipsim.mapping.crowd import with_pes_per_tile
from chipsim.mapping.generators import generate
from chipsim.mapping.portfolio import find

HOLES = [[3, 2], [3, 3], [6, 2], [6, 3]]

ROUTER = {"best": "best", "annealing": "ner"}
"""The router that goes with a placer."""


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


@dataclass(frozen=True)
class Measured:
    """The figures of one mapping; ``seconds`` of CPU are placer's and router's."""

    graph: str
    machine: str
    placer: str
    seed: int
    hops: float
    load: float
    seconds: float
    winner: str


def machine(name: str) -> Machine:
    """Return the machine of a row."""
    if name == "s2chip":
        return with_pes_per_tile(load_machine("mesh-7x6", {"floor.holes": HOLES}), 4)
    return with_pes_per_tile(load_machine(name), 16)


class Results:
    """Mappings measured now, or found in a cache."""

    def __init__(self, path: str | None) -> None:
        self._path = Path(path) if path else None
        self._known: dict[tuple[str, str, str, int], Measured] = {}
        if self._path is not None and self._path.exists():
            with self._path.open(newline="") as file:
                for graph, where, placer, seed, hops, load, seconds, winner in csv.reader(file):
                    figures = float(hops), float(load), float(seconds)
                    self._keep(Measured(graph, where, placer, int(seed), *figures, winner))
        self._compiled: set[str] = set()

    def _keep(self, found: Measured) -> None:
        self._known[found.graph, found.machine, found.placer, found.seed] = found

    def of(self, row: Row, placer: str) -> list[Measured]:
        """Return what is known of a row by a placer, by seed."""
        where = (row.graph, row.machine, placer)
        return [found for key, found in sorted(self._known.items()) if key[:3] == where]

    def measure(self, row: Row, placer: str, seed: int) -> Measured:
        """Return the figures of a row by a placer and a seed."""
        key = (row.graph, row.machine, placer, seed)
        if key not in self._known:
            if placer not in self._compiled:
                # Large enough that graphs are coarsened: all kernels are compiled before the first.
                find(generate("rgg:n=80"), machine("s2chip"), placer, ROUTER[placer])
                self._compiled.add(placer)
            trial = find(generate(row.graph), machine(row.machine), placer, ROUTER[placer], seed)
            total = trial.metrics.total
            found = Measured(
                *key,
                total.tree_hops,
                total.max_link_load,
                trial.place_s + trial.route_s,
                f"{trial.mapping.placer}+{trial.mapping.router}",
            )
            self._keep(found)
            if self._path is not None:
                with self._path.open("a", newline="") as file:
                    csv.writer(file).writerow(vars(found).values())
        return self._known[key]


def main() -> None:
    """Print a table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3, help="seeds per row, default 3")
    parser.add_argument("--rows", default="", help="numbers of rows, such as 0,3 (all)")
    parser.add_argument("--cache", metavar="FILE.csv", help="keep what was measured")
    parser.add_argument(
        "--cached", action="store_true", help="measure nothing: print what the cache holds"
    )
    arguments = parser.parse_args()
    results = Results(arguments.cache)
    chosen = [int(word) for word in arguments.rows.split(",") if word] or range(len(ROWS))
    rows = [ROWS[number] for number in chosen]
    if not arguments.cached:
        for seed in range(arguments.seeds):
            for row in rows:
                results.measure(row, "best", seed)
        for row in rows:
            results.measure(row, "annealing", 0)
    print(
        "| workload @ machine | baseline hops / hottest | `best`: hops / hottest | seeds "
        "| CPU s: `best`, annealer | won by |"
    )
    print("|---|---|---|---|---|---|")
    ratios = []
    for row in rows:
        found = results.of(row, "best")
        if found:
            print(_line(row, found, results.of(row, "annealing")), flush=True)
            ratios.append(_ratios(row, found))
    means = [100 * (geometric_mean(column) - 1) for column in zip(*ratios, strict=True)]
    print(f"\nGeometric means: hops {means[0]:+.1f} %, hottest link {means[1]:+.1f} %")


def _ratios(row: Row, found: list[Measured]) -> tuple[float, float]:
    """Return the medians of hops and of the hottest link over the baselines."""
    hops, load = median(one.hops for one in found), median(one.load for one in found)
    return hops / row.hops, load / row.load


def _line(row: Row, found: list[Measured], annealer: list[Measured]) -> str:
    hops, load = _ratios(row, found)
    beside = f"{median(one.seconds for one in annealer):.1f}" if annealer else "not measured"
    return (
        f"| {row.graph} @ {row.machine} | {row.hops} / {row.load} "
        f"| {hops * row.hops:.0f} ({100 * (hops - 1):+.1f} %) "
        f"/ {load * row.load:.0f} ({100 * (load - 1):+.1f} %) | {len(found)} "
        f"| {median(one.seconds for one in found):.1f}, {beside} "
        f"| {', '.join(dict.fromkeys(one.winner for one in found))} |"
    )


if __name__ == "__main__":
    main()
