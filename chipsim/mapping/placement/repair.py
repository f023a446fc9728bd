"""Makes any placer's result keep vertices together and apart, with few moves.

Vertices that are kept together are a block on one tile. Blocks look for tiles, those that are bound
most first, each the nearest to where the placer put it; where one finds none, the search goes back.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from chipsim.errors import MappingError
from chipsim.machine.model import EndpointKind, Machine
from chipsim.machine.wounds import reason
from chipsim.mapping.application import Application, Name
from chipsim.mapping.constraints import Tile, blocks, tile_name, tile_of, violations

STEPS = 20_000
"""Tiles that the search tries before it gives up."""


def repaired(
    application: Application, machine: Machine, placement: Mapping[Name, int]
) -> dict[Name, int]:
    """Return a placement that keeps the application's constraints, near the given one.

    Parameters
    ----------
    application : Application
    machine : Machine
    placement : mapping of vertex name to endpoint
        A PE of its own for every vertex, fixed vertices at their places.

    Returns
    -------
    dict of vertex name to endpoint
        The same placement where it breaks nothing. Else blocks stay where they are if they can, and
        vertices that must make room go to the nearest free PEs.

    Raises
    ------
    MappingError
        If no arrangement exists, naming the constraint, and the fixed places and faults that stand
        in its way; or if none was found within :data:`STEPS` tries.

    Notes
    -----
    O(blocks x tiles log tiles) where no search is needed.
    """
    given = {vertex.name: int(placement[vertex.name]) for vertex in application.vertices}
    if not any(True for _ in violations(application, machine, given)):
        return given
    board = _board(application, machine, given)
    problems = list(board.hopeless())
    if not problems:
        tiles = board.search()
        if tiles is not None:
            return board.moved(tiles)
        problems = [board.stuck()]
    raise MappingError(
        f"constraints of application {application.name!r} on {machine.name}", problems
    )


@dataclass
class _Block:
    """Vertices of one tile: those kept together, or one that is kept apart from others."""

    members: list[Name]
    names: str
    pinned: Tile | None = None
    apart: dict[int, None] = field(default_factory=dict)
    wanted: int = 0
    """PEs that it takes from its tile: members that are not fixed."""


@dataclass
class _Board:
    application: Application
    machine: Machine
    given: dict[Name, int]
    blocks: list[_Block]
    pes: dict[Tile, list[int]]
    """PEs of each tile that are live, not reserved and not taken by a fixed vertex."""
    clashes: list[str]
    tries: int = 0
    deepest: int = 0
    order: list[int] = field(default_factory=list)

    def hopeless(self) -> Iterator[str]:
        """Yield what no search can solve."""
        yield from self.clashes
        most = max((len(pes) for pes in self.pes.values()), default=0)
        for block in self.blocks:
            if block.pinned is None:
                if block.wanted > most:
                    yield (
                        f"{block.names}: {block.wanted} vertices on one tile, but no tile has more "
                        f"than {most} free PEs{self._why_small(block.wanted)}"
                    )
                continue
            room = len(self.pes.get(block.pinned, ()))
            if block.wanted > room:
                yield (
                    f"{block.names}: a fixed place binds it to {tile_name(block.pinned)}, which "
                    f"has {room} free PEs for {block.wanted} vertices"
                    f"{self._on_tile(block.pinned)}"
                )
        for number, members in enumerate(self.application.apart):
            if len(members) > len(self.pes):
                yield (
                    f"apart[{number}]: {len(members)} vertices, each on a tile of its own, but "
                    f"{self.machine.name} has {len(self.pes)} tiles with free PEs"
                    f"{self._why_small(1)}"
                )

    def search(self) -> list[Tile] | None:
        """Return the tile of each block, or None."""
        self.order = sorted(range(len(self.blocks)), key=self._urgency)
        found: dict[int, Tile] = {}
        used: dict[Tile, int] = {}
        options = [self._options(self.order[0])]
        while options:
            depth = len(options) - 1
            self.deepest = max(self.deepest, depth)
            index = self.order[depth]
            if index in found:  # come back: try the next tile
                used[found.pop(index)] -= self.blocks[index].wanted
            for tile in options[-1]:
                self.tries += 1
                if self._fits(index, tile, found, used):
                    found[index] = tile
                    used[tile] = used.get(tile, 0) + self.blocks[index].wanted
                    break
            if index not in found:
                options.pop()
                if self.tries > STEPS:
                    return None
            elif len(options) == len(self.order):
                return [found[i] for i in range(len(self.blocks))]
            else:
                options.append(self._options(self.order[depth + 1]))
        return None

    def _urgency(self, index: int) -> tuple[bool, int, int, bool, int]:
        block = self.blocks[index]
        tiles = {tile_of(self.machine, self.given[name]) for name in block.members}
        return (block.pinned is None, -block.wanted, -len(block.apart), len(tiles) > 1, index)

    def _options(self, index: int) -> Iterator[Tile]:
        block = self.blocks[index]
        if block.pinned is not None:
            return iter([block.pinned])
        here = [tile_of(self.machine, self.given[name]) for name in block.members]
        return iter(sorted(self.pes, key=lambda tile: (sum(_away(tile, h) for h in here), tile)))

    def _fits(
        self, index: int, tile: Tile, found: Mapping[int, Tile], used: Mapping[Tile, int]
    ) -> bool:
        block = self.blocks[index]
        room = len(self.pes.get(tile, ()))
        if used.get(tile, 0) + block.wanted > room:
            return False
        return all(found.get(other) != tile for other in block.apart)

    def stuck(self) -> str:
        """Return the sentence for a search that found nothing."""
        block = self.blocks[self.order[self.deepest]]
        tried = (
            "no arrangement of all lists exists"
            if self.tries <= STEPS
            else f"none was found in {STEPS} tries"
        )
        others = ", ".join(self.blocks[other].names for other in list(block.apart)[:3])
        against = f"; it is kept apart from {others}" if others else ""
        return (
            f"{block.names}: finds no tile beside those before it{against}; {tried}"
            f"{self._why_small(block.wanted)}; drop a constraint, a fixed place or a fault"
        )

    def moved(self, tiles: list[Tile]) -> dict[Name, int]:
        """Return the placement with every block on its tile."""
        found = dict(self.given)
        bound = {name: n for n, block in enumerate(self.blocks) for name in block.members}
        fixed = {v.name for v in self.application.vertices if v.place is not None}
        keeps = {
            self.given[name]: name
            for name, n in bound.items()
            if name in fixed or tile_of(self.machine, self.given[name]) == tiles[n]
        }
        holder = {end: name for name, end in self.given.items()}
        evicted: list[Name] = []
        for name, n in bound.items():
            if self.given[name] in keeps and keeps[self.given[name]] == name:
                continue
            room = [pe for pe in self.pes[tiles[n]] if pe not in keeps]
            pe = min(room, key=lambda pe: (pe in holder and holder[pe] not in bound, pe))
            keeps[pe] = name
            found[name] = pe
            if pe in holder and holder[pe] not in bound:
                evicted.append(holder[pe])
        gone = dict.fromkeys(evicted)
        taken = {end for name, end in found.items() if name not in gone}
        free = [pe for pes in self.pes.values() for pe in pes if pe not in taken]
        for name in evicted:
            here = tile_of(self.machine, self.given[name])
            pe = min(free, key=lambda pe: (_away(tile_of(self.machine, pe), here), pe))
            free.remove(pe)
            found[name] = pe
        return found

    def _why_small(self, wanted: int) -> str:
        """Return which faults and fixed vertices make tiles smaller than ``wanted``."""
        parts = [self._on_tile(tile) for tile in self.pes if len(self.pes[tile]) < wanted]
        told = [part for part in parts if part]
        dead = self.machine.endpoint_dead
        pes = self.machine.endpoint_kind == EndpointKind.PE
        count = 0 if dead is None else int((dead & pes).sum())
        all_dead = f" ({count} PEs are dead: faults.*)" if count else ""
        return all_dead + (told[0] if told else "")

    def _on_tile(self, tile: Tile) -> str:
        """Return what takes PEs of a tile away: faults, reserved PEs, fixed vertices."""
        machine = self.machine
        fixed = {self.given[v.name]: v.name for v in self.application.vertices if v.place}
        told = []
        for end in range(machine.endpoints):
            if tile_of(machine, end) != tile or machine.endpoint_kind[end] != EndpointKind.PE:
                continue
            label = machine.endpoint_label(end)
            if why := reason(machine, end):
                told.append(f"{label} is dead: {why}")
            elif end in fixed:
                told.append(f"{label} holds fixed vertex {fixed[end]!r}")
            elif machine.endpoint_reserved is not None and machine.endpoint_reserved[end]:
                told.append(f"{label} is reserved (floor.reserved_pes)")
        return f" ({'; '.join(told)})" if told else ""


def _away(one: Tile, other: Tile) -> int:
    """Return how far a move is: other chips are farther than all tiles of one."""
    steps = abs(one[1] - other[1]) + abs(one[2] - other[2])
    return steps if one[0] == other[0] else 1000 + abs(one[0] - other[0])


def _board(application: Application, machine: Machine, given: dict[Name, int]) -> _Board:
    fixed = {v.name: given[v.name] for v in application.vertices if v.place is not None}
    taken = set(fixed.values())
    pes: dict[Tile, list[int]] = {}
    for pe in machine.pes().tolist():
        if pe not in taken:
            pes.setdefault(tile_of(machine, pe), []).append(pe)
    first = blocks(application)
    number: dict[Name, int] = {}
    found: list[_Block] = []
    clashes: list[str] = []
    for name in dict.fromkeys([*first, *(n for row in application.apart for n in row)]):
        lead = first.get(name, name)
        if lead not in number:
            number[lead] = len(found)
            found.append(_Block([], ""))
        block = found[number[lead]]
        number[name] = number[lead]
        block.members.append(name)
        if name not in fixed:
            block.wanted += 1
            continue
        here = tile_of(machine, fixed[name])
        if block.pinned is None:
            block.pinned = here
        elif block.pinned != here:
            clashes.append(
                f"together: {name!r} is fixed on {tile_name(here)}, others of "
                f"{_listed(block.members[:-1])} on {tile_name(block.pinned)}"
            )
    for block in found:
        several = len(block.members) > 1
        block.names = f"{'together' if several else 'apart'} {_listed(block.members)}"
    clashes += _forbid(application, found, number)
    return _Board(application, machine, given, found, pes, clashes)


def _forbid(application: Application, found: list[_Block], number: dict[Name, int]) -> list[str]:
    """Write into each block which others it may not meet; return those that are fixed so."""
    clashes = []
    for row, members in enumerate(application.apart):
        every = [number[name] for name in members]
        for one in every:
            found[one].apart.update(dict.fromkeys(other for other in every if other != one))
        for i, one in enumerate(every):
            for j in range(i):
                here = found[one].pinned
                if here is not None and here == found[every[j]].pinned:
                    clashes.append(
                        f"apart[{row}]: {members[j]!r} and {members[i]!r} are both bound to "
                        f"{tile_name(here)} by fixed places; move one"
                    )
    return clashes


def _listed(names: list[Name]) -> str:
    shown = ", ".join(repr(name) for name in names[:6])
    return shown if len(names) <= 6 else f"{shown} and {len(names) - 6} more"
