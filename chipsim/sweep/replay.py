"""A mapping measured: its nets' expected packets go through the simulated network, tick by tick.

At each tick every source sends what its nets expect, one packet after another at the pace of the
chip's software, all sources at once: the burst that a chip without tick offsets sees. PEs take what
has arrived at the next tick. Nothing is computed and no weights change; learning with a mapping is
``chipsim run … --set mapping.file=FILE``.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chipsim import seeds
from chipsim.errors import MappingError
from chipsim.machine.model import Machine
from chipsim.mapping.mapping import Mapping
from chipsim.network.api import PAYLOAD_WORDS, Counters, Network, NetworkOptions, Sends
from chipsim.network.traffic.drive import make_network
from chipsim.units import cycles, us

I64 = NDArray[np.int64]

TICKS = 20
TICK_US = 1000.0
"""Tick of a machine whose description gives none: real time, 1 ms."""

_HOT = 5
_QUANTILES = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "p999": 0.999}


@dataclass(frozen=True)
class PhaseMeasured:
    """What was measured in one phase.

    Attributes
    ----------
    packets, copies : int
        Packets sent; deliveries that they stand for.
    delivered, dropped, undelivered : int
        Copies that arrived, that the network or a full receive FIFO dropped, and that were still
        under way at the end.
    late : int
        Copies that arrived after the tick in which they were sent, undelivered ones included.
    latency_p50_ns … latency_max_ns, latency_mean_ns : float
        From a packet's creation (its turn at the sender) to delivery; quantiles are the least
        latency that this share of the copies does not exceed [ns].
    tick_use_max, tick_use_mean : float
        Time from a tick to its last delivery over the tick's length, worst and mean tick.
    max_channel_use : float
        Busy time of the busiest channel over all of the phase's ticks.
    hot_channels : tuple of (str, float)
        The busiest channels and their flits per tick.
    energy_nj_per_tick : dict of str to float
        Energy of moved flits by part of the account [nJ].
    """

    packets: int
    copies: int
    delivered: int
    dropped: int
    undelivered: int
    late: int
    latency_mean_ns: float
    latency_p50_ns: float
    latency_p90_ns: float
    latency_p99_ns: float
    latency_p999_ns: float
    latency_max_ns: float
    tick_use_max: float
    tick_use_mean: float
    max_channel_use: float
    hot_channels: tuple[tuple[str, float], ...]
    energy_nj_per_tick: dict[str, float]


@dataclass(frozen=True)
class Measured:
    """A mapping's measured figures.

    Attributes
    ----------
    ticks : int
        Ticks of each phase.
    tick_us : float
        Length of a tick [us].
    seed : int
    total : PhaseMeasured
        All phases together.
    by_phase : dict of str to PhaseMeasured
    """

    ticks: int
    tick_us: float
    seed: int
    total: PhaseMeasured
    by_phase: dict[str, PhaseMeasured]

    def as_dict(self) -> dict[str, Any]:
        """Return nested plain dictionaries, ready for JSON."""
        return asdict(self)


def replay(
    mapping: Mapping,
    *,
    ticks: int = TICKS,
    tick_us: float | None = None,
    seed: int = 0,
    network: str = "compiled",
) -> Measured:
    """Send a mapping's expected packets through the network and measure.

    Parameters
    ----------
    mapping : Mapping
        Its nets say how many packets they expect per tick and phase; a fractional part is drawn
        anew for each tick.
    ticks : int
        Ticks of each phase.
    tick_us : float, optional
        Length of a tick [us]; the machine's (``pe.tick_us``), or 1000.
    seed : int
        Of the draws; equal for all mappings of one application, so that they are compared on the
        same traffic.
    network : str
        ``compiled`` or ``simpy``: the same figures.

    Raises
    ------
    MappingError
        If no net expects packets, or a number is out of range.
    """
    figures = mapping.machine.description
    if tick_us is None:
        tick_us = figures.number("pe.tick_us") if "pe.tick_us" in figures else TICK_US
    phases = mapping.application.phases
    problems = []
    if not any(net.weight() > 0 for net in mapping.application.nets):
        problems.append("no net expects packets; give nets weights (packets_per_tick)")
    if ticks < 1:
        problems.append(f"ticks is {ticks}; expected at least 1")
    if not tick_us > 0:
        problems.append(f"tick_us is {tick_us}; expected more than 0")
    if problems:
        raise MappingError(f"measuring application {mapping.application.name!r}", problems)
    runs = {
        phase: _Run(mapping, phase, ticks, us(tick_us), seed, network).run() for phase in phases
    }
    runs = {phase: run for phase, run in runs.items() if run.packets}
    return Measured(
        ticks=ticks,
        tick_us=tick_us,
        seed=seed,
        total=_figures(mapping.machine, list(runs.values())),
        by_phase={phase: _figures(mapping.machine, [run]) for phase, run in runs.items()},
    )


@dataclass(frozen=True)
class _Outcome:
    """What a phase's run left to be counted."""

    packets: int
    counters: Counters
    latency_ps: I64
    late: int
    tick_use: NDArray[np.float64]
    time_ps: int
    ticks: int


class _Run:
    """One phase of one mapping in a network of its own."""

    def __init__(
        self, mapping: Mapping, phase: str, ticks: int, tick_ps: int, seed: int, network: str
    ) -> None:
        self.mapping, self.machine = mapping, mapping.machine
        self.phase, self.ticks, self.tick_ps = phase, ticks, tick_ps
        self.rng = seeds.rng(seed, "replay", phase)
        self.network: Network = make_network(network, self.machine, NetworkOptions())
        self.gap_ps = send_gap_ps(self.machine)
        nets = mapping.application.nets
        index = {vertex.name: i for i, vertex in enumerate(mapping.application.vertices)}
        self.weight = np.array([net.weight(phase) for net in nets])
        self.routes: list[NDArray[np.int32]] = []
        self.port: list[int] = []
        self.source = [index[net.source] for net in nets]
        for net in nets:
            routes = mapping.routes[net.name]
            self.routes.append(self.network.add_routes(routes))
            self.port.append(routes[0].port)
        self.base = [int(mapping.keys[net.name].base) for net in nets]
        self.created: list[I64] = []
        self.packets = 0

    def run(self) -> _Outcome:
        """Send all ticks, drain, and return what came of it."""
        inboxes = np.arange(2 * self.machine.endpoints, dtype=np.int32)
        latency: list[I64] = []
        use = np.zeros(self.ticks)
        late = 0
        for tick in range(2 * self.ticks):
            begin = (tick + 1) * self.tick_ps
            if tick < self.ticks:
                self._send(tick, begin)
            self._until(begin + self.tick_ps - 1)
            taken = self.network.take(inboxes, begin + self.tick_ps - 1)
            if len(taken):
                created = np.concatenate(self.created)[taken.seq]
                latency.append(taken.time_ps - created)
                late += int((taken.tick < tick).sum())
                np.maximum.at(
                    use,
                    taken.tick,
                    (taken.time_ps - (taken.tick.astype(np.int64) + 1) * self.tick_ps)
                    / self.tick_ps,
                )
            if tick >= self.ticks - 1 and not self.network.counters().in_flight:
                break
        counters = self.network.counters()
        return _Outcome(
            packets=self.packets,
            counters=counters,
            latency_ps=np.concatenate(latency) if latency else np.empty(0, dtype=np.int64),
            late=late + counters.in_flight,
            tick_use=use,
            time_ps=self.ticks * self.tick_ps,
            ticks=self.ticks,
        )

    def _until(self, time_ps: int) -> None:
        if self.network.lazy:
            while self.network.advance(time_ps) < time_ps:
                pass
        else:
            self.network.run_until(time_ps)  # type: ignore[attr-defined]

    def _send(self, tick: int, begin: int) -> None:
        whole = np.floor(self.weight)
        counts = (whole + (self.rng.random(len(whole)) < self.weight - whole)).astype(np.int64)
        sending = np.flatnonzero(counts)
        if not len(sending):
            return
        fan = [len(self.routes[net]) for net in sending.tolist()]
        copies = counts[sending] * np.array(fan)
        net = np.repeat(sending, copies).astype(np.int32)
        route = np.concatenate(
            [np.tile(self.routes[n], int(counts[n])) for n in sending.tolist()]
        ).astype(np.int32)
        port = np.array(self.port, dtype=np.int32)[net]
        # A port's packets leave in the order of its nets, one every gap.
        order = np.argsort(port, kind="stable")
        net, route, port = net[order], route[order], port[order]
        first = np.concatenate(([True], port[1:] != port[:-1]))
        start = np.flatnonzero(first)
        turn = np.arange(len(port)) - np.repeat(start, np.diff(np.append(start, len(port))))
        earliest = begin + (turn + 1) * self.gap_ps
        count = len(port)
        self.created.append(earliest)
        seq = np.arange(self.packets, self.packets + count, dtype=np.int64)
        self.packets += count
        self.network.send(
            Sends(
                port=port,
                earliest_ps=earliest.astype(np.int64),
                gap_ps=np.full(count, self.gap_ps, dtype=np.int64),
                route=route,
                source=np.array(self.source, dtype=np.int32)[net],
                seq=seq,
                key=np.array(self.base, dtype=np.uint32)[net],
                payload=np.zeros((count, PAYLOAD_WORDS), dtype=np.uint32),
                net=net,
                tick=np.full(count, tick, dtype=np.int32),
                tag=np.zeros(count, dtype=np.int32),
            )
        )


def send_gap_ps(machine: Machine) -> int:
    """Return the time that a source takes from packet to packet [ps].

    A chip's software sends one every ``pe.cycles.send_per_qpe`` cycles of its starting clock
    level; a synthetic machine's source one every cycle of ``noc.clock_mhz``.
    """
    figures = machine.description
    if "pe.cycles.send_per_qpe" in figures:
        level = figures.text("pe.levels.start")
        return cycles(
            figures.integer("pe.cycles.send_per_qpe"), figures.number(f"pe.levels.{level}_mhz")
        )
    return cycles(1, figures.number("noc.clock_mhz")) if "noc.clock_mhz" in figures else 1000


def _figures(machine: Machine, runs: list[_Outcome]) -> PhaseMeasured:
    flits = sum((run.counters.channel_flits for run in runs), np.zeros(machine.channels, np.int64))
    latency = np.concatenate([run.latency_ps for run in runs])
    use = np.concatenate([run.tick_use for run in runs])
    ticks = sum(run.ticks for run in runs)
    busy = flits * machine.channel_flit_ps / sum(run.time_ps for run in runs)
    hottest = np.argsort(-flits, kind="stable")[:_HOT].tolist()
    counters = [run.counters for run in runs]
    return PhaseMeasured(
        packets=sum(run.packets for run in runs),
        copies=sum(c.expected for c in counters),
        delivered=sum(c.delivered for c in counters),
        dropped=sum(c.dropped + c.overwritten for c in counters),
        undelivered=sum(c.in_flight for c in counters),
        late=sum(run.late for run in runs),
        latency_mean_ns=float(latency.mean()) / 1000 if len(latency) else 0.0,
        **{f"latency_{name}_ns": _quantile(latency, share) for name, share in _QUANTILES.items()},
        latency_max_ns=float(latency.max()) / 1000 if len(latency) else 0.0,
        tick_use_max=float(use.max()),
        tick_use_mean=float(use.mean()),
        max_channel_use=float(busy.max()),
        hot_channels=tuple(
            (machine.channel_label(c), float(flits[c]) / ticks) for c in hottest if flits[c]
        ),
        energy_nj_per_tick=_energy(machine, flits, ticks),
    )


def _quantile(latency_ps: I64, share: float) -> float:
    """Return the least latency that at least this share of the copies does not exceed [ns]."""
    if not len(latency_ps):
        return 0.0
    rank = min(len(latency_ps) - 1, max(0, int(np.ceil(share * len(latency_ps))) - 1))
    return float(np.partition(latency_ps, rank)[rank]) / 1000


def _energy(machine: Machine, flits: I64, ticks: int) -> dict[str, float]:
    parts: dict[str, float] = {}
    for number, cls in enumerate(machine.classes):
        moved = int(flits[machine.channel_class == number].sum())
        if moved:
            picojoule = moved * cls.pj_per_flit / ticks
            parts[cls.energy_part] = parts.get(cls.energy_part, 0.0) + picojoule / 1000
    return parts
