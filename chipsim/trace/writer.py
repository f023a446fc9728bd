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
from numpy.typing import NDArray

from chipsim.errors import TraceError, did_you_mean
from chipsim.trace.order import order_of
from chipsim.trace.parts import ROWS_PER_PART, PartFormat, part_name
from chipsim.trace.rows import Buffer, Rows, copied
from chipsim.trace.schema import Labels, TraceSchema
from chipsim.units import FOREVER

_SORT_AT = 1 << 13
"""Rows that must wait before sorting them is worth a call. While all columns of what is sorted
fit into the processor's cache, bringing a row into its place costs a third: 14 and not 50 ns."""


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
        self.rows = 0
        """Rows handed over so far."""
        self.parts = 0
        """Parts written so far."""
        self._labels = _checked_labels(schema, dict(labels or {}))
        self._rows_per_part = rows_per_part
        self._sort_at = _SORT_AT
        self._watermark = -FOREVER
        self._closed = False
        self._take_schema(schema)
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
        return self._waiting.filled + self._part.filled

    def append(self, rows: Rows) -> None:
        """Hand rows over: one array per column of the schema, all of one length.

        The arrays are copied. Their order does not matter.

        Raises
        ------
        TraceError
            If columns are missing, unknown, of different lengths or of another type, or a row lies
            before the watermark (sorting it in is no longer possible).
        """
        length = self._check(rows)
        if length:
            self._waiting.put(rows)
            self.rows += length

    def flush(self, watermark_ps: int) -> None:
        """Say that no later row has a time before ``watermark_ps``.

        Rows before it are written as soon as they fill a part. A watermark below an earlier one
        changes nothing.
        """
        self._watermark = max(self._watermark, watermark_ps)
        if self._waiting.filled >= self._sort_at:
            self._sort_waiting()

    def close(self) -> None:
        """Write everything that is left; later calls do nothing."""
        if self._closed:
            return
        self._watermark = FOREVER
        self._sort_waiting()
        if self._part.filled or not self.parts:  # one without rows still has its columns
            self._write()
        self._closed = True

    def state(self) -> dict[str, Any]:
        """Return what a checkpoint needs: how far the data set is, and the rows in memory."""
        held = {"waiting": self._waiting, "sorted": self._part}
        return {
            "rows": self.rows,
            "parts": self.parts,
            "watermark": self._watermark,
            "sort_at": self._sort_at,
            **{name: copied(rows.rows()) for name, rows in held.items()},
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
        for rows, name in ((self._waiting, "waiting"), (self._part, "sorted")):
            rows.clear()
            rows.put(dict(state[name]))
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
        self._take_schema(schema)

    def _take_schema(self, schema: TraceSchema) -> None:
        self.schema = schema
        self._dtypes = schema.dtypes()
        self._format = PartFormat(schema, self._labels)
        self._waiting = Buffer(self._dtypes)
        self._part = Buffer(self._dtypes, self._rows_per_part)

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
        rows, count = self._waiting.rows(), self._waiting.filled
        if not count:
            return
        early = int(np.count_nonzero(rows[self.schema.time] < self._watermark))
        order = order_of(rows, self.schema.order) if early else None
        self._move(rows, order, early)
        if early == count:
            self._waiting.clear()
        elif early:
            late = {
                name: column[early:].copy() if order is None else column[order[early:]]
                for name, column in rows.items()
            }
            self._waiting.clear()
            self._waiting.put(late)
        # Rows that a standing watermark holds back are not looked at again for every new row.
        self._sort_at = max(_SORT_AT, 2 * self._waiting.filled)

    def _move(self, rows: Rows, order: NDArray[np.intp] | None, end: int) -> None:
        """Put the first ``end`` rows in their order into parts."""
        start = 0
        while start < end:
            count = min(end - start, self._rows_per_part - self._part.filled)
            part = self._part.add(count)
            which = None if order is None else order[start : start + count]
            for name, column in rows.items():
                if which is None:
                    part[name][:] = column[start : start + count]
                else:  # "clip" writes into ``out`` at once; all positions are in range
                    column.take(which, out=part[name], mode="clip")
            start += count
            if self._part.filled == self._rows_per_part:
                self._write()

    def _write(self) -> None:
        self._format.write(self.directory / part_name(self.parts), self._part.rows())
        self._part.clear()
        self.parts += 1


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
