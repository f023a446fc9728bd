"""Exact distribution of latencies, in memory that grows with the distinct values only.

Latencies are whole picoseconds and come from few causes (hops, flits, waits of whole cycles), so
millions of packets share some thousands of values; counting each of them exactly is cheaper than
an approximate sketch, and quantiles need no error bar.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from chipsim.errors import TraceError

_BLOCK = 1 << 16


class LatencyCounts:
    """How often each latency occurred.

    Values are gathered in a block and merged into sorted unique arrays when it is full: amortised
    O(log block) per value, O(distinct values) memory.
    """

    def __init__(self) -> None:
        self._values = np.empty(0, np.int64)
        self._counts = np.empty(0, np.int64)
        self._block = np.empty(_BLOCK, np.int64)
        self._filled = 0

    def add(self, latencies_ps: NDArray[np.int64]) -> None:
        """Count every value of an array [ps]."""
        start = 0
        while start < len(latencies_ps):
            part = latencies_ps[start : start + _BLOCK - self._filled]
            self._block[self._filled : self._filled + len(part)] = part
            self._filled += len(part)
            start += len(part)
            if self._filled == _BLOCK:
                self._merge_block()

    def update(self, other: LatencyCounts) -> None:
        """Add the counts of ``other``."""
        values, counts = other.items()
        self.merge(values, counts)

    def items(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the distinct latencies, ascending [ps], and how often each occurred."""
        self._merge_block()
        return self._values, self._counts

    def __len__(self) -> int:
        return int(self._counts.sum()) + self._filled

    def quantile(self, q: float) -> int:
        """Return the smallest latency that at least the share ``q`` of all does not exceed [ps].

        Parameters
        ----------
        q : float
            From 0 (the smallest latency) to 1 (the largest).

        Raises
        ------
        TraceError
            If ``q`` is not from 0 to 1, or nothing has been counted.

        Notes
        -----
        Always a value that occurred: no interpolation. Rank ``ceil(q * n)``, computed exactly from
        the decimal form of ``q``, so that 0.99 of 100 values is the 99th and not the 100th.
        """
        if not 0 <= q <= 1:
            raise TraceError(f"latency quantile: got q = {q}, expected a number from 0 to 1")
        values, counts = self.items()
        if not len(values):
            raise TraceError(
                "latency quantile: no packet was delivered, so there is no latency; "
                "look at len() first"
            )
        share = Fraction(str(q)) * int(counts.sum())
        rank = max(1, -(-share.numerator // share.denominator))
        return int(values[np.searchsorted(np.cumsum(counts), rank)])

    def median(self) -> int:
        """Return the lower median [ps]."""
        return self.quantile(0.5)

    def p99(self) -> int:
        """Return the 99th percentile [ps]."""
        return self.quantile(0.99)

    def max(self) -> int:
        """Return the largest latency [ps]."""
        return self.quantile(1.0)

    def mean(self) -> float:
        """Return the mean [ps]; the sum is exact."""
        values, counts = self.items()
        if not len(values):
            raise TraceError("latency mean: no packet was delivered, so there is no latency")
        pairs = zip(values.tolist(), counts.tolist(), strict=True)
        total: int = sum(value * count for value, count in pairs)
        return total / int(counts.sum())

    def summary_ns(self) -> dict[str, float] | None:
        """Return ``median``, ``p99`` and ``max`` [ns], or None if nothing was counted."""
        if not len(self):
            return None
        return {
            "median": self.median() / 1000,
            "p99": self.p99() / 1000,
            "max": self.max() / 1000,
        }

    def _merge_block(self) -> None:
        if self._filled:
            values, counts = np.unique(self._block[: self._filled], return_counts=True)
            self._filled = 0
            self.merge(values, counts)

    def merge(self, values: NDArray[np.int64], counts: NDArray[np.int64]) -> None:
        """Add so many of each of some distinct latencies [ps]."""
        both = np.concatenate([self._values, values])
        self._values, where = np.unique(both, return_inverse=True)
        summed = np.zeros(len(self._values), np.int64)
        np.add.at(summed, where, np.concatenate([self._counts, counts]))
        self._counts = summed
