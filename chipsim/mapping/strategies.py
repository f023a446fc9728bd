"""Strategies by name: those of this package, those of entry points, and functions in files."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol, TypeAlias, cast, get_args

import numpy as np

from chipsim import registry
from chipsim.errors import PluginError, did_you_mean
from chipsim.machine.lut import Plan
from chipsim.machine.model import Machine
from chipsim.machine.route import Route
from chipsim.mapping.application import Application, Name
from chipsim.mapping.own import from_file, is_path

if TYPE_CHECKING:
    from chipsim.mapping.partition import Limits, Neurons, Parts

NetRoutes: TypeAlias = tuple[Route, ...]
"""The routes of one net: every packet of it is sent once along each, in this order."""

Placer: TypeAlias = Callable[[Application, Machine, np.random.Generator], dict[Name, int]]
"""``place(application, machine, rng)`` returns the endpoint of every vertex."""


class Router(Protocol):
    """Routes every net of a placed application; what all routers have in common is said here.

    A router's own docstring says in its first line what its routes are, and in its notes what they
    cost (the first ``O(...)`` is what lists show), which of several equal ones it takes, and
    whether it draws from ``rng``: where it says nothing of that, its result is the same for every
    seed. Those that build trees (:func:`chipsim.mapping.routing.trees.route_by`) give a net the
    routes of ``default`` where the machine leaves no choice: DMA, other packets than multicast, and
    routers that find their outputs by themselves.
    """

    def __call__(
        self,
        application: Application,
        placement: Mapping[Name, int],
        machine: Machine,
        rng: np.random.Generator,
        /,
    ) -> dict[Name, NetRoutes]:
        """Return the routes of every net.

        Parameters
        ----------
        application : Application
        placement : mapping of vertex name to int
            The endpoint of each vertex, checked.
        machine : Machine
        rng : numpy.random.Generator
            The only source of chance.

        Returns
        -------
        dict of net name to tuple of Route
            A :class:`ProgrammedRoutes` from a router that writes look-up tables too.

        Raises
        ------
        MappingError
            Naming every net that cannot be routed; from routers that need distances between all
            routers also for a machine that is too large for them.
        """
        ...


class ProgrammedRoutes(dict[Name, NetRoutes]):
    """What a router returns that writes look-up tables as well: routes, and the tables they take.

    Parameters
    ----------
    routes : mapping of net name to tuple of Route
        On the machine that :func:`chipsim.machine.programmed.program` gives for ``plans``.
    plans : mapping of int to Plan
        By chip; chips that are not named keep their tables.
    """

    def __init__(self, routes: Mapping[Name, NetRoutes], plans: Mapping[int, Plan]) -> None:
        super().__init__(routes)
        self.plans = dict(plans)


Partitioner: TypeAlias = "Callable[[Neurons, Limits, np.random.Generator], Parts]"
"""``partition(neurons, limits, rng)`` returns the part of every neuron."""

Stage: TypeAlias = Literal["placer", "router", "partitioner"]

STAGES: tuple[Stage, ...] = get_args(Stage)

BUILTIN: dict[str, dict[str, str]] = {
    "partitioner": {
        "balanced": "chipsim.mapping.partition.balanced:partition",
        "multilevel": "chipsim.mapping.partition.multilevel:partition",
        "sequential": "chipsim.mapping.partition.sequential:partition",
        "spikes": "chipsim.mapping.partition.spikes:partition",
    },
    "placer": {
        "annealing": "chipsim.mapping.placement.annealing:place",
        "annealing_load": "chipsim.mapping.placement.annealing_load:place",
        "annealing_mix": "chipsim.mapping.placement.annealing_mix:place",
        "breadth_first": "chipsim.mapping.placement.breadth_first:place",
        "force_directed": "chipsim.mapping.placement.force_directed:place",
        "hilbert": "chipsim.mapping.placement.hilbert:place",
        "hilbert_bfs": "chipsim.mapping.placement.hilbert_bfs:place",
        "multilevel": "chipsim.mapping.placement.multilevel:place",
        "multilevel_hops": "chipsim.mapping.placement.multilevel_hops:place",
        "multilevel_load": "chipsim.mapping.placement.multilevel_load:place",
        "multilevel_mix": "chipsim.mapping.placement.multilevel_mix:place",
        "paper": "chipsim.mapping.placement.paper:place",
        "random": "chipsim.mapping.placement.random:place",
        "rcm": "chipsim.mapping.placement.rcm:place",
        "sequential": "chipsim.mapping.placement.sequential:place",
        "spectral": "chipsim.mapping.placement.spectral:place",
        "spread": "chipsim.mapping.placement.spread:place",
    },
    "router": {
        "default": "chipsim.mapping.routing.default:route",
        "ldf": "chipsim.mapping.routing.ldf:route",
        "lut_balanced": "chipsim.mapping.routing.lut_balanced:route",
        "negotiated": "chipsim.mapping.routing.negotiated:route",
        "ner": "chipsim.mapping.routing.ner:route",
        "shortest_path_tree": "chipsim.mapping.routing.shortest_path_tree:route",
        "steiner": "chipsim.mapping.routing.steiner:route",
        "xy": "chipsim.mapping.routing.xy:route",
        "yx": "chipsim.mapping.routing.yx:route",
    },
}
"""Strategies of this package by stage and name; they need no entry point, so that a source tree
works without being installed. A plug-in cannot take one of these names."""


def names(stage: Stage) -> list[str]:
    """Return the names of all strategies of a stage, in alphabetical order."""
    return sorted({*BUILTIN[stage], *registry.entries(f"chipsim.{stage}s")})


class Description(NamedTuple):
    """A strategy as lists show it.

    Attributes
    ----------
    stage, name : str
    line : str
        What it does: the first line of its docstring.
    complexity : str
        The first ``O(...)`` of its docstring; empty where it states none.
    """

    stage: str
    name: str
    line: str
    complexity: str


def describe(stage: Stage) -> list[Description]:
    """Return all strategies of a stage in alphabetical order; a broken one says so in its line."""
    rows = []
    for name in names(stage):
        try:
            text = inspect.getdoc(_find(stage, name)) or "No description."
        except PluginError as error:
            text = f"Cannot be used: {error}."
        found = _COMPLEXITY.search(text)
        line = text.splitlines()[0]
        rows.append(Description(stage, name, line, " ".join(found[0].split()) if found else ""))
    return rows


_COMPLEXITY = re.compile(r"O\((?:[^()]|\([^()]*\))*\)")


def placer(strategy: str | Placer) -> Placer:
    """Return a placer by name or ``FILE.py:FUNCTION``; a function is returned as it is.

    Raises
    ------
    PluginError
        If no placer has this name, or its package cannot be loaded.
    """
    return cast(Placer, _find("placer", strategy))


def router(strategy: str | Router) -> Router:
    """Return a router by name or ``FILE.py:FUNCTION``; a function is returned as it is.

    Raises
    ------
    PluginError
        If no router has this name, or its package cannot be loaded.
    """
    return cast(Router, _find("router", strategy))


def partitioner(strategy: str | Partitioner) -> Partitioner:
    """Return a partitioner by name or ``FILE.py:FUNCTION``; a function is returned as it is.

    Raises
    ------
    PluginError
        If no partitioner has this name, or its package cannot be loaded.
    """
    return cast("Partitioner", _find("partitioner", strategy))


def _find(stage: Stage, strategy: Any) -> Any:
    if callable(strategy):
        return strategy
    if is_path(str(strategy)):
        return from_file(str(strategy), stage)[1]
    if strategy in BUILTIN[stage]:
        module, _, attribute = BUILTIN[stage][strategy].partition(":")
        return getattr(import_module(module), attribute)
    known = names(stage)
    if strategy not in known:
        raise PluginError(f"unknown {stage} {strategy!r}{did_you_mean(str(strategy), known)}")
    return registry.load(f"chipsim.{stage}s", strategy)
