"""Look-up tables for a mesh with holes: XY wherever that can be, deadlock-free detours elsewhere.

Routing is by destination alone, so each router has one next tile for each destination. A set of
routes cannot deadlock on finite FIFOs if the graph "channel a is followed by channel b on some
route" has no cycle (Dally & Seitz 1987, doi 10.1109/TC.1987.1676939); legs into, through and out of
the packet router belong to that graph.

XY alone turns from rows into columns only, and such turns close no cycle. Going round a hole needs
turns the other way. A description therefore names those *detour turns* (tile and directions), and
the XY turns that have to be *avoided* for them.

Why some must be, round the packet router: call the channels that pass it eastward or westward,
above (top) or below (bottom), ET, EB, WT and WB. Tiles west of it, in its rows, get east by a turn
NE (up, then into ET) or SE (down, into EB); those east of it get west by NW (into WT) or SW (into
WB). The tiles right above it are reached from below by NE or NW, those right below it from above by
SE or SW. But XY traffic that came along WB goes up the western columns to where NE is taken, so NE
makes ET follow WB; likewise SE makes EB follow WT, NW makes WT follow EB, SW makes WB follow ET.
So NE with SW is a ring, and SE with NW is one, and no choice that meets all four needs is without
one of the two, unless an XY turn on its ring is given up.

Where the turns named do not serve all pairs (another floor plan), up*/down* routing from a port of
the packet router is used instead (Autonet, Schroeder et al. 1991, doi 10.1109/49.105178): it always
works, and is no XY.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

from chipsim.errors import MachineError
from chipsim.machine.floor import STEPS, Floor, Tile, xy_step

Channel = tuple[str, Tile, Tile]
"""("noc", from, to), ("in" or "out", port, port) or the look-up channel."""

Turn = tuple[int, int, str]
"""Tile and two directions: (3, 2, "SE") is arriving southward at (3, 2) and leaving eastward."""

LOOKUP: Channel = ("lookup", (-1, -1), (-1, -1))
ATTEMPTS = 16
"""Orders in which the packet router's legs are tried; the best complete one is kept."""

_DIRECTIONS = dict(zip(STEPS, "EWNS", strict=True))


@dataclass(frozen=True)
class Plan:
    """Next tiles on a chip.

    Attributes
    ----------
    method : str
        ``turns`` (XY with the named detours) or ``up_down``.
    step : mapping of (tile, tile) to tile
        Next router tile from a router towards a destination QPE.
    to_router : mapping of tile to tile
        Next tile from a QPE towards the packet router; a port where it enters maps to itself.
    port : mapping of tile to tile
        The packet router's port for packets to a destination QPE.
    """

    method: str
    step: Mapping[tuple[Tile, Tile], Tile]
    to_router: Mapping[Tile, Tile]
    port: Mapping[Tile, Tile]

    def path(self, here: Tile, there: Tile) -> list[Tile]:
        """Return the tiles from ``here`` to ``there``, both included."""
        tiles = [here]
        while tiles[-1] != there:
            tiles.append(self.step[tiles[-1], there])
        return tiles

    def path_in(self, here: Tile) -> list[Tile]:
        """Return the tiles from ``here`` to the port where a packet enters the packet router."""
        tiles = [here]
        while self.to_router[tiles[-1]] != tiles[-1]:
            tiles.append(self.to_router[tiles[-1]])
        return tiles


@dataclass(frozen=True)
class Turns:
    """Turns beside XY's: those allowed for detours, and those of XY's that are given up."""

    detour: frozenset[Turn] = frozenset()
    avoided: frozenset[Turn] = frozenset()

    def allow(self, first: Tile, at: Tile, last: Tile) -> bool:
        """Return whether a packet from ``first`` may go on from ``at`` to ``last``."""
        if first == last:
            return False
        came, goes = direction(first, at), direction(at, last)
        if came == goes:
            return True
        turn = (*at, came + goes)
        return turn not in self.avoided if came in "EW" else turn in self.detour


def direction(here: Tile, there: Tile) -> str:
    """Return E, W, N or S for two neighbouring tiles."""
    return _DIRECTIONS[there[0] - here[0], there[1] - here[1]]


class Dependencies:
    """A directed graph of channels that stays acyclic; reachable sets as bit masks."""

    def __init__(self) -> None:
        self._number: dict[Channel, int] = {}
        self._reach: list[int] = []

    def copy(self) -> Dependencies:
        """Return an independent copy."""
        other = Dependencies()
        other._number, other._reach = dict(self._number), list(self._reach)
        return other

    def add(self, first: Channel, second: Channel) -> bool:
        """Add "``first`` is followed by ``second``" and return True, or False for a cycle."""
        u, v = self._at(first), self._at(second)
        if u == v or self._reach[v] >> u & 1:
            return False
        gained = self._reach[v] | 1 << v
        if self._reach[u] | gained != self._reach[u]:
            for w, reach in enumerate(self._reach):
                if w == u or reach >> u & 1:
                    self._reach[w] = reach | gained
        return True

    def _at(self, channel: Channel) -> int:
        if channel not in self._number:
            self._number[channel] = len(self._reach)
            self._reach.append(0)
        return self._number[channel]


@lru_cache(maxsize=16)
def synthesise(floor: Floor, turns: Turns = Turns()) -> Plan:
    """Return the next tiles for every pair on the chip.

    Notes
    -----
    Shortest paths under the allowed turns, from each destination backwards; of equally long ones
    the XY step, then the tile with the smaller x, then y. O(routers² log routers).
    """
    return _by_turns(floor, turns) or _up_down(floor)


def channel_chains(plan: Plan, floor: Floor) -> Iterator[list[Channel]]:
    """Yield the channels of every route: QPE to QPE, and every pair through the packet router."""
    for there in floor.qpes:
        for here in floor.qpes:
            yield _chain(plan.path(here, there))
        entry = plan.path_in(there)
        yield [*_chain(entry), ("in", entry[-1], entry[-1]), LOOKUP]
        port = plan.port[there]
        yield [LOOKUP, ("out", port, port), *_chain(plan.path(port, there))]


def _chain(tiles: list[Tile]) -> list[Channel]:
    return [("noc", a, b) for a, b in pairwise(tiles)]


def _by_turns(floor: Floor, turns: Turns) -> Plan | None:
    step: dict[tuple[Tile, Tile], Tile] = {}
    graph = Dependencies()
    for there in floor.qpes:
        towards = _settle(floor, there, turns.allow)
        if towards is None:
            return None
        for here, following in towards.items():
            step[here, there] = following
            if following != there and not graph.add(
                ("noc", here, following), ("noc", following, towards[following])
            ):
                return None
    return _legs(floor, turns, step, graph)


def _settle(
    floor: Floor, there: Tile, allow: Callable[[Tile, Tile, Tile], bool]
) -> dict[Tile, Tile] | None:
    """Return the next tile of every router towards ``there``, or None if one has no way."""
    routers = frozenset(floor.routers)
    towards: dict[Tile, Tile] = {}
    heap: list[tuple[int, bool, Tile, Tile]] = []

    def offer(hops: int, at: Tile) -> None:
        for here in floor.beside(at, routers):
            if here not in towards and (at == there or allow(here, at, towards[at])):
                heapq.heappush(heap, (hops + 1, xy_step(here, there) != at, here, at))

    offer(0, there)
    while heap:
        hops, _, here, following = heapq.heappop(heap)
        if here not in towards and here != there:
            towards[here] = following
            offer(hops, here)
    return towards if len(towards) == len(routers) - 1 else None


def _legs(
    floor: Floor, turns: Turns, step: Mapping[tuple[Tile, Tile], Tile], graph: Dependencies
) -> Plan | None:
    """Add the packet router's legs: of several tries the one with the fewest hops, then with the
    most even use of the ports, then the first.
    """
    shuffle = random.Random(0)
    for port in floor.ports:
        graph.add(("in", port, port), LOOKUP)
        graph.add(LOOKUP, ("out", port, port))
    best: tuple[int, int, Plan] | None = None
    for _ in range(ATTEMPTS):
        trial = graph.copy()
        entries = _legs_in(floor, turns, trial, shuffle)
        exits = _legs_out(floor, step, trial) if entries is not None else None
        if entries is None or exits is None:
            continue
        plan = Plan("turns", step, entries, exits)
        hops = sum(len(plan.path_in(q)) + len(plan.path(plan.port[q], q)) for q in floor.qpes)
        used = list(exits.values())
        busiest = max(map(used.count, used))
        if best is None or (hops, busiest) < best[:2]:
            best = (hops, busiest, plan)
    return best[2] if best is not None else None


def _legs_in(
    floor: Floor, turns: Turns, graph: Dependencies, shuffle: random.Random
) -> dict[Tile, Tile] | None:
    """Return the next tile towards the packet router, nearest QPEs first, ties in random order."""
    entries = {port: port for port in floor.ports}
    far = dict.fromkeys(floor.ports, 0)
    qpes = frozenset(floor.qpes)
    while len(entries) < len(qpes):
        options = sorted(
            (far[at] + 1, shuffle.random(), here, at)
            for here in floor.qpes
            if here not in entries
            for at in floor.beside(here, qpes)
            if at in entries
        )
        for hops, _, here, at in options:
            onward = entries[at]
            after: Channel = ("in", at, at) if onward == at else ("noc", at, onward)
            allowed = onward == at or turns.allow(here, at, onward)
            if allowed and graph.add(("noc", here, at), after):
                entries[here], far[here] = at, hops
                break
        else:
            return None
    return entries


def _legs_out(
    floor: Floor, step: Mapping[tuple[Tile, Tile], Tile], graph: Dependencies
) -> dict[Tile, Tile] | None:
    """Return the port for each destination: fewest hops, then least used so far, then first."""
    exits: dict[Tile, Tile] = {}
    load = dict.fromkeys(floor.ports, 0)
    for there in floor.qpes:
        options = sorted(
            (_hops(step, port, there), load[port], index, port)
            for index, port in enumerate(floor.ports)
        )
        for _, _, _, port in options:
            first: Channel = ("noc", port, step.get((port, there), port))
            if port == there or graph.add(("out", port, port), first):
                exits[there] = port
                load[port] += 1
                break
        else:
            return None
    return exits


def _hops(step: Mapping[tuple[Tile, Tile], Tile], here: Tile, there: Tile) -> int:
    count = 0
    while here != there:
        here = step[here, there]
        count += 1
    return count


def _up_down(floor: Floor) -> Plan:
    """Return up*/down* routes from the first port: up towards it, then down, never up again.

    The packet router is entered at the root by up channels alone and left by down channels alone,
    so its legs keep the order up < look-up < down of all dependencies.
    """
    routers = frozenset(floor.routers)
    root = floor.ports[0]
    rank = _ranks(floor, root, routers)
    if len(rank) < len(routers):
        raise MachineError(
            f"the mesh is not connected: {sorted(routers - rank.keys())} cannot be reached from "
            f"the packet router's port {root}; change floor.qpe_holes"
        )
    step: dict[tuple[Tile, Tile], Tile] = {}
    for there in floor.qpes:
        towards: dict[Tile, Tile] = {}
        _spread(floor, towards, [there], there, lambda here, at: rank[here] < rank[at])
        _spread(floor, towards, [there, *towards], there, lambda here, at: rank[at] < rank[here])
        step.update({(here, there): following for here, following in towards.items()})
    entries = {root: root}
    for tile in floor.routers:
        if tile != root:
            entries[tile] = min(floor.beside(tile, routers), key=rank.__getitem__)
    return Plan("up_down", step, entries, dict.fromkeys(floor.qpes, root))


def _ranks(floor: Floor, root: Tile, routers: frozenset[Tile]) -> dict[Tile, int]:
    """Number the routers breadth first from ``root``."""
    rank = {root: 0}
    queue = [root]
    for tile in queue:
        for other in floor.beside(tile, routers):
            if other not in rank:
                rank[other] = len(rank)
                queue.append(other)
    return rank


def _spread(
    floor: Floor,
    towards: dict[Tile, Tile],
    settled: list[Tile],
    there: Tile,
    may: Callable[[Tile, Tile], bool],
) -> None:
    """Settle routers backwards, breadth first, over the moves here -> at that ``may`` allows."""
    routers = frozenset(floor.routers)
    queue = list(settled)
    for at in queue:
        for here in floor.beside(at, routers):
            if here != there and here not in towards and may(here, at):
                towards[here] = at
                queue.append(here)
