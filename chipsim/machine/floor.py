"""The floor plan of a SpiNNaker2 chip: which tile holds what, and what joins what."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

Tile = tuple[int, int]

STEPS: tuple[Tile, ...] = ((1, 0), (-1, 0), (0, 1), (0, -1))
"""East, west, north, south: the order in which a router's channels are numbered."""


@dataclass(frozen=True)
class Floor:
    """Tiles by what stands on them.

    Attributes
    ----------
    width, height : int
        Size of the grid.
    qpes : tuple of tile
        Tiles with four PEs and a NoC router, by row and column.
    router : tuple of tile
        Tiles of the packet router.
    ports : tuple of tile
        QPEs beside it, one NoC port each.
    transit : bool
        Whether NoC traffic can pass through the packet router's tiles.
    mem_a, mem_b, host : tuple of tile
        Tiles of the memory interfaces and of the host interface.
    others : tuple of (str, tile)
        Tiles without traffic in this model: a letter for the drawing, and the tile.
    cut : frozenset of frozenset of tile
        Neighbouring tiles whose link is dead.
    """

    width: int
    height: int
    qpes: tuple[Tile, ...]
    router: tuple[Tile, ...]
    ports: tuple[Tile, ...]
    transit: bool
    mem_a: tuple[Tile, ...]
    mem_b: tuple[Tile, ...]
    host: tuple[Tile, ...]
    others: tuple[tuple[str, Tile], ...] = ()
    cut: frozenset[frozenset[Tile]] = frozenset()

    @classmethod
    def from_values(cls, values: Mapping[str, Any]) -> Floor:
        """Return the plan in the figures ``floor.*``, given as plain values by name."""

        def tiles(name: str) -> tuple[Tile, ...]:
            return tuple((x, y) for x, y in values.get(f"floor.{name}", ()))

        columns, rows = values["floor.qpe_x"], values["floor.qpe_y"]
        holes = set(tiles("qpe_holes"))
        grid = [(x, y) for y in _span(rows) for x in _span(columns)]
        others = (("S", "serial_io_tiles"), ("P", "periphery_tiles"), ("o", "port_tiles"))
        return cls(
            width=values["floor.width"],
            height=values["floor.height"],
            qpes=tuple(tile for tile in grid if tile not in holes),
            router=tiles("router_tiles"),
            ports=tiles("router_ports"),
            transit=values["floor.router_transit"],
            mem_a=tiles("mem_a_tiles"),
            mem_b=tiles("mem_b_tiles"),
            host=tiles("host_tiles"),
            others=tuple((letter, tile) for letter, name in others for tile in tiles(name)),
        )

    @property
    def routers(self) -> tuple[Tile, ...]:
        """Tiles with a NoC router: the QPEs, and with transit the packet router's tiles too."""
        return self.qpes + self.router if self.transit else self.qpes

    def beside(self, tile: Tile, among: Collection[Tile]) -> list[Tile]:
        """Return the neighbours of ``tile`` that a live link joins, in the order E, W, N, S."""
        x, y = tile
        near = [(x + dx, y + dy) for dx, dy in STEPS if (x + dx, y + dy) in among]
        return [t for t in near if frozenset((tile, t)) not in self.cut] if self.cut else near

    def without(
        self, dead: Collection[Tile], cut: Collection[frozenset[Tile]]
    ) -> tuple[Floor, tuple[Tile, ...]]:
        """Return the plan without dead QPEs and links, and the live QPEs that they cut off from
        the packet router's first live port; those are left out of it too.
        """
        rest = replace(self, qpes=tuple(t for t in self.qpes if t not in dead), cut=frozenset(cut))
        ports = tuple(port for port in self.ports if port not in dead)
        routers, seen = set(rest.routers), set(ports[:1])
        stack = list(seen)
        while stack:
            near = set(rest.beside(stack.pop(), routers)) - seen
            seen |= near
            stack += near
        lost = tuple(tile for tile in rest.qpes if tile not in seen)
        left = tuple(tile for tile in rest.qpes if tile in seen)
        return replace(rest, qpes=left, ports=tuple(p for p in ports if p in seen)), lost

    def blocks(self) -> list[tuple[str, Tile]]:
        """Return (letter, tile) of everything, QPEs first."""
        named = [("Q", self.qpes), ("R", self.router), ("A", self.mem_a), ("B", self.mem_b)]
        rows = [(letter, tile) for letter, tiles in named for tile in tiles]
        return rows + [("H", tile) for tile in self.host] + list(self.others)

    def attachments(self, tiles: tuple[Tile, ...]) -> tuple[tuple[Tile, Tile], ...]:
        """Return (tile, QPE beside it) for a block at the mesh's edge, the first QPE in order E,
        W, N, S for each tile; tiles without a QPE beside them are left out.
        """
        qpes = set(self.qpes)
        found = []
        for x, y in tiles:
            beside = [(x + dx, y + dy) for dx, dy in STEPS if (x + dx, y + dy) in qpes]
            if beside:
                found.append(((x, y), beside[0]))
        return tuple(found)

    def problems(self) -> list[str]:
        """Return what is inconsistent, one sentence each."""
        found = self._outside() + self._shared()
        qpes = set(self.qpes)
        if not qpes:
            return [*found, "floor.qpe_x, floor.qpe_y: no QPE is left; widen the spans"]
        for name, tiles in (("mem_a", self.mem_a), ("mem_b", self.mem_b), ("host", self.host)):
            if not self.attachments(tiles):
                found.append(f"floor.{name}_tiles: no tile of {list(tiles)} lies beside a QPE")
        if not self.router or not self.ports:
            found.append("floor.router_tiles, floor.router_ports: expected at least one of each")
        for x, y in self.ports:
            beside = {(x + dx, y + dy) for dx, dy in STEPS} & set(self.router)
            if (x, y) not in qpes or not beside:
                found.append(
                    f"floor.router_ports: [{x}, {y}] is no QPE beside the packet router at "
                    f"{[list(tile) for tile in self.router]}"
                )
        if len(set(self.ports)) != len(self.ports):
            found.append("floor.router_ports: a port is listed twice")
        return found or self._unreachable()

    def _outside(self) -> list[str]:
        return [
            f"floor: tile [{x}, {y}] ({letter}) lies outside the grid of "
            f"{self.width} x {self.height} tiles"
            for letter, (x, y) in self.blocks()
            if not (0 <= x < self.width and 0 <= y < self.height)
        ]

    def _shared(self) -> list[str]:
        holder: dict[Tile, str] = {}
        found = []
        for letter, tile in self.blocks():
            if tile in holder:
                found.append(f"floor: tile {list(tile)} is both {holder[tile]} and {letter}")
            holder[tile] = letter
        return found

    def _unreachable(self) -> list[str]:
        routers = set(self.routers)
        seen = {self.qpes[0]}
        stack = [self.qpes[0]]
        while stack:
            x, y = stack.pop()
            for dx, dy in STEPS:
                tile = (x + dx, y + dy)
                if tile in routers and tile not in seen:
                    seen.add(tile)
                    stack.append(tile)
        lost = [list(tile) for tile in self.qpes if tile not in seen]
        return [f"floor.qpe_holes: QPEs {lost} cannot be reached over the mesh"] if lost else []


def _span(bounds: list[int]) -> range:
    """Return the closed span first..last; anything else than two bounds is an empty one."""
    return range(bounds[0], bounds[1] + 1) if len(bounds) == 2 else range(0)


def xy_step(here: Tile, there: Tile) -> Tile:
    """Return the next tile from ``here`` towards ``there``, x first; ``here`` if it is there."""
    (x, y), (u, v) = here, there
    if x != u:
        return (x + (1 if u > x else -1), y)
    if y != v:
        return (x, y + (1 if v > y else -1))
    return here


def xy_open(routers: frozenset[Tile], here: Tile, there: Tile) -> bool:
    """Return whether the x-first path between two routers meets no hole."""
    while here != there:
        here = xy_step(here, there)
        if here not in routers:
            return False
    return True
