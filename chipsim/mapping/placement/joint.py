"""Placement in two levels: clusters that fill a router each, their places, then single vertices.

Clusters come from the application's own order (layered nets, replicas) and from recursive
bisection polished by connectivity (graphs in no order), with and without spare room; they are
placed along the Hilbert curve or by traffic times distance, then by annealing of exact trees and
link loads, and the best one is refined vertex by vertex.
What a graph is called or how large it is plays no part.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from chipsim.machine.model import Machine
from chipsim.mapping.application import Application, Name
from chipsim.mapping.fabric import fabric, unreachable
from chipsim.mapping.placement import hilbert
from chipsim.mapping.placement.assignment import assigned
from chipsim.mapping.placement.clusters import clustered, coarse, polished
from chipsim.mapping.placement.curve import hilbert_sites
from chipsim.mapping.placement.swaps import FULL, Board, Goal, Schedule, Swaps, swaps

I32 = NDArray[np.int32]

SLACK = (1.0, 1.1, 1.25)
"""Clusters over the least number of them: spare places shorten the trees of irregular graphs."""

SEEDS = 2
KEPT = 2
"""Candidates that are placed with more effort."""

QUICK = Schedule(1.0, 1e-3, 30, 0.5, 8_000_000)
LONG = Schedule(1.0, 1e-3, 60, 4.0, 50_000_000)
FINE = Schedule(0.01, 3e-4, 30, 1.0, 40_000_000)
SHARES = {QUICK: (0.03, 200_000), LONG: (0.5, 2_000_000), FINE: (0.3, 1_500_000)}
"""How much of the work of one annealing of single vertices each may do, and what it may do in any
case (below a second): with up to nine quick runs and two long ones all of it is at most 1.6 times
that work."""


HOPELESS = 0.7
"""Clusters that are begun with a logarithmic cost so much above the least are not annealed: those
of an order that means nothing have ten times the hops."""

HURRIED = 2.0
WARM = 0.1
"""A run that may do less than 1 / HURRIED of its schedule begins at this heat."""

MUCH = 1 << 60


@dataclass(frozen=True)
class Candidate:
    """Clusters on sites.

    Attributes
    ----------
    cost : float
        Logarithm of weighted hops and greatest link load, in the shares of the goal.
    part : ndarray of int32, shape (vertices,)
        Cluster of each movable vertex, -1 for the others.
    board : Board
        Its things are the clusters, then the vertices that do not move.
    holder : ndarray of int32
        Cluster on each slot of ``board``.
    """

    cost: float
    part: I32
    board: Board
    holder: I32


def place_for(
    application: Application, machine: Machine, rng: np.random.Generator, goal: Goal
) -> dict[Name, int]:
    """Return a placement with little of what ``goal`` weighs.

    Where the machine falls apart it is the Hilbert placement.

    Parameters
    ----------
    application : Application
    machine : Machine
    rng : numpy.random.Generator
    goal : Goal

    Raises
    ------
    MappingError
        If the application does not fit, or is too large for annealing.

    Notes
    -----
    O(candidates x clusters**1.33 x temperatures x trees of a cluster + V**1.33 x temperatures x
    trees of a vertex).
    """
    begun = hilbert.place(application, machine, rng)
    if unreachable(fabric(machine).distance):
        return begun
    known = swaps(application, machine)
    holder = known.holder(begun)
    movable = np.sort(holder[holder >= 0])
    if len(movable) < 2 or not len(known.board.groups.way):
        return begun
    ends = [holder]
    quick, long, fine = _schedules(known, holder, rng)
    found = [_on_sites(known, part, count, goal) for part, count in _parts(known, movable, rng)]
    least = min((candidate.cost for candidate in found), default=0.0)
    found = [
        _again(candidate, rng, goal, quick)
        for candidate in found
        if candidate.cost <= least + HOPELESS
    ]
    found.sort(key=lambda candidate: candidate.cost)
    unlike = {round(candidate.cost, 9): candidate for candidate in reversed(found)}
    kept = sorted(unlike.values(), key=lambda candidate: candidate.cost)[:KEPT]
    found = [_again(candidate, rng, goal, long) for candidate in kept]
    if found:
        ends.append(_spread(known, min(found, key=lambda candidate: candidate.cost)))
    best = min(ends, key=lambda held: score(known.board.cost(held), goal))
    return known.placement(known.board.anneal(best, rng, goal, fine), begun)


def score(figures: tuple[float, float], goal: Goal) -> float:
    """Return the logarithmic cost of (weighted hops, greatest link load)."""
    hops, load = figures
    return float(goal.hops * np.log(hops + 1e-9) + goal.load * np.log(load + 1e-9))


def _room(known: Swaps) -> tuple[int, I32]:
    """Return the vertices of a cluster, and the sites that can take one."""
    free = np.bincount(known.board.slot_site, minlength=known.board.known.sites)
    size = int(np.median(free[free > 0]))
    return size, np.flatnonzero(free >= size).astype(np.int32)


def _parts(known: Swaps, movable: I32, rng: np.random.Generator) -> list[tuple[I32, int]]:
    """Return candidates of clusters: (part of each vertex, number of clusters)."""
    size, sites = _room(known)
    least = -(-len(movable) // size)
    found: list[tuple[I32, int]] = []
    if least > len(sites):
        return found
    for count in dict.fromkeys(min(len(sites), int(np.ceil(least * slack))) for slack in SLACK):
        whole = np.full(len(known.board.fixed), -1, dtype=np.int32)
        # Chunks of the application's order: full ones, and even ones.
        whole[movable] = np.arange(len(movable)) * count // len(movable)
        if np.bincount(whole[movable]).max() <= size:
            found.append((whole, count))
        room = [size] * count
        tries = []
        for seed in range(SEEDS):
            part = clustered(known.board.groups, movable.tolist(), room, seed)
            if np.bincount(part[movable], minlength=count).max() <= size:
                tries.append(polished(known.board.groups, part, room, rng, 200.0, 1.5))
        tries.sort(key=lambda item: item[1])
        # Regular graphs come out alike from every seed: what is no better is not placed again.
        kept = {cost: part for part, cost in reversed(tries[:2])}
        found += [(kept[cost], count) for cost in sorted(kept)]
    return found


def _schedules(known: Swaps, holder: I32, rng: np.random.Generator) -> list[Schedule]:
    """Return the three schedules, with no more work than their shares of one annealing."""
    whole = known.board.work_of(holder, rng, FULL)
    return [
        schedule._replace(work=min(schedule.work, max(least, int(share * whole))))
        for schedule, (share, least) in SHARES.items()
    ]


def _on_sites(known: Swaps, part: I32, count: int, goal: Goal) -> Candidate:
    """Place clusters along the Hilbert curve, or by traffic times distance if that is better."""
    _, sites = _room(known)
    still = np.flatnonzero(part < 0)
    number = part.copy()
    number[still] = count + np.arange(len(still))
    groups = coarse(known.board.groups, number, count + len(still))
    fixed = np.full(count + len(still), -1, dtype=np.int32)
    fixed[count:] = known.board.fixed[still]
    board = Board(known.board.known, groups, fixed, sites)
    slot = {site: i for i, site in enumerate(sites.tolist())}
    order = [slot[s] for s in hilbert_sites(known.board.known.machine) if s in slot]
    holder = np.full(len(sites), -1, dtype=np.int32)
    holder[order[:count]] = np.arange(count)
    other = assigned(groups, holder, sites, board.known.distance, fixed)
    costs = [score(board.cost(held), goal) for held in (holder, other)]
    best = holder if costs[0] <= costs[1] else other
    return Candidate(min(costs), part, board, best)


def _again(
    candidate: Candidate, rng: np.random.Generator, goal: Goal, schedule: Schedule
) -> Candidate:
    full = candidate.board.work_of(candidate.holder, rng, schedule._replace(work=MUCH))
    if full > HURRIED * schedule.work:  # too short to cool from hot: refine what there is
        schedule = schedule._replace(heat=WARM)
    held = candidate.board.anneal(candidate.holder, rng, goal, schedule)
    cost = score(candidate.board.cost(held), goal)
    return Candidate(cost, candidate.part, candidate.board, held)


def _spread(known: Swaps, candidate: Candidate) -> I32:
    """Return the vertex in each slot: clusters' vertices on the slots of their sites."""
    site = {c: int(candidate.board.slot_site[i]) for i, c in enumerate(candidate.holder.tolist())}
    following = np.searchsorted(known.board.slot_site, np.arange(known.board.known.sites + 1))
    holder = np.full(len(known.slots), -1, dtype=np.int32)
    for vertex, cluster in enumerate(candidate.part.tolist()):
        if cluster >= 0:
            at = site[cluster]
            holder[following[at]] = vertex
            following[at] += 1
    return holder
