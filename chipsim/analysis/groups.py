"""Rows in groups, and exact quantiles within each; whole columns at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

I64 = NDArray[np.int64]


@dataclass(frozen=True)
class Groups:
    """Which group each row of a table is in.

    Attributes
    ----------
    keys : pyarrow.Table
        One row per group, ascending; names (kinds, phases) in the order of their codes.
    of_row : ndarray of int64, shape (rows,)
        The group of each row.
    """

    keys: pa.Table
    of_row: I64

    @property
    def sizes(self) -> I64:
        """Rows in each group."""
        return np.bincount(self.of_row, minlength=len(self.keys)).astype(np.int64)

    def sums(self, values: NDArray[Any]) -> I64:
        """Return the exact sum of whole numbers in each group."""
        total = np.zeros(len(self.keys), np.int64)
        np.add.at(total, self.of_row, values.astype(np.int64))
        return total

    def maxima(self, values: NDArray[Any]) -> I64:
        """Return the largest value in each group."""
        largest = np.full(len(self.keys), np.iinfo(np.int64).min)
        np.maximum.at(largest, self.of_row, values.astype(np.int64))
        return largest

    def quantiles(
        self, values: I64, shares: Sequence[tuple[int, int]], times: I64 | None = None
    ) -> list[I64]:
        """Return for each share (a fraction p/q) the smallest value that it does not exceed.

        ``times`` says how often each row's value occurred (once, if it is not given).

        Rank ``ceil(p/q * n)``, as :meth:`chipsim.trace.latency.LatencyCounts.quantile` has it:
        always a value that occurred, computed in whole numbers.
        """
        order = np.lexsort((values, self.of_row))
        if times is None:
            times = np.ones(len(values), np.int64)
        sizes = self.sums(times)
        starts = np.cumsum(sizes) - sizes
        reached = np.cumsum(times[order])
        return [
            values[order[np.searchsorted(reached, starts + np.maximum(-(-sizes * p // q), 1))]]
            for p, q in shares
        ]


def group_rows(table: pa.Table, keys: Sequence[str]) -> Groups:
    """Return the groups of rows that agree in the columns ``keys``."""
    combined = np.zeros(table.num_rows, np.int64)
    for name in keys:
        # Codes are made dense after every column, so that their products stay small.
        distinct, codes = np.unique(codes_of(table[name]), return_inverse=True)
        combined = np.unique(combined * max(1, len(distinct)) + codes, return_inverse=True)[1]
    _, first = np.unique(combined, return_index=True)
    # A plain text column compares and prints as people expect.
    found = {name: as_text(table[name].take(pa.array(first))) for name in keys}
    return Groups(pa.table(found) if keys else _no_keys(len(first)), combined)


def codes_of(column: pa.ChunkedArray) -> I64:
    """Return a column's numbers, or the codes of its names."""
    if pa.types.is_dictionary(column.type):
        whole = column.combine_chunks()
        parts = whole.chunks if isinstance(whole, pa.ChunkedArray) else [whole]
        codes = [part.indices.to_numpy(zero_copy_only=False) for part in parts]
        return np.concatenate([np.empty(0, np.int64), *codes]).astype(np.int64)
    numbers: I64 = column.to_numpy().astype(np.int64)
    return numbers


def as_text(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return a column of coded names as text; any other as it is."""
    if pa.types.is_dictionary(column.type):
        return column.cast(pa.string())
    return column


def by_value(values: NDArray[Any], count: int | None = None) -> NDArray[np.intp]:
    """Return row numbers by falling value, the first rows among equal ones first."""
    return np.argsort(-values.astype(np.int64), kind="stable")[:count]


def labels(names: Iterator[str]) -> pa.Array:
    """Return names as a text column (an empty one keeps its type)."""
    return pa.array(list(names), pa.string())


def _no_keys(rows: int) -> pa.Table:
    return pa.table({"all": pa.array(["all"] * rows, pa.string())})
