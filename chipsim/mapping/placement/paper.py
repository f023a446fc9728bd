"""The placement of the EventProp paper: a sample takes a QPE, the optimiser sits on QPE (1,6).

References
----------
Béna, Wunderlich, Akl, Vogginger, Mayr, Gonzalez, "Event-based backpropagation on the
neuromorphic platform SpiNNaker2", methods figure. doi:10.48550/arXiv.2412.15021
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from chipsim.errors import MappingError
from chipsim.machine.model import Machine
from chipsim.mapping.application import Application, Name, Vertex
from chipsim.mapping.placement.common import (
    Tile,
    in_order,
    movable,
    place_fixed,
    tile_word,
    tiles,
)

OPTIMISER_TILE = (0, 6, 1)
"""Chip, y, x of the QPE that is kept for vertices without a group."""


def place(application: Application, machine: Machine, rng: np.random.Generator) -> dict[Name, int]:
    """Give each group (replica) tiles of its own, row after row; the rest goes to QPE (1,6).

    Parameters
    ----------
    application : Application
        Vertices of a group take PEs in their order (input, hidden, output, loss on PE 0 to 3).
    machine : Machine
    rng : numpy.random.Generator
        Not used: the result is the same for every seed.

    Returns
    -------
    dict of vertex name to endpoint

    Raises
    ------
    MappingError
        If the groups or the vertices without a group do not fit, saying how many do and why.

    Notes
    -----
    The general rule: groups by ascending number start at a fresh tile and take as many following
    tiles as they need, in the order chip, y, x (on SpiNNaker2 from (1,1), so 37 groups of up to
    four vertices). Tile (1,6) of chip 0 is kept for vertices without a group, from PE 0, whether
    there are any or not; a machine without that tile keeps its last one. Tiles that hold a fixed
    vertex are passed over. O(vertices + PEs).
    """
    placement = place_fixed(application, machine)
    every = tiles(machine)
    reserved = next((tile for tile in every if tile[:3] == OPTIMISER_TILE), every[-1])
    held = set(placement.values())
    free = [tile for tile in every if tile is not reserved and held.isdisjoint(tile.pes)]
    groups = [tuple(movable(members)) for members in application.groups.values()]
    placed = _place_groups(groups, free, placement)
    problems = []
    if placed < len(groups):
        problems.append(_too_many_groups(machine, groups, placed, every, reserved, len(free)))
    problems += _place_ungrouped(application, machine, reserved, placement)
    if problems:
        raise MappingError(f"paper placement of application {application.name!r}", problems)
    return in_order(application, placement)


def _place_groups(
    groups: Sequence[Sequence[Vertex]], free: Sequence[Tile], placement: dict[Name, int]
) -> int:
    """Place group after group and return how many fitted."""
    start = 0
    for number, members in enumerate(groups):
        pes: list[int] = []
        while len(pes) < len(members):
            if start == len(free):
                return number
            pes += free[start].pes
            start += 1
        placement.update(zip((vertex.name for vertex in members), pes, strict=False))
    return len(groups)


def _too_many_groups(
    machine: Machine,
    groups: Sequence[Sequence[Vertex]],
    placed: int,
    every: Sequence[Tile],
    reserved: Tile,
    free: int,
) -> str:
    word = tile_word(every)
    held = len(every) - 1 - free
    others = f" and {held} hold fixed vertices" if held else ""
    size = max(len(members) for members in groups)
    return (
        f"{len(groups)} replicas of up to {size} vertices, but {placed} fit: {machine.name} has "
        f"{len(every)} {word}s, of which {word} ({reserved.x},{reserved.y}) is kept for the "
        f"optimiser{others}, and each replica takes whole {word}s; use at most {placed} replicas "
        "or another placer"
    )


def _place_ungrouped(
    application: Application, machine: Machine, reserved: Tile, placement: dict[Name, int]
) -> list[str]:
    rest = [vertex for vertex in movable(application.vertices) if vertex.group is None]
    held = set(placement.values())
    free = [pe for pe in reserved.pes if pe not in held]
    placement.update(zip((vertex.name for vertex in rest), free, strict=False))
    if len(rest) <= len(free):
        return []
    return [
        f"{len(rest)} vertices without a group, but {len(free)} fit: they go to tile "
        f"({reserved.x},{reserved.y}) of {machine.name}, which has {len(free)} free PEs; put "
        f"{rest[len(free)].name!r} and those after it in a group, fix their places or use another "
        "placer"
    ]
