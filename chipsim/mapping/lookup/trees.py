"""Trees of ways to a destination: cheapest under prices of channels, without circles of waiting."""

from __future__ import annotations

import heapq
from collections.abc import Sequence

import numpy as np

from chipsim.mapping.lookup.mesh import Mesh
from chipsim.mapping.lookup.state import NONE, Demand, State
from chipsim.mapping.lookup.waits import Pair

STEEP = 8.0
"""What a channel at the hottest load costs more than an empty one, in hops."""


def from_nothing(mesh: Mesh, demand: Demand, rng: np.random.Generator, scale: float) -> State:
    """Return tables built destination by destination, those with most traffic first.

    Parameters
    ----------
    mesh : Mesh
    demand : Demand
    rng : numpy.random.Generator
        Draws the root of the escape ways, the order of destinations and the breaking of ties.
    scale : float
        The load at which a channel is dear.

    Notes
    -----
    As in Nue routing, every tree is grown under the dependencies of those before it, and the
    ways of one spanning tree (up to a root at the packet router, then down) are kept free, so that
    a destination which finds no other way takes those. O(routers**2 x channels).
    """
    state = State(mesh, demand)
    escape = _Escape(mesh, rng)
    state.waits.add(escape.pairs)
    into = [0.0] * (mesh.hub + 1)
    for dest in mesh.ends:
        into[dest] = state.from_hub[dest]
    for dest, sources in enumerate(state.sources):
        into[dest] += sum(weight for _, weight in sources)
    noise = rng.uniform(0.5, 1.5, size=mesh.hub + 1).tolist()
    every = sorted([*mesh.ends, mesh.hub], key=lambda d: (-into[d] * noise[d], noise[d]))
    for dest in every:
        if not regrow(state, dest, rng, scale):
            out, port = escape.ways(dest)
            state.out[dest] = out
            if dest != mesh.hub:
                state.port[dest] = port
            state.waits.add(state.pairs(dest))
            state.put(dest, out, port)
    state.waits.remove(escape.pairs)
    return state


def regrow(state: State, dest: int, rng: np.random.Generator, scale: float) -> bool:
    """Grow the ways to a destination that has none, by prices that follow the load.

    Returns
    -------
    bool
        False, with nothing changed, where some router found no way.
    """
    mesh = state.mesh
    price = [1.0 + STEEP * min(load / scale, 2.0) ** 4 for load in state.load]
    out, admitted = _grow(state, dest, rng, price)
    missing = any(out[router] == NONE for router in mesh.members(dest))
    port = NONE
    if not missing and dest != mesh.hub:
        port = _port(state, dest, out, price, admitted)
        missing = port == NONE
    if missing:
        state.waits.remove(admitted)
        return False
    state.put(dest, out, port)
    return True


def _grow(
    state: State, dest: int, rng: np.random.Generator, price: Sequence[float]
) -> tuple[list[int], list[Pair]]:
    """Return the channel of every router towards a destination, and the edges that were added."""
    mesh = state.mesh
    out = [NONE] * mesh.hub
    members = set(mesh.members(dest))
    admitted: list[Pair] = []
    heap: list[tuple[float, float, int]] = []
    ties = iter(rng.random(4 * mesh.channels).tolist())

    def offer(cost: float, at: int) -> None:
        into = mesh.enter.values() if at == mesh.hub else mesh.into[at]
        for channel in into:
            head = mesh.head[channel]
            if head in members and out[head] == NONE:
                heapq.heappush(heap, (cost + price[channel], next(ties), channel))

    offer(0.0, dest)
    while heap:
        cost, _, channel = heapq.heappop(heap)
        head, far = mesh.head[channel], mesh.far[channel]
        if out[head] != NONE:
            continue
        if far != dest:
            pair = (channel, out[far])
            if not state.waits.admit([pair]):
                continue
            admitted.append(pair)
        out[head] = channel
        offer(cost, head)
    return out, admitted


def _port(
    state: State, dest: int, out: Sequence[int], price: Sequence[float], admitted: list[Pair]
) -> int:
    """Return the cheapest channel out of the packet router that closes no circle, else -1."""
    mesh = state.mesh

    def cost(channel: int) -> float:
        total, router = price[channel], mesh.far[channel]
        while router != dest:
            total += price[out[router]]
            router = mesh.far[out[router]]
        return total

    for channel in sorted(mesh.leave, key=cost):
        far = mesh.far[channel]
        pairs = [] if far == dest else [(channel, out[far])]
        if state.waits.admit(pairs):
            admitted += pairs
            return channel
    return NONE


class _Escape:
    """Ways over one spanning tree: up towards a port of the packet router, then down.

    Attributes
    ----------
    pairs : list of (int, int)
        Which channel follows which on any of these ways.
    """

    def __init__(self, mesh: Mesh, rng: np.random.Generator) -> None:
        self._mesh = mesh
        qpes = set(mesh.ends)
        ports = sorted(mesh.enter)
        self._root = ports[int(rng.integers(len(ports)))]
        self._up = [NONE] * mesh.hub
        self._down = [NONE] * mesh.hub
        between = {(mesh.head[c], mesh.far[c]): c for row in mesh.out for c in row}
        seen, todo = {self._root}, [self._root]
        # QPEs first: packets to the packet router must not cross its own tiles.
        for may in (qpes.__contains__, lambda _: True):
            todo = list(todo)
            for at in todo:
                for channel in rng.permutation(mesh.out[at]).tolist():
                    far = mesh.far[channel]
                    if far not in seen and may(far):
                        seen.add(far)
                        todo.append(far)
                        self._up[far], self._down[far] = between[far, at], channel
        self._leave = next(c for c in mesh.leave if mesh.far[c] == self._root)
        self.pairs = [pair for dest in [*mesh.ends, mesh.hub] for pair in self._follow(dest)]
        self.pairs = sorted(set(self.pairs))

    def ways(self, dest: int) -> tuple[list[int], int]:
        """Return the channel of every router towards a destination, and the port to it."""
        mesh = self._mesh
        out = list(self._up)
        if dest == mesh.hub:
            out[self._root] = mesh.enter[self._root]
            qpes = set(mesh.ends)
            return [c if r in qpes else NONE for r, c in enumerate(out)], NONE
        at = dest
        while at != self._root:
            down = self._down[at]
            out[mesh.head[down]] = down
            at = mesh.head[down]
        out[dest] = NONE
        return out, self._leave

    def _follow(self, dest: int) -> list[Pair]:
        out, port = self.ways(dest)
        firsts = [c for c in (*out, port) if c != NONE]
        far = self._mesh.far
        return [(c, out[far[c]]) for c in firsts if far[c] != dest]
