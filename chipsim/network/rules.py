"""What routes and machines mean to a network: pure helpers, without any notion of time.

A :class:`Plan` is a route with everything looked up that a packet needs on its way: the flits of
each branch and the endpoints below it. Building one is also the check that the route holds
together; whether a node's hardware could take such a decision is the mapping's question.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple, NoReturn

import numpy as np
from numpy.typing import NDArray

from chipsim.errors import MachineError, RouteError
from chipsim.machine.model import UNBOUNDED, Machine, PortKind
from chipsim.machine.route import SINK, Route


class Limb(NamedTuple):
    """One branch of a planned route.

    Attributes
    ----------
    channel : int
        The output it asks for.
    flits : int
        How long it occupies that output.
    next : int
        Stage at the far end, or :data:`~chipsim.machine.route.SINK`.
    endpoints : tuple of int
        Where the copies below this branch end, one entry per leaf.
    """

    channel: int
    flits: int
    next: int
    endpoints: tuple[int, ...]


class Visit(NamedTuple):
    """What a packet router sees of a packet, for its counters.

    Attributes
    ----------
    node : int
        The router's issue node.
    packet : str
        The packet's type (:attr:`~chipsim.machine.route.Route.packet`).
    came_by : int
        The channel of class ``link…`` by which it came; -1 where it came from this chip.
    payload_bits : int
    defaulted : bool
        Whether no entry matched, and it goes straight on.
    emergency : bool
        Whether it is on the first leg of a detour round a blocked link.
    outputs : tuple of int
        The channels it leaves by, ascending, each once.
    """

    node: int
    packet: str
    came_by: int
    payload_bits: int
    defaulted: bool
    emergency: bool
    outputs: tuple[int, ...]


# Plain integers: comparing an array's entry with a member of an enumeration takes ten times longer,
# and every branch of every route is looked at.
_SOURCE_PORT = int(PortKind.SOURCE)
_SINK_PORT = int(PortKind.SINK)


@dataclass(frozen=True)
class Plan:
    """A route that has been checked against its machine.

    Attributes
    ----------
    route : Route
        As registered.
    stages : tuple of tuple of Limb
        The route's stages, same order; behind them those of its detours.
    endpoints : tuple of int
        Where the copies end, one entry per leaf; -1 where the packet ends in a dump.
    detours : dict of int to tuple of Limb
        For stages with branches that have a way round: the stage's branches, those replaced by
        their detours.
    visits : dict of int to Visit
        For stages whose branch leads to a packet router's issue node: what the router sees.
    """

    route: Route
    stages: tuple[tuple[Limb, ...], ...]
    endpoints: tuple[int, ...]
    detours: dict[int, tuple[Limb, ...]] = field(default_factory=dict)
    visits: dict[int, Visit] = field(default_factory=dict)

    @property
    def leaves(self) -> int:
        """Number of copies that the packet ends in."""
        return len(self.endpoints)


def sink_endpoints(machine: Machine) -> dict[int, int]:
    """Return the endpoint behind each sink port, -1 behind dumps.

    Raises
    ------
    MachineError
        If two endpoints share a sink port: an inbox belongs to one endpoint.
    """
    ends = np.flatnonzero(machine.endpoint_sink >= 0)
    ports = machine.endpoint_sink[ends]
    found: dict[int, int] = dict(zip(ports.tolist(), ends.tolist(), strict=True))
    if len(found) < len(ends):
        first: dict[int, int] = {}
        for endpoint, port in zip(ends.tolist(), ports.tolist(), strict=True):
            if port in first:
                raise MachineError(
                    f"{machine.name}: sink port {port} belongs to "
                    f"{machine.endpoint_label(first[port])} and "
                    f"{machine.endpoint_label(endpoint)}; expected one endpoint per sink port; "
                    "give each endpoint a sink of its own"
                )
            first[port] = endpoint
    memory = machine.endpoint_memory_sink
    if memory is not None:
        apart = np.flatnonzero(memory >= 0)
        found.update(zip(memory[apart].tolist(), apart.tolist(), strict=True))
    behaviour = machine.behaviour
    if behaviour is not None and behaviour.dump_ports is not None:
        found.update(dict.fromkeys(behaviour.dump_ports.tolist(), -1))
    return found


def feeders(machine: Machine) -> list[int]:
    """Return the channel that feeds each port, -1 for source ports and unconnected ones.

    Raises
    ------
    MachineError
        If a port has several feeding channels, or a source port has one: slots and the order of
        arrivals would not be defined. An unbounded sink has neither, and may have several.
    """
    ports = machine.channel_port
    sinks = machine.port_kind == PortKind.SINK
    fed = np.bincount(ports, minlength=machine.ports)
    wrong = (fed > 1) & ~(sinks & (machine.port_capacity == UNBOUNDED))
    wrong |= (fed > 0) & (machine.port_kind == PortKind.SOURCE)
    if wrong.any():
        _refuse_feeder(machine, wrong)
    found = np.full(machine.ports, -1, dtype=np.int64)
    found[ports] = np.arange(machine.channels)
    feeding: list[int] = found.tolist()
    return feeding


def _refuse_feeder(machine: Machine, wrong: NDArray[np.bool_]) -> NoReturn:
    """Name the first channel that must not lead where it does."""
    first: dict[int, int] = {}
    for channel, port in enumerate(machine.channel_port.tolist()):
        if not wrong[port]:
            continue
        if port in first:
            raise MachineError(
                f"{machine.name}: port {port} is fed by {machine.channel_label(first[port])} and "
                f"{machine.channel_label(channel)}; expected one channel per input FIFO; give the "
                "second channel a port of its own"
            )
        if machine.port_kind[port] == PortKind.SOURCE:
            raise MachineError(
                f"{machine.name}: {machine.channel_label(channel)} leads to port {port}, a source "
                "port; expected a link or sink port; source ports are fed by endpoints alone"
            )
        first[port] = channel
    raise AssertionError("a wrong port has a channel")


def plan(machine: Machine, route: Route, sinks: dict[int, int] | None = None) -> Plan:
    """Check ``route`` and look up what its packets need.

    Parameters
    ----------
    machine : Machine
    route : Route
    sinks : dict of int to int, optional
        As from :func:`sink_endpoints`, to spare looking it up for every route.

    Raises
    ------
    RouteError
        If the route does not begin at a source port, a branch leaves from another node than its
        stage is at, an end is no sink, a stage is not reached exactly once, or a channel does not
        know the payload.
    """
    sinks = sink_endpoints(machine) if sinks is None else sinks
    port = route.port
    if not 0 <= port < machine.ports or machine.port_kind.item(port) != _SOURCE_PORT:
        raise RouteError(
            f"{machine.name}: route from port {port}: expected a source port; routes begin at "
            "endpoint_port or endpoint_dma_port of an endpoint"
        )
    walker = _Walker(machine, route, sinks)
    endpoints = walker.walk(0, int(machine.port_node[port]))
    lost = [i for i, stage in enumerate(walker.stages) if stage is None]
    if lost:
        raise walker.error(lost[0], "no branch leads here", "exactly one", "drop the stage")
    stages = [stage for stage in walker.stages if stage is not None]
    detours = walker.detours(stages)
    return Plan(route, tuple(stages), endpoints, detours, _visits(machine, route, stages, detours))


def _visits(
    machine: Machine,
    route: Route,
    stages: list[tuple[Limb, ...]],
    detours: dict[int, tuple[Limb, ...]],
) -> dict[int, Visit]:
    """Return what packet routers see, by the stage before their issue node."""
    lookups = [i for i, cls in enumerate(machine.classes) if cls.name == "lookup"]
    if not lookups:
        return {}
    entered = {limb.next: limb.channel for limbs in detours.values() for limb in limbs}
    for stage in reversed(stages):  # where a detour joins the tree again, the tree's own branch
        entered.update((limb.next, limb.channel) for limb in stage)
    first_legs = {
        limb.next
        for stage, limbs in detours.items()
        for limb, plain in zip(limbs, stages[stage], strict=True)
        if limb != plain
    }
    found = {}
    for number, stage in enumerate(stages):
        if len(stage) != 1 or stage[0].next == SINK:
            continue
        if machine.channel_class.item(stage[0].channel) not in lookups:
            continue
        limb = stage[0]
        before = entered.get(number, -1)
        link = before >= 0 and class_name(machine, before).startswith("link")
        found[number] = Visit(
            machine.port_node.item(machine.channel_port.item(limb.channel)),
            route.packet,
            before if link else -1,
            route.payload_bits,
            limb.next in route.defaulted,
            number in first_legs,
            tuple(sorted({below.channel for below in stages[limb.next]})),
        )
    return found


def class_name(machine: Machine, channel: int) -> str:
    """Return the name of a channel's class."""
    return machine.classes[machine.channel_class.item(channel)].name


class _Walker:
    """Follows a route's stages from the source and plans each on the way back."""

    def __init__(self, machine: Machine, route: Route, sinks: dict[int, int]) -> None:
        self.machine = machine
        self.route = route
        self.sinks = sinks
        self.stages: list[tuple[Limb, ...] | None] = [None] * len(route.stages)
        self._entered = [False] * len(route.stages)

    def error(self, stage: int, got: str, expected: str, fix: str) -> RouteError:
        name = self.machine.name
        return RouteError(
            f"{name}: route from port {self.route.port}, stage {stage}: {got}; "
            f"expected {expected}; {fix}"
        )

    def walk(self, first: int, node: int) -> tuple[int, ...]:
        # Depth first without recursion: a route across a big board is deeper than Python's stack.
        todo = [(first, node)]
        order: list[int] = []
        while todo:
            stage, at = todo.pop()
            self._enter(stage, at)
            order.append(stage)
            for channel, following in self.route.stages[stage]:
                far = self.machine.channel_port.item(channel)
                if following != SINK:
                    todo.append((following, self.machine.port_node.item(far)))
        below: dict[int, tuple[int, ...]] = {}
        for stage in reversed(order):
            limbs = tuple(
                self._limb(stage, c, following, below) for c, following in self.route.stages[stage]
            )
            self.stages[stage] = limbs
            below[stage] = tuple(end for limb in limbs for end in limb.endpoints)
        return below[first]

    def detours(self, stages: list[tuple[Limb, ...]]) -> dict[int, tuple[Limb, ...]]:
        """Append the stages of all detours; return, by stage, its branches with them."""
        behaviour = self.machine.behaviour
        if behaviour is None or behaviour.channel_detour is None:
            return {}
        ways = behaviour.channel_detour
        found = {}
        for number in range(len(stages)):
            limbs = tuple(
                self._detour(limb, [c for c in ways[limb.channel].tolist() if c >= 0], stages)
                for limb in stages[number]
            )
            if limbs != stages[number]:
                found[number] = limbs
        return found

    def _detour(self, limb: Limb, way: list[int], stages: list[tuple[Limb, ...]]) -> Limb:
        """Return a branch's detour, the branch itself where there is no way round."""
        if not way or limb.next == SINK:
            return limb
        machine, bits = self.machine, self.route.payload_bits
        following = limb.next
        for channel in reversed(way):
            flits = machine.classes[machine.channel_class.item(channel)].flits[bits]
            detour = Limb(channel, flits, following, limb.endpoints)
            following = len(stages)
            stages.append((detour,))
        stages.pop()  # the first leg is a branch of the stage itself
        return detour

    def _enter(self, stage: int, node: int) -> None:
        machine = self.machine
        if not 0 <= stage < len(self.route.stages):
            raise self.error(
                stage,
                "there is no such stage",
                f"0..{len(self.route.stages) - 1}",
                "number the stages from 0",
            )
        if self._entered[stage]:
            raise self.error(
                stage,
                "two branches lead here",
                "exactly one",
                "repeat the stage: a route is a tree",
            )
        self._entered[stage] = True
        if not self.route.stages[stage]:
            raise self.error(stage, "no branch", "at least one", "end the branch before it in SINK")
        for channel, following in self.route.stages[stage]:
            if not 0 <= channel < machine.channels or machine.channel_node.item(channel) != node:
                where = machine.node_labels[node]
                got = f"channel {channel} does not leave {where}"
                if 0 <= channel < machine.channels:
                    got += f" (it is {machine.channel_label(channel)})"
                raise self.error(
                    stage,
                    got,
                    "an outgoing channel of that node",
                    "follow channel_port and port_node",
                )
            far = machine.channel_port.item(channel)
            is_sink = machine.port_kind.item(far) == _SINK_PORT
            if is_sink != (following == SINK):
                got = f"{machine.channel_label(channel)} goes on to stage {following}"
                raise self.error(
                    stage,
                    got,
                    "SINK exactly where a channel ends in a sink port",
                    "set the branch's next",
                )

    def _limb(
        self, stage: int, channel: int, following: int, below: dict[int, tuple[int, ...]]
    ) -> Limb:
        machine, bits = self.machine, self.route.payload_bits
        cls = machine.classes[machine.channel_class.item(channel)]
        flits = cls.flits.get(bits)
        if flits is None:
            known = ", ".join(str(known) for known in sorted(cls.flits))
            raise self.error(
                stage,
                f"payload of {bits} bit on {machine.channel_label(channel)}",
                f"one of {known} bit",
                "choose a payload that the channel carries",
            )
        if following != SINK:
            return Limb(channel, flits, following, below[following])
        far = machine.channel_port.item(channel)
        if far not in self.sinks:
            raise self.error(
                stage,
                f"sink port {far} has no endpoint",
                "an endpoint's sink",
                "end the route at an endpoint",
            )
        return Limb(channel, flits, SINK, (self.sinks[far],))
