"""Drives a network with a workload and measures: warm-up, window, drain.

Packets are created in [0, cycles). The **window** is [warmup, cycles): latency is taken over
packets created in it, rates and channel loads over its time. After its end nothing is created and
the network drains, for a stated time at most; what has not arrived then is *censored*.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from math import ceil
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chipsim.errors import NetworkError, did_you_mean
from chipsim.machine.library import load_machine
from chipsim.machine.model import Machine
from chipsim.network.api import PAYLOAD_WORDS, Counters, Network, NetworkOptions, Sends
from chipsim.network.traffic.book import I64, RouteBook
from chipsim.network.traffic.parcel import Parcel
from chipsim.network.traffic.result import TrafficResult, latencies
from chipsim.network.traffic.stall import StallWatch, can_deadlock
from chipsim.network.traffic.workload import Workload, synthetic
from chipsim.units import FOREVER, PS_PER_US, cycles

NETWORKS = ("compiled", "simpy")
"""Names of the network models."""

Progress = Callable[[Mapping[str, Any]], None]

_SPIKE = Parcel()
_MOST_BINS = 1 << 23
"""64 MB: a bin a cycle for runs of up to eight million cycles."""
_BINS_A_CYCLE = 10
"""Latencies that are no whole cycles (Poisson arrivals, asynchronous clocks) are binned finer."""
_MOST_FINE_BINS = 1 << 20
_MOST_PREPARED = 20_000
"""Routes made before the run and analysed for deadlock; about 10 us each."""
_DRAIN_SLICES = 64


@dataclass(frozen=True)
class Span:
    """The times of a run, in cycles of ``noc.clock_mhz``.

    Attributes
    ----------
    cycles : int
        How long packets are created.
    warmup : int
        Where the measuring window begins.
    drain : int
        How long at most the network is then left to deliver what it holds.
    """

    cycles: int
    warmup: int
    drain: int


def make_network(name: str, machine: Machine, options: NetworkOptions) -> Network:
    """Return the network model ``name``, standing on its own.

    Raises
    ------
    NetworkError
        For an unknown name.
    """
    if name == "compiled":
        from chipsim.network.compiled import Network as CompiledNetwork

        return CompiledNetwork(machine, options=options)
    if name == "simpy":
        from chipsim.network.reference import Network as ReferenceNetwork

        return ReferenceNetwork(machine, options=options)
    raise NetworkError(f"unknown network {name!r}{did_you_mean(name, NETWORKS)}")


@cache
def compile_network() -> None:
    """Compile the network's kernels, or load them, so that no run's CPU time holds that."""
    machine = load_machine("mesh-2x2")
    _Run(machine, synthetic("uniform", machine, 0.5, 1), Span(20, 4, 20)).result("", None, 0)


def run_traffic(
    machine: Machine,
    workload: Workload,
    span: Span,
    *,
    network: str = "compiled",
    parcel: Parcel = _SPIKE,
    pattern: str = "",
    rate: float | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> TrafficResult:
    """Send a workload through a machine and return what was measured.

    Parameters
    ----------
    machine : Machine
    workload : Workload
        Of :func:`chipsim.network.traffic.workload.synthetic`, or a
        :class:`~chipsim.network.traffic.replay.Replay`.
    span : Span
    network : str
        ``compiled`` or ``simpy``; both give the same figures but the CPU time.
    parcel : Parcel
        Payload and transport of every packet; by default a spike without payload.
    pattern, rate, seed
        For the result's labels only.
    progress : callable, optional
        Told now and then how far the run has come.

    Raises
    ------
    NetworkError
        For an unknown network.
    RouteError
        If a destination cannot be reached.
    DeadlockError
        If packets wait for each other in a circle.

    Warns
    -----
    DeadlockWarning
        If the routes can deadlock.
    """
    if network == "compiled":
        compile_network()
    run = _Run(machine, workload, span, network, parcel, progress, seed)
    return run.result(pattern, rate, seed)


class _Run:
    """One run: the network, the clock and what was counted at the window's edges."""

    def __init__(
        self,
        machine: Machine,
        workload: Workload,
        span: Span,
        network: str = "compiled",
        parcel: Parcel = _SPIKE,
        progress: Progress | None = None,
        seed: int = 0,
    ) -> None:
        self.machine = machine
        self.workload = workload
        self.span = span
        self.name = network
        self.clock_mhz = machine.description.number("noc.clock_mhz")
        self.start_ps = self._ps(span.warmup)
        self.end_ps = self._ps(span.cycles)
        self.last_ps = self._ps(span.cycles + span.drain)
        self.bin_ps, bins = _bins(self.clock_mhz, span)
        options = NetworkOptions(
            consume=True,
            window_start_ps=self.start_ps,
            window_end_ps=self.end_ps,
            bin_ps=self.bin_ps,
            bins=bins,
            error_seed=seed,
        )
        self.network = make_network(network, machine, options)
        self.book = RouteBook(self.network, workload, parcel)
        self.progress = progress
        self.now = -1
        self.created = 0
        self.created_in_window = 0
        possible = can_deadlock(machine, self.book.prepare(_MOST_PREPARED))
        self.stall = StallWatch(self.network, cycles(1, self.clock_mhz), possible)

    def _ps(self, count: int) -> int:
        return cycles(count, self.clock_mhz)

    def result(self, pattern: str, rate: float | None, seed: int) -> TrafficResult:
        """Run, and return what was measured."""
        begun = time.process_time() - self.book.cpu_s
        self._inject()
        first = self._counters_at_start
        self._until(self.end_ps - 1)
        second = self.network.counters()
        self._drain()
        cpu_s = time.process_time() - begun - self.book.cpu_s
        return self._measured(pattern, rate, seed, first, second, cpu_s)

    # Injection ----------------------------------------------------------------------------------

    def _inject(self) -> None:
        """Hand over all packets, block by block, and pass the beginning of the window."""
        measured: Counters | None = None
        for time_ps, flow in self.workload.blocks(self.end_ps):
            if not len(time_ps):
                continue
            if measured is None and time_ps[-1] >= self.start_ps:
                # The rows up to the window's beginning go first, so that the counts are cut there.
                cut = int(np.searchsorted(time_ps, self.start_ps))
                self._send(time_ps[:cut], flow[:cut])
                measured = self._cut()
                time_ps, flow = time_ps[cut:], flow[cut:]
            self._send(time_ps, flow)
            # A later row may have the last one's time; sends must lie after the present.
            self._until(int(time_ps[-1]) - 1)
        self._counters_at_start = self._cut() if measured is None else measured

    def _cut(self) -> Counters:
        self._until(self.start_ps - 1)
        return self.network.counters()

    def _send(self, time_ps: I64, flow: I64) -> None:
        count = len(time_ps)
        if not count:
            return
        route = self.book.numbers(flow)
        source = self.book.sources(route)
        zeros = np.zeros(count, dtype=np.int32)
        self.network.send(
            Sends(
                port=self.book.ports(route),
                earliest_ps=np.ascontiguousarray(time_ps, dtype=np.int64),
                gap_ps=np.zeros(count, dtype=np.int64),
                route=route,
                source=source,
                seq=np.arange(self.created, self.created + count, dtype=np.int64),
                key=source.astype(np.uint32),
                payload=np.zeros((count, PAYLOAD_WORDS), dtype=np.uint32),
                net=zeros,
                tick=zeros,
                tag=zeros,
            )
        )
        self.created += count
        self.created_in_window += count - int(np.searchsorted(time_ps, self.start_ps))

    # Time ---------------------------------------------------------------------------------------

    def _until(self, time_ps: int) -> None:
        """Process every instant up to and including ``time_ps``."""
        if time_ps <= self.now:
            return
        if self.network.lazy:
            while self.network.advance(time_ps) < time_ps:
                pass
        else:
            self.network.run_until(time_ps)  # type: ignore[attr-defined]
        self.now = time_ps
        self.stall.look(time_ps)
        if self.progress is not None:
            done = min(self.span.cycles, int(time_ps * self.clock_mhz / PS_PER_US) + 1)
            self.progress({"cycle": done, "cycles": self.span.cycles, "packets": self.created})

    def _drain(self) -> None:
        most = max(self._ps(1000), (self.last_ps - self.end_ps) // _DRAIN_SLICES)
        step = self._ps(16)
        while self.now < self.last_ps and self.network.counters().in_flight:
            if self.network.next_time() >= FOREVER:
                break
            self._until(min(self.now + step, self.last_ps))
            step = min(2 * step, most)
        if self.network.counters().in_flight:
            self.stall.ended(self.now)

    # Figures ------------------------------------------------------------------------------------

    def _measured(
        self,
        pattern: str,
        rate: float | None,
        seed: int,
        first: Counters,
        second: Counters,
        cpu_s: float,
    ) -> TrafficResult:
        end, window = self.network.counters(), self.network.window()
        cycle_ps = PS_PER_US / self.clock_mhz
        node_cycles = self.workload.nodes * (self.span.cycles - self.span.warmup)
        copies = end.expected / end.sent if end.sent else 1.0
        load = self._loads(second.channel_flits - first.channel_flits)
        busiest = int(load.argmax())
        return TrafficResult(
            machine=self.machine.name,
            pattern=pattern,
            rate=rate,
            seed=seed,
            network=self.name,
            nodes=self.workload.nodes,
            packets_created=end.sent,
            packets_injected=end.expected,
            packets_delivered=end.delivered,
            packets_dropped=end.dropped + end.overwritten,
            packets_in_flight=end.in_flight,
            packet_hops=end.packet_hops,
            **latencies(window, self.bin_ps, cycle_ps),
            latency_bin_cycles=round(self.bin_ps / cycle_ps, 6),
            censored=window.created - window.delivered_of_created,
            offered_rate=round(self.created_in_window / node_cycles, 9),
            accepted_rate=round(window.delivered_in_window / copies / node_cycles, 9),
            channel_load_max=round(float(load[busiest]), 9),
            channel_load_mean=round(float(load.mean()), 9),
            channel_loads=tuple(load.tolist()),
            busiest_channel=self.machine.channel_label(busiest),
            cycles=self.span.cycles,
            warmup_cycles=self.span.warmup,
            drain_cycles=max(0, ceil((self.now - self.end_ps) / cycle_ps)),
            cpu_s=round(cpu_s, 6),
            packet_hops_per_cpu_s=round(end.packet_hops / cpu_s, 1) if cpu_s > 0 else None,
        )

    def _loads(self, flits: NDArray[np.int64]) -> NDArray[np.float64]:
        busy_ps = flits * self.machine.channel_flit_ps
        return np.asarray(busy_ps / (self.end_ps - self.start_ps), dtype=np.float64)


def _bins(clock_mhz: float, span: Span) -> tuple[int, int]:
    """Return the width [ps] and number of latency bins, which hold every possible latency."""
    longest = cycles(span.cycles + span.drain, clock_mhz)
    cycle_ps = cycles(1, clock_mhz)
    width = max(1, cycle_ps // _BINS_A_CYCLE)
    if longest // width >= _MOST_FINE_BINS:
        width = cycle_ps * (longest // cycle_ps // _MOST_BINS + 1)
    return width, longest // width + 1
