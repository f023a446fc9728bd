"""Compiled multicast trees over sites: the one tree builder of routers and of placement costs.

Placers that cost a net by its tree call the very function that the ``ner`` router calls, so that
the cost they minimise is the length that comes out.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from chipsim.compiled import compiled

FAR = 32767
"""Distance of a pair without a way."""

X_FIRST, LONGEST, NEAREST = 0, 1, 2
"""Where a sink's path starts and turns: from the source, x first; from the source, the longest
dimension first; from the nearest site of the tree, the longest dimension first."""

I16 = NDArray[np.int16]
I32 = NDArray[np.int32]
I8 = NDArray[np.int8]


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
def grow(
    mode: int,
    radius: int,
    wrap_x: int,
    wrap_y: int,
    source: int,
    terminals: NDArray[np.int32],
    count: int,
    x: NDArray[np.int32],
    y: NDArray[np.int32],
    far: NDArray[np.int32],
    vertical: NDArray[np.int8],
    distance: NDArray[np.int16],
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
    degree = far.shape[1]
    for i in range(1, count):  # insertion sort: few terminals
        item = terminals[i]
        key = distance[source, item]
        j = i - 1
        while j >= 0 and (
            distance[source, terminals[j]] > key
            or (distance[source, terminals[j]] == key and terminals[j] > item)
        ):
            terminals[j + 1] = terminals[j]
            j -= 1
        terminals[j + 1] = item
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
                away = distance[nodes[j], target]
                if away < least:
                    least = away
                    start = nodes[j]
                    if least == 1:
                        break
        if distance[start, target] == 32767:
            return -1
        first = 0
        if mode != 0:
            dx, dy = abs(x[start] - x[target]), abs(y[start] - y[target])
            if wrap_x > 0:
                dx = min(dx, wrap_x - dx)
            if wrap_y > 0:
                dy = min(dy, wrap_y - dy)
            first = 1 if dy > dx else 0
        at = start
        length, joined = 0, 0
        while at != target:
            chosen = -1
            for slot in range(degree):
                there = far[at, slot]
                if there < 0 or distance[there, target] + 1 != distance[at, target]:
                    continue
                if chosen < 0:
                    chosen = slot
                if vertical[at, slot] == first:
                    chosen = slot
                    break
            path[2 * length] = chosen
            at = far[at, chosen]
            path[2 * length + 1] = at
            length += 1
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
