"""Questions over long data sets, a part at a time: memory grows with the answer, not the trace."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from chipsim.analysis.groups import by_value

if TYPE_CHECKING:
    from chipsim.analysis.run import Run

_ROWS = 1 << 20
"""Rows of partial answers that are held before they are joined."""


def fold(
    tables: Iterable[pa.Table],
    keys: Sequence[str],
    sums: Sequence[str] = (),
    maxima: Sequence[str] = (),
) -> pa.Table:
    """Return one row per combination of ``keys`` that occurs, in no particular order.

    Parameters
    ----------
    tables : iterable of pyarrow.Table
        With the columns named; those of ``sums`` and ``maxima`` are numbers.
    keys, sums, maxima : sequence of str

    Returns
    -------
    pyarrow.Table
        ``keys``, ``rows`` (how many), and the columns of ``sums`` and ``maxima``, under their own
        names.

    Notes
    -----
    Memory: one table of the input, and two to three times the answer, at least 2**20 rows.
    """
    held: list[pa.Table] = []
    count, limit = 0, _ROWS
    for table in tables:
        ones = pa.array(np.ones(table.num_rows, np.int64))
        wanted = table.select([*keys, *sums, *maxima]).append_column("rows", ones)
        held.append(_joined([wanted], keys, sums, maxima))
        count += held[-1].num_rows
        if count > limit:
            held = [_joined(held, keys, sums, maxima)]
            count = held[0].num_rows
            limit = max(_ROWS, 2 * count)
    return _joined(held, keys, sums, maxima)


def _joined(
    tables: list[pa.Table], keys: Sequence[str], sums: Sequence[str], maxima: Sequence[str]
) -> pa.Table:
    table = tables[0] if len(tables) == 1 else pa.concat_tables(tables).unify_dictionaries()
    whole = ["rows", *sums]
    asked = [(name, "sum") for name in whole] + [(name, "max") for name in maxima]
    found = table.group_by(list(keys), use_threads=False).aggregate(asked)
    names = {f"{name}_{how}": name for name, how in asked}
    return found.rename_columns([names.get(n, n) for n in found.column_names]).select(
        [*keys, *whole, *maxima]
    )


def filtered(
    run: Run, name: str, columns: Sequence[str], keep: Callable[[pa.Table], pa.Table]
) -> pa.Table:
    """Return the rows of a data set that ``keep`` leaves of each part."""
    tables = [keep(part) for part in run.parts(name, columns)]
    return pa.concat_tables(tables).unify_dictionaries()


def largest(
    tables: Iterator[pa.Table], value: Callable[[pa.Table], NDArray[np.int64]], count: int
) -> pa.Table:
    """Return the ``count`` rows with the largest value, the first rows among equal ones first."""
    best: pa.Table | None = None
    for table in tables:
        table = table.take(pa.array(by_value(value(table), count)))
        if best is not None:
            table = pa.concat_tables([best, table]).unify_dictionaries()
            table = table.take(pa.array(by_value(value(table), count)))
        best = table
    assert best is not None
    return best.combine_chunks()


def delivered(table: pa.Table) -> pa.Table:
    """Return the copies that were delivered."""
    return table.filter(pc.equal(table["outcome"].cast(pa.string()), "delivered"))


def with_latency(table: pa.Table) -> pa.Table:
    """Return packets with their ``latency_ps``."""
    return table.append_column("latency_ps", pc.subtract(table["ended_ps"], table["injected_ps"]))
