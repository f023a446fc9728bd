"""One conformance suite for every network model: the same script, the same picoseconds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np

from chipsim.machine.model import Machine, PortKind
from chipsim.network.api import (
    Counters,
    Deliveries,
    Hops,
    InFlight,
    Network,
    NetworkOptions,
    Notify,
    Waits,
    WindowStatistics,
)
from chipsim.network.reference import Candidate, RoundRobin
from chipsim.network.reference import Network as ReferenceNetwork
from chipsim.network.rules import Visit
from chipsim.testing.scripts import Case, Look, Send, Take, WatchInbox, drive, make_sends
from chipsim.units import FOREVER

NetworkFactory = Callable[[Machine, Notify, NetworkOptions], Network]
"""Makes a network model for a case."""

Table = Deliveries | Hops | InFlight | Waits

SETTLE_PS = 10**9
"""Time in which every network becomes quiet, done or stuck, when nothing is sent or taken."""

FLOOR_PERCENT = 30
"""Least share of cases that must block a packet, branch, and have a contest at one instant."""


@dataclass
class View:
    """What a look at a network showed.

    Attributes
    ----------
    at_ps : int
    counters : Counters
    in_flight : InFlight
    waits : Waits
    waiting : list of int
        Packets per inbox.
    script_left, last_accepted_ps : list of int
        Per source port, in the order of the ports.
    visits : dict of Visit to int
        What packet routers have seen.
    """

    at_ps: int
    counters: Counters
    in_flight: InFlight
    waits: Waits
    waiting: list[int]
    script_left: list[int]
    last_accepted_ps: list[int]
    visits: dict[Visit, int]


@dataclass
class Outcome:
    """What a network made of a case.

    Attributes
    ----------
    taken : list of Deliveries
        One per take, the last one at the end.
    drops : Deliveries
    hops : Hops
    views : list of View
        One per look, the last one at the end.
    fired : list of tuple of int
        Watches, as (kind, index, time).
    window : WindowStatistics
    quiet : bool
        Whether nothing was to happen any more at the end, or at most :data:`SETTLE_PS` later.
    """

    taken: list[Deliveries]
    drops: Deliveries
    hops: Hops
    views: list[View]
    fired: list[tuple[int, int, int]]
    window: WindowStatistics
    quiet: bool


def reference_factory(
    machine: Machine, notify: Notify, options: NetworkOptions
) -> ReferenceNetwork:
    """Make the SimPy network, standalone."""
    return ReferenceNetwork(machine, None, notify, options)


def run_script(factory: NetworkFactory, case: Case) -> Outcome:
    """Play ``case`` on a network and return everything that can be seen of it."""
    fired: list[tuple[int, int, int]] = []
    network = factory(case.machine, lambda *what: fired.append(what), case.options)
    numbers = [int(number) for number in network.add_routes(case.routes)]
    taken: list[Deliveries] = []
    views: list[View] = []
    for action in case.ordered():
        if action.at_ps > 0:
            drive(network, action.at_ps)
        if isinstance(action, Send):
            network.send(make_sends(case.routes, numbers, action.rows))
        elif isinstance(action, Take):
            inboxes = np.array(action.inboxes, dtype=np.int32)
            taken.append(network.take(inboxes, action.at_ps))
        elif isinstance(action, Look):
            views.append(_look(network, case.machine, action.at_ps))
        elif isinstance(action, WatchInbox):
            network.watch_inbox(action.inbox, action.count)
        else:
            network.watch_accepted(action.port)
    now = max([case.end_ps, *(action.at_ps for action in case.actions)]) + SETTLE_PS
    drive(network, now)
    quiet = network.next_time() >= FOREVER
    views.append(_look(network, case.machine, now))
    everything = np.arange(2 * case.machine.endpoints, dtype=np.int32)
    taken.append(network.take(everything, now))
    window = network.window()
    return Outcome(taken, network.take_drops(), network.take_hops(), views, fired, window, quiet)


def _look(network: Network, machine: Machine, now_ps: int) -> View:
    sources = np.flatnonzero(machine.port_kind == PortKind.SOURCE).astype(np.int32)
    left, last = network.accepted(sources)
    assert left.tolist() == [network.script_left(port) for port in sources.tolist()]
    assert last.tolist() == [network.last_accepted_ps(port) for port in sources.tolist()]
    return View(
        now_ps,
        network.counters(),
        network.in_flight(),
        network.waits(),
        [network.waiting(inbox) for inbox in range(2 * machine.endpoints)],
        left.tolist(),
        last.tolist(),
        network.visits(),
    )


# Comparison -------------------------------------------------------------------------------------


def assert_same(one: Outcome, other: Outcome) -> None:
    """Raise AssertionError, naming the first difference, unless the outcomes are equal.

    Everything counts, to the picosecond, and rows in their order, except that a network may give
    drops of one instant, rows in flight and waits in an order of its own.
    """
    for number, (a, b) in enumerate(zip(one.taken, other.taken, strict=True)):
        _same_rows(f"take {number}", _rows(a), _rows(b), _names(a))
    for outcome in (one, other):
        assert np.all(np.diff(outcome.drops.time_ps) >= 0), "take_drops: rows are not by time"
    _same_rows("drops", sorted(_rows(one.drops)), sorted(_rows(other.drops)), _names(one.drops))
    _same_rows("hop log", _rows(one.hops), _rows(other.hops), _names(one.hops))
    for view, counterpart in zip(one.views, other.views, strict=True):
        _same_view(view, counterpart)
    _same_value("watches fired", _by_time(one.fired), _by_time(other.fired))
    _same_value("window", _plain(one.window), _plain(other.window))
    _same_value("quiet at the end", one.quiet, other.quiet)


def _same_view(a: View, b: View) -> None:
    where = f"at {a.at_ps} ps"
    _same_value(f"counters {where}", _plain(a.counters), _plain(b.counters))
    for name, x, y in (("in flight", a.in_flight, b.in_flight), ("waits", a.waits, b.waits)):
        _same_rows(f"{name} {where}", sorted(_rows(x)), sorted(_rows(y)), _names(x))
    for name in ("waiting", "script_left", "last_accepted_ps", "visits"):
        _same_value(f"{name} {where}", getattr(a, name), getattr(b, name))


def _by_time(fired: Sequence[tuple[int, int, int]]) -> list[tuple[int, int, int]]:
    times = [time for _, _, time in fired]
    assert times == sorted(times), "watches were not reported in order of time"
    return sorted(fired, key=lambda watch: (watch[2], watch[0], watch[1]))


def _names(table: Any) -> list[str]:
    return [f.name for f in fields(table)]


def _rows(table: Table) -> list[tuple[Any, ...]]:
    columns = [getattr(table, name).tolist() for name in _names(table)]
    rows = zip(*columns, strict=True)
    return [tuple(tuple(v) if isinstance(v, list) else v for v in row) for row in rows]


def _plain(record: Any) -> dict[str, Any]:
    values = {name: getattr(record, name) for name in _names(record)}
    return {k: v.tolist() if isinstance(v, np.ndarray) else v for k, v in values.items()}


def _same_value(what: str, a: Any, b: Any) -> None:
    if isinstance(a, dict):
        a, b = ({k: v for k, v in x.items() if a[k] != b[k]} for x in (a, b))
    assert a == b, f"{what}: {a} != {b}"


def _same_rows(
    what: str, a: list[tuple[Any, ...]], b: list[tuple[Any, ...]], names: list[str]
) -> None:
    if a == b:
        return
    for number, (x, y) in enumerate(zip(a, b, strict=False)):
        if x != y:
            raise AssertionError(
                f"{what}: {len(a)} and {len(b)} rows; the first different one is row {number}\n"
                f"  {dict(zip(names, x, strict=True))}\n  {dict(zip(names, y, strict=True))}"
            )
    longer = (a if len(a) > len(b) else b)[min(len(a), len(b))]
    raise AssertionError(
        f"{what}: {len(a)} and {len(b)} rows; the first missing one is\n"
        f"  {dict(zip(names, longer, strict=True))}"
    )


# Conservation -----------------------------------------------------------------------------------


def assert_conserved(case: Case, outcome: Outcome) -> None:
    """Raise AssertionError unless every copy is accounted for, overall and per key.

    Overall at every look; per key at the end, from the rows themselves and not from counters.
    With ``consume`` deliveries leave no rows, so that per key nothing may be too many.
    """
    for view in outcome.views:
        c = view.counters
        ended = c.delivered + c.dropped + c.overwritten
        assert c.expected == ended + c.in_flight, f"copies not conserved at {view.at_ps} ps: {c}"
        assert c.in_flight == len(view.in_flight.key), (
            f"{c.in_flight} copies in flight by counter, {len(view.in_flight.key)} by rows"
        )
        assert c.dropped + c.overwritten == int(c.dropped_at.sum()), "drops by port do not add up"
    expected: Counter[int] = Counter()
    for row in case.rows():
        expected[row.key] += case.routes[row.route].leaves
    found: Counter[int] = Counter(outcome.drops.key.tolist())
    found.update(outcome.views[-1].in_flight.key.tolist())
    for table in outcome.taken:
        found.update(table.key.tolist())
    if case.options.consume:
        assert found <= expected, f"more copies than were sent: {found - expected}"
    else:
        assert found == expected, (
            f"per key: lost {dict(expected - found)}, made {dict(found - expected)}"
        )


# Coverage ---------------------------------------------------------------------------------------


class Contests:
    """Counts, in the reference network, instants at which several inputs ask one output."""

    def __init__(self) -> None:
        self.count = 0

    def factory(
        self, machine: Machine, notify: Notify, options: NetworkOptions
    ) -> ReferenceNetwork:
        """Make a reference network whose arbiters count."""

        def arbiter() -> RoundRobin:
            return _CountingRoundRobin(self)

        return ReferenceNetwork(machine, None, notify, options, arbiter=arbiter)


class _CountingRoundRobin(RoundRobin):
    def __init__(self, contests: Contests) -> None:
        super().__init__()
        self._contests = contests

    def choose(self, candidates: Sequence[Candidate], inputs: int, now_ps: int) -> Candidate:
        self._contests.count += len(candidates) > 1
        return super().choose(candidates, inputs, now_ps)


@dataclass
class Coverage:
    """What share of a suite's cases exercised what.

    Attributes
    ----------
    cases : int
    seen : Counter of str
        Cases by feature: ``blocked`` (a packet waited), ``multicast`` and ``contest`` (two inputs
        asked one output at one instant) are required; the others are for information.
    """

    REQUIRED = ("blocked", "multicast", "contest")

    cases: int = 0
    seen: Counter[str] = field(default_factory=Counter)

    def add(self, case: Case, outcome: Outcome, contests: int) -> None:
        """Note a case that was run."""
        used = {row.route for row in case.rows()}
        last = outcome.views[-1].counters
        marks = {
            "blocked": bool(np.any(outcome.hops.granted_ps > outcome.hops.arrived_ps)),
            "multicast": any(case.routes[route].leaves > 1 for route in used),
            "contest": contests > 0,
            "several flits": bool(np.any(last.channel_flits > last.channel_packets)),
            "dropped": last.dropped > 0,
            "overwritten": last.overwritten > 0,
            "detour": bool(last.channel_emergency.any()),
            "frame hit": bool(last.channel_resent.any()),
            "reinjected": bool(last.reinjected.any()),
            "reinjection missed": bool(last.reinject_missed.any()),
            "reinjection overflowed": bool(last.reinject_overflowed.any()),
            "dumped": bool(np.any(outcome.drops.endpoint < 0)),
            "router visit": any(view.visits for view in outcome.views),
            "stuck": outcome.quiet and last.in_flight > 0,
        }
        self.cases += 1
        self.seen.update(name for name, present in marks.items() if present)

    def report(self) -> str:
        """Return the shares in one line."""
        names = sorted(self.seen, key=lambda name: (name not in self.REQUIRED, name))
        shares = [f"{name} {100 * self.seen[name] // max(self.cases, 1)} %" for name in names]
        return f"{self.cases} cases: {', '.join(shares)}"

    def check(self) -> None:
        """Raise AssertionError if a required feature is too rare for the suite to mean much."""
        for name in self.REQUIRED:
            assert 100 * self.seen[name] >= FLOOR_PERCENT * self.cases, (
                f"only {self.seen[name]} of {self.cases} cases have {name!r}; expected at least "
                f"{FLOOR_PERCENT} %; make the generated traffic denser ({self.report()})"
            )


def compare(
    factory: NetworkFactory, case: Case, coverage: Coverage | None = None
) -> tuple[Outcome, Outcome]:
    """Run ``case`` on the reference and on ``factory``'s network; both conserve, both agree.

    Returns
    -------
    tuple of Outcome
        The reference's and the other's.
    """
    contests = Contests()
    expected = run_script(contests.factory, case)
    assert_conserved(case, expected)
    if coverage is not None:
        coverage.add(case, expected, contests.count)
    got = run_script(factory, case)
    assert_same(expected, got)
    assert_conserved(case, got)
    return expected, got


def compiled_factory(machine: Machine, notify: Notify, options: NetworkOptions) -> Network:
    """Make the compiled network (imported here: compiling takes a while, the first time)."""
    from chipsim.network.compiled import Network as CompiledNetwork

    return CompiledNetwork(machine, notify=notify, options=options)
