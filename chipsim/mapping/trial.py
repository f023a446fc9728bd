"""One mapping with its figures and the time that it took: what comparisons of strategies use."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from chipsim.machine.model import Machine
from chipsim.mapping import strategies
from chipsim.mapping.application import Application
from chipsim.mapping.mapping import Mapping, map_application
from chipsim.mapping.metrics import Metrics
from chipsim.mapping.strategies import Placer

R = TypeVar("R")


@dataclass(frozen=True)
class Trial:
    """A checked mapping, its static figures and CPU times.

    Attributes
    ----------
    mapping : Mapping
    metrics : Metrics
    place_s, route_s : float
        CPU time of placer and router, without checks [s]; the first call of a compiled strategy
        in a fresh cache includes its compilation.
    """

    mapping: Mapping
    metrics: Metrics
    place_s: float
    route_s: float

    def as_dict(self) -> dict[str, Any]:
        """Return the figures of ``chipsim map --json``."""
        mapping, metrics, total = self.mapping, self.metrics, self.metrics.total
        synthetic = "torus" in mapping.machine.extras
        return {
            "application": mapping.application.name,
            "machine": mapping.machine.name,
            "place": mapping.placer,
            "route": mapping.router,
            "seed": mapping.seed,
            "vertices": len(mapping.application.vertices),
            "nets": metrics.nets,
            "tree_hops": total.tree_hops,
            "max_link_load": total.max_link_load,
            "mean_link_load": total.mean_link_load,
            "sd_link_load": total.sd_link_load,
            "hottest_link": total.hottest_link,
            "tree_links": metrics.tree_links,
            "max_depth": metrics.max_depth,
            "tiles_used": metrics.tiles_used,
            # A router of a synthetic machine stands for a chip (`--pes-per-chip`).
            "chips_used": metrics.tiles_used if synthetic else metrics.chips_used,
            "place_s": self.place_s,
            "route_s": self.route_s,
            "valid": True,
        }


def attempt(
    application: Application,
    machine: Machine,
    placer: str,
    router: str,
    seed: int = 0,
    place: Placer | None = None,
) -> Trial:
    """Map an application by named strategies, with figures and times.

    Parameters
    ----------
    application : Application
    machine : Machine
    placer, router : str
    seed : int
    place : callable, optional
        The placer to call instead of looking ``placer`` up.

    Raises
    ------
    MappingError
        If the application does not fit, or a strategy's result does not pass the check; a trial
        that is returned is valid.
    PluginError
        For an unknown strategy.
    """
    taken: dict[str, float] = {}

    def timed(stage: str, strategy: Callable[..., R]) -> Callable[..., R]:
        def call(*arguments: Any) -> R:
            begun = time.process_time()
            result = strategy(*arguments)
            taken[stage] = time.process_time() - begun
            return result

        # Errors of the check name the strategy, not this wrapper.
        call.__module__, call.__qualname__ = "", name[stage]
        return call

    name = {"placer": placer, "router": router}
    route = strategies.router(router)
    mapping = map_application(
        application,
        machine,
        timed("placer", place or strategies.placer(placer)),
        timed("router", route),
        seed,
    )
    mapping = replace(mapping, placer=placer, router=router)
    return Trial(mapping, mapping.metrics(), taken["placer"], taken["router"])
