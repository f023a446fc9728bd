"""A grid of mappings: placers × routers × seeds on one application and machine.

Every cell is a mapping of its own, made in this process or in others; the rows come in the order of
the grid, and hold the same values, times apart, however many processes made them.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from typing import Any

from chipsim.errors import ChipsimError, MappingError
from chipsim.machine.model import Machine
from chipsim.mapping import Application, strategies
from chipsim.mapping.figures import figures, with_tables
from chipsim.mapping.trial import attempt
from chipsim.sweep.replay import replay

TIMES = ("place_s", "route_s")
"""Fields of a row that differ from run to run."""

MEASURED = (
    "latency_mean_ns",
    "latency_p50_ns",
    "latency_p99_ns",
    "latency_max_ns",
    "late",
    "dropped",
    "undelivered",
    "tick_use_max",
    "max_channel_use",
)
"""Fields that a measured row has, each as ``measured_…``."""

Source = Callable[[], tuple[Application, Machine]]
"""Gives application and machine; a process of its own calls it once. It must be picklable."""

Told = Callable[[int, int], None]
"""Told how many cells are done, of how many."""


@dataclass(frozen=True)
class Grid:
    """What is compared.

    Attributes
    ----------
    placers, routers : tuple of str
    seeds : tuple of int
    minimise : str, optional
        Minimise tables by this method.
    simulate : int
        Ticks of each phase to measure in the packet simulator; 0 for none.
    tick_us : float, optional
        Length of a simulated tick [us].
    """

    placers: tuple[str, ...]
    routers: tuple[str, ...]
    seeds: tuple[int, ...] = (0,)
    minimise: str | None = None
    simulate: int = 0
    tick_us: float | None = None

    def __post_init__(self) -> None:
        problems = [
            f"no {name}; name at least one"
            for name in ("placers", "routers", "seeds")
            if not getattr(self, name)
        ]
        problems += [
            f"{name} {value!r} is named twice; name it once"
            for name in ("placers", "routers", "seeds")
            for value in dict.fromkeys(getattr(self, name))
            if getattr(self, name).count(value) > 1
        ]
        if problems:
            raise MappingError("comparison", problems)

    def cells(self) -> Iterator[tuple[str, str, int]]:
        """Yield (placer, router, seed) in the order of the rows."""
        for placer in self.placers:
            for router in self.routers:
                for seed in self.seeds:
                    yield placer, router, seed


def compare(
    source: Source, grid: Grid, workers: int = 1, told: Told | None = None
) -> list[dict[str, Any]]:
    """Make every mapping of a grid and return a row of figures for each.

    Parameters
    ----------
    source : callable
        Returns (application, machine); called once here and once in each worker.
    grid : Grid
    workers : int
        Processes; 1 makes all mappings in this one.
    told : callable, optional
        Called after each cell.

    Returns
    -------
    list of dict
        ``placer``, ``router``, ``seed`` and the figures of ``chipsim map`` that are numbers; with
        ``simulate`` also :data:`MEASURED`. A mapping that cannot be made has ``error`` instead,
        and ``valid`` False.

    Raises
    ------
    PluginError
        If a strategy does not exist or cannot be loaded.
    MappingError
        If ``workers`` is below 1, or no mapping of the grid can be made.
    """
    if workers < 1:
        raise MappingError("comparison", [f"workers is {workers}; expected at least 1"])
    for placer in grid.placers:
        strategies.placer(placer)
    for router in grid.routers:
        strategies.router(router)
    cells = list(grid.cells())
    rows: list[dict[str, Any]] = []
    for row in _made(source, grid, cells, min(workers, len(cells))):
        rows.append(row)
        if told is not None:
            told(len(rows), len(cells))
    if not any(row["valid"] for row in rows):
        raise MappingError("comparison: no mapping could be made", [rows[0]["error"]])
    return rows


def _made(
    source: Source, grid: Grid, cells: Sequence[tuple[str, str, int]], workers: int
) -> Iterator[dict[str, Any]]:
    if workers == 1:
        subject = source()
        for cell in cells:
            yield _row(subject, grid, cell)
        return
    # Spawned: a fork would copy threads' locks (Numba's, Arrow's) in whatever state they are.
    with ProcessPoolExecutor(
        workers, get_context("spawn"), initializer=_begin, initargs=(source, grid)
    ) as pool:
        yield from pool.map(_cell, cells)


_held: dict[str, Any] = {}
"""A worker's application, machine and grid, made once."""


def _begin(source: Source, grid: Grid) -> None:
    _held["subject"], _held["grid"] = source(), grid


def _cell(cell: tuple[str, str, int]) -> dict[str, Any]:
    return _row(_held["subject"], _held["grid"], cell)


def _row(
    subject: tuple[Application, Machine], grid: Grid, cell: tuple[str, str, int]
) -> dict[str, Any]:
    placer, router, seed = cell
    row: dict[str, Any] = {"placer": placer, "router": router, "seed": seed}
    try:
        trial = with_tables(attempt(*subject, placer, router, seed), grid.minimise)
        found = figures(trial)
        row |= {name: found[name] for name in found if _is_number(found[name]) and name != "seed"}
        if grid.simulate:
            # One seed for all: every mapping carries the same packets.
            measured = replay(trial.mapping, ticks=grid.simulate, tick_us=grid.tick_us, seed=0)
            total = measured.total
            row |= {f"measured_{name}": getattr(total, name) for name in MEASURED}
            row["measured_energy_nj"] = sum(total.energy_nj_per_tick.values())
    except ChipsimError as error:
        return row | {"valid": False, "error": str(error)}
    return row


def _is_number(value: object) -> bool:
    return isinstance(value, bool | int | float)


def summarise(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return a row per placer and router: the median over seeds of every number, and ``seeds``."""
    from statistics import median

    groups: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for row in rows:
        if row["valid"]:
            groups.setdefault((row["placer"], row["router"]), []).append(row)
    found = []
    for (placer, router), members in groups.items():
        names = [n for n in members[0] if n not in ("placer", "router", "seed", "valid")]
        numbers = [n for n in names if not isinstance(members[0][n], bool)]
        medians = {name: median(member[name] for member in members) for name in numbers}
        found.append({"placer": placer, "router": router, "seeds": len(members), **medians})
    return found


def front(rows: Sequence[Mapping[str, Any]], x: str, y: str) -> list[int]:
    """Return the rows that no other beats in both fields, by ``x``; of equal ones the first."""
    best: list[int] = []
    for number in sorted(range(len(rows)), key=lambda n: (rows[n][x], rows[n][y], n)):
        if not best or rows[number][y] < rows[best[-1]][y]:
            best.append(number)
    return best


def as_csv(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return rows as CSV text; a field that a row lacks is empty."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, names, lineterminator="\n", restval="")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
