"""What vertices demand of their places beside fixed ones: to share a tile, or to share none.

On SpiNNaker2 a tile is a QPE, on SpiNNaker1 a chip, on a synthetic machine a router. Here stand the
rules and their check; :mod:`chipsim.mapping.placement.repair` makes placements obey them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import combinations
from typing import TYPE_CHECKING, Any

from chipsim.errors import did_you_mean
from chipsim.machine.model import Machine

if TYPE_CHECKING:
    from chipsim.mapping.application import Application, Name

Tile = tuple[int, int, int]
"""Chip, y, x."""


def tile_of(machine: Machine, endpoint: int) -> Tile:
    """Return the tile of an endpoint."""
    return (
        int(machine.endpoint_chip[endpoint]),
        int(machine.endpoint_y[endpoint]),
        int(machine.endpoint_x[endpoint]),
    )


def tile_name(tile: Tile) -> str:
    """Return a tile for messages."""
    return f"tile ({tile[2]},{tile[1]}) of chip {tile[0]}"


def statement_problems(
    what: str, rows: tuple[tuple[Name, ...], ...], names: Mapping[Name, Any]
) -> Iterator[str]:
    """Yield what is wrong with the lists ``together`` or ``apart`` of an application."""
    for number, members in enumerate(rows):
        where = f"{what}[{number}]"
        if len(members) < 2:
            yield f"{where}: names {len(members)} vertices; expected at least 2"
        for name in dict.fromkeys(members):
            if name not in names:
                hint = did_you_mean(str(name), (str(n) for n in names))
                yield (
                    f"{where}: {name!r} is no vertex"
                    f"{hint if hint.startswith('; did you mean') else ''}"
                )
            if (count := members.count(name)) > 1:
                yield f"{where}: {name!r} is named {count} times; name it once"


def contradictions(application: Application) -> Iterator[str]:
    """Yield the pairs of vertices that are to share a tile and to share none."""
    block = blocks(application)
    for number, members in enumerate(application.apart):
        for one, other in combinations(members, 2):
            if block.get(one, one) == block.get(other, other) and one in block:
                yield (
                    f"apart[{number}]: {one!r} and {other!r} are to be kept together as well "
                    f"(together{_joining(application, block[one])}); drop one of the two"
                )


def _joining(application: Application, first: Name) -> str:
    block = blocks(application)
    rows = [n for n, row in enumerate(application.together) if block[row[0]] == first]
    return str(rows)


def blocks(application: Application) -> dict[Name, Name]:
    """Return the first vertex of its block for each vertex that is kept together with others.

    Lists with a vertex in common are one block.
    """
    parent: dict[Name, Name] = {}

    def root(name: Name) -> Name:
        while parent[name] != name:
            parent[name] = parent[parent[name]]
            name = parent[name]
        return name

    for members in application.together:
        for name in members:
            parent.setdefault(name, name)
            parent[root(name)] = root(members[0])
    first: dict[Name, Name] = {}
    for name in parent:
        first.setdefault(root(name), name)
    return {name: first[root(name)] for name in parent}


def violations(
    application: Application, machine: Machine, placement: Mapping[Name, int]
) -> Iterator[str]:
    """Yield every list that a placement breaks, with the places that do; O(members)."""
    for number, members in enumerate(application.together):
        tiles = {name: tile_of(machine, int(placement[name])) for name in members}
        here = tiles[members[0]]
        for name in members[1:]:
            if tiles[name] != here:
                yield (
                    f"together[{number}]: vertex {name!r} is on {tile_name(tiles[name])}, "
                    f"{members[0]!r} on {tile_name(here)}"
                )
    for number, members in enumerate(application.apart):
        holder: dict[Tile, Name] = {}
        for name in members:
            tile = tile_of(machine, int(placement[name]))
            if tile in holder:
                yield (
                    f"apart[{number}]: vertices {holder[tile]!r} and {name!r} are both on "
                    f"{tile_name(tile)}"
                )
            holder.setdefault(tile, name)
