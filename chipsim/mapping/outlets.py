"""What a routing table's bits stand for: the links and PEs that a node with a table feeds.

A *link* leads to another node with a table (another chip's packet router, the next router of a
mesh), perhaps through nodes that only pass packets on. Everything else that a node with a table
feeds is local: PEs behind it, on SpiNNaker2 those of the whole chip.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from chipsim.machine.model import EndpointKind, Machine, Routing
from chipsim.machine.topology import Topology, topology

DIRECTIONS = ("E", "NE", "N", "W", "SW", "S")
"""Directions of the six links of a chip, in the order of their bits."""

_VECTORS = ((1, 0), (1, 1), (0, 1), (-1, 0), (-1, -1), (0, -1))


@dataclass(frozen=True)
class Outlets:
    """The outputs of one node with a table.

    Attributes
    ----------
    node : int
    links : tuple of int
        Channel of bit 0, 1, … by direction (E, NE, N, W, SW, S), then by channel.
    locals : tuple of int
        Endpoint of bit ``len(links)``, ``len(links) + 1``, …, ascending.
    onward : dict of int to int
        For a channel by which a packet comes from another node with a table (the channel that
        left *that* node): the bit of the link opposite, which an unmatched packet takes. Channels
        without an opposite link are not in it.
    """

    node: int
    links: tuple[int, ...]
    locals: tuple[int, ...]
    onward: Mapping[int, int]

    @property
    def bits(self) -> int:
        """Number of bits of a route."""
        return len(self.links) + len(self.locals)

    @cached_property
    def link_bit(self) -> dict[int, int]:
        """Bit of each link channel."""
        return {channel: bit for bit, channel in enumerate(self.links)}

    @cached_property
    def local_bit(self) -> dict[int, int]:
        """Bit of each local endpoint."""
        return {end: len(self.links) + bit for bit, end in enumerate(self.locals)}


class OutletBook:
    """Outlets of all nodes with a table of one machine, made when they are asked for.

    Attributes
    ----------
    nodes : tuple of int
        The nodes with a table, ascending.
    far : dict of int to int
        The node with a table that each link leads to, by channel.
    """

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self._known: Topology = topology(machine)
        routing = self._known.routing
        self.nodes = tuple(n for n, rule in enumerate(routing) if rule == Routing.TABLE)
        self._is_table = set(self.nodes)
        self.far: dict[int, int] = {}
        for node in self.nodes:
            for channel in self._known.out[node]:
                end = self._end(channel)
                if end >= 0 and end != node:
                    self.far[channel] = end
        self._into: dict[int, list[int]] = {}
        for channel, end in self.far.items():
            self._into.setdefault(end, []).append(channel)
        self._made: dict[int, Outlets] = {}

    def __getitem__(self, node: int) -> Outlets:
        """Return the outlets of a node with a table."""
        if node not in self._made:
            self._made[node] = self._make(node)
        return self._made[node]

    def direction(self, channel: int) -> int:
        """Return the direction 0..5 of a link, -1 where it has none."""
        given = getattr(self.machine, "channel_direction", None)
        if given is not None and int(given[channel]) >= 0:
            return int(given[channel])
        known = self._known
        here, there = known.source[channel], self.far[channel]
        step = (
            _wrapped(known.x[there] - known.x[here], self.machine.grid_width),
            _wrapped(known.y[there] - known.y[here], self.machine.grid_height),
        )
        return _VECTORS.index(step) if step in _VECTORS else -1

    def _make(self, node: int) -> Outlets:
        out = [channel for channel in self._known.out[node] if channel in self.far]
        way = {channel: self.direction(channel) for channel in out}
        links = tuple(sorted(out, key=lambda c: (way[c] % (len(DIRECTIONS) + 1), c)))
        bit_of = {way[c]: bit for bit, c in reversed(list(enumerate(links))) if way[c] >= 0}
        onward = {}
        for channel in self._into.get(node, ()) if goes_straight_on(self.machine) else ():
            bit = bit_of.get(self.direction(channel))
            if bit is not None:
                onward[channel] = bit
        return Outlets(node, links, self._locals(node), onward)

    def _end(self, channel: int) -> int:
        """Return the node with a table at the end of a channel, through nodes that only pass on."""
        known = self._known
        seen = set()
        node = known.far[channel]
        while node >= 0 and node not in self._is_table:
            if known.routing[node] != Routing.SOURCE or len(known.out[node]) != 1 or node in seen:
                return -1
            seen.add(node)
            node = known.far[known.out[node][0]]
        return node

    def _locals(self, node: int) -> tuple[int, ...]:
        known, kinds = self._known, self.machine.endpoint_kind
        found: set[int] = set()
        seen = {node}
        todo = [node]
        while todo:
            for channel in known.out[todo.pop()]:
                far = known.far[channel]
                if far < 0:
                    end = known.sink_of[known.port[channel]]
                    if kinds[end] == EndpointKind.PE:
                        found.add(end)
                elif far not in seen and known.routing[far] in (Routing.XY, Routing.LUT):
                    seen.add(far)
                    todo.append(far)
        return tuple(sorted(found))


def goes_straight_on(machine: Machine) -> bool:
    """Return whether a packet that matches no entry goes on straight (else it is dropped)."""
    figures = machine.description
    name = "router.default_route"
    if machine.chips is not None and len(machine.chips) == 1:
        return True  # no packet comes by a link: the rule is never asked
    return name not in figures or figures.text(name) == "opposite"


def _wrapped(delta: int, size: int) -> int:
    """Return a step along one dimension, the short way where it goes round a ring."""
    if size > 2 and abs(delta) == size - 1:
        return -1 if delta > 0 else 1
    return delta


def outlets(machine: Machine) -> OutletBook:
    """Return the outlets of a machine's nodes with tables, made once per machine."""
    cached: OutletBook | None = machine.__dict__.get("_outlets")
    if cached is None:
        cached = OutletBook(machine)
        object.__setattr__(machine, "_outlets", cached)
    return cached
