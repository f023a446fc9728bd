"""One data set of a recorder: rows are gathered in a block, then counted, filtered and written."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chipsim.errors import TraceError
from chipsim.trace.rows import Buffer, Rows
from chipsim.trace.schema import Labels, TraceSchema
from chipsim.trace.window import Window
from chipsim.trace.writer import DatasetWriter, column_problems

_BLOCK_ROWS = 1 << 14
"""Rows of a block: all columns of it stay in the processor's cache from the call to the part."""


class Stream:
    """One data set's block, its counter and its writer.

    Parameters
    ----------
    schema : TraceSchema
    needed : tuple of str
        The columns that are counted where nothing is written.
    labels : mapping of str to sequence of str
    window : Window
        Which rows are written.
    writer : DatasetWriter or None
    count : callable or None
        Takes every block of rows.
    """

    def __init__(
        self,
        schema: TraceSchema,
        needed: tuple[str, ...],
        labels: Labels,
        window: Window,
        writer: DatasetWriter | None,
        count: Callable[[Rows], None] | None,
    ) -> None:
        self.schema = schema
        self.writer = writer
        self.watermark = 0
        names = schema.names if writer is not None else needed
        self._set_columns(schema, names)
        self._labels = {name: labels[name] for name in names if name in labels}
        self._kinds = tuple(labels["kind"])
        self._window = window
        self._count = count
        self._accepted: set[tuple[str, ...]] = set()

    def _set_columns(self, schema: TraceSchema, names: tuple[str, ...]) -> None:
        self.schema = schema
        dtypes = schema.dtypes()
        self._dtypes = {name: dtypes[name] for name in names}
        self._limits = {name: _limits(dtype) for name, dtype in self._dtypes.items()}
        self._defaults = {c.name: c.default for c in schema.columns if c.default is not None}
        self._block = Buffer(self._dtypes, _BLOCK_ROWS)

    def extend(self, schema: TraceSchema) -> None:
        """Take further columns, which only what is written has."""
        if self.writer is None:
            return
        self.writer.extend(schema)
        self._set_columns(schema, schema.names)

    def put(self, columns: Mapping[str, Any]) -> None:
        """Copy columns into the block."""
        self._check_names(columns)
        if not self._dtypes:
            return
        length = len(columns[self.schema.time])
        start = 0
        while start < length:
            count = min(length - start, _BLOCK_ROWS - self._block.filled)
            for name, room in self._block.add(count).items():
                value = columns.get(name, self._defaults.get(name))
                self._copy(name, room, value, start, length)
            start += count
            if self._block.filled == _BLOCK_ROWS:
                self.drain()

    def flush(self, watermark_ps: int) -> None:
        """Say that no later row has a time before ``watermark_ps``."""
        self.watermark = max(self.watermark, watermark_ps)
        if 2 * self._block.filled >= _BLOCK_ROWS:
            self.drain()

    def drain(self) -> None:
        """Count and write the block."""
        if not self._block.filled:
            return
        rows = self._block.rows()
        self._block.clear()
        for name, names in self._labels.items():
            self._check_codes(name, rows[name], len(names))
        if self._count is not None:
            self._count(rows)
        if self.writer is not None:
            self.writer.append(self._window.select(self.schema, rows, self._kinds))
            self.writer.flush(self.watermark)

    def _check_names(self, columns: Mapping[str, Any]) -> None:
        names = tuple(columns)
        if names in self._accepted:
            return
        missing = self._dtypes.keys() - self._defaults.keys() - columns.keys()
        unknown = columns.keys() - set(self.schema.names)
        if missing or unknown:
            told = {name: None for name in self.schema.names if name not in missing}
            problem = column_problems(self.schema, {**told, **dict.fromkeys(sorted(unknown))})
            raise TraceError(f"{self.schema.name}: {problem}")
        self._accepted.add(names)

    def _copy(self, name: str, target: NDArray[Any], value: Any, start: int, length: int) -> None:
        low, high = self._limits[name]
        if isinstance(value, np.ndarray) and value.ndim:
            if len(value) != length:
                raise TraceError(
                    f"{self.schema.name}: column {name} has {len(value)} rows, expected {length} "
                    f"as in {self.schema.time}, or a single value for all rows"
                )
            value = value[start : start + len(target)]
            fits = value.dtype == target.dtype or (
                value.dtype.kind in "iu" and low <= int(value.min()) and int(value.max()) <= high
            )
        else:
            whole = isinstance(value, bool | int | np.bool_ | np.integer)
            real = target.dtype.kind == "f" and isinstance(value, float)
            fits = (whole or real) and low <= value <= high
        if not fits:
            raise TraceError(
                f"{self.schema.name}: column {name} got {value!r}, expected {target.dtype} values "
                f"from {low} to {high}"
            )
        target[:] = value

    def _check_codes(self, name: str, codes: NDArray[Any], known: int) -> None:
        low, high = int(codes.min()), int(codes.max())
        if low < 0 or high >= known:
            raise TraceError(
                f"{self.schema.name}: column {name} got codes from {low} to {high}, expected "
                f"0 to {known - 1}: positions in {self._labels[name]}"
            )


def _limits(dtype: np.dtype[Any]) -> tuple[float, float]:
    if dtype.kind == "b":
        return 0, 1
    if dtype.kind == "f":
        return -math.inf, math.inf
    info = np.iinfo(dtype)
    return int(info.min), int(info.max)
