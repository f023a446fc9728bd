"""Compiled bookkeeping of annealing: places, the tree of every sender, the load of every link.

Nets with the same sinks form a **group**. All senders of a group on one site share one tree (the
``ner`` router's), so a layer of n cores that all send to the next layer has no n trees but as many
as it has sites; and a move changes a tree only where a site gains its first or loses its last
member of the group.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from chipsim.compiled import compiled
from chipsim.mapping.tree_kernels import Grid, grow

I8 = NDArray[np.int8]
I16 = NDArray[np.int16]
I32 = NDArray[np.int32]
I64 = NDArray[np.int64]
F64 = NDArray[np.float64]

TREE, STAR, HUB = 0, 1, 2
"""How a group's packets travel: as a tree; one packet per site; one packet to the hub (a packet
router), which sends one per site."""


class Groups(NamedTuple):
    """Who sends to whom: groups of nets with the same sinks, in compressed rows.

    Attributes
    ----------
    start, sinks : ndarray of int32
        Sink vertices of group g: ``sinks[start[g]:start[g + 1]]``.
    source_start, sources : ndarray of int32
        Source vertices of each group.
    in_start, in_group : ndarray of int32
        Groups that vertex v is a sink of.
    out_start, out_group : ndarray of int32
        Groups that vertex v sends to, each once.
    out_weight : ndarray of float64
        Flits per tick, beside ``out_group``.
    way : ndarray of int8, shape (groups,)
        :data:`TREE`, :data:`STAR` or :data:`HUB`.
    step : ndarray of int16, shape (sites, sites) or (0, 0)
        Slot of the next link towards a site, where routers find their outputs by themselves.
    hub : ndarray of int32, shape (1,)
        Site of the packet router, -1 where there is none.
    """

    start: I32
    sinks: I32
    source_start: I32
    sources: I32
    in_start: I32
    in_group: I32
    out_start: I32
    out_group: I32
    out_weight: F64
    way: I8
    step: I16
    hub: I32


class State(NamedTuple):
    """Where everything is, and what follows from it.

    Attributes
    ----------
    site, slot : ndarray of int32, shape (vertices,)
        ``slot`` is -1 for a vertex that does not move.
    holder, slot_site : ndarray of int32, shape (slots,)
        Vertex in each slot (-1: free), site of each slot; slots ascend by site.
    first : ndarray of int32, shape (sites + 1,)
        First slot of each site.
    sinks_at, end_at, ends : ndarray of int32, shape (groups, sites); many : shape (groups,)
        Sinks on each site; the sites with sinks as a list, and where each stands in it.
    senders, from_at, froms : ndarray of int32, shape (groups, sites); from_many : shape (groups,)
        The same for sources.
    demand : ndarray of float64, shape (groups, sites)
        Flits per tick that a group's sources on a site send.
    tree : ndarray of int32, shape (groups, sites)
        Row of the tree of the sources there, -1 without.
    length : ndarray of int32, shape (rows,); links : ndarray of int32, shape (rows, most)
        Links of each tree as ``site * slots + slot``.
    free : ndarray of int32, shape (rows + 1,)
        Free rows; the last number says how many.
    load : ndarray of float64, shape (links,)
    """

    site: I32
    slot: I32
    holder: I32
    slot_site: I32
    first: I32
    sinks_at: I32
    end_at: I32
    ends: I32
    many: I32
    senders: I32
    from_at: I32
    froms: I32
    from_many: I32
    demand: F64
    tree: I32
    length: I32
    links: I32
    free: I32
    load: F64


class Scratch(NamedTuple):
    """Room for one move: what it touched, so that it can be taken back.

    Attributes
    ----------
    stamps : ndarray of int64, shape (3,)
        Numbers of the last tree, of the last move, and work done (sinks and sites visited).
    mark, terminals, nodes, parent, slots : ndarray of int32, shape (sites,); path : (2 * sites,)
        For the tree builder.
    group_stamp : ndarray of int64, shape (groups,); touched : ndarray of int32, same
    before : ndarray of float64, shape (groups, 4)
        Sinks on the two sites and demand of the two sites before the move.
    pending : ndarray of int32, shape (rows, 3)
        Group, site and new row (-1: none) of each pair that changed.
    link_stamp : ndarray of int64, shape (links,); link_list : ndarray of int32, same
    link_before : ndarray of float64, shape (links,)
    counts : ndarray of int64, shape (3,)
        Touched groups, pending pairs, touched links.
    """

    stamps: I64
    mark: I32
    terminals: I32
    nodes: I32
    parent: I32
    slots: I32
    path: I32
    group_stamp: I64
    touched: I32
    before: F64
    pending: I32
    link_stamp: I64
    link_list: I32
    link_before: F64
    counts: I64


@compiled
def random_below(state: NDArray[np.uint64], bound: int) -> Any:
    """Return an integer of 0 to ``bound - 1`` (splitmix64, bias below 2**-20)."""
    state[0] += np.uint64(0x9E3779B97F4A7C15)
    z = state[0]
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    z = z ^ (z >> np.uint64(31))
    return np.int64((z >> np.uint64(11)) % np.uint64(bound))


@compiled
def walk(grid: Grid, groups: Groups, at: int, target: int, links: I32, length: int) -> int:
    """Append the links that routers take by themselves from ``at`` to ``target``."""
    degree = grid.far.shape[1]
    while at != target:
        slot = groups.step[at, target]
        if slot < 0:
            return -1
        links[length] = at * degree + slot
        length += 1
        at = grid.far[at, slot]
    return length


@compiled
def build(
    grid: Grid, groups: Groups, state: State, work: Scratch, group: int, source: int, links: I32
) -> int:
    """Write the links of a group's tree from ``source`` into ``links``; return their number."""
    degree = grid.far.shape[1]
    count = state.many[group]
    way = groups.way[group]
    length = 0
    work.stamps[2] += count
    if groups.step.shape[0] > 0:
        start = source
        if way == 2:
            start = groups.hub[0]
            length = walk(grid, groups, source, start, links, 0)
        for i in range(count):
            if length >= 0:
                length = walk(grid, groups, start, state.ends[group, i], links, length)
        return length
    rounds = 1 if way == 0 else count
    for i in range(rounds):
        terminals = count
        if way == 0:
            for j in range(count):
                work.terminals[j] = state.ends[group, j]
        else:
            terminals = 1
            work.terminals[0] = state.ends[group, i]
        work.stamps[0] += 1
        size = grow(
            2,
            20,
            grid,
            source,
            work.terminals,
            terminals,
            work.stamps[0],
            work.mark,
            work.nodes,
            work.parent,
            work.slots,
            work.path,
        )
        if size < 0:
            return -1
        work.stamps[2] += size
        for j in range(1, size):
            node = work.nodes[j]
            links[length] = work.parent[node] * degree + work.slots[node]
            length += 1
    return length


@compiled
def add(count: I32, at: I32, listed: I32, many: I32, group: int, site: int, change: int) -> None:
    """Change a count by one and keep the list of sites with a count above 0."""
    before = count[group, site]
    count[group, site] = before + change
    if before == 0:
        at[group, site] = many[group]
        listed[group, many[group]] = site
        many[group] += 1
    elif before + change == 0:
        many[group] -= 1
        last = listed[group, many[group]]
        hole = at[group, site]
        listed[group, hole] = last
        at[group, last] = hole


@compiled
def touch(state: State, work: Scratch, group: int, a: int, b: int) -> None:
    """Remember what a group looks like on both sites, once per move."""
    if work.group_stamp[group] == work.stamps[1]:
        return
    work.group_stamp[group] = work.stamps[1]
    work.touched[work.counts[0]] = group
    work.counts[0] += 1
    work.before[group, 0] = state.sinks_at[group, a]
    work.before[group, 1] = state.sinks_at[group, b]
    work.before[group, 2] = state.demand[group, a]
    work.before[group, 3] = state.demand[group, b]


@compiled
def shift(groups: Groups, state: State, vertex: int, a: int, b: int) -> None:
    """Move a vertex from site a to site b in all counts."""
    state.site[vertex] = b
    for i in range(groups.in_start[vertex], groups.in_start[vertex + 1]):
        group = groups.in_group[i]
        add(state.sinks_at, state.end_at, state.ends, state.many, group, a, -1)
        add(state.sinks_at, state.end_at, state.ends, state.many, group, b, 1)
    for i in range(groups.out_start[vertex], groups.out_start[vertex + 1]):
        group, weight = groups.out_group[i], groups.out_weight[i]
        add(state.senders, state.from_at, state.froms, state.from_many, group, a, -1)
        add(state.senders, state.from_at, state.froms, state.from_many, group, b, 1)
        state.demand[group, a] -= weight
        state.demand[group, b] += weight


@compiled
def put(state: State, work: Scratch, row: int, weight: float) -> None:
    """Add ``weight`` to the load of a tree's links, remembering what they had."""
    for j in range(state.length[row]):
        link = state.links[row, j]
        if work.link_stamp[link] != work.stamps[1]:
            work.link_stamp[link] = work.stamps[1]
            work.link_list[work.counts[2]] = link
            work.counts[2] += 1
            work.link_before[link] = state.load[link]
        state.load[link] += weight


@compiled
def exchange(
    grid: Grid,
    groups: Groups,
    state: State,
    work: Scratch,
    group: int,
    site: int,
    old_weight: float,
    rebuild: bool,
) -> float:
    """Renew one pair of group and source site; return the change of weighted hops."""
    old = state.tree[group, site]
    weight = state.demand[group, site] if state.senders[group, site] > 0 else 0.0
    row = old
    change = 0.0
    if state.senders[group, site] == 0:
        row = -1
    elif rebuild or old < 0:
        last = state.free.shape[0] - 1
        state.free[last] -= 1
        row = state.free[state.free[last]]
        state.length[row] = build(grid, groups, state, work, group, site, state.links[row])
    if old >= 0:
        change -= old_weight * state.length[old]
        put(state, work, old, -old_weight)
    if row >= 0:
        change += weight * state.length[row]
        put(state, work, row, weight)
    n = work.counts[1]
    work.pending[n, 0], work.pending[n, 1], work.pending[n, 2] = group, site, row
    work.counts[1] += 1
    return change


@compiled
def renew(grid: Grid, groups: Groups, state: State, work: Scratch, a: int, b: int) -> float:
    """Bring trees and loads up to date after the shifts of a move; return the change of hops."""
    change = 0.0
    for i in range(work.counts[0]):
        group = work.touched[i]
        was = work.before[group]
        changed = (was[0] > 0) != (state.sinks_at[group, a] > 0) or (was[1] > 0) != (
            state.sinks_at[group, b] > 0
        )
        for j in range(2):
            site = a if j == 0 else b
            old_weight = was[2] if j == 0 else was[3]
            there = state.tree[group, site] >= 0 or state.senders[group, site] > 0
            if there and (changed or old_weight != state.demand[group, site]):
                change += exchange(grid, groups, state, work, group, site, old_weight, changed)
        if changed:
            for j in range(state.from_many[group]):
                site = state.froms[group, j]
                if site != a and site != b:
                    weight = state.demand[group, site]
                    change += exchange(grid, groups, state, work, group, site, weight, True)
    return change


@compiled
def settle(state: State, work: Scratch, keep: bool) -> None:
    """Keep the renewed trees, or take back trees and loads."""
    last = state.free.shape[0] - 1
    for i in range(work.counts[1]):
        group, site, row = work.pending[i, 0], work.pending[i, 1], work.pending[i, 2]
        old = state.tree[group, site]
        if row == old:
            continue
        gone = old if keep else row
        if gone >= 0:
            state.free[state.free[last]] = gone
            state.free[last] += 1
        if keep:
            state.tree[group, site] = row
    if not keep:
        for i in range(work.counts[2]):
            link = work.link_list[i]
            state.load[link] = work.link_before[link]
    work.counts[:] = 0


@compiled
def eighth(value: float) -> float:
    """Return the eighth power."""
    square = value * value
    fourth = square * square
    return fourth * fourth


@compiled
def fill_state(grid: Grid, groups: Groups, state: State, work: Scratch) -> float:
    """Fill counts, trees and loads from ``state.site``; return weighted hops, -1 without a way."""
    for vertex in range(len(state.site)):
        site = state.site[vertex]
        for i in range(groups.in_start[vertex], groups.in_start[vertex + 1]):
            group = groups.in_group[i]
            add(state.sinks_at, state.end_at, state.ends, state.many, group, site, 1)
        for i in range(groups.out_start[vertex], groups.out_start[vertex + 1]):
            group = groups.out_group[i]
            add(state.senders, state.from_at, state.froms, state.from_many, group, site, 1)
            state.demand[group, site] += groups.out_weight[i]
    hops = 0.0
    last = state.free.shape[0] - 1
    for group in range(len(state.many)):
        for j in range(state.from_many[group]):
            site = state.froms[group, j]
            state.free[last] -= 1
            row = state.free[state.free[last]]
            length = build(grid, groups, state, work, group, site, state.links[row])
            if length < 0:
                return -1.0
            state.length[row] = length
            state.tree[group, site] = row
            hops += state.demand[group, site] * length
            for k in range(length):
                state.load[state.links[row, k]] += state.demand[group, site]
    return hops
