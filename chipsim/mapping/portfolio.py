"""``best``: try several placers and routers and keep the mapping with the least objective."""

from __future__ import annotations

from dataclasses import replace

from chipsim.errors import PluginError, did_you_mean
from chipsim.machine.model import Machine
from chipsim.mapping.application import Application
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
    Placers are compared with the first router, the other routers then tried on the winner.
    O(sum over the portfolio).
    """
    if objective not in OBJECTIVES:
        raise PluginError(f"unknown objective {objective!r}{did_you_mean(objective, OBJECTIVES)}")
    routers = ROUTERS if router == BEST else (router,)
    every = [
        attempt(application, machine, name, routers[0], seed)
        for name in (PLACERS if placer == BEST else (placer,))
    ]
    winner = _least(every, objective).mapping

    def placed(*_: object) -> dict[object, int]:
        return winner.placement

    more = [
        attempt(application, machine, winner.placer, name, seed, placed) for name in routers[1:]
    ]
    every += more
    return replace(
        _least(every, objective),
        place_s=sum(trial.place_s for trial in every),
        route_s=sum(trial.route_s for trial in every),
    )


def _least(trials: list[Trial], objective: str) -> Trial:
    (other,) = (name for name in OBJECTIVES if name != objective)

    def cost(trial: Trial) -> tuple[float, float]:
        total = trial.metrics.total
        return getattr(total, objective), getattr(total, other)

    return min(trials, key=cost)
