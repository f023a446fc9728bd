"""Who is beside whom: lists made from a machine's arrays, for code that walks it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from chipsim.errors import RouteError
from chipsim.machine.layout import shortest
from chipsim.machine.model import Machine, PortKind, Routing

if TYPE_CHECKING:
    import networkx as nx

NOWHERE = -1


class Rows(Sequence[list[int]]):
    """Lists of integers kept in one array: row i is ``values[start[i]:start[i + 1]]``."""

    def __init__(self, start: NDArray[np.int64], values: NDArray[np.int32]) -> None:
        self._start: Sequence[int] = _view(start)
        self._values = values

    def __len__(self) -> int:
        return len(self._start) - 1

    def __getitem__(self, row: int) -> list[int]:  # type: ignore[override]
        found: list[int] = self._values[self._start[row] : self._start[row + 1]].tolist()
        return found


def grouped(keys: NDArray[np.integer], count: int, values: NDArray[np.integer]) -> Rows:
    """Return the values by key 0 .. count - 1, each row in the order of ``values``."""
    order = np.argsort(keys, kind="stable")
    start = np.zeros(count + 1, dtype=np.int64)
    np.cumsum(np.bincount(keys, minlength=count), out=start[1:])
    return Rows(start, np.ascontiguousarray(values[order], dtype=np.int32))


class Topology:
    """Neighbour lists of one machine; every entry is a plain Python integer.

    Attributes
    ----------
    out : sequence of list of int
        Outgoing channels by node, ascending.
    source, far, port : sequence of int
        A channel's node, the node at its far end (-1 for a sink), and its far port.
    dead : frozenset of int
        Channels that do not work.
    sink_of : sequence of int
        Endpoint by sink port, -1 for other ports.
    into : sequence of list of int
        Live channels that end in an endpoint's sink, by endpoint, ascending.
    memory_into : sequence of list of int
        The same for the sinks of memory traffic, where that has channels of its own.

    Notes
    -----
    Views of the machine's arrays, so that a million cores cost seconds and no lists of objects.
    """

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        far = np.ascontiguousarray(machine.port_node[machine.channel_port])
        sink_of = np.full(machine.ports, NOWHERE, dtype=np.int32)
        ends = np.flatnonzero(machine.endpoint_sink >= 0)
        sink_of[machine.endpoint_sink[ends]] = ends
        self.source = _view(machine.channel_node)
        self.port = _view(machine.channel_port)
        self.far = _view(far)
        self.sink_of = _view(sink_of)
        self.x = _view(machine.node_x)
        self.y = _view(machine.node_y)
        self.routing = _view(machine.node_routing)
        every = np.arange(machine.channels, dtype=np.int32)
        self.out = grouped(machine.channel_node, machine.nodes, every)
        dead = machine.channel_dead
        self.dead = frozenset(() if dead is None else np.flatnonzero(dead).tolist())
        ends_in = far == NOWHERE if dead is None else (far == NOWHERE) & ~dead
        last = np.flatnonzero(ends_in & (sink_of[machine.channel_port] >= 0))
        self.into = grouped(sink_of[machine.channel_port[last]], machine.endpoints, last)
        self.memory_into: Sequence[list[int]] = self.into
        if machine.endpoint_memory_sink is not None:
            apart = np.flatnonzero(machine.endpoint_memory_sink >= 0)
            owner = np.full(machine.ports, NOWHERE, dtype=np.int32)
            owner[machine.endpoint_memory_sink[apart]] = apart
            behind = owner[machine.channel_port]
            last = np.flatnonzero(ends_in & (behind >= 0))
            self.memory_into = grouped(behind[last], machine.endpoints, last)
            self.sink_of = _view(np.maximum(sink_of, owner))
        ways = machine.channel_direction
        self._diagonals = ways is not None and bool((ways == 1).any())
        self._steps: list[list[int]] | None = None
        self._columns: dict[tuple[int, int], list[int]] = {}

    def is_router(self, node: int) -> bool:
        """Return whether the node has a place in the mesh (forwards by tile)."""
        if self.machine.lut is None and self.machine.chips is None:
            return True
        return self.routing[node] in (Routing.XY, Routing.LUT)

    def towards(self, node: int, x: int, y: int) -> int:
        """Return the channel from a router towards another router's tile on the same chip.

        By look-up table where the machine has one, else x first; on a torus the shorter way round,
        the positive one of two equal ways. Where a synthetic machine has holes or dead links a
        shortest way, x first where that is one, else by the lowest channel (finite FIFOs can then
        deadlock). -1 at the tile itself, and where there is no way.
        """
        machine = self.machine
        if machine.lut is not None:
            return machine.lut_channel(node, y * machine.grid_width + x)
        if machine.extras.get("holes", 0) or machine.channel_dead is not None:
            if (x, y) not in self._columns:
                self._columns[x, y] = self._column(x, y)
            return self._columns[x, y][node]
        return self._straight(node, x, y)

    def _straight(self, node: int, x: int, y: int) -> int:
        """Return the channel x first (where there are diagonals, those before), -1 at the tile
        itself and into a hole.
        """
        machine = self.machine
        torus = bool(machine.extras.get("torus", 0))
        width, height = machine.grid_width, machine.grid_height
        if self._diagonals:
            dx, dy = shortest(x - self.x[node], y - self.y[node], width, height)
            if dx * dy > 0:
                return self._step(node, 1 if dx > 0 else 4)
        else:
            dx = _distance(self.x[node], x, width, torus)
            dy = _distance(self.y[node], y, height, torus)
        if dx:
            return self._step(node, 0 if dx > 0 else 3)
        if dy:
            return self._step(node, 2 if dy > 0 else 5)
        return NOWHERE

    def _column(self, x: int, y: int) -> list[int]:
        """Return the channel towards (x, y) at every node, by breadth-first search from there."""
        start = self.machine.endpoint_at(x, y)
        far = {start: 0}
        queue = [start]
        dead = self.dead
        for node in queue:
            for channel in self.out[node]:
                if channel in dead:
                    continue
                other = self.far[channel]  # links are both ways: who I reach reaches me
                if other != NOWHERE and other not in far:
                    far[other] = far[node] + 1
                    queue.append(other)
        column = [NOWHERE] * self.machine.nodes
        for node in queue[1:]:
            nearer = [
                c for c in self.out[node] if c not in dead and far.get(self.far[c]) == far[node] - 1
            ]
            if (
                not nearer
            ):  # a part that is only written to, as SpiNNaker1's System NoC: no way back
                continue
            straight = self._straight(node, x, y)
            column[node] = straight if straight in nearer else nearer[0]
        return column

    def _step(self, node: int, direction: int) -> int:
        if self._steps is None:
            self._steps = self._directions()
        return self._steps[node][direction]

    def _directions(self) -> list[list[int]]:
        """Return the link of every router in each of the six directions, -1 where there is none."""
        machine = self.machine
        steps = np.full((machine.nodes, 6), NOWHERE, dtype=np.int64)
        ways = machine.channel_direction
        if ways is not None:
            links = np.flatnonzero(ways >= 0)
            steps[machine.channel_node[links], ways[links]] = links
        rows: list[list[int]] = steps.tolist()
        return rows


def _view(array: NDArray[np.integer]) -> Sequence[int]:
    """Return an array as a sequence of Python integers, without a copy."""
    return memoryview(np.ascontiguousarray(array))  # type: ignore[arg-type]


def _distance(here: int, there: int, size: int, torus: bool) -> int:
    """Return the signed steps along one dimension, the positive way where both are equal."""
    direct = there - here
    if not torus or size <= 2:
        return direct
    ahead = direct % size
    return ahead if 2 * ahead <= size else ahead - size


def topology(machine: Machine) -> Topology:
    """Return the machine's neighbour lists, made once per machine."""
    cached: Topology | None = machine.__dict__.get("_topology")
    if cached is None:
        cached = Topology(machine)
        object.__setattr__(machine, "_topology", cached)
    return cached


def channel_to(machine: Machine, node: int, far: int) -> int:
    """Return the (first) channel from node to node.

    Raises
    ------
    RouteError
        If they are not neighbours.
    """
    known = topology(machine)
    for channel in known.out[node]:
        if known.far[channel] == far:
            return channel
    raise RouteError(
        f"{machine.name}: no channel from {machine.node_labels[node]} to "
        f"{machine.node_labels[far]}; choose neighbours"
    )


def router_graph(machine: Machine) -> nx.DiGraph:
    """Return the routers and the channels between them as a networkx graph.

    Nodes are node numbers with attributes ``x``, ``y``, ``chip`` and ``label``; edges carry
    ``channel``. Nodes of endpoints and the packet router's are left out.
    """
    import networkx as nx  # half a second that only those pay who ask for the graph

    known = topology(machine)
    graph = nx.DiGraph()
    for node in range(machine.nodes):
        if known.is_router(node):
            graph.add_node(
                node,
                x=known.x[node],
                y=known.y[node],
                chip=int(machine.node_chip[node]),
                label=machine.node_labels[node],
            )
    for channel, (near, away) in enumerate(zip(known.source, known.far, strict=True)):
        if near in graph and away in graph and not graph.has_edge(near, away):
            graph.add_edge(near, away, channel=channel)
    return graph


def is_source(machine: Machine, port: int) -> bool:
    """Return whether ``port`` is a port that packets are written into."""
    inside = 0 <= port < machine.ports
    return inside and int(machine.port_kind[port]) == PortKind.SOURCE
