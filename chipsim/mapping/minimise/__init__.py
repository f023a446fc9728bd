"""Shorter tables that do the same for every key that comes by.

>>> from chipsim.machine.library import load_machine
>>> from chipsim.mapping.generators import generate
>>> from chipsim.mapping.mapping import map_application
>>> from chipsim.mapping.tables import make_tables
>>> mapping = map_application(
...     generate("ff:n=16,layers=2"), load_machine("mesh-4x4"), "hilbert", "ner"
... )
>>> table = max(make_tables(mapping).values(), key=len)
>>> len(table), len(minimise(table))
(8, 2)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from chipsim.errors import MappingError, did_you_mean
from chipsim.machine.model import Machine
from chipsim.mapping.minimise.covering import ordered_covering
from chipsim.mapping.minimise.cubes import prune
from chipsim.mapping.minimise.pairs import pair_merge
from chipsim.mapping.tables import SEVERAL, RouterTable, Tables, as_int, as_words

__all__ = ["METHODS", "minimise", "minimise_tables", "remove_defaults"]

I64 = NDArray[np.int64]
Kernel: TypeAlias = Callable[[I64, I64, int], I64]
Run: TypeAlias = tuple[I64, NDArray[np.bool_], I64]
"""Entries that a table stands for, which of them default routing may serve, and the table."""


@dataclass(frozen=True)
class _Problem:
    """A table as rows of key, mask and route number.

    Attributes
    ----------
    blocks, guards : ndarray of int64, shape (n, 3), (g, 3)
        Entries that are needed, and those that default routing makes needless.
    every : ndarray of int64, shape (n + g, 3)
        All of them in the table's order.
    free : ndarray of bool, shape (n + g,)
        Which of ``every`` default routing serves.
    routes : list of int
        Outputs as bits, by route number.
    """

    blocks: I64
    guards: I64
    every: I64
    free: NDArray[np.bool_]
    routes: list[int]

    def ways(self) -> list[tuple[I64, I64, NDArray[np.bool_]]]:
        """Return (entries, guards, free) with default routing used, and with it as a spare."""
        plain = (self.every, self.every[:0], self.free)
        if not len(self.guards):
            return [plain]
        return [(self.blocks, self.guards, np.zeros(len(self.blocks), dtype=np.bool_)), plain]


def remove_defaults(table: RouterTable) -> RouterTable:
    """Return the table without the entries that do what default routing does.

    The entries must be disjoint, as :func:`chipsim.mapping.tables.make_tables` gives them.
    """
    keep = ~table.defaulted()
    return RouterTable(
        table.outlets,
        table.key[keep],
        table.mask[keep],
        table.route[keep],
        table.net[keep],
        table.came_by[keep],
    )


def minimise(table: RouterTable, target: int | None = None, method: str = "best") -> RouterTable:
    """Return a table with fewer entries that gives every key of the table the same outputs.

    Parameters
    ----------
    table : RouterTable
        Disjoint entries, as :func:`chipsim.mapping.tables.make_tables` gives them.
    target : int, optional
        Stop as soon as this many entries are left; by default as short as the method makes it.
    method : str
        One of :data:`METHODS`.

    Returns
    -------
    RouterTable
        First match first; keys that default routing serves may be left out. Keys that the given
        table does not hold may match anything: they never come.

    Raises
    ------
    MappingError
        For an unknown method, or entries that overlap.

    Notes
    -----
    ``best`` takes the shorter table of ``pair_merge`` and ``ordered_covering``. Each runs with the
    entries that default routing makes needless left out and, again, with them as ordinary ones;
    entries that the result does not need are then taken out. Equal lengths: the first.
    """
    if method not in METHODS:
        raise MappingError(
            "table minimisation", [f"unknown method {method!r}{did_you_mean(method, METHODS)}"]
        )
    if target is not None and len(table) <= target:
        return table
    short = remove_defaults(table)
    if target is not None and len(short) <= target:
        return short
    problem = _problem(table)
    stop = 0 if target is None else target
    best: I64 | None = None
    for served, free, rows in METHODS[method](problem, stop):
        found = prune(rows, served, free)
        if best is None or len(found) < len(best):
            best = found
        if len(best) <= stop:
            break
    assert best is not None
    return _as_table(table, best, problem.routes)


def minimise_tables(
    tables: Tables,
    target: int | None = None,
    method: str = "best",
    machine: Machine | None = None,
) -> Tables:
    """Minimise all tables of a mapping; see :func:`minimise`.

    Parameters
    ----------
    tables : dict of node to RouterTable
    target : int, optional
    method : str
    machine : Machine, optional
        For the names of chips in messages.

    Raises
    ------
    MappingError
        Naming every chip whose table stays longer than ``target``.
    """
    done = {node: minimise(table, target, method) for node, table in tables.items()}
    if target is not None:
        problems = [
            f"{_chip(node, machine)}: {len(tables[node])} entries come down to {len(table)}, the "
            f"target is {target}; spread its traffic by another placement, give keys in the order "
            "of the placement, or raise the target"
            for node, table in done.items()
            if len(table) > target
        ]
        if problems:
            raise MappingError(f"table minimisation ({method})", problems)
    return done


def _chip(node: int, machine: Machine | None) -> str:
    if machine is None:
        return f"node {node}"
    label, chip = machine.node_labels[node], int(machine.node_chip[node])
    several = int(machine.node_chip.max()) > 0
    return f"chip {chip}, {label}" if several else label


def _problem(table: RouterTable) -> _Problem:
    number: dict[int, int] = {}
    route = [number.setdefault(as_int(row), len(number)) for row in table.route]
    columns = (table.key.astype(np.int64), table.mask.astype(np.int64), route)
    every = np.stack([np.asarray(c, dtype=np.int64) for c in columns], axis=1)
    _refuse_overlap(table, every)
    free = table.defaulted()
    return _Problem(every[~free], every[free], every, free, list(number))


def _refuse_overlap(table: RouterTable, rows: I64) -> None:
    """Refuse entries that share keys: what they do would depend on their order.

    Blocks of aligned powers of two overlap exactly where, sorted by first key, one begins before
    another's end; other masks are compared pair by pair.
    """
    key, mask = rows[:, 0], rows[:, 1]
    size = (1 << 32) - mask
    if ((size & (size - 1)) == 0).all():
        order = np.argsort(key, kind="stable")
        wrong = np.flatnonzero(key[order][1:] < (key + size)[order][:-1])
        pair = order[wrong[0] : wrong[0] + 2].tolist() if len(wrong) else []
    else:
        pair = next(
            (
                [i, i + 1 + int(hits[0])]
                for i in range(len(rows))
                if len(hits := np.flatnonzero(((key[i] ^ key) & mask[i] & mask)[i + 1 :] == 0))
            ),
            [],
        )
    if pair:
        raise MappingError(
            f"table of node {table.node}",
            [
                f"entries {pair[0]} and {pair[1]} share keys; minimise tables as make_tables "
                "gives them, with an entry per net"
            ],
        )


def _as_table(table: RouterTable, rows: I64, routes: list[int]) -> RouterTable:
    """Return rows as a table; an entry that serves one net alone keeps its number."""
    key, mask = rows[:, 0].astype(np.uint32), rows[:, 1].astype(np.uint32)
    net = np.full(len(rows), SEVERAL, dtype=np.int32)
    came_by = np.full(len(rows), SEVERAL, dtype=np.int32)
    hits = ((table.key[None, :] ^ key[:, None]) & mask[:, None] & table.mask[None, :]) == 0
    # Where each given entry is served; those left to default routing match none.
    first = hits.argmax(axis=0) if len(rows) else np.empty(0, dtype=np.int64)
    for i in range(len(rows)):
        mine = np.flatnonzero((first == i) & hits[i])
        if len(mine) == 1:
            net[i], came_by[i] = table.net[mine[0]], table.came_by[mine[0]]
    outputs = as_words([routes[r] for r in rows[:, 2].tolist()], table.outlets.bits)
    return RouterTable(table.outlets, key, mask, outputs, net, came_by)


def _runs_of(kernel: Kernel) -> Callable[[_Problem, int], Iterator[Run]]:
    def runs(problem: _Problem, target: int) -> Iterator[Run]:
        for rows, guards, free in problem.ways():
            yield rows, free, kernel(rows, guards, target)

    return runs


METHODS: dict[str, Callable[[_Problem, int], Iterator[Run]]] = {
    "best": lambda problem, target: chain(
        _runs_of(pair_merge)(problem, target), _runs_of(ordered_covering)(problem, target)
    ),
    "ordered_covering": _runs_of(ordered_covering),
    "pair_merge": _runs_of(pair_merge),
}
"""Methods by name; each yields tables of which the shortest counts."""
