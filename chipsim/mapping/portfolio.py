"""``best``: try several placers and routers and keep the mapping with the least objective."""

from __future__ import annotations

from dataclasses import replace

from chipsim.errors import MappingError, PluginError, did_you_mean
from chipsim.machine.model import Machine
from chipsim.mapping.application import Application
from chipsim.mapping.fabric import MOST_SITES, fabric, unreachable
from chipsim.mapping.placement import multilevel_mix
from chipsim.mapping.placement.joint import score
from chipsim.mapping.strategies import Placer
from chipsim.mapping.trial import Trial, attempt

BEST = "best"
OBJECTIVES = ("tree_hops", "max_link_load", "both")
PLACERS = {
    "tree_hops": "multilevel_hops",
    "max_link_load": "multilevel_load",
    "both": "multilevel_mix",
}
"""The placer of each objective; a winner can be run again by its name and seed."""

FALLBACK = ("hilbert", "hilbert_bfs", "rcm", "breadth_first", "sequential")
"""Tried where a machine is too large for annealing, or falls apart."""

ROUTERS = ("ner", "negotiated", "ldf", "default")


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
        Strategies by name; ``best`` places in two levels for the objective (:data:`PLACERS`) and
        along the Hilbert curve, and routes by all of :data:`ROUTERS`.
    seed : int
    objective : str
        One of :data:`OBJECTIVES`; the other figure decides between equals, then the order of
        trials. ``both`` is the logarithm of hops plus a quarter of that of load.

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
    Every placer is run once and its placement routed by every router: O(sum of the placers +
    placers x sum of the routers). Where the machine is too large for annealing, or falls apart,
    :data:`FALLBACK` is tried instead.
    """
    if objective not in OBJECTIVES:
        raise PluginError(f"unknown objective {objective!r}{did_you_mean(objective, OBJECTIVES)}")
    routers = ROUTERS if router == BEST else (router,)
    every = _placed(application, machine, placer, routers[0], seed, objective)
    every += [
        attempt(application, machine, first.mapping.placer, name, seed, _again(first))
        for first in every
        for name in routers[1:]
    ]
    return replace(
        _least(every, objective),
        place_s=sum(trial.place_s for trial in every),
        route_s=sum(trial.route_s for trial in every),
    )


def _placed(
    application: Application, machine: Machine, placer: str, router: str, seed: int, objective: str
) -> list[Trial]:
    if placer != BEST:
        return [attempt(application, machine, placer, router, seed)]
    simple = attempt(application, machine, FALLBACK[0], router, seed)
    known = fabric(machine)
    if known.sites <= MOST_SITES and not unreachable(known.distance):
        try:
            return [simple, attempt(application, machine, PLACERS[objective], router, seed)]
        except MappingError:  # too large for annealing
            pass
    return [simple, *(attempt(application, machine, n, router, seed) for n in FALLBACK[1:])]


def _again(trial: Trial) -> Placer:
    """Return a placer that gives a trial's placement once more."""
    return lambda application, machine, rng: trial.mapping.placement


def _least(trials: list[Trial], objective: str) -> Trial:
    def cost(trial: Trial) -> tuple[float, float]:
        hops, load = trial.metrics.total.tree_hops, trial.metrics.total.max_link_load
        if objective == "both":
            return score((hops, load), multilevel_mix.GOAL), hops
        return (hops, load) if objective == "tree_hops" else (load, hops)

    return min(trials, key=cost)
