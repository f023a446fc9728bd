"""Look-up tables under change: a tree to every destination, its load, and who waits for whom."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from chipsim.machine.lut import Plan
from chipsim.mapping.lookup.mesh import Mesh
from chipsim.mapping.lookup.waits import Pair, Waits

NONE = -1

Demand = Mapping[tuple[int, int], float]
"""Flits per tick from router to router; the hub stands for the packet router on either side."""


class State:
    """Tables of one chip.

    Parameters
    ----------
    mesh : Mesh
    demand : Demand

    Attributes
    ----------
    out : list of list of int
        ``out[dest][router]``: the channel towards a destination, -1 at the destination itself and
        where there is none.
    port : list of int
        The channel by which the packet router sends to each destination, -1 for none.
    flow : list of list of float
        ``flow[dest][router]``: flits per tick on ``out[dest][router]`` for this destination.
    load : list of float
        Flits per tick by channel.
    waits : Waits
    """

    def __init__(self, mesh: Mesh, demand: Demand) -> None:
        self.mesh = mesh
        n = mesh.hub
        self.out = [[NONE] * n for _ in range(n + 1)]
        self.port = [NONE] * n
        self.flow = [[0.0] * n for _ in range(n + 1)]
        self.load = [0.0] * mesh.channels
        self.waits = Waits(mesh.channels)
        self.waits.add((channel, mesh.lookup) for channel in mesh.enter.values())
        self.waits.add((mesh.lookup, channel) for channel in mesh.leave)
        self.sources: list[list[tuple[int, float]]] = [[] for _ in range(n + 1)]
        self.from_hub = [0.0] * n
        for (source, dest), weight in sorted(demand.items()):
            if source == mesh.hub:
                self.from_hub[dest] = weight
            elif source != dest:
                self.sources[dest].append((source, weight))

    def cost(self) -> tuple[float, float]:
        """Return (hottest channel, sum over all channels) [flits per tick]."""
        return max(self.load, default=0.0), sum(self.load)

    def path(self, router: int, dest: int) -> Iterator[int]:
        """Yield the channels from a router to a destination."""
        out, far = self.out[dest], self.mesh.far
        while router != dest:
            yield out[router]
            router = far[out[router]]

    def before(self, router: int, dest: int) -> list[int]:
        """Return the channels by which packets to ``dest`` come to ``router``."""
        out, head = self.out[dest], self.mesh.head
        found = [channel for channel in self.mesh.into[router] if out[head[channel]] == channel]
        port = NONE if dest == self.mesh.hub else self.port[dest]
        return [*found, port] if port != NONE and self.mesh.far[port] == router else found

    def pairs(self, dest: int) -> list[Pair]:
        """Return which channel follows which on the ways to a destination."""
        out, far = self.out[dest], self.mesh.far
        firsts = [channel for channel in out if channel != NONE]
        if dest != self.mesh.hub and self.port[dest] != NONE:
            firsts.append(self.port[dest])
        return [(c, out[far[c]]) for c in firsts if far[c] != dest]

    def put(self, dest: int, out: list[int], port: int) -> None:
        """Set the ways to a destination (its edges are admitted already) and their load."""
        self.out[dest] = out
        if dest != self.mesh.hub:
            self.port[dest] = port
        self._pour(dest, 1.0)

    def take(self, dest: int) -> tuple[list[int], int]:
        """Take the ways to a destination out, with edges and load, and return them."""
        self.waits.remove(self.pairs(dest))
        self._pour(dest, -1.0)
        old = self.out[dest], self.port[dest] if dest != self.mesh.hub else NONE
        self.out[dest] = [NONE] * self.mesh.hub
        if dest != self.mesh.hub:
            self.port[dest] = NONE
        return old

    def _pour(self, dest: int, sign: float) -> None:
        """Add (1) or remove (-1) the load of a destination's traffic."""
        flow = self.flow[dest]
        sources = list(self.sources[dest])
        if dest != self.mesh.hub and self.from_hub[dest]:
            channel = self.port[dest]
            self.load[channel] += sign * self.from_hub[dest]
            sources.append((self.mesh.far[channel], self.from_hub[dest]))
        for source, weight in sources:
            for channel in self.path(source, dest):
                self.load[channel] += sign * weight
                flow[self.mesh.head[channel]] += sign * weight
        if sign < 0:
            self.flow[dest] = [0.0] * self.mesh.hub

    def plan(self) -> Plan:
        """Return the tables by tiles."""
        mesh, tiles = self.mesh, self.mesh.tiles
        step = {
            (tiles[router], tiles[dest]): tiles[mesh.far[self.out[dest][router]]]
            for dest in mesh.ends
            for router in mesh.members(dest)
        }
        to_router = {}
        for router in mesh.members(mesh.hub):
            far = mesh.far[self.out[mesh.hub][router]]
            to_router[tiles[router]] = tiles[router if far == mesh.hub else far]
        port = {tiles[dest]: tiles[mesh.far[self.port[dest]]] for dest in mesh.ends}
        return Plan("balanced", step, to_router, port)


def of_plan(mesh: Mesh, demand: Demand, plan: Plan) -> State:
    """Return the tables of a plan as a state."""
    state = State(mesh, demand)
    between = {(mesh.head[c], mesh.far[c]): c for row in mesh.out for c in row}
    leave = {mesh.far[channel]: channel for channel in mesh.leave}
    for dest in [*mesh.ends, mesh.hub]:
        out = [NONE] * mesh.hub
        for router in mesh.members(dest):
            tile = mesh.tiles[router]
            if dest == mesh.hub:
                onward = plan.to_router[tile]
                out[router] = (
                    mesh.enter[router] if onward == tile else between[router, mesh.at[onward]]
                )
            else:
                out[router] = between[router, mesh.at[plan.step[tile, mesh.tiles[dest]]]]
        port = NONE if dest == mesh.hub else leave[mesh.at[plan.port[mesh.tiles[dest]]]]
        state.put(dest, out, port)
        state.waits.add(state.pairs(dest))
    return state
