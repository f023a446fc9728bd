"""What is dead: PEs, QPEs, links and chips, named in the description or drawn with a seed.

Dead parts keep their numbers; a machine says which of its endpoints and channels are dead, and ways
between live parts go round them. QPEs that dead ones cut off from the packet router count as dead.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from chipsim.errors import DescriptionError
from chipsim.machine.description import Description
from chipsim.machine.floor import STEPS, Tile
from chipsim.machine.layout import DIRECTIONS, VECTORS, Layout
from chipsim.seeds import rng

Bools = NDArray[np.bool_]
Row = tuple[int | str, ...]

LISTS = ("chips", "qpes", "links", "pes", "stuck_pes")
"""What can be dead, in the order in which random faults are drawn."""

NOC_STEPS = tuple(VECTORS.index(step) for step in STEPS)


@dataclass(frozen=True)
class Faults:
    """Everything that is dead on its own (not because a larger part is).

    Attributes
    ----------
    chips : tuple of int
    links : tuple of (chip, direction)
        Links between chips; each is dead both ways.
    qpes : tuple of (chip, x, y)
    cut_off : tuple of (chip, x, y)
        QPEs that no way leads to any more.
    noc : tuple of (chip, x, y, direction)
        Links between neighbouring routers of one chip or of a synthetic machine, dead both ways.
    pes : tuple of (chip, x, y, number)
    stuck : tuple of (chip, x, y, number)
        PEs that work but whose programs hang: from tick ``faults.stuck_at_tick`` on they take and
        send nothing.
    """

    chips: tuple[int, ...] = ()
    links: tuple[tuple[int, int], ...] = ()
    qpes: tuple[tuple[int, int, int], ...] = ()
    cut_off: tuple[tuple[int, int, int], ...] = ()
    noc: tuple[tuple[int, int, int, int], ...] = ()
    pes: tuple[tuple[int, int, int, int], ...] = ()
    stuck: tuple[tuple[int, int, int, int], ...] = ()

    def on_chip(self, chip: int) -> tuple[set[Tile], set[frozenset[Tile]]]:
        """Return the dead QPEs of a chip, and the pairs of tiles whose link is dead."""
        tiles = {(x, y) for c, x, y in self.qpes if c == chip}
        cut = set()
        for c, x, y, direction in self.noc:
            if c == chip:
                dx, dy = VECTORS[direction]
                cut.add(frozenset(((x, y), (x + dx, y + dy))))
        return tiles, cut

    def wounded(self) -> list[int]:
        """Return the live chips on which a QPE or a NoC link is dead, ascending."""
        found = {row[0] for row in self.qpes} | {row[0] for row in self.noc}
        return sorted(found - set(self.chips))


@dataclass(frozen=True)
class Ground:
    """What there is that could die.

    Attributes
    ----------
    layout : Layout
        Chips; a synthetic machine is one chip.
    tiles : tuple of tile
        Routers with PEs on every chip.
    pes : int
        PEs at each.
    joined : callable
        ``joined(tile, direction)``: the tile behind a link of a router, or None.
    has_tiles : bool
        Whether a PE's place needs its tile (not on SpiNNaker1, whose cores have numbers alone).
    """

    layout: Layout
    tiles: tuple[Tile, ...]
    pes: int
    joined: Callable[[Tile, int], Tile | None]
    has_tiles: bool = True

    @cached_property
    def places(self) -> frozenset[Row]:
        """The tiles, to look one up."""
        return frozenset(self.tiles)

    @property
    def many(self) -> bool:
        """Whether places begin with the chip's coordinates."""
        return self.layout.chips > 1


def read(description: Description, ground: Callable[[], Ground]) -> Faults:
    """Return the faults that a description names and draws.

    Raises
    ------
    DescriptionError
        With every place that does not exist, and every number of random faults that is too large.
    """
    named = {
        what: description.rows(f"faults.{what}")
        for what in LISTS
        if f"faults.{what}" in description and description.figure(f"faults.{what}")
    }
    drawn = {
        what: description.integer(f"faults.random_{what}")
        for what in LISTS
        if f"faults.random_{what}" in description
        and description.integer(f"faults.random_{what}") > 0
    }
    if not named and not drawn:
        return Faults()
    reader = _Reader(ground())
    for what in LISTS:
        for row in named.get(what, ()):
            reader.name(what, row)
    for what in LISTS:
        if what in drawn:
            reader.draw(what, drawn[what], description.integer("faults.seed"))
    if reader.problems:
        raise DescriptionError(f"faults of {description.name}", reader.problems)
    return reader.faults()


@dataclass
class _Reader:
    """Collects faults by kind; dictionaries keep the order and leave out what is named twice."""

    ground: Ground
    problems: list[str] = field(default_factory=list)
    chips: dict[int, None] = field(default_factory=dict)
    links: dict[tuple[int, int], None] = field(default_factory=dict)
    qpes: dict[tuple[int, int, int], None] = field(default_factory=dict)
    noc: dict[tuple[int, int, int, int], None] = field(default_factory=dict)
    pes: dict[tuple[int, int, int, int], None] = field(default_factory=dict)
    stuck: dict[tuple[int, int, int, int], None] = field(default_factory=dict)

    def faults(self) -> Faults:
        return Faults(
            chips=tuple(sorted(self.chips)),
            links=tuple(sorted(self.links)),
            qpes=tuple(sorted(self.qpes)),
            noc=tuple(sorted(self.noc)),
            pes=tuple(sorted(self.pes)),
            stuck=tuple(sorted(place for place in self.stuck if place not in self.pes)),
        )

    def name(self, what: str, row: Row) -> None:
        """Add a fault that the description names."""
        if what in ("pes", "stuck_pes"):
            expected = self._pe(row, self.pes if what == "pes" else self.stuck)
        else:
            expected = {"chips": self._chip, "qpes": self._qpe, "links": self._link}[what](row)
        if expected:
            shown = "[" + ", ".join(map(str, row)) + "]"
            self.problems.append(f"faults.{what}: got {shown}, expected {expected}")

    def _at(self, row: Row) -> tuple[int, Row] | None:
        """Return the chip that a place begins with, and the rest of the place."""
        layout = self.ground.layout
        if not self.ground.many:
            return 0, row
        x, y = (*row, "", "")[:2]
        if not isinstance(x, int) or not isinstance(y, int):
            return None
        inside = 0 <= x < layout.width and 0 <= y < layout.height
        chip = int(layout.grid[y, x]) if inside else -1
        return (chip, row[2:]) if chip >= 0 else None

    def _place(self, *names: str) -> str:
        first = ("chip x", "chip y") if self.ground.many else ()
        return "[" + ", ".join((*first, *names)) + "] of one that the machine has"

    def _chip(self, row: Row) -> str:
        found = self._at(row)
        if not self.ground.many:
            return "a machine of several chips"
        if found is None or found[1]:
            return self._place()
        self.chips[found[0]] = None
        return ""

    def _qpe(self, row: Row) -> str:
        found = self._at(row)
        if found is None or found[1] not in self.ground.places:
            return self._place("x", "y")
        x, y = found[1]
        self.qpes[found[0], int(x), int(y)] = None
        return ""

    def _link(self, row: Row) -> str:
        way = row[-1] if row else ""
        found = self._at(row[:-1])
        expected = self._place("direction") if self.ground.many else ""
        if self.ground.has_tiles:
            tile = self._place("x", "y", "direction")
            expected = f"{expected} (between chips) or {tile}" if expected else tile
        if found is None or way not in DIRECTIONS:
            return f"{expected}; directions are {', '.join(DIRECTIONS)}"
        chip, rest = found
        direction = DIRECTIONS.index(str(way))
        if not rest and self.ground.many:
            return "" if self._chip_link(chip, direction) else expected
        return "" if self._noc_link(chip, rest, direction) else expected

    def _chip_link(self, chip: int, direction: int) -> bool:
        there = int(self.ground.layout.neighbour[chip, direction])
        if there >= 0:  # by the end from which it leads E, NE or N
            end = (chip, direction) if direction < 3 else (there, direction - 3)
            self.links[end] = None
        return there >= 0

    def _noc_link(self, chip: int, tile: Row, direction: int) -> bool:
        if tile not in self.ground.places:
            return False
        here = (int(tile[0]), int(tile[1]))
        there = self.ground.joined(here, direction)
        if there is None:
            return False
        x, y, way = (*here, direction) if direction < 3 else (*there, direction - 3)
        self.noc[chip, x, y, way] = None
        return True

    def _pe(self, row: Row, into: dict[tuple[int, int, int, int], None]) -> str:
        found = self._at(row)
        names = ("x", "y", "number") if self.ground.has_tiles else ("core",)
        if found is None or len(found[1]) != len(names):
            return self._place(*names)
        *tile, number = (0, 0, *found[1])[-3:]
        if tuple(tile) not in self.ground.places or number not in range(self.ground.pes):
            return self._place(*names)
        into[found[0], int(tile[0]), int(tile[1]), int(number)] = None
        return ""

    def draw(self, what: str, count: int, seed: int) -> None:
        """Add ``count`` random faults, none of which is dead already."""
        options = {
            "chips": self._live_chips,
            "qpes": self._live_qpes,
            "links": self._live_links,
            "pes": self._live_pes,
            "stuck_pes": self._live_pes,
        }[what]()
        if count > len(options):
            self.problems.append(
                f"faults.random_{what}: got {count}, expected at most the {len(options)} that live"
            )
            return
        chosen = rng(seed, "faults", what).choice(len(options), size=count, replace=False)
        for index in sorted(chosen.tolist()):
            place = options[index]
            if what == "chips":
                self.chips[place[0]] = None
            elif what == "qpes":
                self.qpes[place[0], place[1], place[2]] = None
            elif what == "pes":
                self.pes[place[0], place[1], place[2], place[3]] = None
            elif what == "stuck_pes":
                self.stuck[place[0], place[1], place[2], place[3]] = None
            elif len(place) == 2:
                self.links[place[0], place[1]] = None
            else:
                self.noc[place[0], place[1], place[2], place[3]] = None

    def _live_chips(self) -> list[tuple[int, ...]]:
        """Return the chips that may die: those without an Ethernet port."""
        layout = self.ground.layout
        keep = set(layout.ethernet.tolist()) | set(self.chips)
        return [(chip,) for chip in range(layout.chips) if chip not in keep]

    def _live_qpes(self) -> list[tuple[int, ...]]:
        chips = [c for c in range(self.ground.layout.chips) if c not in self.chips]
        every = ((c, x, y) for c in chips for x, y in self.ground.tiles)
        return [place for place in every if place not in self.qpes]

    def _live_links(self) -> list[tuple[int, ...]]:
        """Return the links that may die: those between chips, or of one chip's NoC."""
        layout = self.ground.layout
        found: list[tuple[int, ...]] = []
        if self.ground.many:
            for chip, direction in np.argwhere(layout.neighbour[:, :3] >= 0).tolist():
                there = int(layout.neighbour[chip, direction])
                if (chip, direction) not in self.links and not {chip, there} & set(self.chips):
                    found.append((chip, direction))
            return found
        for tile in self.ground.tiles:
            for direction in range(3):
                far = self.ground.joined(tile, direction)
                if far is not None and (0, *tile, direction) not in self.noc:
                    found.append((0, *tile, direction))
        return [p for p in found if (0, p[1], p[2]) not in self.qpes]

    def _live_pes(self) -> list[tuple[int, ...]]:
        found = [(c, x, y, i) for c, x, y in self._live_qpes() for i in range(self.ground.pes)]
        return [place for place in found if place not in self.pes and place not in self.stuck]


def tiles_of(tiles: Iterable[Tile]) -> Callable[[Tile, int], Tile | None]:
    """Return ``joined`` for tiles of an open mesh with four neighbours."""
    known: Collection[Tile] = frozenset(tiles)

    def joined(tile: Tile, direction: int) -> Tile | None:
        dx, dy = VECTORS[direction]
        there = (tile[0] + dx, tile[1] + dy)
        return there if direction in NOC_STEPS and there in known else None

    return joined
