"""``--place best`` on graphs that it was not tuned on, beside every single placer: run as a script.

The singles are routed by ``ner``. Their least hops and their least hottest link need not come from
one placement; the last column is the logarithmic cost of ``both`` over that of the single with the
least (below 0: better than all of them).
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Callable
from itertools import accumulate, pairwise

from mapping_baselines import machine

from chipsim.machine.model import Machine
from chipsim.mapping.application import Application, Vertex
from chipsim.mapping.generators import application, generate
from chipsim.mapping.placement.joint import score
from chipsim.mapping.placement.multilevel_mix import GOAL
from chipsim.mapping.portfolio import find
from chipsim.mapping.trial import Trial

SINGLES = (
    "annealing",
    "hilbert",
    "hilbert_bfs",
    "rcm",
    "breadth_first",
    "spectral",
    "force_directed",
)

Nets = list[tuple[int, list[int], float]]


def layers(sizes: tuple[int, ...], shuffle: bool = False) -> Application:
    """Return layers of these sizes, each core to all cores of the next and of the one before."""
    draw = random.Random(5)
    names = list(range(sum(sizes)))
    if shuffle:
        draw.shuffle(names)
    bounds = [0, *accumulate(sizes)]
    members = [names[a:b] for a, b in pairwise(bounds)]
    nets: Nets = []
    for step in (1, -1):
        for layer, cores in enumerate(members):
            if 0 <= layer + step < len(members):
                sinks = sorted(members[layer + step])
                nets += [(core, sinks, float(draw.randint(5, 15))) for core in cores]
    return application("layers", [Vertex(i) for i in sorted(names)], nets)


def hypergraph(n: int, sinks: int) -> Application:
    """Return n vertices, each with a net to others that are drawn at random."""
    draw = random.Random(6)
    nets: Nets = []
    for vertex in range(n):
        others = [v for v in draw.sample(range(n), sinks + 1) if v != vertex][:sinks]
        nets.append((vertex, sorted(others), float(draw.randint(1, 16))))
    return application("hypergraph", [Vertex(i) for i in range(n)], nets)


WORKLOADS: tuple[tuple[str, Callable[[], Application], str], ...] = (
    ("ws 256", lambda: generate("ws:n=256"), "spinnaker1-48"),
    ("conv 8x8 L4 k3 fb", lambda: generate("conv:size=8,layers=4,reverse=1"), "spinnaker1-48"),
    ("layers 40-96-24-8", lambda: layers((40, 96, 24, 8)), "spinnaker1-48"),
    ("layers 32-32-32, shuffled", lambda: layers((32, 32, 32), shuffle=True), "s2chip"),
    ("replicas 9 L3 x 14", lambda: generate("replicas:n=9,layers=3,copies=14"), "s2chip"),
    ("hypergraph 140, 6 sinks", lambda: hypergraph(140, 6), "s2chip"),
)


def main() -> None:
    """Print a table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", default="", help="numbers of rows, such as 0,3 (all)")
    rows = parser.parse_args().rows
    small, where = generate("rgg:n=80"), machine("s2chip")
    for placer in ("best", *SINGLES):  # compile
        _trial(small, where, placer)
    print(
        "| workload @ machine | singles: least hops, least hottest | `best`: hops / hottest "
        "| CPU s: `best`, annealer | cost over the best single |"
    )
    print("|---|---|---|---|---|")
    for number in [int(word) for word in rows.split(",") if word] or range(len(WORKLOADS)):
        name, make, board = WORKLOADS[number]
        graph, where = make(), machine(board)
        best = _trial(graph, where, "best")
        singles = {placer: _trial(graph, where, placer) for placer in SINGLES}
        hops = min(singles, key=lambda placer: _figures(singles[placer])[0])
        load = min(singles, key=lambda placer: _figures(singles[placer])[1])
        least = min(score(_figures(trial), GOAL) for trial in singles.values())
        print(
            f"| {name} @ {board} | {_figures(singles[hops])[0]:.0f} ({hops}), "
            f"{_figures(singles[load])[1]:.0f} ({load}) "
            f"| {_figures(best)[0]:.0f} / {_figures(best)[1]:.0f} ({best.mapping.placer}) "
            f"| {_seconds(best):.1f}, {_seconds(singles['annealing']):.1f} "
            f"| {score(_figures(best), GOAL) - least:+.3f} |",
            flush=True,
        )


def _trial(graph: Application, where: Machine, placer: str) -> Trial:
    return find(graph, where, placer, "best" if placer == "best" else "ner")


def _figures(trial: Trial) -> tuple[float, float]:
    total = trial.metrics.total
    return total.tree_hops, total.max_link_load


def _seconds(trial: Trial) -> float:
    return trial.place_s + trial.route_s


if __name__ == "__main__":
    main()
