"""The compiled inner part of negotiated routing: a tree grown over links that have prices."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from chipsim.compiled import compiled

I32 = NDArray[np.int32]
F64 = NDArray[np.float64]


@compiled
def priced_tree(
    far: I32, price: F64, source: int, terminals: I32, parent: I32, slots: I32, nodes: I32
) -> int:
    """Grow a tree to all terminals, each by the cheapest way from the tree so far.

    ``price`` is that of a link by ``site * slots + slot``, above 0. Returns the sites of the tree,
    in ``nodes`` with parents first; -1 if a terminal cannot be reached.
    """
    sites, degree = far.shape
    cost = np.full(sites, np.inf)
    via = np.full(sites, -1, dtype=np.int32)
    via_slot = np.full(sites, -1, dtype=np.int32)
    inside = np.zeros(sites, dtype=np.bool_)
    wanted = np.zeros(sites, dtype=np.bool_)
    done = np.zeros(sites, dtype=np.bool_)
    path = np.empty(sites, dtype=np.int32)
    left = 0
    for i in range(len(terminals)):
        if terminals[i] != source and not wanted[terminals[i]]:
            wanted[terminals[i]] = True
            left += 1
    nodes[0] = source
    inside[source] = True
    parent[source] = -1
    cost[source] = 0.0
    size = 1
    while left > 0:
        at, least = -1, np.inf
        for site in range(sites):
            if not done[site] and cost[site] < least:
                at, least = site, cost[site]
        if at < 0:
            return -1
        done[at] = True
        if wanted[at] and not inside[at]:
            length = 0
            here = at
            while not inside[here]:
                path[length] = here
                length += 1
                here = via[here]
            for j in range(length - 1, -1, -1):
                here = path[j]
                inside[here] = True
                parent[here], slots[here] = via[here], via_slot[here]
                nodes[size] = here
                size += 1
                cost[here] = 0.0
                left -= wanted[here]
            # Everything may be nearer to the tree now.
            for site in range(sites):
                done[site] = False
                if not inside[site]:
                    cost[site] = np.inf
            continue
        for slot in range(degree):
            there = far[at, slot]
            if there < 0 or inside[there]:
                continue
            ahead = cost[at] + price[at * degree + slot]
            if ahead < cost[there] - 1e-12:
                cost[there] = ahead
                via[there], via_slot[there] = at, slot
                done[there] = False
    return size
