"""Pair merge: entries of one route two by two, the rarest route first.

What PACMAN calls its pair compressor: quick, and within a few entries of ordered covering.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from chipsim.compiled import compiled


@compiled
def pair_merge(
    blocks: NDArray[np.int64], guards: NDArray[np.int64], target: int
) -> NDArray[np.int64]:
    """Minimise a table of disjoint entries; arguments as for ``ordered_covering``.

    Notes
    -----
    Routes go one by one, those with the fewest entries first, equal counts by number. Two entries
    of a route become one where their least common pattern meets no entry of a later route; what
    lies above is served there already. Once the whole table has reached ``target``, entries are
    only copied. O(n^3) at worst.
    """
    n = len(blocks)
    routes = 0
    for i in range(n):
        routes = max(routes, blocks[i, 2] + 1)
    counts = np.zeros(routes, dtype=np.int64)
    for i in range(n):
        counts[blocks[i, 2]] += 1
    result = np.empty((n, 3), dtype=np.int64)
    size, total = 0, n
    done = np.zeros(routes, dtype=np.bool_)
    for route in np.argsort(counts, kind="mergesort"):
        done[route] = True
        mine = blocks[blocks[:, 2] == route].copy()
        left = len(mine)
        at = 0
        while at < left:
            other = at + 1
            while other < left and total > target:
                mask = mine[at, 1] & mine[other, 1] & ~(mine[at, 0] ^ mine[other, 0])
                key = mine[at, 0] & mask
                if _clear(key, mask, route, blocks, guards, done):
                    mine[at, 0], mine[at, 1] = key, mask
                    for i in range(other, left - 1):
                        mine[i] = mine[i + 1]
                    left -= 1
                    total -= 1
                    other = at + 1
                else:
                    other += 1
            at += 1
        result[size : size + left] = mine[:left]
        size += left
    return result[:size].copy()


@compiled
def _clear(
    key: int,
    mask: int,
    route: int,
    blocks: NDArray[np.int64],
    guards: NDArray[np.int64],
    done: NDArray[np.bool_],
) -> bool:
    """Return whether a pattern meets no entry of a route still to come, and no other's guard."""
    for i in range(len(blocks)):
        if not done[blocks[i, 2]] and (blocks[i, 0] ^ key) & blocks[i, 1] & mask == 0:
            return False
    for i in range(len(guards)):
        if guards[i, 2] != route and (guards[i, 0] ^ key) & guards[i, 1] & mask == 0:
            return False
    return True
