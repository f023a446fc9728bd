"""Parquet data sets: rows come in chunks and a watermark, closed parts of a fixed size go out.

Rows are sorted over the whole data set. The caller says how far it has come (a *watermark*: no
later row has a time before it), and rows before that are final. Parts are cut at fixed row
numbers of the sorted stream, so the files depend on the rows alone and not on how they were handed
over. A part is written under a temporary name and renamed when it is whole: a killed run leaves a
prefix of what it would have written, without its last part.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from chipsim.errors import TraceError, did_you_mean
from chipsim.trace.schema import Labels, TraceSchema
from chipsim.units import FOREVER

Rows = dict[str, NDArray[Any]]

ROWS_PER_PART = 1 << 18
"""About 30 MB of a part's rows in memory; 50 million packets are 190 parts."""

_SORT_AT = 1 << 16
"""Rows that must wait before sorting them is worth a call."""


class DatasetWriter:
    """Writes one data set.

    Parameters
    ----------
    directory : Path
        The data set's own directory (``packets.parquet``); made if missing. It must be empty.
    schema : TraceSchema
    labels : mapping of str to sequence of str
        For every labelled column its names, in the order of their codes; a list may grow.
    rows_per_part : int
        Rows of every part but the last.
    resume : bool
        Take a directory with parts; :meth:`restore` says which of them stay.

    Notes
    -----
    Memory: one part, and the rows at or after the watermark. A caller that never calls
    :meth:`flush` keeps every row in memory until :meth:`close`.
    """

    def __init__(
        self,
        directory: Path,
        schema: TraceSchema,
        labels: Mapping[str, Sequence[str]] | None = None,
        rows_per_part: int = ROWS_PER_PART,
        resume: bool = False,
    ) -> None:
        self.directory = directory
        self.schema = schema
        self.rows = 0
        """Rows handed over so far."""
        self.parts = 0
        """Parts written so far."""
        self._dtypes = schema.dtypes()
        self._arrow = schema.arrow()
        self._labels = _checked_labels(schema, dict(labels or {}))
        self._rows_per_part = rows_per_part
        self._waiting: list[Rows] = []
        self._waiting_rows = 0
        self._sorted: list[Rows] = []
        self._sorted_rows = 0
        self._sort_at = _SORT_AT
        self._watermark = -FOREVER
        self._closed = False
        if rows_per_part < 1:
            raise TraceError(f"{directory}: got {rows_per_part} rows a part, expected at least 1")
        directory.mkdir(parents=True, exist_ok=True)
        if any(directory.iterdir()) and not resume:
            raise TraceError(
                f"{directory}: expected an empty directory for a new data set, found files; "
                "write into another run directory or remove them"
            )

    @property
    def rows_held(self) -> int:
        """Rows in memory: handed over and not in a closed part."""
        return self._waiting_rows + self._sorted_rows

    def append(self, rows: Rows) -> None:
        """Hand rows over: one array per column of the schema, all of one length.

        The arrays are kept, not copied. Their order does not matter.

        Raises
        ------
        TraceError
            If columns are missing, unknown, of different lengths or of another type, or a row lies
            before the watermark (sorting it in is no longer possible).
        """
        length = self._check(rows)
        if length:
            self._waiting.append(rows)
            self._waiting_rows += length
            self.rows += length

    def flush(self, watermark_ps: int) -> None:
        """Say that no later row has a time before ``watermark_ps``.

        Rows before it are written as soon as they fill a part. A watermark below an earlier one
        changes nothing.
        """
        self._watermark = max(self._watermark, watermark_ps)
        if self._waiting_rows >= self._sort_at:
            self._sort_waiting()

    def close(self) -> None:
        """Write everything that is left; later calls do nothing."""
        if self._closed:
            return
        self._watermark = FOREVER
        self._sort_waiting()
        if self._sorted_rows:
            self._write(self._take_sorted(self._sorted_rows))
        elif not self.parts:  # a data set without rows still has its columns
            self._write(self._no_rows())
        self._closed = True

    def state(self) -> dict[str, Any]:
        """Return what a checkpoint needs: how far the data set is, and the rows in memory."""
        held = {"waiting": self._waiting, "sorted": self._sorted}
        return {
            "rows": self.rows,
            "parts": self.parts,
            "watermark": self._watermark,
            "sort_at": self._sort_at,
            **{name: _join(chunks) if chunks else {} for name, chunks in held.items()},
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from :meth:`state`; parts that were written after it are removed.

        Raises
        ------
        TraceError
            If a part that the state counts is missing.
        """
        self.rows, self.parts = int(state["rows"]), int(state["parts"])
        self._watermark, self._sort_at = int(state["watermark"]), int(state["sort_at"])
        waiting, ordered = dict(state["waiting"]), dict(state["sorted"])
        self._waiting = [waiting] if waiting else []
        self._sorted = [ordered] if ordered else []
        self._waiting_rows, self._sorted_rows = (
            len(rows[self.schema.time]) if rows else 0 for rows in (waiting, ordered)
        )
        ours = {part_name(number) for number in range(self.parts)}
        found = {path.name for path in self.directory.iterdir()}
        if missing := sorted(ours - found):
            raise TraceError(
                f"{self.directory}: {missing[0]} is missing, which the checkpoint counts on; "
                "start the run anew"
            )
        for name in sorted(found - ours):
            (self.directory / name).unlink()

    def extend(self, schema: TraceSchema) -> None:
        """Take a schema with further columns, before any row was handed over."""
        if self.rows or self.parts:
            raise TraceError(f"{self.schema.name}: rows were written before their columns were set")
        self.schema = schema
        self._dtypes = schema.dtypes()
        self._arrow = schema.arrow()

    def _no_rows(self) -> Rows:
        return {name: np.empty(0, dtype) for name, dtype in self._dtypes.items()}

    def _check(self, rows: Rows) -> int:
        where = f"{self.schema.name} rows"
        if self._closed:
            raise TraceError(f"{where}: the data set {self.directory} is closed")
        if rows.keys() != self._dtypes.keys():
            raise TraceError(f"{where}: {column_problems(self.schema, rows)}")
        lengths = {len(column) for column in rows.values()}
        if len(lengths) != 1:
            raise TraceError(f"{where}: got columns of {sorted(lengths)} rows, expected one length")
        for name, dtype in self._dtypes.items():
            if rows[name].dtype != dtype:
                raise TraceError(f"{where}: {name} is {rows[name].dtype}, expected {dtype}")
        length = lengths.pop()
        if length and int(rows[self.schema.time].min()) < self._watermark:
            raise TraceError(
                f"{where}: got a row at {int(rows[self.schema.time].min())} ps after the watermark "
                f"{self._watermark} ps; a watermark promises that no later row comes before it"
            )
        return length

    def _sort_waiting(self) -> None:
        """Move the waiting rows before the watermark, sorted, to those that can be written."""
        if not self._waiting_rows:
            return
        rows = _join(self._waiting)
        is_early = rows[self.schema.time] < self._watermark
        early = int(np.count_nonzero(is_early))
        self._waiting_rows -= early
        self._waiting = [_select(rows, ~is_early)] if self._waiting_rows else []
        # Rows that a standing watermark holds back are not looked at again for every new row.
        self._sort_at = max(_SORT_AT, 2 * self._waiting_rows)
        if self._waiting_rows:
            rows = _select(rows, is_early)
        if early:
            self._sorted.append(self._in_order(rows))
        self._sorted_rows += early
        while self._sorted_rows >= self._rows_per_part:
            self._write(self._take_sorted(self._rows_per_part))

    def _in_order(self, rows: Rows) -> Rows:
        """Return rows sorted by the schema's order, then by all other columns."""
        key = _packed(rows, self.schema.order)
        ahead, behind = key[1:], key[:-1]
        which: NDArray[np.intp] | None = None
        if (ahead < behind).any():
            which = np.argsort(key, kind="stable")
            key = key[which]
            ahead, behind = key[1:], key[:-1]
        equal = ahead == behind
        if equal.any():
            which = np.arange(len(key)) if which is None else which
            shared = np.zeros(len(which), np.bool_)
            shared[1:] |= equal
            shared[:-1] |= equal
            ties = which[shared]
            rest = [name for name in self.schema.names if name not in self.schema.order]
            columns = [*self.schema.order, *rest]
            which[shared] = ties[np.lexsort([rows[name][ties] for name in reversed(columns)])]
        return rows if which is None else _select(rows, which)

    def _take_sorted(self, count: int) -> Rows:
        rows = _join(self._sorted)
        head = {name: column[:count] for name, column in rows.items()}
        self._sorted = [{name: column[count:] for name, column in rows.items()}]
        self._sorted_rows -= count
        return head

    def _write(self, rows: Rows) -> None:
        arrays = []
        for column, field in zip(self.schema.columns, self._arrow, strict=True):
            values = pa.array(rows[column.name])
            if column.labelled:
                names = pa.array(list(self._labels[column.name]), pa.string())
                values = pa.DictionaryArray.from_arrays(values, names)
            arrays.append(values.cast(field.type) if values.type != field.type else values)
        table = pa.Table.from_arrays(arrays, schema=self._arrow)
        write_part(self.directory / part_name(self.parts), table, self.schema)
        self.parts += 1


def part_name(number: int) -> str:
    """Return the file name of a part."""
    return f"part-{number:06d}.parquet"


def write_part(path: Path, table: pa.Table, schema: TraceSchema) -> None:
    """Write ``table`` to ``path``, aside first and renamed when it is whole."""
    aside = path.with_name(f".{path.name}.tmp")
    delta = set(schema.delta)
    order = [pq.SortingColumn(schema.names.index(name)) for name in schema.order]
    try:
        pq.write_table(
            table,
            aside,
            row_group_size=max(1, table.num_rows),
            compression="zstd",
            use_dictionary=[name for name in schema.names if name not in delta],
            column_encoding=dict.fromkeys(schema.delta, "DELTA_BINARY_PACKED"),
            sorting_columns=order,
            write_statistics=[schema.time],
        )
        aside.replace(path)
    except OSError as error:
        raise TraceError(
            f"{path}: cannot write a part of the trace: {error}; free some space, or trace less "
            "with `--set trace.level=summary` or a window of [trace]"
        ) from error


def column_problems(schema: TraceSchema, got: Mapping[str, object]) -> str:
    """Return what is wrong with the names of some columns, as one sentence."""
    known = schema.names
    unknown = [f"unknown column {n!r}{did_you_mean(n, known)}" for n in got if n not in known]
    missing = [name for name in known if name not in got]
    return "; ".join([*unknown, *([f"missing {', '.join(missing)}"] if missing else [])])


def _checked_labels(schema: TraceSchema, labels: Labels) -> Labels:
    wanted = {column.name for column in schema.columns if column.labelled}
    missing = sorted(wanted - labels.keys())
    if missing:
        raise TraceError(f"{schema.name}: no names given for the codes of {', '.join(missing)}")
    return {name: labels[name] for name in sorted(wanted)}


def _packed(rows: Rows, columns: Sequence[str]) -> NDArray[np.int64]:
    """Return one number a row that orders rows by as many of the first columns as fit into it.

    Sorting one array of numbers takes a quarter of the time of sorting by several columns, and
    next to none where the rows come nearly sorted.
    """
    key = rows[columns[0]].astype(np.int64)
    if not len(key):
        return key
    key -= key.min()
    largest = int(key.max())
    for name in columns[1:]:
        values = rows[name]
        low, high = int(values.min()), int(values.max())
        span = high - low + 1
        if (largest + 1) * span >= 2**62:
            break
        key *= span
        key += values
        key -= low
        largest = largest * span + high - low
    return key


def _join(chunks: list[Rows]) -> Rows:
    if len(chunks) == 1:
        return chunks[0]
    return {name: np.concatenate([chunk[name] for chunk in chunks]) for name in chunks[0]}


def _select(rows: Rows, which: NDArray[Any]) -> Rows:
    return {name: column[which] for name, column in rows.items()}
