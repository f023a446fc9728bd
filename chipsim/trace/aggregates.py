"""What a recorder always counts, at any level: copies, lateness, latencies, hops, tick use."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chipsim.trace.latency import LatencyCounts
from chipsim.trace.schema import DELIVERED, OUTCOMES

PACKET_COLUMNS = ("kind", "injected_ps", "ended_ps", "outcome", "hops", "waited_ps", "late")
"""The packet columns that these counts rest on; at level ``summary`` no other is needed."""

TICK_COLUMNS = ("start_ps", "done_ps", "busy_ps", "overrun")
"""The tick columns that these counts rest on."""


_NUMBERS = ("ticks", "overruns", "busy_ps", "busy_max_ps", "span_max_ps")
_ARRAYS = ("copies", "late", "hops", "waited_ps")


class Aggregates:
    """Exact counts over all rows handed over, whatever is written.

    Parameters
    ----------
    kinds : tuple of str
        Names of the packet kinds, in the order of their codes.

    Attributes
    ----------
    latency : tuple of LatencyCounts
        For each kind: delivery minus injection, of delivered copies [ps].
    ticks, overruns : int
        Handlers, and those that ended after the next tick.
    busy_ps, busy_max_ps, span_max_ps : int
        Computing time, its largest value in one tick, and the longest time from a handler's start
        to its end (which includes waiting for TX registers) [ps].
    """

    def __init__(self, kinds: tuple[str, ...]) -> None:
        self.kinds = kinds
        self.latency = tuple(LatencyCounts() for _ in kinds)
        self.ticks = 0
        self.overruns = 0
        self.busy_ps = 0
        self.busy_max_ps = 0
        self.span_max_ps = 0
        self._copies = np.zeros((len(kinds), len(OUTCOMES)), np.int64)
        self._late = np.zeros(len(kinds), np.int64)
        self._hops = np.zeros(len(kinds), np.int64)
        self._waited_ps = np.zeros(len(kinds), np.int64)

    def add_packets(self, rows: Mapping[str, NDArray[Any]]) -> None:
        """Count rows of packets (:data:`PACKET_COLUMNS`)."""
        delivered = rows["outcome"] == DELIVERED
        np.add.at(self._copies, (rows["kind"], rows["outcome"]), 1)
        latency = rows["ended_ps"] - rows["injected_ps"]
        for code, counts in enumerate(self.latency):
            here = rows["kind"] == code
            if here.any():
                counts.add(latency[here & delivered])
                self._late[code] += np.count_nonzero(rows["late"] & here)
                self._hops[code] += rows["hops"][here].sum(dtype=np.int64)
                self._waited_ps[code] += rows["waited_ps"][here].sum()

    def add_ticks(self, rows: Mapping[str, NDArray[Any]]) -> None:
        """Count rows of ticks (:data:`TICK_COLUMNS`)."""
        busy = rows["busy_ps"]
        self.ticks += len(busy)
        self.overruns += int(np.count_nonzero(rows["overrun"]))
        self.busy_ps += int(busy.sum())
        self.busy_max_ps = max(self.busy_max_ps, int(busy.max()))
        self.span_max_ps = max(self.span_max_ps, int((rows["done_ps"] - rows["start_ps"]).max()))

    def state(self) -> dict[str, Any]:
        """Return all counts, for a checkpoint."""
        numbers = {name: getattr(self, name) for name in _NUMBERS}
        arrays = {name: getattr(self, f"_{name}") for name in _ARRAYS}
        latency = {
            str(code): dict(zip(("values", "counts"), counts.items(), strict=True))
            for code, counts in enumerate(self.latency)
        }
        return {**numbers, **arrays, "latency": latency}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from :meth:`state`."""
        for name in _NUMBERS:
            setattr(self, name, int(state[name]))
        for name in _ARRAYS:
            getattr(self, f"_{name}")[:] = state[name]
        for code, counts in enumerate(self.latency):
            saved = state["latency"][str(code)]
            counts.merge(saved["values"], saved["counts"])

    def all_latencies(self) -> LatencyCounts:
        """Return the latencies of all kinds together."""
        total = LatencyCounts()
        for counts in self.latency:
            total.update(counts)
        return total

    def copies(self) -> dict[str, dict[str, int]]:
        """Return for each kind how many copies ended in each way."""
        return {
            kind: dict(zip(OUTCOMES, row, strict=True))
            for kind, row in zip(self.kinds, self._copies.tolist(), strict=True)
        }

    def late(self) -> dict[str, int]:
        """Return for each kind how many copies were consumed late."""
        return dict(zip(self.kinds, self._late.tolist(), strict=True))

    def hops(self) -> dict[str, int]:
        """Return for each kind the routers visited, summed over copies."""
        return dict(zip(self.kinds, self._hops.tolist(), strict=True))

    def waited_ps(self) -> dict[str, int]:
        """Return for each kind the time in FIFOs, summed over copies [ps]."""
        return dict(zip(self.kinds, self._waited_ps.tolist(), strict=True))
