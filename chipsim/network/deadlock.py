"""Deadlock: which routes could ever close a circle of waiting, and which packets have.

**Static** (:mod:`chipsim.machine.dependencies`, :func:`check_routes`): channel *a* depends
on channel *b* if some packet holds a slot behind *a* until it is granted *b*. Without a cycle of
such dependencies no set of packets can deadlock; with one, some may.

**At run time** (:func:`check`, :func:`check_quiet`): a packet is stuck if it can never move again,
whatever the network still does. That is decided exactly, by taking away everything that can move
until nothing more goes; what remains waits for itself. So a jam that merely lasts is no deadlock,
and a deadlock in a corner is found while the rest still runs.

References
----------
W. J. Dally, C. L. Seitz, "Deadlock-free message routing in multiprocessor interconnection
networks", IEEE Trans. Computers C-36 (1987), doi:10.1109/TC.1987.1676939.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from chipsim.errors import DeadlockError
from chipsim.machine.dependencies import (
    EndpointEdges,
    dependency_graph,
    find_cycle,
    name_cycle,
)
from chipsim.machine.model import Machine, NodeKind, PortKind
from chipsim.machine.route import Route
from chipsim.network.api import Network
from chipsim.network.rules import feeders
from chipsim.units import FOREVER, format_time

__all__ = [
    "EndpointEdges",
    "check",
    "check_quiet",
    "check_routes",
    "dependency_graph",
    "find_cycle",
    "name_cycle",
]

_ADVICE = (
    "use routes whose channels do not depend on each other in a circle, or larger or unbounded "
    "FIFOs (noc.fifo_packets)"
)


# Static -----------------------------------------------------------------------------------------


def check_routes(
    machine: Machine, routes: Iterable[Route], endpoint_edges: EndpointEdges = ()
) -> None:
    """Raise DeadlockError, naming the cycle, if packets on ``routes`` could deadlock."""
    cycle = find_cycle(dependency_graph(machine, routes, endpoint_edges))
    if cycle:
        raise DeadlockError(
            f"{machine.name}: routes can deadlock: {len(cycle)} channels depend on each other in a "
            f"circle: {name_cycle(machine, cycle)}; {_ADVICE}"
        )


# At run time ------------------------------------------------------------------------------------


class _Copy(NamedTuple):
    """A packet's copy in a FIFO; a copy is told from others of its packet by its arrival."""

    port: int
    since_ps: int
    source: int
    seq: int


@dataclass
class _Jam:
    """Who waits for a slot of which port; then, who can never get one.

    Attributes
    ----------
    blocked : dict of _Copy to dict of int to int
        Copies that wait for a credit: channel by far port.
    moving : set of int
        Ports that have, or will some time free, a slot.
    """

    machine: Machine
    blocked: dict[_Copy, dict[int, int]] = field(default_factory=dict)
    moving: set[int] = field(default_factory=set)

    def stuck(self) -> list[_Copy]:
        """Return copies of which no output will ever get a credit, oldest first."""
        found = [
            copy for copy, wanted in self.blocked.items() if not self.moving.issuperset(wanted)
        ]
        return sorted(found, key=lambda copy: (copy.since_ps, copy))


def _jam(network: Network, undrained: Collection[int], edges: EndpointEdges) -> _Jam:
    """Find every port that can still move, by taking away what moves until nothing goes."""
    machine = network.machine
    jam = _Jam(machine)
    waits = network.waits()
    asking: set[_Copy] = set()
    for row in zip(
        *(
            c.tolist()
            for c in (
                waits.port,
                waits.since_ps,
                waits.source,
                waits.seq,
                waits.channel,
                waits.credit,
            )
        ),
        strict=True,
    ):
        copy, channel, without_credit = _Copy(*row[:4]), row[4], row[5]
        asking.add(copy)
        if without_credit and machine.node_wait_ps[machine.port_node[copy.port]] < 0:
            far = int(machine.channel_port[channel])
            jam.blocked.setdefault(copy, {})[far] = channel
    flying = network.in_flight()
    held: dict[int, set[_Copy]] = {}
    for row in zip(
        flying.port.tolist(),
        flying.since_ps.tolist(),
        flying.source.tolist(),
        flying.seq.tolist(),
        strict=True,
    ):
        held.setdefault(row[0], set()).add(_Copy(*row))
    needs: dict[int, list[set[int]]] = {}
    for copy, wanted in jam.blocked.items():
        needs.setdefault(copy.port, []).append(set(wanted))
    for endpoint, port in edges:
        sink = int(machine.endpoint_sink[endpoint])
        needs.setdefault(sink, [set()])[0].add(port)
    for endpoint in undrained:
        needs[int(machine.endpoint_sink[endpoint])] = []
    for port in range(machine.ports):
        if port not in needs or _has_slack(machine, port, held.get(port, set()), asking, jam):
            jam.moving.add(port)
    _spread(needs, jam.moving)
    return jam


def _has_slack(
    machine: Machine, port: int, held: set[_Copy], asking: set[_Copy], jam: _Jam
) -> bool:
    """Return whether ``port`` gets a free slot without any of its waiting copies being granted."""
    kind = PortKind(int(machine.port_kind[port]))
    if kind == PortKind.SINK:
        return False
    if kind == PortKind.LINK and len(held) < int(machine.port_capacity[port]):
        return True  # a slot is free, or its credit is on the way
    if machine.node_kind[machine.port_node[port]] != NodeKind.POOL:
        return False
    # In a pool any copy may go: one that asks for what it can have, or that still travels here.
    on_its_way = kind == PortKind.LINK
    return any(copy not in jam.blocked if copy in asking else on_its_way for copy in held)


def _spread(needs: dict[int, list[set[int]]], moving: set[int]) -> None:
    """Add to ``moving`` every port of which one need is met; linear in the needs."""
    waiters: dict[int, list[tuple[int, set[int]]]] = {}
    ready: deque[int] = deque()
    for port, alternatives in needs.items():
        for need in alternatives:
            need -= moving
            if not need and port not in moving:
                ready.append(port)
            for wanted in need:
                waiters.setdefault(wanted, []).append((port, need))
    while ready:
        port = ready.popleft()
        if port in moving:
            continue
        moving.add(port)
        for waiter, need in waiters.get(port, ()):
            need.discard(port)
            if not need:
                ready.append(waiter)


def _circle(
    jam: _Jam, stuck: list[_Copy], edges: EndpointEdges
) -> tuple[list[tuple[_Copy, int]], int]:
    """Follow who waits for whom from the oldest; return the steps, and where the circle begins.

    The second is the number of steps if the chain ends at a sink that nobody empties.
    """
    heads: dict[int, _Copy] = {}
    for copy in stuck:
        heads.setdefault(copy.port, copy)
    behind: dict[int, list[int]] = {}
    for endpoint, port in edges:
        behind.setdefault(int(jam.machine.endpoint_sink[endpoint]), []).append(port)
    steps: list[tuple[_Copy, int]] = []
    visited: dict[int, int] = {}
    copy = stuck[0]
    while copy.port not in visited:
        visited[copy.port] = len(steps)
        wanted = jam.blocked[copy]
        far = next(port for port in sorted(wanted) if port not in jam.moving)
        steps.append((copy, wanted[far]))
        if far not in heads:
            waiting = (p for p in behind.get(far, ()) if p in heads and p not in jam.moving)
            far = next(waiting, -1)
            if far < 0:
                return steps, len(steps)
        copy = heads[far]
    return steps, visited[copy.port]


def _describe(machine: Machine, steps: Sequence[tuple[_Copy, int]], now_ps: int) -> str:
    feeding = feeders(machine)
    lines = []
    for copy, channel in steps:
        before = feeding[copy.port]
        where = (
            f"behind {machine.channel_label(before)}"
            if before >= 0
            else f"in the source FIFO of {machine.node_labels[int(machine.port_node[copy.port])]}"
        )
        lines.append(
            f"  - packet {copy.seq} of source {copy.source}, {where} since "
            f"{format_time(copy.since_ps)} ({format_time(now_ps - copy.since_ps)} ago), waits for "
            f"{machine.channel_label(channel)}"
        )
    return "\n".join(lines)


def check(
    network: Network,
    now_ps: int,
    limit_ps: int,
    undrained: Collection[int] = (),
    endpoint_edges: EndpointEdges = (),
) -> None:
    """Raise DeadlockError if packets wait for each other in a circle that cannot open.

    Parameters
    ----------
    network : Network
        Either model, at ``now_ps``.
    now_ps : int
        The present [ps].
    limit_ps : int
        Packets that arrived where they wait less than this ago are not reported yet [ps].
    undrained : collection of int
        Endpoints whose event inbox nobody will ever take from; the others are expected to drain.
    endpoint_edges : iterable of (int, int)
        See :data:`EndpointEdges`.

    Raises
    ------
    DeadlockError
        Naming every packet of the circle (or of the chain to a sink that nobody empties), where it
        waits and for which channel. The rest of the network may still be running.

    Notes
    -----
    Linear in the packets that are in flight. Capacities are those of the machine; a reference
    network with a user's own :class:`~chipsim.network.reference.Slots` is judged by them as well.
    """
    edges = list(endpoint_edges)
    jam = _jam(network, undrained, edges)
    stuck = jam.stuck()
    if not stuck:
        return
    steps, begin = _circle(jam, stuck, edges)
    closed = begin < len(steps)
    shown = steps[begin:] if closed else steps
    if any(copy.since_ps > now_ps - limit_ps for copy, _ in shown):
        return
    machine = network.machine
    what = "wait for each other in a circle" if closed else "wait for a sink that nobody empties"
    advice = _ADVICE if closed else "take from that inbox, or give it a policy other than stall"
    raise DeadlockError(
        f"{machine.name}: deadlock at {format_time(now_ps)}: {len(stuck)} packets can never move "
        f"again; of these {len(shown)} {what}:\n{_describe(machine, shown, now_ps)}\n{advice}"
    )


def check_quiet(network: Network, now_ps: int, endpoint_edges: EndpointEdges = ()) -> None:
    """Raise DeadlockError if the network is quiet, yet holds packets: to be asked when no program
    will take anything any more.

    Raises
    ------
    DeadlockError
        See :func:`check`.
    """
    if network.next_time() < FOREVER or network.counters().in_flight == 0:
        return
    edges = list(endpoint_edges)
    answering = {endpoint for endpoint, _ in edges}
    idle = [
        endpoint
        for endpoint, sink in enumerate(network.machine.endpoint_sink.tolist())
        if sink >= 0 and endpoint not in answering
    ]
    check(network, now_ps, 0, idle, edges)
    raise DeadlockError(
        f"{network.machine.name}: the network is quiet at {format_time(now_ps)}, with "
        f"{network.counters().in_flight} copies in flight that wait for nothing known; expected "
        "every copy delivered or dropped; report this, it is a defect of the network model"
    )
