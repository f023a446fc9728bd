"""What the reference network counts and logs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from chipsim.network.api import NetworkOptions, WindowStatistics
from chipsim.network.reference.parts import Copy, Packet
from chipsim.network.rules import Visit


class Ended(NamedTuple):
    """A copy that was delivered, dropped or overwritten.

    Attributes
    ----------
    row : int
        Position of the inbox in the request; for drops the port.
    endpoint : int
        Where it ended, or was meant to.
    copy : Copy
        As it was where it ended.
    time_ps : int
        The end.
    """

    row: int
    endpoint: int
    copy: Copy
    time_ps: int

    @property
    def packet(self) -> Packet:
        """The packet that it is a copy of."""
        return self.copy.packet


class Hop(NamedTuple):
    """A grant, as the hop log keeps it."""

    source: int
    seq: int
    net: int
    channel: int
    arrived_ps: int
    granted_ps: int
    far_ps: int


@dataclass
class Window:
    """The measuring window's statistics, while they grow."""

    options: NetworkOptions
    created: int = 0
    delivered_of_created: int = 0
    delivered_in_window: int = 0
    latency_sum_ps: int = 0
    latency_max_ps: int = 0

    def __post_init__(self) -> None:
        self.counts = [0] * self.options.bins

    def _contains(self, time_ps: int) -> bool:
        return self.options.window_start_ps <= time_ps < self.options.window_end_ps

    def sent(self, packet: Packet) -> None:
        """Count a packet's copies if it is created in the window."""
        if self.counts and self._contains(packet.created_ps):
            self.created += packet.plan.leaves

    def delivered(self, packet: Packet, now_ps: int) -> None:
        """Count a delivery."""
        if not self.counts:
            return
        if self._contains(now_ps):
            self.delivered_in_window += 1
        if self._contains(packet.created_ps):
            latency = now_ps - packet.created_ps
            self.delivered_of_created += 1
            self.latency_sum_ps += latency
            self.latency_max_ps = max(self.latency_max_ps, latency)
            self.counts[min(latency // self.options.bin_ps, len(self.counts) - 1)] += 1

    def statistics(self) -> WindowStatistics:
        """Return the statistics so far."""
        return WindowStatistics(
            self.created,
            self.delivered_of_created,
            self.delivered_in_window,
            self.latency_sum_ps,
            self.latency_max_ps,
            np.array(self.counts, dtype=np.int64),
        )


class Account:
    """Running counts, the drops and the hop log.

    ``in_flight`` is counted on its own, and not as what is missing from the others, so that the
    conservation of copies can be checked.
    """

    def __init__(self, options: NetworkOptions) -> None:
        self.window = Window(options)
        self.sent = 0
        self.injected = 0
        self.expected = 0
        self.delivered_copies = 0
        self.dropped_copies = 0
        self.overwritten = 0
        self.in_flight = 0
        self.packet_hops = 0
        self.dropped_at: dict[int, int] = {}
        self.visits: Counter[Visit] = Counter()
        self._drops: list[Ended] = []
        self._hops: list[Hop] | None = [] if options.hop_log else None

    def handed_over(self, packet: Packet) -> None:
        """Count a packet that was given to ``send``."""
        self.sent += 1
        self.expected += packet.plan.leaves
        self.in_flight += packet.plan.leaves
        self.window.sent(packet)

    def granted(self, copy: Copy, channel: int, now_ps: int, far_ps: int) -> None:
        """Log a grant, and what a packet router sees of the packet if it leads to one."""
        seen = copy.packet.plan.visits.get(copy.stage)
        if seen is not None:
            self.visits[seen] += 1
        if self._hops is not None:
            packet = copy.packet
            self._hops.append(
                Hop(packet.source, packet.seq, packet.net, channel, copy.arrived_ps, now_ps, far_ps)
            )

    def delivered(self, copy: Copy, now_ps: int) -> None:
        """Count a copy that reached its inbox."""
        self.delivered_copies += 1
        self.in_flight -= 1
        self.window.delivered(copy.packet, now_ps)

    def dropped(self, copy: Copy, port: int, endpoints: Sequence[int], now_ps: int) -> None:
        """Count and keep the leaves that ``copy`` lost at ``port``."""
        self.dropped_copies += len(endpoints)
        self.in_flight -= len(endpoints)
        self._lost(copy, port, endpoints, now_ps)

    def overwrote(self, copy: Copy, port: int, endpoint: int, now_ps: int) -> None:
        """Count and keep a delivered copy that made place for a newer one."""
        self.delivered_copies -= 1
        self.overwritten += 1
        self._lost(copy, port, [endpoint], now_ps)

    def _lost(self, copy: Copy, port: int, endpoints: Sequence[int], now_ps: int) -> None:
        self.dropped_at[port] = self.dropped_at.get(port, 0) + len(endpoints)
        self._drops += [Ended(port, endpoint, copy, now_ps) for endpoint in endpoints]

    def take_drops(self) -> list[Ended]:
        """Return and forget the drops, by (time, port, source, seq, endpoint)."""
        drops, self._drops = self._drops, []
        drops.sort(key=lambda e: (e.time_ps, e.row, e.packet.source, e.packet.seq, e.endpoint))
        return drops

    def take_hops(self) -> list[Hop]:
        """Return and forget the hop log, by (granted, channel)."""
        if self._hops is None:
            return []
        hops, self._hops = self._hops, []
        hops.sort(key=lambda hop: (hop.granted_ps, hop.channel))
        return hops
