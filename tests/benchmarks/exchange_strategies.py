"""Exchange strategies side by side: traffic and time of one batch's exchange.

Run ``python tests/benchmarks/exchange_strategies.py``; docs/exchange.md shows what it prints. All
figures are of the simulated chip (simulated time, packets), so they do not depend on the host.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np

from chipsim.errors import MappingError
from chipsim.machine.library import load_machine
from eventprop_apps.chip import ChipOptions, ChipRun
from eventprop_apps.data.dataset import SpikeEvents
from eventprop_apps.data.init import initial_weights
from eventprop_apps.evaluation import sample_of
from eventprop_apps.exchange import ExchangeOptions
from eventprop_apps.model import Model, layer_factors
from eventprop_apps.optimisers import AdamSettings
from eventprop_apps.programs.plan import BACKWARD_BARRIER, BATCH_BARRIER, Job

BATCH, STEPS = 22, 8
NETWORKS = {"5-120-3": (5, 120, 3), "65-100-10": (65, 100, 10)}
STRATEGIES = {
    "gather": ExchangeOptions(),
    "gather, DRAM": ExchangeOptions(state="dram"),
    "tree, arity 2": ExchangeOptions("tree", arity=2),
    "tree, arity 4": ExchangeOptions("tree", arity=4),
    "tree, arity 4, DRAM": ExchangeOptions("tree", arity=4, state="dram"),
    "2 shards": ExchangeOptions("sharded", shards=2),
    "4 shards": ExchangeOptions("sharded", shards=4),
    "4 shards, DRAM": ExchangeOptions("sharded", shards=4, state="dram"),
    "8 shards": ExchangeOptions("sharded", shards=8),
}
KINDS = ("gradient", "weight")


class Watch:
    """Notes time and traffic at the two barriers that an exchange lies between."""

    def __init__(self) -> None:
        self.marks: dict[str, list[tuple[int, dict[str, int], int]]] = {}

    def on_start(self, simulation: Any) -> None:
        self.simulation = simulation

    def listen(self) -> None:
        for name in (BACKWARD_BARRIER, BATCH_BARRIER):
            barrier = self.simulation.barrier(name)
            barrier.on_release.insert(0, lambda _, name=name: self._mark(name))

    def _mark(self, name: str) -> None:
        simulation = self.simulation
        sent = simulation.tracer.recorder.packets_sent()
        hops = simulation.network.counters().packet_hops
        self.marks.setdefault(name, []).append((int(simulation.env.now), dict(sent), int(hops)))


def exchange(sizes: tuple[int, ...], options: ExchangeOptions, network: str = "compiled") -> Any:
    """Return one exchange's figures: packets by kind, packet-hops, bytes of DRAM, time [us]."""
    model = Model.make(sizes, STEPS, layer_factors(len(sizes) - 1))
    spikes = np.zeros((STEPS, BATCH, sizes[0]), np.uint8)
    events = SpikeEvents.from_dense(spikes)  # no spikes: all traffic is the exchange's

    def jobs() -> Iterator[Job]:
        for _ in range(1):
            yield Job(
                events=[sample_of(events, b) for b in range(BATCH)],
                targets=[np.zeros(1, np.uint32)] * BATCH,
                samples=np.arange(BATCH, dtype=np.int32),
                backward=True,
                update=True,
                batch=BATCH,
            )

    watch = Watch()
    run = ChipRun(
        model,
        load_machine("spinnaker2"),
        initial_weights(1, sizes, [(1.0, 1.0)] * (len(sizes) - 1)),
        jobs(),
        ChipOptions(BATCH, exchange=options, network=network),
        input_capacity=1,
        optimiser=AdamSettings().make(model.weights, 1, model.dtype),
        probes=[watch],
    )
    watch.listen()
    run.run()
    before, after = (watch.marks[name][0] for name in (BACKWARD_BARRIER, BATCH_BARRIER))
    return {
        "packets": {kind: after[1][kind] - before[1][kind] for kind in KINDS},
        "hops": after[2] - before[2],
        "dram": run.simulation.transfers.dram_bytes_moved,
        "us": (after[0] - before[0]) / 1e6,
        "cycles": round((after[0] - before[0]) / 1e6 * run.simulation.clock_mhz),
    }


def table(sizes: tuple[int, ...]) -> list[str]:
    """Return the rows of one network's table."""
    rows = [
        "| exchange | gradient packets | weight packets | packet-hops | bytes on the NoC | "
        "bytes of DRAM | time [us] | cycles |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, options in STRATEGIES.items():
        try:
            found = exchange(sizes, options)
        except MappingError as error:
            rows.append(f"| {name} | refused: {error.problems[-1].split(':')[0]} | | | | | | |")
            continue
        sent = found["packets"]
        rows.append(
            f"| {name} | {sent['gradient']:,} | {sent['weight']:,} | {found['hops']:,} | "
            f"{16 * sum(sent.values()):,} | {found['dram']:,} | {found['us']:.1f} | "
            f"{found['cycles']:,} |"
        )
    return rows


def main() -> None:
    """Print the tables."""
    for name, sizes in NETWORKS.items():
        if len(sys.argv) > 1 and name not in sys.argv[1:]:
            continue
        print(f"### {name}, {BATCH} replicas, {sum(a * b for a, b in pairwise(sizes))} weights")
        print("\n".join(table(sizes)))
        print()


if __name__ == "__main__":
    main()
