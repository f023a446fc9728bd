"""What look-up tables of one's own gain: ``lut_balanced`` beside a SpiNNaker2 chip's own tables.

Prints the table of docs/mapping.md: hottest channel and hops of the placed traffic, both measured
p99 latencies of three replayed ticks, and the CPU time of writing the tables.

    python -m tests.benchmarks.lookup_tables
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from chipsim.machine.library import load_machine
from chipsim.mapping.generators import generate
from chipsim.mapping.trial import Trial, attempt
from chipsim.sweep.replay import replay

LOADS: tuple[tuple[str, str, str, dict[str, Any]], ...] = (
    ("rgg:n=128", "router_multicast", "hilbert", {}),
    ("rgg:n=128", "noc_direct", "hilbert", {}),
    ("rgg:n=128", "noc_direct", "random", {}),
    ("ff:n=64,layers=4,reverse=1", "router_multicast", "hilbert", {}),
    ("ff:n=64,layers=4,reverse=1", "noc_direct", "hilbert", {}),
    ("replicas:n=16,layers=4,copies=8", "noc_direct", "hilbert", {}),
    ("rgg:n=128", "noc_direct", "hilbert", {"faults.qpes": [[2, 2], [6, 5]]}),
)
"""Graph, transport, placer, faults."""


def main() -> None:
    """Map every load twice and print a row for it."""
    print("| load | transport, placer | hottest channel | hops | p99 latency [ns] | CPU s |")
    print("|---|---|---|---|---|---|")
    for graph, transport, placer, faults in LOADS:
        application = replace(generate(graph), transport=transport)  # type: ignore[arg-type]
        machine = load_machine("spinnaker2", faults)
        old, new = (
            attempt(application, machine, placer, router) for router in ("default", "lut_balanced")
        )
        figures = [_figures(trial) for trial in (old, new)]
        cells = " | ".join(
            f"{a:.0f} → {b:.0f} ({100 * (b / a - 1):+.0f} %)" for a, b in zip(*figures, strict=True)
        )
        where = ", ".join([transport, placer, *(["two dead QPEs"] if faults else [])])
        print(f"| {graph} | {where} | {cells} | {new.route_s:.1f} |", flush=True)


def _figures(trial: Trial) -> tuple[float, float, float]:
    total = trial.metrics.total
    measured = replay(trial.mapping, ticks=3).total
    return total.max_link_load, total.tree_hops, measured.latency_p99_ns


if __name__ == "__main__":
    main()
