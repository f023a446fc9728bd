"""What placers share: the tiles with PEs, fixed places, and the error for too few PEs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from chipsim.errors import MachineError, MappingError
from chipsim.machine.model import EndpointKind, Machine
from chipsim.mapping.application import Application, Name, Vertex


class Tile(NamedTuple):
    """A tile with PEs (on SpiNNaker2 a QPE).

    Attributes
    ----------
    chip, y, x : int
        Tiles compare in this order: chip by chip, row after row, x ascending.
    pes : tuple of int
        Its PEs as endpoints, by their number in the tile.
    """

    chip: int
    y: int
    x: int
    pes: tuple[int, ...]


def tiles(machine: Machine) -> list[Tile]:
    """Return the tiles that have PEs, chip by chip, row after row, x ascending.

    Raises
    ------
    MappingError
        If the machine has no PEs.
    """
    found: dict[tuple[int, int, int], list[tuple[int, int]]] = {}
    for pe in machine.pes().tolist():
        where = (
            int(machine.endpoint_chip[pe]),
            int(machine.endpoint_y[pe]),
            int(machine.endpoint_x[pe]),
        )
        found.setdefault(where, []).append((int(machine.endpoint_index[pe]), pe))
    if not found:
        raise MappingError(f"machine {machine.name}", ["has no PEs, so nothing can be placed"])
    return [Tile(*where, tuple(pe for _, pe in sorted(found[where]))) for where in sorted(found)]


def tile_word(found: Iterable[Tile]) -> str:
    """Return what a tile is called in messages: ``QPE`` where one holds several PEs."""
    return "QPE" if any(len(tile.pes) > 1 for tile in found) else "tile"


def place_fixed(application: Application, machine: Machine) -> dict[Name, int]:
    """Place the vertices with a fixed place.

    A place on a tile without PEs names that tile's memory or host interface.

    Raises
    ------
    MappingError
        Naming every place that does not exist and every place that is claimed twice.
    """
    placement: dict[Name, int] = {}
    taken: dict[int, Name] = {}
    problems = []
    for vertex in application.vertices:
        if vertex.place is None:
            continue
        try:
            endpoint = machine.endpoint_at(*vertex.place)
        except MachineError as error:
            problems.append(f"vertex {vertex.name!r} cannot be fixed at {vertex.place}: {error}")
            continue
        if endpoint in taken:
            problems.append(
                f"vertices {taken[endpoint]!r} and {vertex.name!r} are both fixed at "
                f"{machine.endpoint_label(endpoint)}; an endpoint holds one vertex: move one"
            )
            continue
        taken[endpoint] = vertex.name
        placement[vertex.name] = endpoint
    if problems:
        raise MappingError(f"fixed places of application {application.name!r}", problems)
    return placement


def fill(
    application: Application,
    machine: Machine,
    pes: Iterable[int],
    vertices: Iterable[int] | None = None,
) -> dict[Name, int]:
    """Place fixed vertices first, then the others in order on the free ones of ``pes``.

    Parameters
    ----------
    application : Application
    machine : Machine
    pes : iterable of int
        All PEs, in the order in which they are to be filled.
    vertices : iterable of int, optional
        Numbers of all vertices, in the order in which they take PEs; the application's by default.

    Returns
    -------
    dict of vertex name to endpoint
        In the application's order of vertices.

    Raises
    ------
    MappingError
        If there are fewer free PEs than vertices, or for fixed places that cannot be.
    """
    placement = place_fixed(application, machine)
    taken = set(placement.values())
    order = (
        application.vertices if vertices is None else [application.vertices[i] for i in vertices]
    )
    others = list(movable(order))
    free = [pe for pe in pes if pe not in taken]
    if len(others) > len(free):
        raise MappingError(
            f"placement of application {application.name!r}",
            [too_few(application, machine, len(others), len(free))],
        )
    placement.update(zip((vertex.name for vertex in others), free, strict=False))
    return in_order(application, placement)


def too_few(application: Application, machine: Machine, wanted: int, free: int) -> str:
    """Return the sentence for a machine with too few PEs."""
    fixed = sum(
        vertex.place is not None
        and machine.endpoint_kind[machine.endpoint_at(*vertex.place)] == EndpointKind.PE
        for vertex in application.vertices
    )
    taken = f", {fixed} of them taken by fixed vertices" if fixed else ""
    return (
        f"{wanted} vertices want a PE each, but {machine.name} has {free} free PEs "
        f"({len(machine.pes())} in all{taken}); use a larger machine, fewer replicas or fewer "
        "vertices"
    )


def in_order(application: Application, placement: dict[Name, int]) -> dict[Name, int]:
    """Return the placement in the application's order of vertices."""
    return {vertex.name: placement[vertex.name] for vertex in application.vertices}


def movable(vertices: Iterable[Vertex]) -> Iterator[Vertex]:
    """Yield the vertices without a fixed place."""
    return (vertex for vertex in vertices if vertex.place is None)
