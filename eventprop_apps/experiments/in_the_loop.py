"""Placement by simulation against placement by static cost, at equal CPU time.

``python -m eventprop_apps.experiments.in_the_loop [--cpu-s 30] [--goal late] …``

A layered network with one core a router sends forward and backward in bursts, with a tick so short
that packets come late. The static side draws placements with every static placer, seed after seed,
until the CPU time is used up, and keeps the one with the least static cost (``--static``). The loop
begins at the best of three static placements and has the same CPU time, on traffic seeds 1 and 2.
Both are reported on other seeds.
"""

from __future__ import annotations

import argparse
import time

import numpy as np

from chipsim import seeds
from chipsim.machine.library import load_machine
from chipsim.mapping.generators import ff
from chipsim.mapping.mapping import Mapping, map_application
from chipsim.sweep.loop import GOALS, Budget, Loop, static_start
from chipsim.sweep.replay import replay

STATIC = ("annealing", "annealing_load", "hilbert", "hilbert_bfs", "rcm", "random")
SEARCHED, REPORTED = (1, 2), (11, 12, 13, 14, 15)
ROUTER = "xy"
"""Free of deadlock on a mesh; with free trees, bounded FIFOs can wait in a circle."""


def best_static(loop: Loop, cost: str, cpu_s: float) -> tuple[Mapping, int]:
    """Return the placement with the least static cost found in a CPU time, and how many it saw."""
    found: list[tuple[float, int, Mapping]] = []
    began = time.process_time()
    while True:
        for name in STATIC:
            seed = len(found) // len(STATIC)
            mapping = map_application(loop.application, loop.machine, name, ROUTER, seed)
            found.append((float(getattr(mapping.metrics().total, cost)), len(found), mapping))
            if time.process_time() - began >= cpu_s:
                return min(found, key=lambda row: row[:2])[2], len(found)


def measured(mapping: Mapping, ticks: int, tick_us: float) -> tuple[float, ...]:
    """Return late or lost copies, p50 and p99 [ns]: means over seeds that nobody searched on."""
    rows = [replay(mapping, ticks=ticks, tick_us=tick_us, seed=s).total for s in REPORTED]
    columns = [(m.late + m.dropped, m.latency_p50_ns, m.latency_p99_ns) for m in rows]
    return tuple(float(np.mean(column)) for column in zip(*columns, strict=True))


def main(words: list[str] | None = None) -> None:
    """Run the comparison and print its table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0] if __doc__ else None)
    parser.add_argument("--cores", type=int, default=32)
    parser.add_argument("--machine", default="mesh-6x6")
    parser.add_argument("--tick-us", type=float, default=0.3)
    parser.add_argument("--ticks", type=int, default=2)
    parser.add_argument("--goal", choices=tuple(GOALS), default="p99")
    parser.add_argument("--static", default="max_link_load", help="static cost to compare with")
    parser.add_argument("--cpu-s", type=float, default=30.0)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args(words)
    loop = Loop(
        ff(given.cores, 4, True), load_machine(given.machine), goal=given.goal, router=ROUTER,
        traffic=SEARCHED, ticks=given.ticks, tick_us=given.tick_us,
    )  # fmt: skip
    static, seen = best_static(loop, given.static, given.cpu_s)
    began = time.process_time()
    name, start, _ = static_start(loop, seed=given.seed)
    left = max(0.0, given.cpu_s - (time.process_time() - began))
    found = loop.search(start, seeds.rng(given.seed, "in the loop"), Budget(10**9, left))
    rows = [
        (f"static, least {given.static} of {seen}", static),
        (f"start of the loop: {name}", loop.mapped(start)),
        (f"in the loop, {found.evaluations} simulated", loop.mapped(found.placement)),
    ]
    print(f"{'placement':44}{'late':>9}{'p50 [ns]':>10}{'p99 [ns]':>10}{'hops':>9}{'hottest':>9}")
    for label, mapping in rows:
        late, p50, p99 = measured(mapping, given.ticks, given.tick_us)
        static_costs = mapping.metrics().total
        print(
            f"{label:44}{late:9.1f}{p50:10.1f}{p99:10.1f}{static_costs.tree_hops:9.0f}"
            f"{static_costs.max_link_load:9.0f}"
        )


if __name__ == "__main__":
    main()
