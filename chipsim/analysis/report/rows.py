"""Rows of a trace in pieces, so that a report of a long run needs no more memory than a short one.

The limits that keep the page small are here too, each with the sentence that the page says of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from chipsim.analysis.groups import codes_of
from chipsim.analysis.run import Run

Cell = str | int | float | bool | None
Json = dict[str, Any]

SLOTS = 48
"""Positions of the time slider at most; neighbouring windows of the trace are taken together."""
MAP_CELLS = 120_000
"""Loads of channels on the map, over all positions of the slider, at most."""
CURVE_POINTS = 160
"""Points of a distribution's curve at most; each of them is exact."""
TABLE_ROWS = 40
"""Rows of a table at most: the first by the column that its title names."""
HANDLERS = 6_000
"""Handlers drawn in the timeline at most; of more, the busiest PEs are drawn."""
EVENTS = 4_000
"""Events of a raster and kind at most: the first."""
BINS = 120
"""Bins of packets over a batch's time."""
GRANTS = 5_000_000
"""Grants up to which the report asks who loads the hottest channels (a join over all grants)."""

RULES = (
    f"Time slider: windows of the trace, neighbours taken together to at most {SLOTS} positions.",
    f"Distributions: every value if there are at most {CURVE_POINTS}, else {CURVE_POINTS} values "
    "at evenly spaced ranks with the smallest and the largest; quantiles are always exact.",
    f"Tables: the first {TABLE_ROWS} rows; their heading says of how many.",
    f"Timeline: one batch; at most {HANDLERS:,} handlers, those of the busiest PEs.",
    f"Raster: one sample of that batch; at most {EVENTS:,} spikes and as many errors, the first.",
)
"""What the page says about sampling."""


def chunks(run: Run, name: str, columns: Sequence[str]) -> Iterator[pa.Table]:
    """Yield the columns of one data set, a Parquet part at a time.

    Raises
    ------
    TraceError
        As :meth:`chipsim.analysis.run.Run.parts`.
    """
    for part in run.parts(name, columns):
        yield part.unify_dictionaries()


def row_count(run: Run, name: str) -> int:
    """Return how many rows a data set has, from its parts' footers; 0 if it is not there."""
    return run.rows(name) if name in run.datasets else 0


def numbers(table: pa.Table, name: str) -> NDArray[np.int64]:
    """Return a column of whole numbers or truth values as int64."""
    column: NDArray[Any] = table[name].to_numpy(zero_copy_only=False)
    return column.astype(np.int64)


def codes(table: pa.Table, name: str) -> tuple[NDArray[np.int64], list[str]]:
    """Return a column of names as codes, and the names in the order of their codes."""
    column = table[name]
    names = column.chunk(0).dictionary.to_pylist() if column.num_chunks else []
    return codes_of(column), names


def table_json(
    title: str,
    columns: Sequence[tuple[str, str]],
    rows: Sequence[Sequence[Cell]],
    of: int,
    note: str = "",
) -> Json:
    """Return a sortable table of the page.

    Parameters
    ----------
    title : str
    columns : sequence of (label, form)
        Forms: ``text``, ``count``, ``ps`` (a duration, shown in the unit that suits), ``moment``
        (ps, shown in full), ``share`` (shown in percent), ``number``.
    rows : sequence of rows
    of : int
        Rows that there are, of which these are the first.
    note : str
    """
    heads = [{"label": label, "form": form} for label, form in columns]
    return {"title": title, "columns": heads, "rows": [list(r) for r in rows], "of": of} | (
        {"note": note} if note else {}
    )
