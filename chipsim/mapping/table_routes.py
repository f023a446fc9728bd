"""Routes as the routers' tables give them, and not as they were meant when the tables were made.

A packet router compares a packet's key with its entries in order; the first that matches says
where the packet goes, and a packet that matches none goes straight on, to the link opposite to the
one it came by. Keys walk through the tables of all routers that they meet, together as a *pattern*
until an entry matches only some of them. Core-to-core packets have a destination and walk through
the tables of chips (:mod:`chipsim.mapping.chip_tables`) instead. What a table sends nowhere ends
in the router's dump.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple

import numpy as np

from chipsim.errors import RouteError
from chipsim.machine.chip_routes import chips_of, fan_out, path_to_router
from chipsim.machine.model import Machine
from chipsim.machine.outfit import with_dumps
from chipsim.machine.route import SINK, Branch, Route
from chipsim.machine.topology import topology
from chipsim.machine.typed_routes import typed
from chipsim.mapping.chip_tables import LOCAL, ChipTables
from chipsim.mapping.outlets import OutletBook
from chipsim.mapping.tables import RouterTable, Tables

_MOST_STAGES = 100_000
_ALL = (1 << 32) - 1


class Pattern(NamedTuple):
    """The keys ``k`` with ``k & mask == key``."""

    key: int
    mask: int

    def halves(self) -> tuple[Pattern, Pattern]:
        """Return the pattern cut in two at its highest free bit."""
        bit = 1 << ((~self.mask & _ALL).bit_length() - 1)
        return Pattern(self.key, self.mask | bit), Pattern(self.key | bit, self.mask | bit)


class KeyedRoute(NamedTuple):
    """Where the keys of a pattern go.

    Attributes
    ----------
    pattern : Pattern
    route : Route
    dumped : int
        How many routers drop (a copy of) the packet: no entry and no link to go on by, a dead or
        missing output, or a circle.
    """

    pattern: Pattern
    route: Route
    dumped: int


class ChipRoute(NamedTuple):
    """Where a core-to-core packet goes; see :class:`KeyedRoute`."""

    route: Route
    dumped: int


class _AmbiguousError(Exception):
    """An entry matches only some keys of a pattern."""


@dataclass
class _Draft:
    """A route while it is walked; branches into dumps name -1 - node instead of a channel."""

    stages: list[list[Branch]]
    defaulted: list[int] = field(default_factory=list)
    dumped: int = 0


class _Visit(NamedTuple):
    """A packet before a router's decision; ``trail``: (node, came by) of the routers behind it."""

    stage: int
    node: int
    came_by: int
    trail: frozenset[tuple[int, int]]


Outputs = tuple[tuple[int, ...], tuple[int, ...]]
"""Link channels (-1: one that does not exist) and endpoints."""
Decision = Callable[[_Draft, _Visit], Outputs]


class TableRoutes:
    """Finds where packets go on a machine with packet routers and tables.

    Parameters
    ----------
    machine : Machine
    tables : dict of node to RouterTable
        A router without a table sends everything straight on.
    chip_tables : ChipTables, optional
        For core-to-core packets; by default those of :class:`ChipTables`.

    Attributes
    ----------
    machine : Machine
        The one given; with dumps once :meth:`routes` has met a packet that needs one. Numbers of
        nodes, ports and channels stay, so that routes made before are right for both.

    Raises
    ------
    RouteError
        If the machine has no packet routers.
    """

    def __init__(
        self, machine: Machine, tables: Tables, chip_tables: ChipTables | None = None
    ) -> None:
        self.machine = machine
        self._chips = chips_of(machine)
        self._known = topology(machine)
        self._book = OutletBook(machine)
        self._tables = tables
        self._chip_tables = ChipTables(machine) if chip_tables is None else chip_tables
        self._dump_of: dict[int, int] = {}
        self._dead = set() if machine.channel_dead is None else self._known.dead

    def routes(
        self, source: int, key: int, mask: int, payload_bits: int = 0, packet: str = "mc"
    ) -> list[KeyedRoute]:
        """Return where the keys of a pattern go from an endpoint, pattern by pattern.

        Parameters
        ----------
        source : int
            The sending endpoint.
        key, mask : int
            The keys ``k`` with ``k & mask == key``.
        payload_bits : int
        packet : str
            See :class:`~chipsim.machine.route.Route`.

        Notes
        -----
        O(entries of the tables met × patterns that the keys fall into).
        """
        start = path_to_router(self.machine, source)
        found = []
        todo = [Pattern(key, mask)]
        while todo:
            pattern = todo.pop()
            try:
                draft = self._walk(start, partial(self._by_key, pattern))
            except _AmbiguousError:
                todo += pattern.halves()[::-1]
                continue
            route = self._finished(draft, source, payload_bits, packet)
            found.append(KeyedRoute(pattern, route, draft.dumped))
        return found

    def core_to_core(self, source: int, dest: int, payload_bits: int = 0) -> ChipRoute:
        """Return where a core-to-core packet goes, by the tables of the chips that it meets.

        Parameters
        ----------
        source, dest : int
            Endpoints; the packet carries the destination's chip and its number there.
        payload_bits : int

        Notes
        -----
        A table that ends on another chip than the destination's sends the packet to the core of
        the same number there, or into the dump if there is none. O(chips on the way).
        """
        start = path_to_router(self.machine, source)
        draft = self._walk(start, partial(self._by_chip, dest))
        route = self._finished(draft, source, payload_bits, "c2c")
        return ChipRoute(typed(self.machine, route, "c2c"), draft.dumped)

    def _finished(self, draft: _Draft, source: int, payload_bits: int, packet: str) -> Route:
        """Return a draft as a route, with the channels of dumps."""
        stages = tuple(tuple(self._real(b) for b in stage) for stage in draft.stages)
        port = int(self.machine.endpoint_port[source])
        defaulted = tuple(draft.defaulted)
        return Route(port, stages, payload_bits, packet=packet, defaulted=defaulted)

    def _walk(self, start: list[int], decide: Decision) -> _Draft:
        draft = _Draft([[Branch(channel, i + 1)] for i, channel in enumerate(start)])
        draft.stages.append([])
        todo = [_Visit(len(start), self._known.far[start[-1]], -1, frozenset())]
        while todo:
            todo += list(self._decide(draft, todo.pop(), decide))[::-1]
            if len(draft.stages) > _MOST_STAGES:
                raise RouteError(
                    f"{self.machine.name}: a packet visits more than {_MOST_STAGES} nodes; the "
                    "routing tables send it round and multiply it: check them "
                    "(chipsim.mapping.check_tables)"
                )
        return draft

    def _decide(self, draft: _Draft, visit: _Visit, decide: Decision) -> Iterator[_Visit]:
        """Add a router's branches; yield the visits of the routers behind its links."""
        here = draft.stages[visit.stage]
        links, ends = decide(draft, visit)
        lost = (visit.node, visit.came_by) in visit.trail
        if lost:
            links, ends = (), ()
        trail = visit.trail | {(visit.node, visit.came_by)}
        for link in links:
            if link < 0 or link in self._dead:
                lost = True
                continue
            here.append(Branch(link, len(draft.stages)))
            lookup = self._known.out[self._known.far[link]][0]
            draft.stages.append([Branch(lookup, len(draft.stages) + 1)])
            draft.stages.append([])
            yield _Visit(len(draft.stages) - 1, self._known.far[lookup], link, trail)
        alive = [end for end in ends if self._known.into[end]]
        if alive:
            chip = int(self.machine.node_chip[visit.node])
            fan_out(self.machine, chip, visit.stage, alive, draft.stages)
        if lost or len(alive) < len(ends) or not here:
            here.append(Branch(-1 - visit.node, SINK))
            draft.dumped += 1

    def _by_chip(self, dest: int, draft: _Draft, visit: _Visit) -> Outputs:
        """Return the link channel (-1: none) or endpoint that the chip's table names."""
        machine, chips = self.machine, self._chips
        here, there = int(machine.node_chip[visit.node]), int(machine.endpoint_chip[dest])
        way = self._chip_tables.entry(here, there)
        if way == LOCAL:
            end = dest
            if here != there:
                end += int(chips.first_endpoint[here]) - int(chips.first_endpoint[there])
            found = 0 <= end < machine.endpoints and int(machine.endpoint_chip[end]) == here
            return ((), (end,)) if found else ((-1,), ())
        return (int(chips.link[here, way]) if way < len(chips.link[here]) else -1,), ()

    def _by_key(self, pattern: Pattern, draft: _Draft, visit: _Visit) -> Outputs:
        """Return the link channels and endpoints that the first matching entry names."""
        table = self._tables.get(visit.node)
        entry = -1 if table is None else first_match(table, pattern)
        if table is not None and entry >= 0:
            return table.outputs(entry)
        draft.defaulted.append(visit.stage)
        outlets = self._book[visit.node]
        bit = outlets.onward.get(visit.came_by, -1)
        return ((outlets.links[bit],) if bit >= 0 else ()), ()

    def _real(self, branch: Branch) -> Branch:
        """Return the branch, with the dump's channel where it goes nowhere."""
        if branch.channel >= 0:
            return branch
        if not self._dump_of:
            machine = self.machine = with_dumps(self.machine)
            number = [i for i, cls in enumerate(machine.classes) if cls.name == "dump"]
            for channel in np.flatnonzero(np.isin(machine.channel_class, number)).tolist():
                self._dump_of[int(machine.channel_node[channel])] = channel
        return Branch(self._dump_of[-1 - branch.channel], SINK)


def first_match(table: RouterTable, pattern: Pattern) -> int:
    """Return the first entry that all keys of a pattern match, -1 if none matches any.

    Raises
    ------
    _AmbiguousError
        If an entry before it matches some of them.
    """
    both = table.mask & np.uint32(pattern.mask)
    meets = ((table.key ^ np.uint32(pattern.key)) & both) == 0
    hits = np.flatnonzero(meets)
    if not len(hits):
        return -1
    first = int(hits[0])
    if int(table.mask[first]) & ~pattern.mask & _ALL:
        raise _AmbiguousError
    return first
