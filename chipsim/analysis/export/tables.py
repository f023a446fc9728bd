"""The trace as CSV: one file a data set, columns and rows as they are."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as csv

from chipsim.analysis.export.window import Window
from chipsim.analysis.groups import as_text
from chipsim.analysis.run import Run
from chipsim.errors import TraceError


def export_csv(run: Run, directory: Path, window: Window) -> list[tuple[Path, int]]:
    """Write a file of each data set of the trace, named like ``packets.csv``.

    Parameters
    ----------
    run : Run
    directory : Path
        Made, or taken if it is empty.
    window : Window
        Rows that overlap it are written.

    Returns
    -------
    list of (Path, int)
        The files and their rows.

    Raises
    ------
    TraceError
        If the run has no trace, is too large (see :class:`Window`), or the directory is not empty
        or cannot be written.
    """
    if not run.datasets:
        run.read("packets")  # says which level is needed
    tables = {name: window.rows(name, run.read(name)) for name in run.datasets}
    window.check_size(sum(table.num_rows for table in tables.values()), "rows")
    try:
        directory.mkdir(parents=True, exist_ok=True)
        if any(directory.iterdir()):
            raise TraceError(f"{directory}: the directory is not empty; give a new one with --out")
        return [_write(directory / f"{name}.csv", table) for name, table in tables.items()]
    except OSError as error:
        raise TraceError(f"{directory}: cannot be written: {error.strerror or error}") from error


def _write(path: Path, table: pa.Table) -> tuple[Path, int]:
    columns = {column: as_text(table[column]) for column in table.column_names}
    for column, values in columns.items():
        if pa.types.is_boolean(values.type):  # 0 and 1 are read as numbers everywhere
            columns[column] = pc.cast(values, pa.int8())
    csv.write_csv(
        pa.table(columns), path, csv.WriteOptions(include_header=True, quoting_style="needed")
    )
    return path, table.num_rows
