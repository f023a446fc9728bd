"""Counters of routers, links and cores as a table, and as ``provenance.sqlite3`` of a run.

One table per kind of part: ``router``, ``link``, ``core``; each with the chip's place, the part (a
link's direction and class, a core's label and vertex), the counter's name and its value::

    SELECT x, y, value FROM router WHERE name = 'Dropped_Multicast_Packets' AND value > 0
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from chipsim.errors import TraceError

FILE = "provenance.sqlite3"
TABLES = ("router", "link", "core")


class Row(NamedTuple):
    """One counter of one part.

    Attributes
    ----------
    table : {"router", "link", "core"}
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


def write(directory: str | Path, rows: Iterable[Row]) -> Path:
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
    aside.replace(path)
    return path


def read(directory: str | Path, table: str | None = None) -> list[Row]:
    """Return the counters of a run, by table, chip, part and name.

    Raises
    ------
    TraceError
        If the run has no such file, or it is damaged.
    """
    path = Path(directory) / FILE
    if not path.is_file():
        raise TraceError(
            f"{directory}: has no {FILE}; expected one in the directory of a finished run"
        )
    found = []
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as database:
            for name in TABLES if table is None else (table,):
                query = f"SELECT x, y, part, name, value FROM {name} ORDER BY x, y, part, name"
                found += [Row(name, *row) for row in database.execute(query)]
    except sqlite3.DatabaseError as error:
        raise TraceError(
            f"{path}: cannot be read ({error}); expected tables {', '.join(TABLES)}; "
            "run the experiment again"
        ) from error
    return found
