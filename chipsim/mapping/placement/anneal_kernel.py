"""The compiled inner loop of annealing and of local search: swaps of two places, exact costs.

Every vertex and every free place is a *slot holder*: a move swaps what two slots hold (a vertex or
nothing). The cost of a net is the number of links of its tree, grown by the very builder of the
``ner`` router, times its weight.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from chipsim.compiled import compiled
from chipsim.mapping.tree_kernels import Grid, grow

I32 = NDArray[np.int32]
F64 = NDArray[np.float64]


@compiled
def random_below(state: NDArray[np.uint64], bound: int) -> int:
    """Return an integer of 0 to ``bound - 1`` (splitmix64, bias below 2**-20)."""
    state[0] += np.uint64(0x9E3779B97F4A7C15)
    z = state[0]
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    z = z ^ (z >> np.uint64(31))
    return int((z >> np.uint64(11)) % np.uint64(bound))


@compiled
def net_links(
    net: int,
    source: I32,
    start: I32,
    sinks: I32,
    site: I32,
    grid: Grid,
    scratch: I32,
) -> int:
    """Return the links of a net's tree with vertices at ``site``; -1 without a way.

    ``scratch`` is int32 of shape (8, 2 * sites + 1): marks, terminals and the builder's arrays; its
    last column of row 0 counts the calls.
    """
    last = scratch.shape[1] - 1
    scratch[0, last] += 2
    stamp = scratch[0, last]
    home = site[source[net]]
    count = 0
    for i in range(start[net], start[net + 1]):
        there = site[sinks[i]]
        if there != home and scratch[0, there] != stamp:
            scratch[0, there] = stamp
            scratch[1, count] = there
            count += 1
    if count == 0:
        return 0
    size = grow(
        2,
        20,
        grid,
        home,
        scratch[1],
        count,
        stamp,
        scratch[2],
        scratch[3],
        scratch[4],
        scratch[5],
        scratch[6],
    )
    return size - 1 if size > 0 else -1


@compiled
def anneal(
    moves: int,
    samples: int,
    budget: int,
    heat: float,
    cooling: float,
    state: NDArray[np.uint64],
    holder: I32,
    slot_site: I32,
    site: I32,
    source: I32,
    weight: F64,
    start: I32,
    sinks: I32,
    of_start: I32,
    of_nets: I32,
    grid: Grid,
    scratch: I32,
    figures: F64,
) -> float:
    """Anneal in place: ``holder`` (vertex by slot, -1 empty) and ``site`` (by vertex).

    The first ``samples`` moves are tried and undone; their spread sets the first temperature,
    ``heat`` times the standard deviation of the changes. Then batches of ``moves`` follow, each
    cooler by ``cooling``, until a batch at a cold temperature changes nothing or the work (sinks
    visited) passes ``budget``. ``figures``: cost at the beginning, spread, accepted moves, work.
    Returns the cost at the end.
    """
    nets, slots = len(source), len(holder)
    links = np.zeros(nets, dtype=np.int32)
    fresh = np.zeros(nets, dtype=np.int32)
    seen = np.zeros(nets, dtype=np.int64)
    touched = np.zeros(nets, dtype=np.int32)
    cost = 0.0
    for net in range(nets):
        links[net] = net_links(net, source, start, sinks, site, grid, scratch)
        cost += weight[net] * links[net]
    figures[0] = cost
    temperature, total, squares, valid = 0.0, 0.0, 0.0, 0
    work, tried, accepted, batch_start, cold = 0, 0, 0, 0, 0
    best = cost
    best_holder = holder.copy()
    while work < budget and cold < 3:
        tried += 1
        work += 1
        a, b = random_below(state, slots), random_below(state, slots)
        first, second = holder[a], holder[b]
        moving = slot_site[a] != slot_site[b] and (first >= 0 or second >= 0)
        if moving:
            if first >= 0:
                site[first] = slot_site[b]
            if second >= 0:
                site[second] = slot_site[a]
            count = 0
            delta = 0.0
            for which in range(2):
                vertex = first if which == 0 else second
                if vertex < 0:
                    continue
                for i in range(of_start[vertex], of_start[vertex + 1]):
                    net = of_nets[i]
                    if seen[net] == tried:
                        continue
                    seen[net] = tried
                    work += start[net + 1] - start[net]
                    touched[count] = net
                    fresh[count] = net_links(
                        net,
                        source,
                        start,
                        sinks,
                        site,
                        grid,
                        scratch,
                    )
                    delta += weight[net] * (fresh[count] - links[net])
                    count += 1
            sampling = valid < samples
            if sampling:
                valid += 1
                total += delta
                squares += delta * delta
            draw = (random_below(state, 1 << 40) + 0.5) / (1 << 40)
            take = delta <= 0.0 or (temperature > 0.0 and draw < np.exp(-delta / temperature))
            if take and not sampling:
                for i in range(count):
                    links[touched[i]] = fresh[i]
                holder[a], holder[b] = second, first
                cost += delta
                accepted += delta != 0.0
                if cost < best - 1e-9:
                    best = cost
                    best_holder[:] = holder
                    cold = 0
            else:
                if first >= 0:
                    site[first] = slot_site[a]
                if second >= 0:
                    site[second] = slot_site[b]
            if sampling and valid == samples:
                mean = total / samples
                figures[1] = np.sqrt(max(0.0, squares / samples - mean * mean))
                temperature = heat * figures[1]
                tried_batch = tried
                batch_start = tried_batch
        if valid >= samples and tried - batch_start >= moves:
            batch_start = tried
            temperature *= cooling
            if temperature < 1e-3 * figures[1]:
                cold += 1
        if tried > 50 * samples and valid < samples:  # hardly any move moves anything
            break
    holder[:] = best_holder
    for slot in range(slots):
        if holder[slot] >= 0:
            site[holder[slot]] = slot_site[slot]
    figures[2], figures[3] = accepted, work
    return best
