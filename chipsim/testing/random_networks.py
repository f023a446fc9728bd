"""Random machines, routes and scripts that make networks block, branch, contend and drop.

One generator serves both uses: :func:`random_case` draws from a seed (fast, for thousands of
cases), :func:`cases` draws through hypothesis (which shrinks what fails). Times lie on a coarse
grid and a few nodes share all traffic, so that many things fall into one instant.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import numpy as np

from chipsim.machine.behaviour import Behaviour, Reinjection
from chipsim.machine.builder import MachineBuilder
from chipsim.machine.model import (
    UNBOUNDED,
    ChannelClass,
    EndpointKind,
    FullPolicy,
    Machine,
    NodeKind,
    PortKind,
)
from chipsim.machine.route import SINK, Branch, Route
from chipsim.network.api import NetworkOptions
from chipsim.testing.scripts import (
    Action,
    Case,
    Look,
    Row,
    Send,
    Take,
    WatchAccepted,
    WatchInbox,
)

if TYPE_CHECKING:
    from hypothesis.strategies import DrawFn, SearchStrategy

T = TypeVar("T")

GRID_PS = 1000
"""Injections, takes and most latencies are multiples of this."""

PAYLOADS = (0, 32, 128)
MAX_LEAVES = 7
MAX_DEPTH = 7


class Choices(Protocol):
    """Where the generator's decisions come from."""

    def integer(self, low: int, high: int) -> int:
        """Return a number from ``low`` to ``high``, both included."""


class SeededChoices:
    """Decisions from a seed, by Python's generator (its sequences are fixed across versions)."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def integer(self, low: int, high: int) -> int:
        """Return a number from ``low`` to ``high``, both included."""
        return low + int(self._random.random() * (high - low + 1))


class HypothesisChoices:
    """Decisions from hypothesis, which prefers small numbers when it shrinks a failure."""

    def __init__(self, draw: DrawFn) -> None:
        self._draw = draw

    def integer(self, low: int, high: int) -> int:
        """Return a number from ``low`` to ``high``, both included."""
        from hypothesis import strategies as st

        return int(self._draw(st.integers(low, high)))


@dataclass
class _Dice:
    choices: Choices

    def integer(self, low: int, high: int) -> int:
        return self.choices.integer(low, high)

    def one_of(self, options: Sequence[T]) -> T:
        return options[self.choices.integer(0, len(options) - 1)]

    def percent(self, chance: int) -> bool:
        # The unlikely outcome is the large number, so that shrinking removes the exception.
        return self.choices.integer(0, 99) >= 100 - chance

    def some_of(self, options: Sequence[T], chance: int) -> list[T]:
        return [option for option in options if self.percent(chance)]


@dataclass
class _Plan:
    """A machine under construction, and what routes need to know of it."""

    machine: Machine
    sources: list[int]
    outputs: dict[int, list[int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for channel, node in enumerate(self.machine.channel_node.tolist()):
            self.outputs.setdefault(node, []).append(channel)


# Machines ---------------------------------------------------------------------------------------


def _make_machine(dice: _Dice, cyclic: bool) -> _Plan:
    builder = MachineBuilder("random", None, 1, 1)  # type: ignore[arg-type]
    classes = [
        builder.channel_class(_channel_class(dice, name)) for name in ("noc", "link", "lookup")
    ]
    # One patience per machine would hide that it is the node's; most machines drop nothing.
    drops = dice.percent(30)
    routers = [_router(dice, builder, number, drops) for number in range(dice.integer(2, 5))]
    sources: list[int] = []
    for number, router in enumerate(routers):
        for _ in range(dice.integer(1, 2)):
            sources += _endpoint(dice, builder, router, number, classes)
    for one, other in _links(dice, len(routers), cyclic):
        far = builder.port(routers[other], _capacity(dice))
        _channel(dice, builder, routers[one], far, classes)
    dumps = [_dump(dice, builder, router, classes) for router in dice.some_of(routers, 20)]
    monitors = {n: builder.port(n, UNBOUNDED) for n in routers if drops and dice.percent(40)}
    return _Plan(_with_behaviour(dice, builder.build(), drops, dumps, monitors), sources)


def _channel_class(dice: _Dice, name: str) -> ChannelClass:
    return ChannelClass(name, {0: 1, 32: dice.integer(1, 2), 128: dice.integer(1, 4)})


def _router(dice: _Dice, builder: MachineBuilder, number: int, drops: bool) -> int:
    return builder.node(
        f"router{number}",
        kind=NodeKind.POOL if dice.percent(30) else NodeKind.FIFO,
        hop=not dice.percent(10),
        x=number,
        y=0,
        wait_ps=dice.one_of((0, 1, 2, 5)) * GRID_PS if drops and dice.percent(60) else -1,
    )


def _endpoint(
    dice: _Dice, builder: MachineBuilder, router: int, number: int, classes: list[int]
) -> list[int]:
    """Add an endpoint: its packets enter the router itself or a node of its own (a PE)."""
    node = router
    if dice.percent(40):
        node = builder.node(f"pe{number}", hop=False, x=number, y=0)
        _channel(dice, builder, node, builder.port(router, _capacity(dice)), classes)
    source = builder.port(node, dice.one_of((UNBOUNDED, 1, 2, 4)), PortKind.SOURCE)
    dma = builder.port(node, UNBOUNDED, PortKind.SOURCE) if dice.percent(25) else -1
    full = dice.one_of((FullPolicy.STALL, FullPolicy.DROP, FullPolicy.OVERWRITE))
    sink = builder.port(-1, dice.one_of((UNBOUNDED, 1, 2, 3)), PortKind.SINK, full)
    _channel(dice, builder, router, sink, classes)
    builder.endpoint(EndpointKind.PE, port=source, dma_port=dma, sink=sink, x=number, y=0)
    return [source] if dma < 0 else [source, dma]


def _dump(dice: _Dice, builder: MachineBuilder, router: int, classes: list[int]) -> int:
    """Add a sink port that belongs to nobody."""
    port = builder.port(-1, 1, PortKind.SINK, FullPolicy.DROP)
    _channel(dice, builder, router, port, classes)
    return port


def _with_behaviour(
    dice: _Dice, machine: Machine, drops: bool, dumps: list[int], monitors: dict[int, int]
) -> Machine:
    """Add errors, detours, second waits and monitors; half of the machines stay plain."""
    second = np.zeros(machine.nodes, dtype=np.int64)
    for node in np.flatnonzero(machine.node_wait_ps >= 0).tolist():
        second[node] = dice.one_of((0, 1, 2, 4)) * GRID_PS
    errs = dice.percent(20)
    errors = np.zeros(machine.channels)
    for channel in dice.some_of(range(machine.channels), 40) if errs else []:
        errors[channel] = dice.one_of((5, 20, 60)) / 100
    reinjection = None
    if monitors:
        ports = np.full(machine.nodes, -1, dtype=np.int32)
        ports[list(monitors)] = list(monitors.values())
        read, interval = (dice.one_of((1, 2, 6)) * GRID_PS for _ in range(2))
        reinjection = Reinjection(ports, read, interval, dice.integer(1, 3))
    issue = np.zeros(machine.nodes, dtype=np.int64)
    for node in dice.some_of(range(machine.nodes), 60) if dice.percent(15) else []:
        issue[node] = dice.one_of((1, 2, 5)) * GRID_PS // 2
    if not (drops or errs or dumps or issue.any()):
        return machine
    behaviour = Behaviour(
        channel_error=errors if errs else None,
        channel_detour=_detours(dice, machine) if drops else None,
        node_wait2_ps=second if drops else None,
        reinjection=reinjection,
        dump_ports=np.array(dumps, dtype=np.int32) if dumps else None,
        node_issue_ps=issue if issue.any() else None,
    )
    return replace(machine, behaviour=behaviour)


def _detours(dice: _Dice, machine: Machine) -> Any:
    """Return a way round, over a parallel channel or two others, for most links that have one."""
    far = machine.port_node[machine.channel_port].tolist()
    near = machine.channel_node.tolist()
    between: dict[tuple[int, int], list[int]] = defaultdict(list)
    for channel, ends in enumerate(zip(near, far, strict=True)):
        between[ends].append(channel)
    ways = np.full((machine.channels, 2), -1, dtype=np.int32)
    for channel in range(machine.channels):
        here, there = near[channel], far[channel]
        found: list[tuple[int, ...]] = [
            (other,) for other in between[here, there] if other != channel
        ]
        found += [
            (first, last)
            for first in range(machine.channels)
            if near[first] == here and far[first] not in (-1, here, there)
            for last in between[far[first], there]
        ]
        if there >= 0 and found and dice.percent(80):
            way = dice.one_of(found)
            ways[channel, : len(way)] = way
    return ways


def _links(dice: _Dice, routers: int, cyclic: bool) -> list[tuple[int, int]]:
    """Return pairs of routers: upwards only (acyclic), or with a ring (cyclic)."""
    pairs = [(i, i + 1) for i in range(routers - 1)]
    pairs += dice.some_of([(i, j) for i in range(routers) for j in range(i + 1, routers)], 30)
    if cyclic:
        pairs.append((routers - 1, 0))
        pairs += dice.some_of([(j, i) for i in range(routers) for j in range(i + 1, routers)], 25)
    return pairs


def _capacity(dice: _Dice) -> int:
    return dice.one_of((1, 2, 1, 4, UNBOUNDED))


def _channel(
    dice: _Dice, builder: MachineBuilder, node: int, port: int, classes: list[int]
) -> None:
    def time() -> int:
        return dice.one_of((1, 1, 2, 3)) * GRID_PS if not dice.percent(5) else 1

    builder.channel(
        node, port, dice.one_of(classes), latency_ps=time(), flit_ps=time(), credit_ps=time()
    )


# Routes -----------------------------------------------------------------------------------------


def _make_route(dice: _Dice, plan: _Plan) -> Route:
    machine = plan.machine
    port = dice.one_of(plan.sources)
    stages: list[list[Branch]] = []
    leaves = [0]
    spread = dice.one_of((0, 1, 2))

    def grow(node: int, depth: int) -> int:
        """Add a stage at ``node`` and everything below; return its number."""
        number = len(stages)
        stages.append([])
        for channel in _choose_outputs(dice, plan, node, depth, spread, leaves[0]):
            far = int(machine.channel_port[channel])
            if machine.port_kind[far] == PortKind.SINK:
                leaves[0] += 1
                stages[number].append(Branch(channel, SINK))
            else:
                below = grow(int(machine.port_node[far]), depth + 1)
                stages[number].append(Branch(channel, below))
        return number

    grow(int(machine.port_node[port]), 0)
    return Route(
        port,
        tuple(tuple(stage) for stage in stages),
        payload_bits=dice.one_of(PAYLOADS),
        memory=dice.percent(15),
        packet=dice.one_of(("mc", "c2c", "nn")),
        defaulted=tuple(dice.some_of(range(len(stages)), 20)),
    )


def _choose_outputs(
    dice: _Dice, plan: _Plan, node: int, depth: int, spread: int, leaves: int
) -> list[int]:
    """Return the outputs of a stage; near the limits the packet ends here."""
    machine = plan.machine
    outputs = plan.outputs[node]
    sinks = [c for c in outputs if machine.port_kind[machine.channel_port[c]] == PortKind.SINK]
    links = [c for c in outputs if c not in sinks]
    if sinks and (depth >= MAX_DEPTH or leaves >= MAX_LEAVES or not links):
        return [dice.one_of(sinks)]
    count = 1 + (dice.integer(0, spread) if leaves < MAX_LEAVES - 2 else 0)
    chosen = [dice.one_of(links if links and dice.percent(65) else outputs) for _ in range(count)]
    # Several branches on one output: as the packet router does it; elsewhere the rule holds too.
    if machine.node_kind[node] == NodeKind.POOL and dice.percent(35):
        chosen.append(chosen[0])
    return chosen


# Scripts ----------------------------------------------------------------------------------------


def _make_actions(dice: _Dice, plan: _Plan, routes: tuple[Route, ...]) -> tuple[Action, ...]:
    machine = plan.machine
    actions: list[Action] = []
    seqs = dict.fromkeys(range(3), 0)
    for batch in range(dice.integer(1, 3)):
        at = 0 if batch == 0 else dice.integer(1, 20) * GRID_PS
        rows = []
        for _ in range(dice.integer(4, 14)):
            source = dice.integer(0, 2)
            earliest = at + dice.integer(1, 6) * GRID_PS
            gap = dice.one_of((0, 0, 1, 3)) * GRID_PS
            route = dice.integer(0, len(routes) - 1)
            key = dice.integer(0, 3)
            rows.append(Row(route, earliest, gap, key, source, seqs[source]))
            seqs[source] += 1
        actions.append(Send(at, tuple(rows)))
    inboxes = list(range(2 * machine.endpoints))
    for _ in range(dice.integer(0, 5)):
        chosen = tuple(dice.some_of(inboxes, 60))
        actions.append(Take(dice.integer(1, 40) * GRID_PS, chosen))
    actions += [Look(dice.integer(1, 40) * GRID_PS) for _ in range(dice.integer(1, 3))]
    if dice.percent(40):
        inbox = dice.one_of(inboxes)
        actions.append(WatchInbox(dice.integer(0, 10) * GRID_PS, inbox, dice.integer(1, 3)))
        actions.append(WatchAccepted(0, dice.one_of(plan.sources)))
    # Drain what can drain: stalling sinks need several rounds.
    everything = tuple(inboxes)
    actions += [Take((60 + 20 * n) * GRID_PS, everything) for n in range(dice.integer(0, 6))]
    return tuple(actions)


def make_case(choices: Choices) -> Case:
    """Return a case made of ``choices``."""
    dice = _Dice(choices)
    plan = _make_machine(dice, cyclic=dice.percent(25))
    routes = tuple(_make_route(dice, plan) for _ in range(dice.integer(2, 6)))
    options = NetworkOptions(
        consume=dice.percent(10),
        hop_log=True,
        window_start_ps=dice.integer(0, 4) * GRID_PS,
        window_end_ps=dice.integer(5, 40) * GRID_PS,
        bin_ps=dice.one_of((GRID_PS, 1500)),
        bins=dice.one_of((0, 1, 8)),
        error_seed=dice.integer(0, 3),
    )
    return Case(plan.machine, routes, _make_actions(dice, plan, routes), 400 * GRID_PS, options)


def random_case(seed: int) -> Case:
    """Return case number ``seed``."""
    return make_case(SeededChoices(seed))


def cases() -> SearchStrategy[Case]:
    """Return a hypothesis strategy of cases."""
    from hypothesis import strategies as st

    composite: Callable[..., Any] = st.composite

    @composite
    def build(draw: DrawFn) -> Case:
        return make_case(HypothesisChoices(draw))

    strategy: SearchStrategy[Case] = build()
    return strategy


def describe(case: Case) -> str:
    """Return a case in words, for the message of a failure."""
    machine = case.machine
    lines = [
        f"node {n} {machine.node_labels[n]} {NodeKind(int(machine.node_kind[n])).name} "
        f"wait {int(machine.node_wait_ps[n])}"
        for n in range(machine.nodes)
    ]
    lines += [
        f"port {p} {PortKind(int(machine.port_kind[p])).name} of node {int(machine.port_node[p])} "
        f"capacity {int(machine.port_capacity[p])} {FullPolicy(int(machine.port_full[p])).name}"
        for p in range(machine.ports)
    ]
    lines += [
        f"channel {c} from node {int(machine.channel_node[c])} to port "
        f"{int(machine.channel_port[c])} latency {int(machine.channel_latency_ps[c])} flit "
        f"{int(machine.channel_flit_ps[c])} credit {int(machine.channel_credit_ps[c])} class "
        f"{dict(machine.classes[int(machine.channel_class[c])].flits)}"
        for c in range(machine.channels)
    ]
    lines.append(str(machine.behaviour))
    lines += [f"route {n} {route}" for n, route in enumerate(case.routes)]
    lines += [str(action) for action in case.ordered()]
    return "\n".join([*lines, str(case.options)])
