"""Columns of rows in memory: one array a column, in buffers that are filled and used again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

Rows = dict[str, NDArray[Any]]
"""A column by its name; all columns are of one length."""

_FIRST_ROWS = 1 << 10


class Buffer:
    """Columns that rows are put behind; the arrays grow fourfold and are kept when emptied.

    Fresh arrays for every block cost more than the copies into them: the system clears each page
    of memory that it hands out.

    Parameters
    ----------
    dtypes : mapping of str to dtype
        The columns.
    most : int
        Rows that are expected at most; more are taken, at a price.

    Attributes
    ----------
    filled : int
        Rows in it.
    """

    def __init__(self, dtypes: Mapping[str, DTypeLike], most: int = 1 << 20) -> None:
        self._most = most
        self.filled = 0
        self._columns = {name: np.empty(0, dtype) for name, dtype in dtypes.items()}
        self._room = 0

    def add(self, count: int) -> Rows:
        """Return room for ``count`` rows, as views that the caller fills in."""
        start, self.filled = self.filled, self.filled + count
        if self.filled > self._room:
            self._grow(start)
        return {name: column[start : self.filled] for name, column in self._columns.items()}

    def rows(self) -> Rows:
        """Return views of what is in it; good until the next rows come."""
        return {name: column[: self.filled] for name, column in self._columns.items()}

    def clear(self) -> None:
        """Forget all rows, and keep the arrays."""
        self.filled = 0

    def put(self, rows: Rows) -> None:
        """Copy rows behind those that are there."""
        if not rows:
            return
        count = len(next(iter(rows.values())))
        for name, room in self.add(count).items():
            room[:] = rows[name]

    def _grow(self, used: int) -> None:
        more = min(4 * self._room, self._most) if self._room < self._most else 2 * self._room
        self._room = max(_FIRST_ROWS, more, self.filled)
        for name, column in self._columns.items():
            self._columns[name] = np.empty(self._room, column.dtype)
            self._columns[name][:used] = column[:used]


def copied(rows: Rows) -> Rows:
    """Return rows in arrays of their own."""
    return {name: column.copy() for name, column in rows.items()}
