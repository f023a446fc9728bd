"""``best``: try several placers and routers and keep the mapping with the least objective."""

from __future__ import annotations

from dataclasses import replace

from chipsim.errors import PluginError, did_you_mean
from chipsim.machine.model import Machine
from chipsim.mapping.application import Application
from chipsim.mapping.strategies import Placer
from chipsim.mapping.trial import Trial, attempt

BEST = "best"
OBJECTIVES = ("tree_hops", "max_link_load")
PLACERS = ("hilbert", "hilbert_bfs", "rcm", "breadth_first", "sequential", "annealing")
ROUTERS = ("ner", "ldf", "steiner", "xy")


def find(
    application: Application,
    machine: Machine,
    placer: str,
    router: str,
    seed: int = 0,
    objective: str = "tree_hops",
) -> Trial:
    """Return the trial of ``placer`` and ``router``; ``best`` stands for a portfolio of either.

    Parameters
    ----------
    application : Application
    machine : Machine
    placer, router : str
        Strategies by name; ``best`` tries all of :data:`PLACERS` or :data:`ROUTERS`.
    seed : int
    objective : str
        One of :data:`OBJECTIVES`; the other one decides between equals, then the order of trials.

    Returns
    -------
    Trial
        With the winners' names; its times are the sums over all that was tried.

    Raises
    ------
    MappingError
        As for a single mapping.
    PluginError
        For an unknown strategy or objective.

    Notes
    -----
    Every placer is run once and its placement routed by every router: O(sum of the placers +
    placers x sum of the routers).
    """
    if objective not in OBJECTIVES:
        raise PluginError(f"unknown objective {objective!r}{did_you_mean(objective, OBJECTIVES)}")
    routers = ROUTERS if router == BEST else (router,)
    every = [
        attempt(application, machine, name, routers[0], seed)
        for name in (PLACERS if placer == BEST else (placer,))
    ]
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


def _again(trial: Trial) -> Placer:
    """Return a placer that gives a trial's placement once more."""
    return lambda application, machine, rng: trial.mapping.placement


def _least(trials: list[Trial], objective: str) -> Trial:
    (other,) = (name for name in OBJECTIVES if name != objective)

    def cost(trial: Trial) -> tuple[float, float]:
        total = trial.metrics.total
        return getattr(total, objective), getattr(total, other)

    return min(trials, key=cost)
