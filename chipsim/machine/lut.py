"""Look-up tables for a mesh with holes: XY wherever XY is open, deadlock-free detours elsewhere.

Routing is by destination alone, so each router has one next tile for each destination. A set of
routes cannot deadlock on finite FIFOs if the graph "channel a is followed by channel b on some
route" has no cycle (Dally & Seitz 1987, doi 10.1109/TC.1987.1676939). XY routes alone keep that;
so do the legs through the packet router. Detours need turns that XY never takes: they are added one
hop at a time, backwards from each destination, each hop only if the one dependency it brings closes
no cycle.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

from chipsim.errors import MachineError
from chipsim.machine.floor import STEPS, Floor, Tile, xy_open, xy_step

Channel = tuple[str, Tile, Tile]
"""("noc", from, to), ("in" or "out", port, port) or the look-up channel."""

LOOKUP: Channel = ("lookup", (-1, -1), (-1, -1))
ATTEMPTS = 1
"""Orders of destinations that are tried; the one with the shortest paths is kept."""


@dataclass(frozen=True)
class Plan:
    """Next tiles on a chip.

    Attributes
    ----------
    step : mapping of (tile, tile) to tile
        Next router tile from a router towards a destination router.
    to_router : mapping of tile to tile
        Next tile from a router towards the packet router; a port maps to itself.
    port : mapping of tile to tile
        The packet router's port for packets to a destination router.
    hops : int
        Channels between routers, summed over all ordered pairs of routers.
    """

    step: Mapping[tuple[Tile, Tile], Tile]
    to_router: Mapping[Tile, Tile]
    port: Mapping[Tile, Tile]
    hops: int


class _Dependencies:
    """A directed graph of channels that stays acyclic; reachable sets as bit masks."""

    strict = False  # not yet: see the next commit

    def __init__(self) -> None:
        self._number: dict[Channel, int] = {}
        self._reach: list[int] = []

    def _at(self, channel: Channel) -> int:
        if channel not in self._number:
            self._number[channel] = len(self._reach)
            self._reach.append(0)
        return self._number[channel]

    def add(self, first: Channel, second: Channel) -> bool:
        """Add "``first`` is followed by ``second``" unless it closes a cycle; say if it did not."""
        u, v = self._at(first), self._at(second)
        if self.strict and (u == v or self._reach[v] >> u & 1):
            return False
        gained = self._reach[v] | 1 << v
        if self._reach[u] | gained != self._reach[u]:
            for w, reach in enumerate(self._reach):
                if w == u or reach >> u & 1:
                    self._reach[w] = reach | gained
        return True


class _Search:
    """One attempt at a plan, for one order of destinations."""

    def __init__(self, floor: Floor, order: Sequence[Tile]) -> None:
        self.floor = floor
        self.routers = frozenset(floor.routers)
        self.order = order
        self.graph = _Dependencies()
        self.step: dict[tuple[Tile, Tile], Tile] = {}
        self.to_router: dict[Tile, Tile] = {}
        self.port: dict[Tile, Tile] = {}
        self.load = dict.fromkeys(floor.ports, 0)

    def run(self) -> Plan | None:
        """Return the plan, or None where some pair stays without an acyclic way."""
        for there in self.floor.qpes:
            for here in self.floor.routers:
                if here != there and xy_open(self.routers, here, there):
                    self._assign(here, there, xy_step(here, there))
        for port in self.floor.ports:
            self.graph.add(("in", port, port), LOOKUP)
            self.graph.add(LOOKUP, ("out", port, port))
        if not self._legs_in():
            return None
        open_legs = [there for there in self.order if self._port_options(there)]
        if not all(map(self._leg_out, open_legs)):
            return None
        if not all(map(self._detours, self.order)):
            return None
        if not all(self._leg_out(there) for there in self.order if there not in self.port):
            return None
        hops = sum(self._hops(a, b) for b in self.floor.qpes for a in self.floor.qpes)
        return Plan(self.step, self.to_router, self.port, hops)

    def _assign(self, here: Tile, there: Tile, following: Tile) -> bool:
        """Let ``here`` go to ``following`` for ``there``, if that closes no cycle."""
        if following != there:
            onward = self.step.get((following, there)) or xy_step(following, there)
            if not self.graph.add(("noc", here, following), ("noc", following, onward)):
                return False
        self.step[here, there] = following
        return True

    def _detours(self, there: Tile) -> bool:
        """Give every blocked router a way to ``there``, nearest to the settled ones first."""
        far = {there: 0}
        for here in self.floor.routers:
            if (here, there) in self.step:
                far[here] = self._hops(here, there)
        while len(far) < len(self.routers):
            options = sorted(
                (far[following] + 1, here, following)
                for here in self.floor.routers
                if here not in far
                for following in _beside(here, self.routers)
                if following in far
            )
            for hops, here, following in options:
                if self._assign(here, there, following):
                    far[here] = hops
                    break
            else:
                return False
        return True

    def _legs_in(self) -> bool:
        """Give every QPE a way to the packet router, x first where that is open."""
        self.to_router = {port: port for port in self.floor.ports}
        for tile in self.floor.router:
            for here in self.floor.qpes:
                path = self._xy_to_port(here, tile)
                for a, b in reversed(list(pairwise(path))):
                    if a not in self.to_router and not self._join(a, b):
                        return False
        while len(self.to_router) < len(self.floor.qpes):
            blocked = [here for here in self.floor.qpes if here not in self.to_router]
            options = [(a, b) for a in blocked for b in _beside(a, frozenset(self.to_router))]
            if not any(self._join(a, b) for a, b in options):
                return False
        return True

    def _xy_to_port(self, here: Tile, tile: Tile) -> list[Tile]:
        """Return the x-first path from ``here`` to the port where it enters, or nothing."""
        path = [here]
        while (following := xy_step(path[-1], tile)) not in self.floor.router:
            if following not in self.routers:
                return []
            path.append(following)
        return path if path[-1] in self.floor.ports else []

    def _join(self, here: Tile, following: Tile) -> bool:
        onward = self.to_router[following]
        after: Channel = ("noc", following, onward)
        if onward == following:
            after = ("in", following, following)
        if not self.graph.add(("noc", here, following), after):
            return False
        self.to_router[here] = following
        return True

    def _port_options(self, there: Tile) -> list[tuple[int, int, int, Tile]]:
        """Return the ports that reach ``there``: fewest hops, then least used, then first."""
        return sorted(
            (self._hops(port, there), self.load[port], index, port)
            for index, port in enumerate(self.floor.ports)
            if port == there or (port, there) in self.step
        )

    def _leg_out(self, there: Tile) -> bool:
        for _, _, _, port in self._port_options(there):
            first: Channel = ("noc", port, self.step.get((port, there), port))
            if port == there or self.graph.add(("out", port, port), first):
                self.port[there] = port
                self.load[port] += 1
                return True
        return False

    def _hops(self, here: Tile, there: Tile) -> int:
        count = 0
        while here != there:
            here = self.step[here, there]
            count += 1
        return count


def _beside(tile: Tile, routers: frozenset[Tile]) -> list[Tile]:
    x, y = tile
    return [(x + dx, y + dy) for dx, dy in STEPS if (x + dx, y + dy) in routers]


@lru_cache(maxsize=16)
def synthesise(floor: Floor) -> Plan:
    """Return the next tiles for every pair on the chip.

    Raises
    ------
    MachineError
        If no order of destinations that was tried gives acyclic ways for all pairs.

    Notes
    -----
    Destinations are settled in :data:`ATTEMPTS` orders (by row, reversed, then shuffles with a
    fixed seed); the complete plan with the fewest hops wins, the earliest of several equal ones.
    A detour hop costs O(channels) set operations, an attempt O(routers² x channels).
    """
    shuffle = random.Random(0)
    order = list(floor.qpes)
    best: Plan | None = None
    for attempt in range(ATTEMPTS):
        if attempt == 1:
            order.reverse()
        elif attempt > 1:
            shuffle.shuffle(order)
        plan = _Search(floor, tuple(order)).run()
        if plan is not None and (best is None or plan.hops < best.hops):
            best = plan
    if best is None:
        raise MachineError(
            f"no deadlock-free look-up tables found for {len(floor.qpes)} QPEs and packet router "
            f"ports {list(floor.ports)} in {ATTEMPTS} orders; change floor.qpe_holes or "
            "floor.router_ports"
        )
    return best
