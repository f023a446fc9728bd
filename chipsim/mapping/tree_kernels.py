"""Compiled multicast trees over sites: the one tree builder of routers and of placement costs.

Placers that cost a net by its tree call the very function that the ``ner`` router calls, so that
the cost they minimise is the length that comes out.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from chipsim.compiled import compiled

FAR = 32767
"""Distance of a pair without a way."""

X_FIRST, LONGEST, NEAREST, Y_FIRST = 0, 1, 2, 3
"""Where a sink's path starts and turns: from the source, x first; from the source, the longest
dimension first; from the nearest site of the tree, the longest dimension first; from the source,
y first. Diagonal steps of hexagonal machines come last where dimensions are in order."""

I16 = NDArray[np.int16]
I32 = NDArray[np.int32]
I8 = NDArray[np.int8]


class Grid(NamedTuple):
    """What tree builders know of a fabric.

    Attributes
    ----------
    x, y : ndarray of int32, shape (sites,)
    far : ndarray of int32, shape (sites, slots)
        Far site of each link, -1 fills up.
    axis : ndarray of int8, shape as ``far``
        0 for a link along a row, 1 along a column, 2 along a diagonal.
    distance : ndarray of int16, shape (sites, sites)
        Links on a shortest way; of shape (0, 0) on a large machine without faults, where
        :func:`away` computes it.
    shape : ndarray of int32, shape (3,)
        Length of closed rows and of closed columns (0: open), 1 for six neighbours.
    """

    x: I32
    y: I32
    far: I32
    axis: I8
    distance: I16
    shape: I32


@compiled
def all_distances(far: NDArray[np.int32]) -> NDArray[np.int16]:
    """Return the links between all pairs of sites by breadth-first search."""
    sites, degree = far.shape
    distance = np.full((sites, sites), np.int16(32767), dtype=np.int16)
    queue = np.empty(sites, dtype=np.int32)
    for start in range(sites):
        row = distance[start]
        row[start] = 0
        queue[0] = start
        head, tail = 0, 1
        while head < tail:
            at = queue[head]
            head += 1
            for slot in range(degree):
                there = far[at, slot]
                if there >= 0 and row[there] == 32767:
                    row[there] = row[at] + 1
                    queue[tail] = there
                    tail += 1
    return distance


@compiled
def legs(grid: Grid, a: int, b: int) -> tuple[int, int, int]:
    """Return the links along x, y and the diagonal of a shortest way without faults."""
    dx, dy = grid.x[b] - grid.x[a], grid.y[b] - grid.y[a]
    wrap_x, wrap_y = grid.shape[0], grid.shape[1]
    if grid.shape[2] == 0:
        u, v = abs(dx), abs(dy)
        if wrap_x > 0:
            u = min(u, wrap_x - u)
        if wrap_y > 0:
            v = min(v, wrap_y - v)
        return u, v, 0
    least = 1 << 30
    best_x, best_y, best_d = 0, 0, 0
    for i in range(2 if wrap_x > 0 else 1):
        u = dx if i == 0 else (dx - wrap_x if dx > 0 else dx + wrap_x)
        for j in range(2 if wrap_y > 0 else 1):
            v = dy if j == 0 else (dy - wrap_y if dy > 0 else dy + wrap_y)
            d = min(abs(u), abs(v)) if u * v > 0 else 0
            total = abs(u) + abs(v) - d
            if total < least:
                least = total
                best_x, best_y, best_d = abs(u) - d, abs(v) - d, d
    return best_x, best_y, best_d


@compiled
def away(grid: Grid, a: int, b: int) -> int:
    """Return the links on a shortest way from a to b."""
    if grid.distance.shape[0] > 0:
        return int(grid.distance[a, b])
    x, y, d = legs(grid, a, b)
    return int(x + y + d)


@compiled
def ranks(grid: Grid, mode: int, a: int, b: int) -> tuple[int, int, int]:
    """Return the rank of each axis on the way from a to b: the lowest goes first."""
    if mode == 0:
        return 0, 1, 2
    if mode == 3:
        return 1, 0, 2
    x, y, d = legs(grid, a, b)
    first = int(y > x) + int(d > x)
    second = int(x >= y) + int(d > y)
    return first, second, 3 - first - second


@compiled
def grow(
    mode: int,
    radius: int,
    grid: Grid,
    source: int,
    terminals: NDArray[np.int32],
    count: int,
    stamp: int,
    mark: NDArray[np.int32],
    nodes: NDArray[np.int32],
    parent: NDArray[np.int32],
    slots: NDArray[np.int32],
    path: NDArray[np.int32],
) -> int:
    """Grow a tree from ``source`` to the first ``count`` of ``terminals``; return its sites.

    The sites stand in ``nodes`` in the order in which they joined, each with its parent site and
    the link's slot there in ``parent`` and ``slots`` (indexed by site). ``mark[site] == stamp``
    tells what is in the tree. ``path`` holds pairs (slot, site) while a path is walked.
    ``terminals`` are sorted in place by distance from the source, equals by number.
    Returns -1 if a terminal cannot be reached.
    """
    far, axis = grid.far, grid.axis
    degree = far.shape[1]
    sort_by_distance(grid, source, terminals, count)
    nodes[0] = source
    mark[source] = stamp
    parent[source] = -1
    size = 1
    for i in range(count):
        target = terminals[i]
        if mark[target] == stamp:
            continue
        start = source
        if mode == 2:
            least = min(radius + 1, 32767)
            for j in range(size):
                near = away(grid, nodes[j], target)
                if near < least:
                    least = near
                    start = nodes[j]
                    if least == 1:
                        break
        remaining = away(grid, start, target)
        if remaining == 32767:
            return -1
        rank = ranks(grid, mode, start, target)
        at = start
        length, joined = 0, 0
        while at != target:
            chosen, lowest = -1, 4
            for slot in range(degree):
                there = far[at, slot]
                if there < 0 or away(grid, there, target) >= remaining:
                    continue
                along = axis[at, slot]
                place = rank[0] if along == 0 else rank[1] if along == 1 else rank[2]
                if place < lowest:
                    chosen, lowest = slot, place
            path[2 * length] = chosen
            at = far[at, chosen]
            path[2 * length + 1] = at
            length += 1
            remaining -= 1
            # A path that meets the tree again leaves from there, or a site would have two parents.
            if mark[at] == stamp:
                start = at
                joined = length
        before = start
        for j in range(joined, length):
            there = path[2 * j + 1]
            mark[there] = stamp
            parent[there] = before
            slots[there] = path[2 * j]
            nodes[size] = there
            size += 1
            before = there
    return size


@compiled
def sort_by_distance(grid: Grid, source: int, terminals: NDArray[np.int32], count: int) -> None:
    """Sort ``terminals[:count]`` by distance from ``source``, equals by number, in place."""
    if count <= 32:
        for i in range(1, count):
            item = terminals[i]
            key = away(grid, source, item)
            j = i - 1
            while j >= 0:
                other = away(grid, source, terminals[j])
                if other < key or (other == key and terminals[j] < item):
                    break
                terminals[j + 1] = terminals[j]
                j -= 1
            terminals[j + 1] = item
        return
    keys = np.empty(count, dtype=np.int64)
    for i in range(count):
        keys[i] = (np.int64(away(grid, source, terminals[i])) << 32) + terminals[i]
    keys.sort()
    for i in range(count):
        terminals[i] = keys[i] & 0xFFFFFFFF
