"""Which part of a trace is exported, and how much is too much."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from chipsim.errors import TraceError
from chipsim.units import FOREVER, format_time

SPANS = {
    "packets": ("injected_ps", "ended_ps"),
    "hops": ("arrived_ps", "far_ps"),
    "ticks": ("start_ps", "done_ps"),
    "channels": ("window_start_ps", "window_end_ps"),
    "spikes": ("time_ps", "time_ps"),
    "samples": ("time_ps", "time_ps"),
    "power": ("window_start_ps", "window_end_ps"),
    "annotations": ("start_ps", "end_ps"),
}
"""First and last moment of a row of each data set."""

LIMIT = 1_000_000
"""Rows or events that are written unless more are asked for: what viewers still open at ease."""


@dataclass(frozen=True)
class Window:
    """A stretch of chip time [ps] and a limit on size.

    Attributes
    ----------
    start_ps, end_ps : int
        Rows that overlap [start, end) belong to it.
    limit : int
        Most rows or events.
    """

    start_ps: int = 0
    end_ps: int = FOREVER
    limit: int = LIMIT

    def __post_init__(self) -> None:
        if not 0 <= self.start_ps < self.end_ps:
            raise TraceError(
                f"got a window from {self.start_ps} to {self.end_ps} ps, expected a start from 0 "
                "on and an end after it"
            )

    def rows(self, name: str, table: pa.Table) -> pa.Table:
        """Return the rows of data set ``name`` that overlap the window."""
        first, last = SPANS[name]
        inside = pc.and_(
            pc.less(table[first], self.end_ps), pc.greater_equal(table[last], self.start_ps)
        )
        return table.filter(inside)

    def check_size(self, count: int, what: str) -> None:
        """Refuse more than the limit.

        Raises
        ------
        TraceError
            Saying how many there are, and the ways to less.
        """
        if count > self.limit:
            end = "the end" if self.end_ps == FOREVER else format_time(self.end_ps)
            raise TraceError(
                f"the window from {format_time(self.start_ps)} to {end} holds {count:,} {what}, "
                f"the limit is {self.limit:,}; take a part with --start-ms and --end-ms, or raise "
                "--limit"
            )
