"""Placement with the simulated network in the loop: what is optimised is what is measured.

A static cost (hops, load of links) says where traffic goes, not when: packets of one burst meet,
or do not. Here a placement's cost is a figure of :func:`chipsim.sweep.replay.replay`, over fixed
traffic seeds, so that two placements are compared on the same packets; a local search changes one
or two places at a time and keeps what is not worse.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from chipsim import seeds
from chipsim.errors import MappingError, did_you_mean
from chipsim.machine.model import Machine
from chipsim.mapping import strategies
from chipsim.mapping.application import Application, Name
from chipsim.mapping.keys import allocate_keys
from chipsim.mapping.mapping import Mapping as ChipMapping
from chipsim.mapping.mapping import map_application, programmed
from chipsim.mapping.strategies import Router
from chipsim.sweep.replay import PhaseMeasured, replay

Placement = dict[Name, int]

GOALS: dict[str, Callable[[PhaseMeasured], tuple[float, ...]]] = {
    "late": lambda m: (m.late + m.dropped, m.latency_p99_ns, m.latency_mean_ns),
    "p99": lambda m: (m.undelivered + m.dropped, m.latency_p99_ns, m.latency_mean_ns),
    "tick_use": lambda m: (m.undelivered + m.dropped, m.tick_use_max, m.latency_mean_ns),
}
"""What a search makes small, the first figure first: copies late or dropped; the 99th percentile of
latency [ns]; the largest share of a tick until its last delivery. Copies that never arrived have no
latency, so the last two count them before anything else."""

STARTS = ("hilbert", "hilbert_bfs", "annealing")
"""Static placers whose best result, by the goal, is where a search begins."""


@dataclass(frozen=True)
class Budget:
    """How long a search goes on: until the first of these is used up.

    Attributes
    ----------
    evaluations : int
        Placements that are simulated.
    cpu_s : float or None
        CPU time of this process [s]; with it, results depend on the host's speed.
    """

    evaluations: int = 400
    cpu_s: float | None = None


@dataclass(frozen=True)
class Found:
    """What a search came to.

    Attributes
    ----------
    placement : dict of vertex name to int
    start, cost : tuple of float
        The goal's figures at the start and of ``placement``, mean over the traffic seeds.
    evaluations : int
    accepted : int
        Moves that were kept.
    """

    placement: Placement
    start: tuple[float, ...]
    cost: tuple[float, ...]
    evaluations: int
    accepted: int


class Loop:
    """A cost by simulation, and a search that makes it small.

    Parameters
    ----------
    application : Application
    machine : Machine
    goal : str
        One of :data:`GOALS`.
    router : str or callable
        Routes every candidate.
    traffic : sequence of int
        Seeds of the traffic that candidates are measured on.
    ticks : int
        Ticks of each phase and seed.
    tick_us : float, optional
        As in :func:`chipsim.sweep.replay.replay`.

    Raises
    ------
    MappingError
        For an unknown goal, or no traffic seed.

    Notes
    -----
    An evaluation costs a routing of all nets and a replay: O(nets + packets · hops).
    """

    def __init__(
        self,
        application: Application,
        machine: Machine,
        *,
        goal: str = "p99",
        router: str | Router = "default",
        traffic: Sequence[int] = (0,),
        ticks: int = 3,
        tick_us: float | None = None,
    ) -> None:
        if goal not in GOALS:
            raise MappingError(
                "placement in the loop", [f"unknown goal {goal!r}{did_you_mean(goal, GOALS)}"]
            )
        if not traffic:
            raise MappingError("placement in the loop", ["no traffic seed; expected at least one"])
        self.application, self.machine = application, machine
        self.traffic, self.ticks, self.tick_us = tuple(traffic), ticks, tick_us
        self.evaluations = 0
        self._goal = GOALS[goal]
        self._route = strategies.router(router)
        self._keys = allocate_keys(application)
        self._fixed = {vertex.name for vertex in application.vertices if vertex.fixed is not None}
        self._free = [v.name for v in application.vertices if v.name not in self._fixed]

    def cost(self, placement: Mapping[Name, int]) -> tuple[float, ...]:
        """Return the goal's figures of a placement, each the mean over the traffic seeds."""
        self.evaluations += 1
        mapping = self.mapped(placement)
        rows = [
            self._goal(replay(mapping, ticks=self.ticks, tick_us=self.tick_us, seed=seed).total)
            for seed in self.traffic
        ]
        return tuple(float(np.mean(column)) for column in zip(*rows, strict=True))

    def mapped(self, placement: Mapping[Name, int]) -> ChipMapping:
        """Return a placement with routes and keys, unchecked."""
        rng = seeds.rng(0, "loop", "route")
        routes = self._route(self.application, dict(placement), self.machine, rng)
        chosen = {net.name: tuple(routes[net.name]) for net in self.application.nets}
        machine, plans = programmed(self.machine, routes)
        return ChipMapping(
            self.application, machine, dict(placement), chosen, self._keys, "in_the_loop",
            plans=plans,
        )  # fmt: skip

    def search(
        self, start: Mapping[Name, int], rng: np.random.Generator, budget: Budget | None = None
    ) -> Found:
        """Change places one or two at a time and keep what does not raise the cost.

        Parameters
        ----------
        start : mapping of vertex name to endpoint
        rng : numpy.random.Generator
        budget : Budget, optional
        """
        budget = Budget() if budget is None else budget
        began, first = time.process_time(), self.evaluations
        here = dict(start)
        cost = initial = self.cost(here)
        accepted = 0
        while self.evaluations - first < budget.evaluations:
            if budget.cpu_s is not None and time.process_time() - began >= budget.cpu_s:
                break
            candidate = self._moved(here, rng)
            found = self.cost(candidate)
            if found <= cost:
                accepted += 1
                here, cost = candidate, found
        return Found(here, initial, cost, self.evaluations - first, accepted)

    def _moved(self, placement: Placement, rng: np.random.Generator) -> Placement:
        """Return a placement with a vertex moved to another PE, in exchange if it is taken."""
        pes = self.machine.pes()
        name = self._free[int(rng.integers(len(self._free)))]
        holder = {end: other for other, end in placement.items()}
        while True:
            target = int(pes[int(rng.integers(len(pes)))])
            other = holder.get(target)
            if target != placement[name] and other not in self._fixed:
                break
        moved = {**placement, name: target}
        if other is not None:
            moved[other] = placement[name]
        return moved


def static_start(
    loop: Loop, placers: Sequence[str] = STARTS, seed: int = 0
) -> tuple[str, Placement, tuple[float, ...]]:
    """Return the static placer whose placement costs least, that placement, and its cost."""
    rows = []
    for number, name in enumerate(placers):
        placed = map_application(loop.application, loop.machine, name, seed=seed).placement
        rows.append((loop.cost(placed), number, name, placed))
    cost, _, name, placed = min(rows, key=lambda row: row[:2])
    return name, placed, cost


def place(application: Application, machine: Machine, rng: np.random.Generator) -> Placement:
    """Search by simulated latency (p99), from the best of three static placements.

    O(evaluations · (nets + packets · hops)); 400 evaluations of 3 ticks each. Where no net expects
    packets it is the first of the static ones.
    """
    if not any(net.weight() > 0 for net in application.nets):
        return map_application(application, machine, STARTS[0]).placement  # nothing to measure
    loop = Loop(application, machine)
    _, start, _ = static_start(loop, seed=int(rng.integers(2**31)))
    return loop.search(start, rng).placement
