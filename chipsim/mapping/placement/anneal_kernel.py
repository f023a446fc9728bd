"""The compiled inner loop of annealing: swaps of two slots, exact trees and link loads."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from chipsim.compiled import compiled
from chipsim.mapping.placement.traffic_kernel import (
    Groups,
    Scratch,
    State,
    eighth,
    random_below,
    renew,
    settle,
    shift,
    touch,
)
from chipsim.mapping.tree_kernels import Grid

I32 = NDArray[np.int32]
F64 = NDArray[np.float64]


@compiled
def cost_of(hops: float, power: float, hops_share: float, load_share: float) -> Any:
    """Return the logarithmic cost of weighted hops and of the 8-norm of link loads."""
    return hops_share * np.log(hops + 1e-9) + load_share * np.log(power + 1e-9) / 8.0


@compiled
def norm(load: F64) -> float:
    """Return the sum of eighth powers."""
    total = 0.0
    for link in range(len(load)):
        total += eighth(load[link])
    return total


@compiled
def touch_all(groups: Groups, state: State, work: Scratch, vertex: int, a: int, b: int) -> None:
    """Remember all groups of a vertex."""
    for i in range(groups.in_start[vertex], groups.in_start[vertex + 1]):
        touch(state, work, groups.in_group[i], a, b)
    for i in range(groups.out_start[vertex], groups.out_start[vertex + 1]):
        touch(state, work, groups.out_group[i], a, b)


@compiled
def try_swap(grid: Grid, groups: Groups, state: State, work: Scratch, a: int, b: int) -> float:
    """Swap what slots a and b hold, trees and loads included; return the change of hops."""
    first, second = state.holder[a], state.holder[b]
    site_a, site_b = state.slot_site[a], state.slot_site[b]
    work.stamps[1] += 1
    work.counts[:] = 0
    if first >= 0:
        touch_all(groups, state, work, first, site_a, site_b)
    if second >= 0:
        touch_all(groups, state, work, second, site_a, site_b)
    if first >= 0:
        shift(groups, state, first, site_a, site_b)
    if second >= 0:
        shift(groups, state, second, site_b, site_a)
    return renew(grid, groups, state, work, site_a, site_b)


@compiled
def undo_swap(groups: Groups, state: State, work: Scratch, a: int, b: int) -> None:
    """Take a tried swap back."""
    first, second = state.holder[a], state.holder[b]
    site_a, site_b = state.slot_site[a], state.slot_site[b]
    if first >= 0:
        shift(groups, state, first, site_b, site_a)
    if second >= 0:
        shift(groups, state, second, site_a, site_b)
    for i in range(work.counts[0]):  # sums of floats come back as they were
        group = work.touched[i]
        state.demand[group, site_a] = work.before[group, 2]
        state.demand[group, site_b] = work.before[group, 3]
    settle(state, work, False)


@compiled
def keep_swap(state: State, work: Scratch, a: int, b: int) -> None:
    """Make a tried swap final."""
    first, second = state.holder[a], state.holder[b]
    state.holder[a], state.holder[b] = second, first
    if first >= 0:
        state.slot[first] = b
    if second >= 0:
        state.slot[second] = a
    settle(state, work, True)


@compiled
def load_change(state: State, work: Scratch) -> float:
    """Return the change of the sum of eighth powers by the links that a move touched."""
    change = 0.0
    for i in range(work.counts[2]):
        link = work.link_list[i]
        change += eighth(state.load[link]) - eighth(work.link_before[link])
    return change


@compiled
def partner(grid: Grid, groups: Groups, state: State, random: NDArray[np.uint64], a: int) -> Any:
    """Return a slot near one of the vertices that the vertex in slot ``a`` talks to, -1 if none."""
    vertex = state.holder[a]
    ins = groups.in_start[vertex + 1] - groups.in_start[vertex]
    outs = groups.out_start[vertex + 1] - groups.out_start[vertex]
    if ins + outs == 0:
        return -1
    pick = random_below(random, ins + outs)
    if pick < ins:
        group = groups.in_group[groups.in_start[vertex] + pick]
        begin, end = groups.source_start[group], groups.source_start[group + 1]
        if begin == end:
            return -1
        other = groups.sources[begin + random_below(random, end - begin)]
    else:
        group = groups.out_group[groups.out_start[vertex] + pick - ins]
        begin, end = groups.start[group], groups.start[group + 1]
        other = groups.sinks[begin + random_below(random, end - begin)]
    site = state.site[other]
    if random_below(random, 3) == 0:
        near = grid.far[site, random_below(random, grid.far.shape[1])]
        if near >= 0:
            site = near
    begin, end = state.first[site], state.first[site + 1]
    if begin == end:
        return -1
    return np.int64(begin + random_below(random, end - begin))


@compiled
def anneal(
    moves: int,
    batches: int,
    samples: int,
    heat: float,
    cold: float,
    hops_share: float,
    load_share: float,
    most_work: int,
    random: NDArray[np.uint64],
    grid: Grid,
    groups: Groups,
    state: State,
    work: Scratch,
    figures: F64,
) -> None:
    """Anneal in place and leave the cheapest placement in ``state.holder`` and ``state.slot``.

    The first ``samples`` swaps are tried and undone; their spread sets the first temperature,
    ``heat`` times the standard deviation of the changes of cost. ``batches`` batches of ``moves``
    follow, cooling evenly to ``cold`` times that deviation. Where they would take more than
    ``most_work``, judged by the samples, batches have fewer moves: a cooling that is cut off while
    hot is worth little.
    ``figures``: hops at the beginning (then at the end), best cost, accepted moves, tried moves.
    """
    slots = len(state.holder)
    hops, power = figures[0], norm(state.load)
    cost = cost_of(hops, power, hops_share, load_share)
    best = cost
    best_holder = state.holder.copy()
    best_hops = hops
    total, squares = 0.0, 0.0
    temperature, factor = 0.0, 1.0
    done, valid, accepted, misses, batch = 0, 0, 0, 0, 0
    begun = work.stamps[2]
    while batch < batches and work.stamps[2] < 2 * most_work and misses < 1000 * samples:
        a = random_below(random, slots)
        b = -1
        if state.holder[a] >= 0 and random_below(random, 3) > 0:
            b = partner(grid, groups, state, random, a)
        if b < 0:
            b = random_below(random, slots)
        first, second = state.holder[a], state.holder[b]
        site_a, site_b = state.slot_site[a], state.slot_site[b]
        work.stamps[2] += 1
        if site_a == site_b or (first < 0 and second < 0):
            misses += 1
            continue
        misses = 0
        change = try_swap(grid, groups, state, work, a, b)
        new_power = max(0.0, power + load_change(state, work))
        new_cost = cost_of(hops + change, new_power, hops_share, load_share)
        delta = new_cost - cost
        done += 1
        if valid < samples:
            valid += 1
            total += delta
            squares += delta * delta
            undo_swap(groups, state, work, a, b)
            if valid == samples:
                mean = total / samples
                sigma = np.sqrt(max(0.0, squares / samples - mean * mean))
                temperature = heat * sigma
                factor = (cold / heat) ** (1.0 / max(1, batches - 1))
                each = (work.stamps[2] - begun) / samples
                moves = max(1, min(moves, int(most_work / (each * batches))))
                done = 0
            continue
        draw = (random_below(random, 1 << 40) + 0.5) / (1 << 40)
        if delta <= 0.0 or (temperature > 0.0 and draw < np.exp(-delta / temperature)):
            keep_swap(state, work, a, b)
            hops += change
            power = new_power
            cost = new_cost
            accepted += 1
            if cost < best - 1e-12:
                best = cost
                best_hops = hops
                best_holder[:] = state.holder
        else:
            undo_swap(groups, state, work, a, b)
        if done % moves == 0:
            batch += 1
            temperature *= factor
            power = norm(state.load)
            cost = cost_of(hops, power, hops_share, load_share)
    state.holder[:] = best_holder
    figures[0], figures[1], figures[2], figures[3] = best_hops, best, accepted, done
