"""What the exchanges of a run cost: time and traffic between two barriers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from chipsim.units import PS_PER_US

if TYPE_CHECKING:
    from chipsim.sim.barrier import Barrier
    from chipsim.sim.simulation import Simulation
    from eventprop_apps.exchange.options import ExchangeOptions

KINDS = ("gradient", "weight")
PACKET_BYTES = 16


class ExchangeMeter:
    """Adds up exchanges, from the release of one barrier to that of another.

    Parameters
    ----------
    simulation : Simulation
    begin, end : Barrier
        Released when all gradients are ready, and when all weights have arrived.
    options : ExchangeOptions
    """

    def __init__(
        self, simulation: Simulation, begin: Barrier, end: Barrier, options: ExchangeOptions
    ) -> None:
        self._simulation = simulation
        self._options = options
        self._from: tuple[int, ...] | None = None
        self._sums = [0] * (2 + len(KINDS))
        self.batches = 0
        begin.on_release.append(lambda _: self._begin())
        end.on_release.append(lambda _: self._end())

    def _now(self) -> tuple[int, ...]:
        simulation = self._simulation
        simulation.synchronise()
        # Or the exchange's last packets would count for the next one.
        simulation.tracer.hand_over_sends()
        sent = simulation.tracer.recorder.packets_sent()
        hops = int(simulation.network.carried().packet_hops)
        return int(simulation.env.now), hops, *(sent[kind] for kind in KINDS)

    def _begin(self) -> None:
        self._from = self._now()

    def _end(self) -> None:
        if self._from is None:
            return
        passed = (b - a for a, b in zip(self._from, self._now(), strict=True))
        self._sums = [total + part for total, part in zip(self._sums, passed, strict=True)]
        self._from = None
        self.batches += 1

    def state(self) -> dict[str, Any]:
        """Return the sums so far, for a checkpoint between two exchanges."""
        return {"sums": self._sums, "batches": self.batches}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from :meth:`state`."""
        self._sums, self.batches = list(state["sums"]), int(state["batches"])

    def summary(self) -> dict[str, Any]:
        """Return the strategy, and the means of a batch: time [us], cycles, packets, bytes, hops.

        Whatever else is on its way at that time counts among the hops.
        """
        count = max(1, self.batches)
        picoseconds, hops, *packets = self._sums
        us = picoseconds / PS_PER_US / count
        return {
            "strategy": self._options.strategy,
            "optimisers": self._options.optimisers,
            "state": self._options.state,
            "batches": self.batches,
            "us": us,
            "cycles": us * self._simulation.clock_mhz,
            "packets": {k: n / count for k, n in zip(KINDS, packets, strict=True)},
            "bytes": PACKET_BYTES * sum(packets) / count,
            "packet_hops": hops / count,
        }
