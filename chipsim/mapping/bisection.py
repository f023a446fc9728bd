"""Recursive bisection of weighted graphs: multilevel, with Fiduccia–Mattheyses refinement.

A graph is matched along heavy edges and contracted until it is small, split there by growing a
part from several seeds, and refined on the way back. Parts get exact sizes.

References
----------
Karypis, Kumar, "A fast and high quality multilevel scheme for partitioning irregular graphs", SIAM
J. Sci. Comput. 20 (1998). doi:10.1137/S1064827595287997
Fiduccia, Mattheyses, "A linear-time heuristic for improving network partitions", DAC (1982).
doi:10.1109/DAC.1982.1585498
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from chipsim.compiled import compiled

I32 = NDArray[np.int32]
I64 = NDArray[np.int64]
F64 = NDArray[np.float64]

SMALL = 48
"""Vertices at which contraction ends."""

SEEDS, PASSES = 8, 6


def parts(start: I32, far: I32, weight: F64, sizes: I64, room: I64, seed: int) -> NDArray[np.int32]:
    """Return a part number for every vertex, such that part p holds at most ``room[p]``.

    Parameters
    ----------
    start, far : ndarray of int32
        Neighbours of vertex v: ``far[start[v]:start[v + 1]]``; every edge stands in both rows.
    weight : ndarray of float64, shape as ``far``
    sizes : ndarray of int64, shape (vertices,)
        Size of each vertex; 0 for helpers that take no room.
    room : ndarray of int64, shape (parts,)
        Room of each part, in the order in which neighbouring parts should talk most.
    seed : int

    Returns
    -------
    ndarray of int32, shape (vertices,)

    Notes
    -----
    O(edges log parts log vertices) time, O(edges) memory. Parts are bisected by count; a vertex is
    never split, so sizes above 1 may leave a part over its room where no packing is found: callers
    check. The same arguments give the same parts.
    """
    part = np.zeros(len(start) - 1, dtype=np.int32)
    todo = [(np.arange(len(start) - 1, dtype=np.int32), 0, len(room))]
    while todo:
        members, first, stop = todo.pop()
        if stop - first == 1:
            part[members] = first
            continue
        middle = (first + stop + 1) // 2
        total = int(sizes[members].sum())
        most, other = int(room[first:middle].sum()), int(room[middle:stop].sum())
        # Halves are filled alike where there is room to spare.
        aim = round(total * most / (most + other))
        sub = _subgraph(start, far, weight, members)
        side = bisect(*sub, sizes[members], max(0, total - other), min(most, total), aim, seed)
        todo.append((members[side == 1], middle, stop))
        todo.append((members[side == 0], first, middle))
    return part


def _subgraph(start: I32, far: I32, weight: F64, members: I32) -> tuple[I32, I32, F64]:
    number = np.full(len(start) - 1, -1, dtype=np.int32)
    number[members] = np.arange(len(members), dtype=np.int32)
    degree = start[members + 1] - start[members]
    rows = np.repeat(np.arange(len(members)), degree)
    offset = np.arange(len(rows)) - np.repeat(np.cumsum(degree) - degree, degree)
    entry = start[members][rows] + offset
    there = number[far[entry]]
    inside = there >= 0
    counts = np.bincount(rows[inside], minlength=len(members))
    begin = np.concatenate(([0], np.cumsum(counts))).astype(np.int32)
    return begin, there[inside], weight[entry[inside]]


def bisect(
    start: I32, far: I32, weight: F64, sizes: I64, least: int, most: int, aim: int, seed: int
) -> NDArray[np.int8]:
    """Return sides 0 and 1 with a small cut, side 0 of size ``least`` to ``most``, near ``aim``.

    Notes
    -----
    O(edges log vertices).
    """
    levels: list[tuple[I32, I32, F64, I64]] = [(start, far, weight, sizes)]
    maps: list[I32] = []
    limit = max(1, int(sizes.sum()) // 20)
    while len(levels[-1][0]) - 1 > SMALL:
        graph = levels[-1]
        coarse = match(*graph, limit, seed + len(levels))
        count = int(coarse.max()) + 1
        if count > 0.95 * len(coarse):
            break
        maps.append(coarse)
        levels.append(contract(*graph, coarse, count))
    side = _first(*levels[-1], least, most, aim, seed)
    for level in range(len(levels) - 2, -1, -1):
        side = side[maps[level]]
        refine(*levels[level], side, least, most, PASSES)
    return side


def _first(
    start: I32, far: I32, weight: F64, sizes: I64, least: int, most: int, aim: int, seed: int
) -> NDArray[np.int8]:
    best, least_cut = np.zeros(len(sizes), dtype=np.int8), np.inf
    for root in range(SEEDS):
        side = spread(start, far, weight, sizes, aim, seed * SEEDS + root)
        cut = refine(start, far, weight, sizes, side, least, most, PASSES)
        if cut < least_cut:
            best, least_cut = side, cut
    return best


@compiled
def shuffled(count: int, seed: int) -> I32:
    """Return 0 .. count - 1 in an order drawn from the seed (xorshift)."""
    order = np.arange(count).astype(np.int32)
    state = np.uint64(seed * 2 + 1) * np.uint64(0x9E3779B97F4A7C15)
    for i in range(count - 1, 0, -1):
        state ^= state << np.uint64(13)
        state ^= state >> np.uint64(7)
        state ^= state << np.uint64(17)
        j = np.int64(state % np.uint64(i + 1))
        order[i], order[j] = order[j], order[i]
    return order


@compiled
def match(start: I32, far: I32, weight: F64, sizes: I64, limit: int, seed: int) -> I32:
    """Return the coarse vertex of each vertex: pairs along the heaviest free edge."""
    count = len(sizes)
    coarse = np.full(count, -1, dtype=np.int32)
    order = shuffled(count, seed)
    made = 0
    for i in range(count):
        v = order[i]
        if coarse[v] >= 0:
            continue
        best, heaviest = -1, 0.0
        for j in range(start[v], start[v + 1]):
            u = far[j]
            if u != v and coarse[u] < 0 and sizes[u] + sizes[v] <= limit:
                # Small neighbours first, or heavy ones would swallow all others.
                pull = weight[j] / max(1.0, float(sizes[u]))
                if pull > heaviest:
                    best, heaviest = u, pull
        coarse[v] = made
        if best >= 0:
            coarse[best] = made
        made += 1
    return coarse


@compiled
def contract(
    start: I32, far: I32, weight: F64, sizes: I64, coarse: I32, count: int
) -> tuple[I32, I32, F64, I64]:
    """Return the graph of coarse vertices; parallel edges add up."""
    size = np.zeros(count, dtype=np.int64)
    head = np.full(count, -1, dtype=np.int32)
    onward = np.full(len(coarse), -1, dtype=np.int32)
    for v in range(len(coarse) - 1, -1, -1):
        size[coarse[v]] += sizes[v]
        onward[v] = head[coarse[v]]
        head[coarse[v]] = v
    begin = np.zeros(count + 1, dtype=np.int32)
    there = np.empty(len(far), dtype=np.int32)
    total = np.empty(len(far), dtype=np.float64)
    at = np.full(count, -1, dtype=np.int32)
    filled = 0
    for c in range(count):
        first = filled
        v = head[c]
        while v >= 0:
            for j in range(start[v], start[v + 1]):
                u = coarse[far[j]]
                if u == c:
                    continue
                if at[u] < first:
                    at[u] = filled
                    there[filled] = u
                    total[filled] = 0.0
                    filled += 1
                total[at[u]] += weight[j]
            v = onward[v]
        begin[c + 1] = filled
    return begin, there[:filled].copy(), total[:filled].copy(), size


@compiled
def spread(start: I32, far: I32, weight: F64, sizes: I64, aim: int, seed: int) -> NDArray[np.int8]:
    """Return sides: side 0 grows from a drawn vertex by what it is joined to most."""
    count = len(sizes)
    side = np.ones(count, dtype=np.int8)
    pull = np.zeros(count, dtype=np.float64)
    order = shuffled(count, seed)
    size = 0
    while size < aim:
        best, most = -1, -1.0
        for i in range(count):
            v = order[i]
            if side[v] == 1 and pull[v] > most:
                best, most = v, pull[v]
        if best < 0 or (size > 0 and size + sizes[best] - aim > aim - size):
            break
        side[best] = 0
        size += sizes[best]
        for j in range(start[best], start[best + 1]):
            pull[far[j]] += weight[j]
    return side


@compiled
def push(heap: F64, item: I32, length: int, gain: float, v: int) -> int:
    """Put a vertex into a heap of greatest gains; return the new length."""
    i = length
    while i > 0:
        up = (i - 1) // 2
        if heap[up] > gain or (heap[up] == gain and item[up] <= v):
            break
        heap[i], item[i] = heap[up], item[up]
        i = up
    heap[i], item[i] = gain, v
    return length + 1


@compiled
def drop(heap: F64, item: I32, length: int) -> int:
    """Take the first vertex off a heap; return the new length."""
    length -= 1
    gain, v = heap[length], item[length]
    i = 0
    while 2 * i + 1 < length:
        c = 2 * i + 1
        if c + 1 < length and (
            heap[c + 1] > heap[c] or (heap[c + 1] == heap[c] and item[c + 1] < item[c])
        ):
            c += 1
        if gain > heap[c] or (gain == heap[c] and v <= item[c]):
            break
        heap[i], item[i] = heap[c], item[c]
        i = c
    heap[i], item[i] = gain, v
    return length


@compiled
def refine(
    start: I32,
    far: I32,
    weight: F64,
    sizes: I64,
    side: NDArray[np.int8],
    least: int,
    most: int,
    passes: int,
) -> float:
    """Improve sides in place by passes of single moves, best prefix kept; return the cut.

    Side 0 ends with a size of ``least`` to ``most`` if single moves can reach that.
    """
    count = len(sizes)
    gain = np.zeros(count, dtype=np.float64)
    locked = np.zeros(count, dtype=np.bool_)
    room = len(far) + count + 1
    heaps = np.empty((2, room), dtype=np.float64)
    items = np.empty((2, room), dtype=np.int32)
    moved = np.empty(count, dtype=np.int32)
    lengths = np.zeros(2, dtype=np.int64)
    cut = 0.0
    for _ in range(passes):
        lengths[:] = 0
        size, cut = 0, 0.0
        for v in range(count):
            locked[v] = False
            gain[v] = 0.0
            for j in range(start[v], start[v + 1]):
                gain[v] += weight[j] if side[far[j]] != side[v] else -weight[j]
                cut += 0.5 * weight[j] if side[far[j]] != side[v] else 0.0
            size += sizes[v] if side[v] == 0 else 0
            lengths[side[v]] = push(heaps[side[v]], items[side[v]], lengths[side[v]], gain[v], v)
        wrong = max(size - most, least - size, 0)
        best_cut, best_wrong, best_length = cut, wrong, 0
        length, idle = 0, 0
        now = cut
        while idle < 100 + count // 20:
            for s in range(2):
                while lengths[s] > 0:
                    v = items[s, 0]
                    if not locked[v] and side[v] == s and heaps[s, 0] == gain[v]:
                        break
                    lengths[s] = drop(heaps[s], items[s], lengths[s])
            if lengths[0] == 0 and lengths[1] == 0:
                break
            s = 0
            better = lengths[0] == 0 or (lengths[1] > 0 and heaps[1, 0] > heaps[0, 0])
            if size < least or (size <= most and better):
                s = 1
            if lengths[s] == 0:
                break
            v = items[s, 0]
            lengths[s] = drop(heaps[s], items[s], lengths[s])
            locked[v] = True
            now -= gain[v]
            side[v] = 1 - s
            size += sizes[v] if s == 1 else -sizes[v]
            moved[length] = v
            length += 1
            for j in range(start[v], start[v + 1]):
                u = far[j]
                if u != v and not locked[u]:
                    gain[u] += -2.0 * weight[j] if side[u] == side[v] else 2.0 * weight[j]
                    lengths[side[u]] = push(
                        heaps[side[u]], items[side[u]], lengths[side[u]], gain[u], u
                    )
            wrong = max(size - most, least - size, 0)
            idle += 1
            if wrong < best_wrong or (wrong == best_wrong and now < best_cut - 1e-9):
                best_cut, best_wrong, best_length = now, wrong, length
                idle = 0
        for i in range(best_length, length):
            side[moved[i]] = 1 - side[moved[i]]
        if best_length == 0:
            break
        cut = best_cut
    return cut
