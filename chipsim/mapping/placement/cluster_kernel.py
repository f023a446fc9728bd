"""Compiled exchange of vertices between clusters, by how many clusters a net touches.

The measure is the connectivity of hypergraph partitioning, the sum over nets of weight times
(clusters touched - 1): no tree can have fewer links. An exchange costs only the nets of two
vertices, a hundredth of what costing their trees would.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from chipsim.compiled import compiled
from chipsim.mapping.placement.traffic_kernel import random_below

I32 = NDArray[np.int32]
F64 = NDArray[np.float64]


@compiled
def move(
    vertex: int, a: int, b: int, pin_start: I32, pin_group: I32, weight: F64, count: I32
) -> float:
    """Move a vertex between clusters in all counts; return the change of connectivity."""
    change = 0.0
    for i in range(pin_start[vertex], pin_start[vertex + 1]):
        group = pin_group[i]
        count[group, a] -= 1
        if count[group, a] == 0:
            change -= weight[group]
        if count[group, b] == 0:
            change += weight[group]
        count[group, b] += 1
    return change


@compiled
def polish(
    part: I32,
    room: NDArray[np.int64],
    start: I32,
    pins: I32,
    pin_start: I32,
    pin_group: I32,
    weight: F64,
    moves: int,
    batches: int,
    heat: float,
    cold: float,
    random: NDArray[np.uint64],
) -> float:
    """Anneal ``part`` in place; return the connectivity of the best, which is what is left there.

    ``start, pins``: vertices of each group; ``pin_start, pin_group``: groups of each vertex.
    Temperatures are ``heat`` down to ``cold`` times the mean weight of a group.
    """
    vertices, groups, clusters = len(part), len(weight), len(room)
    if clusters < 2 or groups == 0:
        return 0.0
    count = np.zeros((groups, clusters), dtype=np.int32)
    first = np.zeros(clusters + 1, dtype=np.int64)
    for p in range(clusters):
        first[p + 1] = first[p] + room[p]
    slots = np.full(first[clusters], -1, dtype=np.int32)
    used = first[:clusters].copy()
    at = np.full(vertices, -1, dtype=np.int64)
    for v in range(vertices):
        if part[v] < 0:
            continue
        at[v] = used[part[v]]
        slots[at[v]] = v
        used[part[v]] += 1
        for i in range(pin_start[v], pin_start[v + 1]):
            count[pin_group[i], part[v]] += 1
    cost = 0.0
    for group in range(groups):
        touched = 0
        for p in range(clusters):
            touched += count[group, p] > 0
        cost += weight[group] * max(0, touched - 1)
    best, best_part = cost, part.copy()
    temperature = heat * weight.mean()
    factor = (cold / heat) ** (1.0 / max(1, batches - 1))
    for _ in range(batches):
        for _ in range(moves):
            v = random_below(random, vertices)
            if part[v] < 0 or pin_start[v] == pin_start[v + 1]:
                continue
            group = pin_group[pin_start[v] + random_below(random, pin_start[v + 1] - pin_start[v])]
            other = pins[start[group] + random_below(random, start[group + 1] - start[group])]
            a, b = part[v], part[other]
            if a == b or b < 0:
                continue
            slot = first[b] + random_below(random, room[b])
            u = slots[slot]
            delta = move(v, a, b, pin_start, pin_group, weight, count)
            if u >= 0:
                delta += move(u, b, a, pin_start, pin_group, weight, count)
            draw = (random_below(random, 1 << 40) + 0.5) / (1 << 40)
            if delta <= 0.0 or draw < np.exp(-delta / temperature):
                cost += delta
                part[v] = b
                slots[slot], slots[at[v]] = v, u
                if u >= 0:
                    part[u] = a
                    at[u] = at[v]
                at[v] = slot
                if cost < best - 1e-9:
                    best = cost
                    best_part[:] = part
            else:
                if u >= 0:
                    move(u, a, b, pin_start, pin_group, weight, count)
                move(v, b, a, pin_start, pin_group, weight, count)
        temperature *= factor
    part[:] = best_part
    return best
