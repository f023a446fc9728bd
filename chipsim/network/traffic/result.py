"""What a traffic run found, and how its figures follow from the network's counts."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chipsim.network.api import WindowStatistics


@dataclass(frozen=True)
class TrafficResult:
    """One run. Counts are of copies where packets have several destinations.

    Attributes
    ----------
    machine, pattern : str
    rate : float or None
        As asked for; None for a replay.
    seed : int
    network : str
    nodes : int
        Nodes that rates are counted by.
    packets_created : int
        Packets (not copies) that were created.
    packets_injected : int
        Their copies, those that still wait in source queues included: it is the sum of delivered,
        dropped and in flight.
    packets_delivered, packets_dropped, packets_in_flight : int
        At the end, after the drain.
    packet_hops : int
        Routers visited, source's and destination's included.
    mean_latency_cycles, p50_latency_cycles, p99_latency_cycles, max_latency_cycles : float or None
        From creation to delivery, over the packets created in the window that were delivered.
        Percentiles are the nearest rank's, rounded down to ``latency_bin_cycles``.
    latency_bin_cycles : float
    censored : int
        Copies created in the window that were not delivered by the end of the drain.
    offered_rate : float
        Packets created in the window, per node and cycle.
    accepted_rate : float
        Packets delivered in the window, per node and cycle (a copy counts as its share of one).
    channel_load_max, channel_load_mean : float
        Share of the window that a channel was busy: the busiest, and the mean of all channels.
    busiest_channel : str
    cycles, warmup_cycles, drain_cycles : int
        Injection lasted ``cycles``, the window are those from ``warmup_cycles`` on, the drain took
        ``drain_cycles`` more (rounded up).
    cpu_s : float
        CPU time of drawing, handing over and simulating the packets, without compilation and
        without what is made once (machine, routes).
    packet_hops_per_cpu_s : float or None
    channel_loads : tuple of float
        The load of every channel, in machine order; left out of :meth:`as_dict`.
    """

    machine: str
    pattern: str
    rate: float | None
    seed: int
    network: str
    nodes: int
    packets_created: int
    packets_injected: int
    packets_delivered: int
    packets_dropped: int
    packets_in_flight: int
    packet_hops: int
    mean_latency_cycles: float | None
    p50_latency_cycles: float | None
    p99_latency_cycles: float | None
    max_latency_cycles: float | None
    latency_bin_cycles: float
    censored: int
    offered_rate: float
    accepted_rate: float
    channel_load_max: float
    channel_load_mean: float
    busiest_channel: str
    cycles: int
    warmup_cycles: int
    drain_cycles: int
    cpu_s: float
    packet_hops_per_cpu_s: float | None
    channel_loads: tuple[float, ...] = field(repr=False, default=())

    def as_dict(self) -> dict[str, Any]:
        """Return the fields in order, as JSON takes them."""
        return {f.name: getattr(self, f.name) for f in fields(self) if f.name != "channel_loads"}

    @property
    def saturated(self) -> bool:
        """Whether the network took less than 98 % of what was offered, or packets were censored.

        Needs a window long against the latency: what is under way at its end counts as not taken.
        """
        return self.accepted_rate < 0.98 * self.offered_rate or self.censored > 0


def latencies(window: WindowStatistics, bin_ps: int, cycle_ps: float) -> dict[str, float | None]:
    """Return mean, median, 99th percentile and maximum [cycles]; None where nothing arrived."""
    count = window.delivered_of_created
    if count == 0:
        names = ("mean", "p50", "p99", "max")
        return {f"{name}_latency_cycles": None for name in names}
    most = window.latency_max_ps
    return {
        "mean_latency_cycles": _rounded(window.latency_sum_ps / count / cycle_ps),
        "p50_latency_cycles": _rounded(_percentile(window, 0.50, bin_ps) / cycle_ps),
        "p99_latency_cycles": _rounded(_percentile(window, 0.99, bin_ps) / cycle_ps),
        "max_latency_cycles": _rounded(most / cycle_ps),
    }


def _percentile(window: WindowStatistics, share: float, bin_ps: int) -> int:
    """Return the lower edge [ps] of the bin that holds the nearest rank of ``share``."""
    below: NDArray[np.int64] = np.cumsum(window.latency_counts)
    rank = int(np.ceil(share * int(below[-1])))
    return int(np.searchsorted(below, rank)) * bin_ps


def _rounded(value: float) -> float:
    """Drop the digits that a division of picoseconds leaves behind the sixth."""
    return round(float(value), 6)
