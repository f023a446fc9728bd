"""``best``: try several placers and routers and keep the mapping with the least objective."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import exp
from typing import NamedTuple

from chipsim.errors import MappingError, PluginError, did_you_mean
from chipsim.machine.model import Machine
from chipsim.mapping.application import Application
from chipsim.mapping.fabric import MOST_SITES, fabric, unreachable
from chipsim.mapping.placement import multilevel_mix
from chipsim.mapping.placement.joint import score
from chipsim.mapping.strategies import Placer
from chipsim.mapping.tables import make_tables
from chipsim.mapping.trial import Trial, attempt

BEST = "best"


SIMPLE = ("hilbert", "hilbert_bfs", "rcm", "breadth_first", "sequential")
"""Quick placers: tried where a machine is too large for annealing, or falls apart, and for
objectives that annealing does not know."""


class Objective(NamedTuple):
    """What ``best`` makes least.

    Attributes
    ----------
    placer : str
        The placer that works towards it; a winner can be run again by its name and seed.
    figure : callable
        Returns the figure of a trial, at least 0.
    simple : tuple of str
        Quick placers that are tried beside it.
    """

    placer: str
    figure: Callable[[Trial], float]
    simple: tuple[str, ...] = SIMPLE


def _total(name: str) -> Callable[[Trial], float]:
    return lambda trial: float(getattr(trial.metrics.total, name))


def _whole(name: str) -> Callable[[Trial], float]:
    return lambda trial: float(getattr(trial.metrics, name))


def _both(trial: Trial) -> float:
    total = trial.metrics.total
    return exp(score((total.tree_hops, total.max_link_load), multilevel_mix.GOAL))


def _largest_table(trial: Trial) -> float:
    return max(map(len, make_tables(trial.mapping).values()), default=0)


def _energy(trial: Trial) -> float:
    return sum(trial.metrics.total.energy_nj.values())


HOPS, LOAD, MIX = "multilevel_hops", "multilevel_load", "multilevel_mix"
OBJECTIVES = {
    "tree_hops": Objective(HOPS, _total("tree_hops"), SIMPLE[:1]),
    "max_link_load": Objective(LOAD, _total("max_link_load"), SIMPLE[:1]),
    "both": Objective(MIX, _both, SIMPLE[:1]),
    "mean_link_load": Objective(HOPS, _total("mean_link_load")),
    "sd_link_load": Objective(LOAD, _total("sd_link_load")),
    "tree_links": Objective(HOPS, _whole("tree_links")),
    "max_depth": Objective(HOPS, _whole("max_depth")),
    "mean_latency_ns": Objective(HOPS, _total("mean_latency_ns")),
    "max_latency_ns": Objective(HOPS, _total("max_latency_ns")),
    "energy_nj": Objective(HOPS, _energy),
    "table_entries": Objective(MIX, _largest_table),
}
"""Objectives by the name of the figure; ``both`` is weighted hops times the fourth root of the
hottest link's load, ``table_entries`` the largest table before it is minimised."""

ROUTERS = ("ner", "negotiated", "ldf", "default")

FALLS_BEHIND = 1.2
"""A placement of which the first router makes so many times the least objective is not routed by
the others: what they gain on it they gain on the best one too."""


def find(
    application: Application,
    machine: Machine,
    placer: str,
    router: str,
    seed: int = 0,
    objective: str = "both",
) -> Trial:
    """Return the trial of ``placer`` and ``router``; ``best`` stands for a portfolio of either.

    Parameters
    ----------
    application : Application
    machine : Machine
    placer, router : str
        Strategies by name; ``best`` places in two levels for the objective and along the Hilbert
        curve (for what annealing does not know, by all of :data:`SIMPLE`), and routes by all of
        :data:`ROUTERS`.
    seed : int
    objective : str
        One of :data:`OBJECTIVES`; of equals the one with the fewest weighted hops, then the first.

    Returns
    -------
    Trial
        With the winners' names, which give the same mapping again with this seed; its times are
        the sums over all that was tried.

    Raises
    ------
    MappingError
        As for a single mapping.
    PluginError
        For an unknown strategy or objective.

    Notes
    -----
    Every placer is run once and its placement routed by the first router; those within
    :data:`FALLS_BEHIND` of the best are routed by the others too: O(sum of the placers + placers x
    sum of the routers). Where the machine is too large for annealing, or falls apart,
    :data:`SIMPLE` is tried alone.
    """
    if objective not in OBJECTIVES:
        raise PluginError(f"unknown objective {objective!r}{did_you_mean(objective, OBJECTIVES)}")
    goal = OBJECTIVES[objective]
    figure = goal.figure
    routers = ROUTERS if router == BEST else (router,)
    every = _placed(application, machine, placer, routers[0], seed, goal)
    most = FALLS_BEHIND * min(map(figure, every))
    every += [
        attempt(application, machine, first.mapping.placer, name, seed, _again(first))
        for first in every
        if figure(first) <= most
        for name in routers[1:]
    ]
    return replace(
        min(every, key=lambda trial: (figure(trial), trial.metrics.total.tree_hops)),
        place_s=sum(trial.place_s for trial in every),
        route_s=sum(trial.route_s for trial in every),
    )


def _placed(
    application: Application, machine: Machine, placer: str, router: str, seed: int, goal: Objective
) -> list[Trial]:
    def by(*names: str) -> list[Trial]:
        return [attempt(application, machine, name, router, seed) for name in names]

    if placer != BEST:
        return by(placer)
    simple = by(*goal.simple)
    known = fabric(machine)
    if known.sites <= MOST_SITES and not unreachable(known.distance):
        try:
            return simple + by(goal.placer)
        except MappingError:  # too large for annealing
            pass
    return simple + by(*SIMPLE[len(simple) :])


def _again(trial: Trial) -> Placer:
    """Return a placer that gives a trial's placement once more."""
    return lambda application, machine, rng: trial.mapping.placement
