"""A finished mapping, and the function that makes one from an application and a machine."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from collections.abc import Mapping as TypingMapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from chipsim import seeds
from chipsim.errors import ChipsimError, MappingError, PluginError
from chipsim.machine.lut import Plan
from chipsim.machine.model import Machine
from chipsim.machine.programmed import program
from chipsim.mapping import budget, strategies
from chipsim.mapping.application import Application, Name
from chipsim.mapping.check import check
from chipsim.mapping.check_lookup import check_lookup
from chipsim.mapping.keys import KeyBlock, allocate_keys, give_keys
from chipsim.mapping.placement.repair import repaired
from chipsim.mapping.strategies import NetRoutes, Placer, ProgrammedRoutes, Router

if TYPE_CHECKING:
    from chipsim.mapping.chip_tables import ChipTables
    from chipsim.mapping.metrics import Metrics
    from chipsim.mapping.tables import Tables

R = TypeVar("R")


@dataclass(frozen=True)
class Mapping:
    """Where everything of an application goes on a machine.

    Attributes
    ----------
    application : Application
    machine : Machine
        Not looked at when mappings are compared.
    placement : dict of vertex name to int
        The endpoint of each vertex, in the application's order.
    routes : dict of net name to tuple of Route
        Every packet of the net is sent once along each, in this order.
    keys : dict of net name to KeyBlock
        The base and mask of each net's keys.
    placer, router : str
        Who made it.
    seed : int
        The seed they were given.
    tables : dict of node to RouterTable, optional
        Routing tables that a run is to use, for example minimised ones (:meth:`with_tables`);
        None for those that follow from routes and keys. Not looked at when mappings are compared.
    chip_tables : ChipTables, optional
        Tables of chips for core-to-core packets; None for shortest ways. Neither compared nor
        written to files.
    plans : dict of int to Plan
        Look-up tables that a router wrote (:mod:`chipsim.machine.programmed`), by chip; ``machine``
        has them. Routes follow from them, so they are not looked at when mappings are compared.
    """

    application: Application
    machine: Machine = field(compare=False)
    placement: dict[Name, int]
    routes: dict[Name, NetRoutes]
    keys: dict[Name, KeyBlock]
    placer: str = ""
    router: str = ""
    seed: int = 0
    tables: Tables | None = field(default=None, compare=False)
    chip_tables: ChipTables | None = field(default=None, compare=False)
    plans: dict[int, Plan] = field(default_factory=dict, compare=False)

    def with_tables(self, minimise: str | None = "best", target: int | None = None) -> Mapping:
        """Return this mapping with routing tables, minimised and checked.

        Parameters
        ----------
        minimise : str, optional
            A method of :data:`chipsim.mapping.minimise.METHODS`; None for an entry per net.
        target : int, optional
            Stop minimising a table at this many entries.

        Raises
        ------
        MappingError
            If a chip's table stays above the target or its router's size, or the check of every
            key finds a difference to the trees.
        """
        from chipsim.mapping.check_tables import check_tables
        from chipsim.mapping.minimise import minimise_tables
        from chipsim.mapping.tables import make_tables

        tables = make_tables(self)
        if minimise is not None:
            tables = minimise_tables(tables, target, minimise, self.machine)
        check_tables(
            self.application, self.machine, self.placement, self.routes, self.keys, tables,
            by=f"minimised by {minimise}" if minimise else "not minimised",
        )  # fmt: skip
        return replace(self, tables=tables)

    def table(self) -> dict[str, list[Any]]:
        """Return the use of each PE as columns, one row per vertex, in the application's order.

        Columns: ``vertex``, ``place``, ``code_bytes``, ``code_limit``, ``data_bytes``,
        ``data_limit`` (None where the machine knows none), ``data_use`` (fraction),
        ``cycles_per_tick``, ``nets_out``, ``nets_in``.
        """
        limits = budget.memory(self.machine)
        columns: dict[str, list[Any]] = {name: [] for name in _COLUMNS}
        for vertex in self.application.vertices:
            used = budget.usage(vertex)
            row = (
                vertex.name,
                self.machine.endpoint_label(self.placement[vertex.name]),
                used.code,
                limits.code,
                used.data,
                limits.data,
                used.data / limits.data if limits.data else None,
                vertex.cycles_per_tick,
                len(self.application.outgoing(vertex.name)),
                len(self.application.incoming(vertex.name)),
            )
            for column, value in zip(columns.values(), row, strict=True):
                column.append(value)
        return columns

    def metrics(self) -> Metrics:
        """Return the static figures of this mapping (:func:`chipsim.mapping.metrics.measure`)."""
        from chipsim.mapping.metrics import measure

        return measure(self)

    def write(self, path: str | Path) -> None:
        """Write the mapping as JSON; see :func:`chipsim.mapping.files.write`."""
        from chipsim.mapping.files import write

        write(self, path)


_COLUMNS = (
    "vertex",
    "place",
    "code_bytes",
    "code_limit",
    "data_bytes",
    "data_limit",
    "data_use",
    "cycles_per_tick",
    "nets_out",
    "nets_in",
)


def map_application(
    application: Application,
    machine: Machine,
    placer: str | Placer = "paper",
    router: str | Router = "default",
    seed: int = 0,
    keys: str = "by-net",
) -> Mapping:
    """Place, route and give keys, and check the result.

    Parameters
    ----------
    application : Application
    machine : Machine
    placer, router : str or callable
        Strategies by name (:func:`chipsim.mapping.strategies.names`), or functions of their form.
    seed : int
        Each stage draws from a stream of its own under this seed.
    keys : str
        How keys are given, one of :data:`chipsim.mapping.keys.ORDERS`.

    Returns
    -------
    Mapping
        The same for the same arguments, in every process.

    Raises
    ------
    MappingError
        If the application does not fit, or a strategy returned what the machine cannot do.
    PluginError
        For an unknown strategy, one that cannot be loaded, or one that fails.
    """
    place, route = strategies.placer(placer), strategies.router(router)
    by = (_name(placer), _name(router))
    first = allocate_keys(application)
    placement = _called(
        f"placer {by[0]!r}", place, application, machine, seeds.rng(seed, "mapping", "place")
    )
    who = f"placer {by[0]!r}"
    if application.together or application.apart:
        check(application, machine, placement, None, first, by=who, constraints=False)
        placement = repaired(application, machine, placement)
    check(application, machine, placement, None, first, by=who)
    blocks = give_keys(keys, application, placement, machine)
    routes = _called(
        f"router {by[1]!r}", route, application, placement, machine,
        seeds.rng(seed, "mapping", "route"),
    )  # fmt: skip
    machine, plans = programmed(machine, routes)
    who = f"placer {by[0]!r}, router {by[1]!r}"
    if plans:
        check_lookup(machine, plans, by=who)
    returned: object = routes  # a plug-in may return anything
    if not isinstance(returned, TypingMapping):
        wrong = f"the routes are {routes!r:.60}; expected a dict of net name to a tuple of Route"
        raise MappingError(f"mapping of application {application.name!r} ({who})", [wrong])
    check(application, machine, placement, routes, blocks, by=who)
    return Mapping(
        application,
        machine,
        {vertex.name: int(placement[vertex.name]) for vertex in application.vertices},
        {net.name: tuple(routes[net.name]) for net in application.nets},
        blocks,
        *by,
        seed,
        plans=plans,
    )


def programmed(
    machine: Machine, routes: TypingMapping[Name, NetRoutes]
) -> tuple[Machine, dict[int, Plan]]:
    """Return the machine that a router's routes are for, and the look-up tables that it wrote.

    Raises
    ------
    MachineError
        If it wrote tables for chips that do not exist or routers that have none.
    """
    if not isinstance(routes, ProgrammedRoutes) or not routes.plans:
        return machine, {}
    return program(machine, routes.plans), dict(routes.plans)


def _called(who: str, strategy: Callable[..., R], *arguments: Any) -> R:
    """Call a strategy; say which one it was, and where, if it fails.

    Raises
    ------
    PluginError
        Caused by what the strategy raised, unless that is an error of chipsim, which it may raise.
    """
    try:
        return strategy(*arguments)
    except ChipsimError:
        raise
    except Exception as error:
        place = traceback.extract_tb(error.__traceback__)[-1]
        raise PluginError(
            f"{who} failed on application {arguments[0].name!r}: {type(error).__name__}: {error} "
            f"({place.filename}, line {place.lineno}, in {place.name}); mend it, or raise a "
            "MappingError that says why there is no mapping"
        ) from error


def _name(strategy: str | Callable[..., Any]) -> str:
    if isinstance(strategy, str):
        return strategy
    module, name = (getattr(strategy, of, "?") for of in ("__module__", "__qualname__"))
    return f"{module}:{name}" if module else str(name)
