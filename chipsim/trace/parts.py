"""One part of a data set: a Parquet file, and how each column is encoded in it.

Measured on 262,144 packets of the bare traffic of ``tests/benchmarks/recording.py``, zstd
throughout: a column of small whole numbers costs 5 to 8 ns a row as a split byte stream and 14 to
18 ns as a dictionary, in no more bytes; the times of arrival cost about the same either way, 15 to
20 ns, and are stored as differences in half the bytes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from chipsim.errors import TraceError
from chipsim.trace.rows import Rows
from chipsim.trace.schema import Column, TraceSchema

ROWS_PER_PART = 1 << 18
"""About 30 MB of a part's rows in memory; 50 million packets are 190 parts."""

_BATCH_ROWS = 1 << 16
"""Rows that the encoder takes at once; its own 1,024 cost 5 % more."""


class PartFormat:
    """How rows of one data set become files.

    Parameters
    ----------
    schema : TraceSchema
    labels : mapping of str to sequence of str
        For every labelled column its names, in the order of their codes; a list may grow.
    """

    def __init__(self, schema: TraceSchema, labels: Mapping[str, Sequence[str]]) -> None:
        self._schema = schema
        self._labels = labels
        self._arrow = schema.arrow()
        self._options: dict[str, Any] = {
            "compression": "zstd",
            "use_dictionary": [column.name for column in schema.columns if column.labelled],
            "column_encoding": {
                column.name: _encoding(schema, column)
                for column in schema.columns
                if not column.labelled
            },
            "sorting_columns": [pq.SortingColumn(schema.names.index(n)) for n in schema.order],
            "write_statistics": [schema.time],
            "write_batch_size": _BATCH_ROWS,
        }

    def write(self, path: Path, rows: Rows) -> None:
        """Write rows to ``path``, aside first and renamed when the file is whole.

        Raises
        ------
        TraceError
            If the file cannot be written.
        """
        aside = path.with_name(f".{path.name}.tmp")
        table = self._table(rows)
        try:
            pq.write_table(table, aside, row_group_size=max(1, table.num_rows), **self._options)
            aside.replace(path)
        except OSError as error:
            raise TraceError(
                f"{path}: cannot write a part of the trace: {error}; free some space, or trace "
                "less with `--set trace.level=summary` or a window of [trace]"
            ) from error

    def _table(self, rows: Rows) -> pa.Table:
        arrays = []
        for column in self._schema.columns:
            values = pa.array(rows[column.name])
            if column.labelled:
                names = pa.array(list(self._labels[column.name]), pa.string())
                values = pa.DictionaryArray.from_arrays(values, names)
            arrays.append(values)
        return pa.Table.from_arrays(arrays, schema=self._arrow)


def part_name(number: int) -> str:
    """Return the file name of a part."""
    return f"part-{number:06d}.parquet"


def _encoding(schema: TraceSchema, column: Column) -> str:
    if column.name in schema.delta:
        return "DELTA_BINARY_PACKED"
    return "PLAIN" if np.dtype(column.dtype).kind == "b" else "BYTE_STREAM_SPLIT"
