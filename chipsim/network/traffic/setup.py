"""From a user's words to something that can run, with every problem named at once."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from math import isfinite
from pathlib import Path

from chipsim.errors import ChipsimError, NetworkError, ProblemsError, did_you_mean
from chipsim.machine.library import load_machine
from chipsim.machine.model import Machine
from chipsim.machine.synthetic import DeadlockWarning
from chipsim.network.traffic.arrivals import Spiking
from chipsim.network.traffic.curve import check_plot
from chipsim.network.traffic.drive import NETWORKS, Progress, Span, run_traffic
from chipsim.network.traffic.parcel import TABLES, TRANSPORTS, Parcel
from chipsim.network.traffic.replay import Replay
from chipsim.network.traffic.result import TrafficResult
from chipsim.network.traffic.spec import Spec, parse
from chipsim.network.traffic.workload import Synthetic, Workload, check_name, synthetic
from chipsim.units import PS_PER_US

DEFAULT_CYCLES = 10_000
_MOST_RATES = 1000
_FEWEST_DRAIN = 1000


class TrafficError(ProblemsError, NetworkError):
    """A traffic run that cannot be made, with all reasons."""


@dataclass(frozen=True)
class Request:
    """What a user asked for; texts are as written.

    Attributes
    ----------
    machine : str
        As :func:`chipsim.machine.library.load_machine` takes it.
    pattern : str
        For example ``uniform``, ``multicast:4``, ``replay:out/run``.
    rate : str
        Packets per node and cycle; empty for a replay.
    sweep : str
        ``from:to:step``, instead of ``rate``.
    cycles, warmup, drain : str
        Empty for the default: 10,000 cycles (a replay: its length), a fifth of them (a replay:
        none), as many as ``cycles`` but at least 1,000.
    seed, payload_bits : str
    plot : str
        File to draw a sweep into; empty for none.
    transport : str
        ``auto``, or ``router``: every packet through the packet router.
    tables : str
        One of :data:`~chipsim.network.traffic.parcel.TABLES`.
    network : str
    settings : mapping
        Figures of the machine to set.
    """

    machine: str
    pattern: str
    rate: str = ""
    sweep: str = ""
    cycles: str = ""
    warmup: str = ""
    drain: str = ""
    seed: str = "1"
    payload_bits: str = "0"
    plot: str = ""
    transport: str = "auto"
    tables: str = "fit"
    network: str = "compiled"
    settings: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Prepared:
    """A request that can run.

    Attributes
    ----------
    request : Request
    machine : Machine
    span : Span
    seed : int
    parcel : Parcel
        Payload and transport of every packet.
    rates : tuple of float
        Empty for a replay.
    workloads : tuple of Workload
        One a rate, or the replay.
    """

    request: Request
    machine: Machine
    span: Span
    seed: int
    parcel: Parcel
    rates: tuple[float, ...]
    workloads: tuple[Workload, ...]

    def run(self, index: int = 0, progress: Progress | None = None) -> TrafficResult:
        """Run the workload ``index``; see :func:`~chipsim.network.traffic.drive.run_traffic`."""
        return run_traffic(
            self.machine,
            self.workloads[index],
            self.span,
            network=self.request.network,
            parcel=self.parcel,
            pattern=self.request.pattern,
            rate=self.rates[index] if self.rates else None,
            seed=self.seed,
            progress=progress,
        )


def prepare(request: Request) -> Prepared:
    """Return a request as something that can run.

    Raises
    ------
    TrafficError
        With every problem found.
    """
    return _Reader(request).prepared()


class _Reader:
    """Reads a request field by field and keeps what is wrong."""

    def __init__(self, request: Request) -> None:
        self.request = request
        self.problems: list[str] = []

    def prepared(self) -> Prepared:
        request = self.request
        machine = self._machine()
        spec = self._spec()
        replay = spec is not None and spec.name == "replay"
        if request.network not in NETWORKS:
            hint = did_you_mean(request.network, NETWORKS)
            self.problems.append(f"network: unknown network {request.network!r}{hint}")
        seed = self._whole("seed", request.seed, 0)
        payload = self._whole("payload-bits", request.payload_bits, 0)
        rates = [] if replay else self._rates()
        if replay and (request.rate or request.sweep):
            self.problems.append("rate: a replay has the times of its trace; leave --rate away")
        if machine is not None and payload is not None:
            self._check_rates(machine, payload, rates)
        self._check_transport(machine)
        if request.tables not in TABLES:
            hint = did_you_mean(request.tables, TABLES)
            self.problems.append(f"tables: unknown tables {request.tables!r}{hint}")
        workloads = self._workloads(machine, spec, rates, seed or 0) if machine and spec else []
        span = self._span(machine, workloads)
        self._check_plot()
        if self.problems or machine is None or span is None:
            raise TrafficError("traffic", self.problems)
        parcel = Parcel(payload or 0, request.transport, request.tables)
        return Prepared(request, machine, span, seed or 0, parcel, tuple(rates), tuple(workloads))

    # Fields -------------------------------------------------------------------------------------

    def _machine(self) -> Machine | None:
        try:
            with warnings.catch_warnings():
                # The run looks at the very routes, and names the circle.
                warnings.simplefilter("ignore", DeadlockWarning)
                return load_machine(self.request.machine, self.request.settings)
        except ProblemsError as error:
            self.problems += [f"{error.subject}: {problem}" for problem in error.problems]
        except ChipsimError as error:
            self.problems.append(str(error))
        return None

    def _spec(self) -> Spec | None:
        try:
            spec = parse(self.request.pattern)
            check_name(spec)
        except NetworkError as error:
            self.problems.append(str(error))
            return None
        return spec

    def _whole(self, name: str, text: str, low: int) -> int | None:
        try:
            value = int(text)
        except ValueError:
            value = low - 1
        if value < low:
            self.problems.append(f"{name}: got {text!r}; expected a whole number, {low} or more")
            return None
        return value

    def _rates(self) -> list[float]:
        request = self.request
        if bool(request.rate) == bool(request.sweep):
            got = "both" if request.rate else "neither"
            self.problems.append(
                f"rate: got {got} of --rate and --sweep-rate; expected one, for example "
                "--rate 0.1 or --sweep-rate 0.05:0.5:0.05"
            )
            return []
        try:
            return sweep_rates(request.sweep) if request.sweep else [_rate(request.rate)]
        except NetworkError as error:
            self.problems.append(str(error))
            return []

    def _check_rates(self, machine: Machine, payload: int, rates: Sequence[float]) -> None:
        known = machine.classes[0].flits
        if payload not in known:
            self.problems.append(
                f"payload-bits: got {payload}; {machine.name} knows "
                f"{', '.join(map(str, sorted(known)))}"
            )
            return
        most = most_rate(machine, payload)
        high = [rate for rate in rates if rate > most]
        if high:
            self.problems.append(
                f"rate: got {', '.join(f'{rate:g}' for rate in high[:3])}"
                f"{', ...' if len(high) > 3 else ''} packets per node and cycle; a source of "
                f"{machine.name} injects at most {most:g} (noc.flits_per_cycle = "
                f"{machine.description.number('noc.flits_per_cycle'):g}); lower the rate"
            )

    def _workloads(
        self, machine: Machine, spec: Spec, rates: Sequence[float], seed: int
    ) -> list[Workload]:
        try:
            if spec.name == "replay":
                if not spec.arguments:
                    raise NetworkError("pattern replay: no file given; write replay:PATH")
                return [Replay(spec.arguments[0][1], machine)]
            return [synthetic(self.request.pattern, machine, rate, seed) for rate in rates]
        except ChipsimError as error:
            self.problems.append(str(error))
            return []

    def _span(self, machine: Machine | None, workloads: Sequence[Workload]) -> Span | None:
        request = self.request
        first = workloads[0] if workloads else None
        length, begin = DEFAULT_CYCLES, None
        if machine is not None and isinstance(first, Replay):
            clock = machine.description.number("noc.clock_mhz")
            length, begin = int(first.last_ps * clock / PS_PER_US) + 1, 0
        cycles = self._whole("cycles", request.cycles, 1) if request.cycles else length
        warmup = self._whole("warmup", request.warmup, 0) if request.warmup else begin
        drain = self._whole("drain", request.drain, 0) if request.drain else None
        if cycles is None:
            return None
        if warmup is None:
            warmup = cycles // 5
        if warmup >= cycles:
            self.problems.append(
                f"warmup: got {warmup} of {cycles} cycles; expected less than --cycles: the "
                "measuring window lies between them"
            )
            return None
        self._check_ticks(first, warmup, cycles)
        return Span(cycles, warmup, max(cycles, _FEWEST_DRAIN) if drain is None else drain)

    def _check_transport(self, machine: Machine | None) -> None:
        transport = self.request.transport
        if transport not in TRANSPORTS:
            hint = did_you_mean(transport, TRANSPORTS)
            self.problems.append(f"transport: unknown transport {transport!r}{hint}")
        elif transport == "router" and machine and "packet_router" not in machine.extras:
            self.problems.append(
                f"transport: {machine.name} has no packet router; leave --transport away"
            )

    def _check_plot(self) -> None:
        if not self.request.plot:
            return
        if not self.request.sweep:
            self.problems.append("plot: it draws a sweep; give --sweep-rate FROM:TO:STEP too")
        try:
            check_plot(Path(self.request.plot))
        except NetworkError as error:
            self.problems.append(str(error))

    def _check_ticks(self, workload: Workload | None, warmup: int, cycles: int) -> None:
        arrivals = workload.arrivals if isinstance(workload, Synthetic) else None
        if not isinstance(arrivals, Spiking):
            return
        tick = -(-warmup // arrivals.period) * arrivals.period
        if tick >= cycles:
            self.problems.append(
                f"pattern spiking: no tick lies in the window, cycles {warmup} to {cycles}; the "
                f"period is {arrivals.period} cycles; raise --cycles or lower period"
            )


def most_rate(machine: Machine, payload_bits: int) -> float:
    """Return how many packets a node can inject per cycle."""
    flits = machine.classes[0].flits[payload_bits]
    return machine.description.number("noc.flits_per_cycle") / flits


def sweep_rates(text: str) -> list[float]:
    """Return the rates of ``from:to:step``, both ends included.

    Raises
    ------
    NetworkError
        If it is none.
    """
    try:
        first, last, step = (Decimal(part.strip()) for part in text.split(":"))
        good = all(number.is_finite() for number in (first, last, step))
    except (ValueError, InvalidOperation):
        good = False
    if not good or first < 0 or last < first or step <= 0:
        raise NetworkError(
            f"sweep-rate: got {text!r}; expected FROM:TO:STEP with 0 <= FROM <= TO and STEP above "
            "0, for example 0.05:0.5:0.05"
        )
    count = int((last - first) / step) + 1
    if count > _MOST_RATES:
        raise NetworkError(
            f"sweep-rate: {text!r} has {count} rates; expected at most {_MOST_RATES}; raise STEP"
        )
    return [float(first + i * step) for i in range(count)]


def _rate(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1
    if not isfinite(value) or value < 0:
        raise NetworkError(
            f"rate: got {text!r}; expected packets per node and cycle, a number of at least 0"
        )
    return value
