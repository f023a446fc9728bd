"""Placement in two levels: clusters that fill a router each, their places, then single vertices.

Clusters come from the application's own order (layered nets, replicas) and from recursive
bisection polished by connectivity (graphs in no order), with and without spare room; they are
placed along the Hilbert curve or by traffic times distance, then by annealing of exact trees and
link loads, and the best one is refined vertex by vertex.
What a graph is called or how large it is plays no part.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from chipsim.machine.model import Machine
from chipsim.mapping.application import Application, Name
from chipsim.mapping.fabric import fabric, unreachable
from chipsim.mapping.placement import hilbert, random
from chipsim.mapping.placement.allowance import Allowance
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

QUICK = Schedule(1.0, 1e-3, 30, 0.5)
LONG = Schedule(1.0, 1e-3, 60, 4.0)
FINE = Schedule(0.01, 3e-4, 30, 1.0)

ALLOWED = 1.35
"""Work over that of one annealing of single vertices, clusters included; routing comes on top."""

ANNEALED = 0.55
"""Work of an annealing over what its moves would take among vertices in no order, where it is
hottest: 0.4 to 0.85 on all of the graphs measured."""

POLISHED, QUICKLY, LONGER = 0.15, 0.3, 0.7
"""Parts of what is left of the work for the connectivity of clusters, then for the quick runs of
all candidates, then for the long ones of those kept; the rest is for single vertices."""

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
    allowed = Allowance(ALLOWED * _annealing(known, application, machine, rng))
    parts = _parts(known, movable, rng, allowed)
    found = [_on_sites(known, part, count, goal) for part, count in parts]
    least = min((candidate.cost for candidate in found), default=0.0)
    found = [candidate for candidate in found if candidate.cost <= least + HOPELESS]
    found = _cooled(found, rng, goal, QUICK, QUICKLY, allowed)
    unlike = list({round(candidate.cost, 9): candidate for candidate in found}.values())
    found = _cooled(unlike[:KEPT], rng, goal, LONG, LONGER, allowed)
    if found:
        ends.append(_spread(known, found[0]))
    best = min(ends, key=lambda held: score(known.board.cost(held), goal))
    fine = FINE._replace(work=min(FINE.work, allowed.share(1.0)))
    return known.placement(known.board.anneal(best, rng, goal, fine)[0], begun)


def _annealing(
    known: Swaps, application: Application, machine: Machine, rng: np.random.Generator
) -> float:
    """Return the work of one annealing of single vertices, about."""
    hot = known.holder(random.place(application, machine, rng))
    return min(FULL.work, ANNEALED * known.board.work_of(hot, rng, FULL._replace(work=MUCH))[0])


def score(figures: tuple[float, float], goal: Goal) -> float:
    """Return the logarithmic cost of (weighted hops, greatest link load)."""
    hops, load = figures
    return float(goal.hops * np.log(hops + 1e-9) + goal.load * np.log(load + 1e-9))


def _room(known: Swaps) -> tuple[int, I32]:
    """Return the vertices of a cluster, and the sites that can take one."""
    free = np.bincount(known.board.slot_site, minlength=known.board.known.sites)
    size = int(np.median(free[free > 0]))
    return size, np.flatnonzero(free >= size).astype(np.int32)


def _parts(
    known: Swaps, movable: I32, rng: np.random.Generator, allowed: Allowance
) -> list[tuple[I32, int]]:
    """Return candidates of clusters: (part of each vertex, number of clusters)."""
    size, sites = _room(known)
    least = -(-len(movable) // size)
    found: list[tuple[I32, int]] = []
    if least > len(sites):
        return found
    counts = dict.fromkeys(min(len(sites), int(np.ceil(least * slack))) for slack in SLACK)
    each = allowed.share(POLISHED / (SEEDS * len(counts)))
    for count in counts:
        whole = np.full(len(known.board.fixed), -1, dtype=np.int32)
        # Chunks of the application's order: full ones, and even ones.
        whole[movable] = np.arange(len(movable)) * count // len(movable)
        if np.bincount(whole[movable]).max() <= size:
            found.append((whole, count))
        found += [(part, count) for part in _bisected(known, movable, count, rng, each, allowed)]
    return found


def _bisected(
    known: Swaps, movable: I32, count: int, rng: np.random.Generator, work: int, allowed: Allowance
) -> list[I32]:
    """Return unlike clusters by bisection and connectivity, with about ``work`` for each try."""
    size, _ = _room(known)
    groups, room = known.board.groups, [size] * count
    tries: list[tuple[float, I32]] = []
    for seed in range(SEEDS):
        part = clustered(groups, movable.tolist(), room, seed)
        if np.bincount(part[movable], minlength=count).max() <= size:
            part, cost, done = polished(groups, part, room, rng, work)
            allowed.take(done)
            tries.append((cost, part))
    tries.sort(key=lambda item: item[0])
    # Regular graphs come out alike from every seed: what is no better is not placed again.
    kept = dict(reversed(tries))
    return [kept[cost] for cost in sorted(kept)]


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


def _cooled(
    candidates: list[Candidate],
    rng: np.random.Generator,
    goal: Goal,
    schedule: Schedule,
    part: float,
    allowed: Allowance,
) -> list[Candidate]:
    """Return the candidates annealed, cheapest first; all may do ``part`` of the work left."""
    each = allowed.share(part / max(1, len(candidates)))
    schedule = schedule._replace(work=min(schedule.work, each))
    found = [_again(candidate, rng, goal, schedule, allowed) for candidate in candidates]
    return sorted(found, key=lambda candidate: candidate.cost)


def _again(
    candidate: Candidate,
    rng: np.random.Generator,
    goal: Goal,
    schedule: Schedule,
    allowed: Allowance,
) -> Candidate:
    board, held = candidate.board, candidate.holder
    full, guessed = board.work_of(held, rng, schedule._replace(work=MUCH))
    if full > HURRIED * schedule.work:  # too short to cool from hot: refine what there is
        schedule = schedule._replace(heat=WARM)
    held, done = board.anneal(held, rng, goal, schedule)
    allowed.take(guessed + done)
    return replace(candidate, cost=score(board.cost(held), goal), holder=held)


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
