"""Clusters of vertices that fill a site each, and their nets."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from chipsim.mapping.bisection import parts
from chipsim.mapping.placement.cluster_kernel import polish
from chipsim.mapping.placement.groups import rows
from chipsim.mapping.placement.traffic_kernel import Groups

I32 = NDArray[np.int32]

WIDE = 24
"""Pins from which a group joins its vertices through a helper vertex instead of edges."""

EFFORT, LEAST_EFFORT = 200.0, 20.0
"""Moves per vertex and temperature of :func:`polished`, with much work allowed and with little."""

BATCHES, HEAT, COLD = 20, 1.5, 0.05
"""Its temperatures, the first and the last in mean weights of a group."""

PINS = 11
"""Nets that its moves look at in one unit of work."""


def joined(groups: Groups, vertices: int) -> tuple[I32, I32, NDArray[np.float64], int]:
    """Return (start, far, weight, helpers): who talks to whom, as an undirected graph.

    A group of few pins gives an edge from each source to each sink. One of many pins gives a
    helper vertex (behind the vertices), joined to all its sources and sinks, so that the graph
    stays linear in the pins.
    """
    ends_a: list[I32] = []
    ends_b: list[I32] = []
    weights: list[NDArray[np.float64]] = []
    helpers = 0
    demand = _weight_of(groups)
    for group in range(len(groups.way)):
        sinks = groups.sinks[groups.start[group] : groups.start[group + 1]]
        first, stop = groups.source_start[group], groups.source_start[group + 1]
        sources, weight = groups.sources[first:stop], demand[first:stop]
        if len(sinks) > WIDE or len(sources) > WIDE:
            hub = vertices + helpers
            helpers += 1
            ends_a += [sources, sinks]
            ends_b += [np.full(len(sources) + len(sinks), hub, dtype=np.int32)]
            share = float(weight.sum()) / max(1, len(sinks))
            weights += [weight, np.full(len(sinks), share)]
        else:
            ends_a.append(np.repeat(sources, len(sinks)))
            ends_b.append(np.tile(sinks, len(sources)))
            weights.append(np.repeat(weight, len(sinks)))
    count = vertices + helpers
    if not ends_a:
        return np.zeros(count + 1, np.int32), np.zeros(0, np.int32), np.zeros(0), helpers
    a, b, w = (np.concatenate(column) for column in (ends_a, ends_b, weights))
    keep = a != b
    a, b, w = a[keep].astype(np.int64), b[keep].astype(np.int64), w[keep]
    keys = np.concatenate((a * count + b, b * count + a))
    pairs, where = np.unique(keys, return_inverse=True)
    total: NDArray[np.float64] = np.zeros(len(pairs), dtype=np.float64)
    np.add.at(total, where, np.concatenate((w, w)))
    start = np.searchsorted(pairs, np.arange(count + 1, dtype=np.int64) * count)
    return start.astype(np.int32), (pairs % max(1, count)).astype(np.int32), total, helpers


def _weight_of(groups: Groups) -> NDArray[np.float64]:
    """Return the weight of each source of each group, beside ``groups.sources``."""
    vertex = np.repeat(np.arange(len(groups.out_start) - 1), np.diff(groups.out_start))
    order = np.lexsort((vertex, groups.out_group))
    given = np.repeat(np.arange(len(groups.way)), np.diff(groups.source_start))
    back = np.lexsort((groups.sources, given))
    weight = np.empty(len(order), dtype=np.float64)
    weight[back] = groups.out_weight[order]
    return weight


def clustered(groups: Groups, vertices: Sequence[int], room: Sequence[int], seed: int) -> I32:
    """Return the part of each of ``vertices`` (ascending numbers) by recursive bisection.

    ``room`` says how many vertices each part takes. Vertices that are not named take no room, and
    get -1.
    """
    count = len(groups.in_start) - 1
    start, far, weight, helpers = joined(groups, count)
    sizes = np.zeros(count + helpers, dtype=np.int64)
    sizes[list(vertices)] = 1
    found = parts(start, far, weight, sizes, np.array(room, dtype=np.int64), seed)[:count]
    found[sizes[:count] == 0] = -1
    return found


def coarse(groups: Groups, part: I32, count: int) -> Groups:
    """Return the groups between clusters: pins of one cluster are one pin.

    Clusters must be 0 to ``count - 1`` for every vertex.
    """
    merged: dict[tuple[int, tuple[int, ...]], dict[int, float]] = {}
    demand = _weight_of(groups)
    for group, way in enumerate(groups.way.tolist()):
        sinks = groups.sinks[groups.start[group] : groups.start[group + 1]]
        ends = tuple(sorted(dict.fromkeys(part[sinks].tolist())))
        senders = merged.setdefault((way, ends), {})
        first, stop = groups.source_start[group], groups.source_start[group + 1]
        sources = part[groups.sources[first:stop]].tolist()
        for source, weight in zip(sources, demand[first:stop].tolist(), strict=True):
            senders[source] = senders.get(source, 0.0) + weight
    return grouped(merged, count, groups)


def grouped(
    found: dict[tuple[int, tuple[int, ...]], dict[int, float]], count: int, like: Groups
) -> Groups:
    """Return groups from (way, sinks) -> {source: weight}, with the machine's side of ``like``."""
    ins: list[list[int]] = [[] for _ in range(count)]
    outs: list[list[tuple[int, float]]] = [[] for _ in range(count)]
    for group, ((_, sinks), senders) in enumerate(found.items()):
        for sink in sinks:
            ins[sink].append(group)
        for source, weight in senders.items():
            outs[source].append((group, weight))
    return Groups(
        *rows([sinks for _, sinks in found]),
        *rows([list(senders) for senders in found.values()]),
        *rows(ins),
        *rows([[group for group, _ in row] for row in outs]),
        np.array([weight for row in outs for _, weight in row], dtype=np.float64),
        np.array([way for way, _ in found], dtype=np.int8),
        like.step,
        like.hub,
    )


def polished(
    groups: Groups, part: I32, room: Sequence[int], rng: np.random.Generator, work: int
) -> tuple[I32, float, int]:
    """Return the parts after annealing their connectivity, the connectivity, and the work done.

    ``work`` is in the units of :class:`chipsim.mapping.placement.allowance.Allowance`.

    Notes
    -----
    O(moves x nets of a vertex), with :data:`EFFORT` moves per vertex and temperature where ``work``
    allows them, and never fewer than :data:`LEAST_EFFORT`.
    """
    count = len(part)
    pins = [
        sorted(
            {
                *groups.sinks[groups.start[g] : groups.start[g + 1]].tolist(),
                *groups.sources[groups.source_start[g] : groups.source_start[g + 1]].tolist(),
            }
        )
        for g in range(len(groups.way))
    ]
    of: list[list[int]] = [[] for _ in range(count)]
    for group, members in enumerate(pins):
        for vertex in members:
            of[vertex].append(group)
    given = np.repeat(np.arange(len(pins)), np.diff(groups.source_start))
    weight: NDArray[np.float64] = np.zeros(len(pins), dtype=np.float64)
    np.add.at(weight, given, _weight_of(groups))
    per_effort = BATCHES * sum(map(len, pins)) / PINS
    effort = min(EFFORT, max(LEAST_EFFORT, work / per_effort))
    found = part.copy()
    cost = polish(
        found,
        np.array(room, dtype=np.int64),
        *rows(pins),
        *rows(of),
        weight,
        round(effort * count),
        BATCHES,
        HEAT,
        COLD,
        rng.integers(0, 2**63, 1, dtype=np.int64).astype(np.uint64),
    )
    return found, float(cost), round(effort * per_effort)
