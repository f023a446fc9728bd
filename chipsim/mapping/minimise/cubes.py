"""Ternary patterns as (key, mask) pairs: what the compiled minimisers share.

A table is int64 of shape (n, 3): key, mask and route number of each entry, first match first. A
mask bit of 0 is a bit that any key matches.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from chipsim.compiled import compiled


@compiled
def generality(mask: int) -> int:
    """Return how many bits of a pattern any key matches."""
    count = 0
    for bit in range(32):
        count += 1 - (mask >> bit & 1)
    return count


@compiled
def first_match(table: NDArray[np.int64], start: int, stop: int, key: int, mask: int) -> int:
    """Return the first entry from start to stop that some key of a pattern matches, else -1."""
    for i in range(start, stop):
        if (table[i, 0] ^ key) & table[i, 1] & mask == 0:
            return i
    return -1


@compiled
def _inside(table: NDArray[np.int64], stop: int, key: int, mask: int) -> bool:
    """Return whether an entry before ``stop`` holds all keys of a pattern."""
    for i in range(stop):
        if (table[i, 0] ^ key) & table[i, 1] & mask == 0 and table[i, 1] & ~mask == 0:
            return True
    return False


@compiled
def prune(
    table: NDArray[np.int64], blocks: NDArray[np.int64], free: NDArray[np.bool_]
) -> NDArray[np.int64]:
    """Return a table without the entries that its blocks do not need.

    Parameters
    ----------
    table : ndarray of int64, shape (m, 3)
    blocks : ndarray of int64, shape (n, 3)
        The disjoint entries that the table stands for.
    free : ndarray of bool, shape (n,)
        Blocks that need no entry: default routing does the same.

    Notes
    -----
    From the last entry up, an entry goes if each block that it serves, even in part, would be
    served alike by the next entry that it meets, or meets none and is free. O(m × n × m).
    """
    kept = table.copy()
    size = len(table)
    for at in range(size - 1, -1, -1):
        needed = False
        for b in range(len(blocks)):
            key, mask, route = blocks[b, 0], blocks[b, 1], blocks[b, 2]
            if (kept[at, 0] ^ key) & kept[at, 1] & mask != 0:
                continue
            if _inside(kept, at, key, mask):
                continue
            below = first_match(kept, at + 1, size, key, mask)
            if below < 0:
                needed = not free[b]
            else:
                needed = kept[below, 2] != route or kept[below, 1] & ~mask != 0
            if needed:
                break
        if not needed:
            for i in range(at, size - 1):
                kept[i] = kept[i + 1]
            size -= 1
    return kept[:size].copy()
