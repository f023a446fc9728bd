"""Counters of routers, links and cores as a table, and as ``provenance.sqlite3`` of a run.

One table per kind of part: ``router``, ``link``, ``noc`` (channels between NoC routers), ``core``;
each with the chip's place, the part (a link's direction and class, a core's label and vertex), the
counter's name and its value::

    SELECT x, y, value FROM router WHERE name = 'Dropped_Multicast_Packets' AND value > 0

The table ``deadline`` is the log of missed deadlines: a row for each handler that ended after the
next tick had begun, with its core, its tick, its end and how much too late that was [ps].
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

from chipsim.errors import TraceError

FILE = "provenance.sqlite3"
TABLES = ("router", "link", "noc", "core")


class Row(NamedTuple):
    """One counter of one part.

    Attributes
    ----------
    table : {"router", "link", "noc", "core"}
    x, y : int
        The chip.
    part : str
        Which link or core; empty for routers.
    name : str
        The counter.
    value : int
    """

    table: str
    x: int
    y: int
    part: str
    name: str
    value: int


class Missed(NamedTuple):
    """A handler that ended after the next tick had begun.

    Attributes
    ----------
    x, y : int
        The chip.
    part : str
        The core and its vertex.
    tick : int
        Whose handler it was.
    end_ps, late_ps : int
        When it ended, and how long after the next tick that was [ps].
    """

    x: int
    y: int
    part: str
    tick: int
    end_ps: int
    late_ps: int


def write(directory: str | Path, rows: Iterable[Row], missed: Iterable[Missed] = ()) -> Path:
    """Write counters to ``provenance.sqlite3`` of a run's directory, in place of an earlier one.

    The file appears whole: it is written aside and renamed.
    """
    path = Path(directory) / FILE
    aside = path.with_suffix(".part")
    aside.unlink(missing_ok=True)
    by_table: dict[str, list[tuple[int, int, str, str, int]]] = {name: [] for name in TABLES}
    for row in rows:
        by_table[row.table].append(row[1:])
    with closing(sqlite3.connect(aside)) as database, database:
        for name, found in by_table.items():
            database.execute(
                f"CREATE TABLE {name} "
                "(x INTEGER, y INTEGER, part TEXT, name TEXT, value INTEGER, "
                "PRIMARY KEY (x, y, part, name)) WITHOUT ROWID"
            )
            database.executemany(f"INSERT INTO {name} VALUES (?, ?, ?, ?, ?)", found)
        database.execute(
            "CREATE TABLE deadline (x INTEGER, y INTEGER, part TEXT, tick INTEGER, "
            "end_ps INTEGER, late_ps INTEGER)"
        )
        database.executemany("INSERT INTO deadline VALUES (?, ?, ?, ?, ?, ?)", missed)
    aside.replace(path)
    return path


def read(directory: str | Path, table: str | None = None) -> list[Row]:
    """Return the counters of a run, by table, chip, part and name.

    Raises
    ------
    TraceError
        If the run has no such file, or it is damaged.
    """
    found = []
    for name in TABLES if table is None else (table,):
        query = f"SELECT x, y, part, name, value FROM {name} ORDER BY x, y, part, name"
        found += [Row(name, *row) for row in _select(directory, query)]
    return found


def read_missed(directory: str | Path) -> list[Missed]:
    """Return the log of missed deadlines of a run, in the order in which they were noticed.

    Raises
    ------
    TraceError
        If the run has no such file, or it is damaged.
    """
    query = "SELECT x, y, part, tick, end_ps, late_ps FROM deadline ORDER BY rowid"
    return [Missed(*row) for row in _select(directory, query)]


def _select(directory: str | Path, query: str) -> list[tuple[Any, ...]]:
    path = Path(directory) / FILE
    if not path.is_file():
        raise TraceError(
            f"{directory}: has no {FILE}; expected one in the directory of a finished run"
        )
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as database:
            return database.execute(query).fetchall()
    except sqlite3.DatabaseError as error:
        raise TraceError(
            f"{path}: cannot be read ({error}); expected tables {', '.join(TABLES)}, deadline; "
            "run the experiment again"
        ) from error
