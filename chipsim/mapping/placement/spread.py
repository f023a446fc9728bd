"""Groups shared out over chips: each chip takes the same number of replicas, up to one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

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


def place(
    application: Application,
    machine: Machine,
    rng: np.random.Generator,
    chips: int | None = None,
) -> dict[Name, int]:
    """Share groups (replicas) out evenly over the chips, each group on whole tiles.

    Parameters
    ----------
    application : Application
    machine : Machine
    rng : numpy.random.Generator
        Not used: the result is the same for every seed.
    chips : int, optional
        Use the first so many chips with PEs; all of them by default.

    Returns
    -------
    dict of vertex name to endpoint

    Raises
    ------
    MappingError
        If a chip's share does not fit there, naming the first such chip and how many groups fit;
        or if the machine has fewer chips.

    Notes
    -----
    Of n groups by ascending number, chip c of C takes those from ``c * n // C`` on, so that
    neighbours in number share a chip: what a group sends to the next one seldom leaves the chip.
    A chip fills its tiles row after row. Vertices without a group lie on the last tiles of the
    first chip, which no group takes. O(vertices + PEs).
    """
    placement = place_fixed(application, machine)
    held = set(placement.values())
    by_chip = _by_chip(tile for tile in tiles(machine) if held.isdisjoint(tile.pes))
    if chips is not None:
        by_chip = _first(by_chip, chips, machine)
    subject = f"spread placement of application {application.name!r}"
    alone = [vertex for vertex in movable(application.vertices) if vertex.group is None]
    _place_alone(alone, by_chip[0], placement, subject)
    groups = [tuple(movable(members)) for members in application.groups.values()]
    problems = []
    for at, free in enumerate(by_chip):
        share = groups[at * len(groups) // len(by_chip) : (at + 1) * len(groups) // len(by_chip)]
        fitted = _place_share(share, free, placement)
        if fitted < len(share):
            problems.append(_too_many(machine, len(groups), by_chip, at, len(share), fitted))
    if problems:
        raise MappingError(subject, problems[:1])
    return in_order(application, placement)


def _by_chip(free: Iterable[Tile]) -> list[list[Tile]]:
    """Return the tiles of each chip; tiles come chip by chip."""
    found: dict[int, list[Tile]] = {}
    for tile in free:
        found.setdefault(tile.chip, []).append(tile)
    return list(found.values())


def _first(by_chip: list[list[Tile]], chips: int, machine: Machine) -> list[list[Tile]]:
    if not 1 <= chips <= len(by_chip):
        raise MappingError(
            f"spread placement on {machine.name}",
            [f"{chips} chips, but it has {len(by_chip)} with free PEs; take 1 to {len(by_chip)}"],
        )
    return by_chip[:chips]


def _place_alone(
    alone: Sequence[Vertex], free: list[Tile], placement: dict[Name, int], subject: str
) -> None:
    """Place vertices without a group on the last tiles of a chip, and take these out of it."""
    taken: list[Tile] = []
    while sum(len(tile.pes) for tile in taken) < len(alone):
        if not free:
            raise MappingError(
                subject,
                [f"{len(alone)} vertices without a group do not fit on one chip; group them"],
            )
        taken.append(free.pop())
    pes = [pe for tile in taken for pe in tile.pes]
    placement.update(zip((vertex.name for vertex in alone), pes, strict=False))


def _place_share(
    groups: Sequence[Sequence[Vertex]], free: Sequence[Tile], placement: dict[Name, int]
) -> int:
    """Place the groups of one chip and return how many fitted."""
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


def _too_many(
    machine: Machine, groups: int, by_chip: list[list[Tile]], at: int, share: int, fitted: int
) -> str:
    first = by_chip[at][0]
    word = tile_word(by_chip[at])
    return (
        f"{groups} groups over {len(by_chip)} chips of {machine.name}: chip {first.chip} is to "
        f"take {share}, but {fitted} fit on its {len(by_chip[at])} free {word}s, each group on "
        f"whole {word}s; use more chips or fewer replicas"
    )
