"""Ordered covering: merge entries of one route where the order of the table lets them.

References
----------
A. Mundy, J. Heathcote, J. D. Garside, "On-chip order-exploiting routing table minimization for a
multicast supercomputer network", HPSR 2016, doi 10.1109/HPSR.2016.7525659.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from chipsim.compiled import compiled
from chipsim.mapping.minimise.cubes import generality


@compiled
def ordered_covering(
    blocks: NDArray[np.int64], guards: NDArray[np.int64], target: int
) -> NDArray[np.int64]:
    """Minimise a table of disjoint entries.

    Parameters
    ----------
    blocks : ndarray of int64, shape (n, 3)
        Disjoint entries: key, mask, route number.
    guards : ndarray of int64, shape (g, 3)
        Keys that default routing serves, with the route that it is: no entry of another route may
        match one.
    target : int
        Stop at this many entries.

    Returns
    -------
    ndarray of int64, shape (m, 3)
        First match first.

    Notes
    -----
    Entries stand by ascending generality (number of bits that any key matches). Each turn merges
    the largest set of entries of one route, and puts it before all entries of at least its
    generality: an entry is left out if one that it would move behind matches some of its keys, and
    as many more are left out as it takes that the merged entry matches no key that entries below
    it were made for. Of sets of one size the least general merge goes first, then the lower route
    number. O(turns × routes × refinements × n).
    """
    n = len(blocks)
    general = np.empty(n, dtype=np.int64)
    for i in range(n):
        general[i] = generality(blocks[i, 1])
    table = blocks[np.argsort(general, kind="mergesort")].copy()
    order = np.argsort(general, kind="mergesort")
    owner = np.empty(n, dtype=np.int64)  # where the entry stands that a block's keys have gone to
    for i in range(n):
        owner[order[i]] = i
    routes = 0
    for i in range(n):
        routes = max(routes, blocks[i, 2] + 1)
    size = n
    while size > target:
        best, narrow = np.empty(0, dtype=np.int64), 33
        for route in range(routes):
            members = np.flatnonzero(table[:size, 2] == route)
            if len(members) < 2 or len(members) < len(best):
                continue
            merge = _refine(members, len(best) - 1, table, size, blocks, owner, guards)
            if len(merge) < 2 or len(merge) < len(best):
                continue
            spread = generality(_merged(merge, table)[1])
            if len(merge) > len(best) or spread < narrow:
                best, narrow = merge, spread
        if len(best) < 2:
            break
        size = _apply(best, table, size, owner)
    return table[:size].copy()


@compiled
def _merged(members: NDArray[np.int64], table: NDArray[np.int64]) -> tuple[int, int]:
    """Return key and mask of the least pattern that holds all members."""
    key, mask = table[members[0], 0], table[members[0], 1]
    for i in range(1, len(members)):
        other = members[i]
        mask &= table[other, 1] & ~(key ^ table[other, 0])
        key &= mask
    return key, mask


@compiled
def _insertion(table: NDArray[np.int64], size: int, mask: int) -> int:
    """Return the place before all entries of at least a pattern's generality."""
    own = generality(mask)
    for i in range(size):
        if generality(table[i, 1]) >= own:
            return i
    return size


@compiled
def _refine(
    members: NDArray[np.int64],
    goodness: int,
    table: NDArray[np.int64],
    size: int,
    blocks: NDArray[np.int64],
    owner: NDArray[np.int64],
    guards: NDArray[np.int64],
) -> NDArray[np.int64]:
    """Return the members of a merge that are left when it harms no other entry."""
    while len(members) > 1 and len(members) > goodness:
        key, mask = _merged(members, table)
        place = _insertion(table, size, mask)
        kept = _movable(members, table, place)
        if len(kept) < len(members):
            members = kept
            continue
        away = _tighten(members, table, key, mask, place, blocks, owner, guards)
        if len(away) == len(members):
            return members
        members = away
    return members[:0]


@compiled
def _movable(members: NDArray[np.int64], table: NDArray[np.int64], place: int) -> NDArray[np.int64]:
    """Return the members that can move down to a place without falling behind an overlap."""
    keep = np.ones(len(members), dtype=np.bool_)
    for i in range(len(members)):
        key, mask = table[members[i], 0], table[members[i], 1]
        for other in range(members[i] + 1, place):
            if (table[other, 0] ^ key) & table[other, 1] & mask == 0:
                inside = False
                for member in members:
                    inside |= member == other
                if not inside:
                    keep[i] = False
                    break
    return members[keep]


@compiled
def _tighten(
    members: NDArray[np.int64],
    table: NDArray[np.int64],
    key: int,
    mask: int,
    place: int,
    blocks: NDArray[np.int64],
    owner: NDArray[np.int64],
    guards: NDArray[np.int64],
) -> NDArray[np.int64]:
    """Return all members if their merge covers nothing below, else those left by the best bit.

    Of the covered blocks those with the fewest bits that could keep the merge off them decide; of
    all these bits the one that costs the fewest members is set, the highest of several.
    """
    fewest, high, low = 33, 0, 0  # bits of the merge that would have to be 1, and those to be 0
    for which in range(2):
        rows = blocks if which == 0 else guards
        for b in range(len(rows)):
            if (rows[b, 0] ^ key) & rows[b, 1] & mask != 0:
                continue
            if owner[b] < place if which == 0 else rows[b, 2] == table[members[0], 2]:
                continue
            ways = 32 - generality(rows[b, 1] & ~mask)
            if ways > fewest:
                continue
            if ways < fewest:
                fewest, high, low = ways, 0, 0
            high |= rows[b, 1] & ~mask & ~rows[b, 0]
            low |= rows[b, 1] & ~mask & rows[b, 0]
    if fewest == 33:
        return members
    best = members[:0]
    for bit in range(31, -1, -1):
        for wanted in range(2):
            if not (high if wanted else low) >> bit & 1:
                continue
            keep = np.zeros(len(members), dtype=np.bool_)
            for i in range(len(members)):
                row = members[i]
                keep[i] = (table[row, 1] >> bit & 1) == 1 and (table[row, 0] >> bit & 1) == wanted
            if keep.sum() > len(best):
                best = members[keep]
    return best


@compiled
def _apply(
    members: NDArray[np.int64], table: NDArray[np.int64], size: int, owner: NDArray[np.int64]
) -> int:
    """Replace the members by their merge; return the table's new size."""
    key, mask = _merged(members, table)
    route = table[members[0], 2]
    place = _insertion(table, size, mask)
    gone = np.zeros(size, dtype=np.bool_)
    gone[members] = True
    fresh = np.empty((size, 3), dtype=np.int64)
    new_at = np.empty(size, dtype=np.int64)
    count, mine = 0, -1
    for i in range(size + 1):
        if i == place:
            fresh[count, 0], fresh[count, 1], fresh[count, 2] = key, mask, route
            mine = count
            count += 1
        if i < size and not gone[i]:
            fresh[count] = table[i]
            new_at[i] = count
            count += 1
    for i in range(size):
        if gone[i]:
            new_at[i] = mine
    table[:count] = fresh[:count]
    for b in range(len(owner)):
        owner[b] = new_at[owner[b]]
    return count
