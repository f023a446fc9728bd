"""Many routes at once: the checks of :func:`chipsim.network.rules.plan`, asked of arrays.

Nearly all routes are sound, and saying so takes a few passes over their branches. Where something
is wrong with one of them, nothing is said here: the caller then looks at them one by one, and
names the route, the stage and the fault.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from chipsim.machine.model import Machine, PortKind
from chipsim.machine.route import SINK, Route
from chipsim.machine.route_columns import RouteColumns, columns, ranges
from chipsim.network.rules import Visit, class_name

I64 = NDArray[np.int64]


@dataclass(frozen=True)
class Sound:
    """Routes that hold together, as columns with what their packets need.

    Attributes
    ----------
    columns : RouteColumns
    flits, leaves : ndarray of int64, shape (branches,)
        Flits on each branch's channel, and copies below it.
    order : ndarray of int64, shape (stages,)
        The stages route by route, each behind all that follow it.
    first : ndarray of int64, shape (routes,)
        First stage of each route.
    """

    columns: RouteColumns
    flits: I64
    leaves: I64
    order: I64
    first: I64


def sound(
    machine: Machine, ends: NDArray[np.bool_], routes: Sequence[Route], most: int
) -> Sound | None:
    """Return the routes as columns, None unless all of them are sound.

    Parameters
    ----------
    machine : Machine
        Without detours: those give a route further stages.
    ends : ndarray of bool, shape (ports,)
        Sink ports that belong to an endpoint or a dump.
    routes : sequence of Route
    most : int
        Branches that a stage may have.

    Notes
    -----
    O(branches), in as many steps as the deepest tree has.
    """
    counts = np.array([len(route.stages) for route in routes], dtype=np.int64)
    if not len(routes) or not counts.all() or not _inside(machine, routes, counts, most):
        return None
    found = columns(routes)
    first = np.cumsum(counts) - counts
    inner = found.next != SINK
    entered = np.bincount(found.next[inner], minlength=len(found.entry))
    entered[first] += 1
    if (entered != 1).any() or not _connected(machine, ends, found):
        return None
    levels = _levels(found, first)
    if sum(map(len, levels)) < len(found.entry):  # a ring that no route enters
        return None
    flits = _flits(machine, routes, found)
    if flits is None:
        return None
    depth = np.zeros(len(found.entry), dtype=np.int64)
    for number, level in enumerate(levels):
        depth[level] = number
    order = np.lexsort((-depth, found.route))
    return Sound(found, flits, _leaves(found, levels), order, first)


def _inside(machine: Machine, routes: Sequence[Route], counts: I64, most: int) -> bool:
    """Return whether every number names something, so that routes can be columns at all."""
    ports = np.array([route.port for route in routes], dtype=np.int64)
    if ((ports < 0) | (ports >= machine.ports)).any():
        return False
    if (machine.port_kind[ports] != PortKind.SOURCE).any():
        return False
    stages = [stage for route in routes for stage in route.stages]
    widths = np.fromiter(map(len, stages), dtype=np.int64, count=len(stages))
    if ((widths < 1) | (widths > most)).any():
        return False
    flat = np.array([branch for stage in stages for branch in stage], dtype=np.int64)
    channel, following = flat[:, 0], flat[:, 1]
    of_route = np.repeat(np.repeat(counts, counts), widths)
    known = (channel >= 0) & (channel < machine.channels)
    return bool((known & (following >= SINK) & (following < of_route)).all())


def _connected(machine: Machine, ends: NDArray[np.bool_], found: RouteColumns) -> bool:
    """Return whether branches leave the node that their stage is at, and end where they should."""
    far = machine.channel_port[found.channel]
    node = np.empty(len(found.entry), dtype=np.int64)
    begins = found.entry < 0
    node[begins] = machine.port_node[found.port]
    node[~begins] = machine.port_node[far[found.entry[~begins]]]
    last = found.next == SINK
    leaves_it = machine.channel_node[found.channel] == node[found.stage]
    is_sink = machine.port_kind[far] == PortKind.SINK
    return bool((leaves_it & (is_sink == last)).all() and ends[far[last]].all())


def _levels(found: RouteColumns, first: I64) -> list[I64]:
    """Return the stages by their distance from the source; those in rings are missing."""
    levels, stages = [], first
    while len(stages):
        levels.append(stages)
        onward = found.next[ranges(found.begin[stages], found.begin[stages + 1])]
        stages = onward[onward != SINK]
    return levels


def _flits(machine: Machine, routes: Sequence[Route], found: RouteColumns) -> I64 | None:
    """Return the flits on each branch, None if a channel does not know the payload."""
    bits = np.array([route.payload_bits for route in routes], dtype=np.int64)
    sizes, which = np.unique(bits, return_inverse=True)
    table = np.array(
        [[cls.flits.get(size, -1) for cls in machine.classes] for size in sizes.tolist()],
        dtype=np.int64,
    )
    row = which.reshape(-1)[found.route[found.stage]]
    flits: I64 = table[row, machine.channel_class[found.channel]]
    return None if (flits < 0).any() else flits


def _leaves(found: RouteColumns, levels: list[I64]) -> I64:
    """Return how many copies there are below each branch."""
    leaves: I64 = (found.next == SINK).astype(np.int64)
    for stages in reversed(levels[1:]):
        below = ranges(found.begin[stages], found.begin[stages + 1])
        sums = np.bincount(found.stage[below], weights=leaves[below], minlength=len(found.entry))
        leaves[found.entry[stages]] = sums[stages].astype(np.int64)
    return leaves


def visits(machine: Machine, routes: Sequence[Route], checked: Sound) -> dict[int, Visit]:
    """Return what packet routers see, by the stage before their issue node."""
    found = checked.columns
    lookups = [i for i, cls in enumerate(machine.classes) if cls.name == "lookup"]
    if not lookups:
        return {}
    single = np.diff(found.begin) == 1
    branch = found.begin[:-1]
    looks = np.isin(machine.channel_class[found.channel[branch]], lookups)
    seen = {}
    for stage in np.flatnonzero(single & looks & (found.next[branch] != SINK)).tolist():
        route = routes[found.route.item(stage)]
        channel, following = found.channel.item(branch[stage]), found.next.item(branch[stage])
        before = found.entry.item(stage)
        came_by = found.channel.item(before) if before >= 0 else -1
        link = came_by >= 0 and class_name(machine, came_by).startswith("link")
        out = found.channel[found.begin[following] : found.begin[following + 1]]
        seen[stage] = Visit(
            machine.port_node.item(machine.channel_port.item(channel)),
            route.packet,
            came_by if link else -1,
            route.payload_bits,
            following - checked.first.item(found.route.item(stage)) in route.defaulted,
            False,
            tuple(sorted(set(out.tolist()))),
        )
    return seen
