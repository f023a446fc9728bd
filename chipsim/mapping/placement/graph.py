"""What graph-driven placers share: nets as arrays, orders of graphs, PEs in an order of sites."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from chipsim.machine.model import Machine
from chipsim.mapping.application import Application
from chipsim.mapping.fabric import fabric
from chipsim.mapping.placement.common import tiles

I32 = NDArray[np.int32]
F64 = NDArray[np.float64]


@dataclass(frozen=True)
class Nets:
    """Nets over vertex numbers, in compressed rows.

    Attributes
    ----------
    source : ndarray of int32, shape (nets,)
    weight : ndarray of float64, shape (nets,)
        Expected packets per tick over all phases; 1 for a net that states none.
    start, sinks : ndarray of int32
        Sinks of net i: ``sinks[start[i]:start[i + 1]]``, without the source itself.
    """

    source: I32
    weight: F64
    start: I32
    sinks: I32


def nets_of(application: Application) -> Nets:
    """Return the nets of an application as arrays."""
    number = {vertex.name: i for i, vertex in enumerate(application.vertices)}
    rows = [[number[sink] for sink in net.sinks if sink != net.source] for net in application.nets]
    return Nets(
        np.array([number[net.source] for net in application.nets], dtype=np.int32),
        np.array([n.weight() if n.packets_per_tick else 1.0 for n in application.nets], np.float64),
        np.cumsum([0, *map(len, rows)]).astype(np.int32),
        np.array([sink for row in rows for sink in row], dtype=np.int32),
    )


def neighbours(nets: Nets, vertices: int) -> tuple[I32, I32, F64]:
    """Return the undirected 2-pin graph as (start, far, weight) rows, neighbours ascending.

    Weights of all nets between two vertices add up.
    """
    source = np.repeat(nets.source, np.diff(nets.start)).astype(np.int64)
    weight = np.repeat(nets.weight, np.diff(nets.start))
    keys = np.concatenate((source * vertices + nets.sinks, nets.sinks * vertices + source))
    pairs, where = np.unique(keys, return_inverse=True)
    total = np.zeros(len(pairs), dtype=np.float64)
    np.add.at(total, where, np.concatenate((weight, weight)))
    start = np.searchsorted(pairs, np.arange(vertices + 1, dtype=np.int64) * vertices)
    return start.astype(np.int32), (pairs % max(1, vertices)).astype(np.int32), total


def pes_by_site(machine: Machine, sites: Iterable[int]) -> list[int]:
    """Return all PEs, site after site in this order, by their number within the tile."""
    site_of = fabric(machine).site_of
    found: dict[int, list[int]] = {}
    for tile in tiles(machine):
        for pe in tile.pes:
            found.setdefault(int(site_of[pe]), []).append(pe)
    return [pe for site in sites for pe in found.get(site, ())]


def breadth_first(start: I32, far: I32, keys: Sequence[float], roots: Iterable[int]) -> list[int]:
    """Return all numbers breadth first from the roots in turn, neighbours by ascending key."""
    seen: dict[int, None] = {}
    for root in roots:
        if root in seen:
            continue
        seen[root] = None
        todo = [root]
        for at in todo:
            near = far[start[at] : start[at + 1]].tolist()
            for there in sorted(near, key=lambda v: (keys[v], v)):
                if there not in seen:
                    seen[there] = None
                    todo.append(there)
    return list(seen)


def site_rows(machine: Machine) -> tuple[I32, I32]:
    """Return the links between sites as (start, far) rows."""
    known = fabric(machine)
    there = known.far >= 0
    return np.cumsum([0, *there.sum(axis=1)]).astype(np.int32), known.far[there]


def reverse_cuthill_mckee(start: I32, far: I32) -> list[int]:
    """Return numbers in reverse Cuthill–McKee order.

    Each component begins at an end of it: the last of least degree in a breadth-first order from
    its vertex of least degree.
    """
    degree = np.diff(start).tolist()
    first = sorted(range(len(degree)), key=lambda v: (degree[v], v))
    order: list[int] = []
    done: set[int] = set()
    for root in first:
        if root in done:
            continue
        reached = breadth_first(start, far, degree, [root])
        order += breadth_first(start, far, degree, [reached[-1]])
        done.update(reached)
    return order[::-1]
