"""Whether a trace holds all that its run counted; lost parts and foreign ones are refused.

Only for a run that came to its end and was traced without a window.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow.compute as pc

from chipsim.analysis.datasets import iterate
from chipsim.errors import TraceError
from chipsim.trace.schema import SCHEMAS

if TYPE_CHECKING:
    from chipsim.analysis.recorded import Recorded


def check_grants(run: Recorded, rows: int) -> None:
    """Refuse hops and channels of a whole trace that do not count the same grants."""
    if "channels" not in run.datasets:
        return
    columns = iterate(run.path, SCHEMAS["channels"], ["packets"])
    counted = sum(pc.sum(part["packets"]).as_py() or 0 for part in columns)
    if rows != counted:
        raise TraceError(
            f"{run.path}: {SCHEMAS['hops'].directory} holds {rows:,} grants, but "
            f"{SCHEMAS['channels'].directory} counts {counted:,}; parts are missing or of "
            "another run: copy the directory again, or run again"
        )


def check_copies(run: Recorded, rows: int) -> None:
    """Refuse a whole trace of a finished run that has lost its last parts, or has too many.

    Fewer rows than copies may be right: copies that no program has taken when the run ends
    have none (:attr:`Recorded.notes` counts them). What handlers took must be there.
    """
    expected = copies_of(run)
    taken = _taken(run, "packets", "tick_consumed", None)
    counted = _taken(run, "ticks", "tick", "packets_in") if "ticks" in run.datasets else 0
    if (expected is not None and rows > expected) or taken < counted:
        wanted = "" if expected is None else f", the summary {expected:,} copies"
        raise TraceError(
            f"{run.path / SCHEMAS['packets'].directory}: got {rows:,} rows, {taken:,} of them "
            f"taken in a tick; the ticks count {counted:,} of these{wanted}; parts are missing "
            "or of another run: copy the directory again, or run again"
        )


def _taken(run: Recorded, name: str, tick: str, packets: str | None) -> int:
    """Return how many packets handlers of ticks took, as one of the data sets tells it."""
    columns = [tick] if packets is None else [tick, packets]
    taken = 0
    for table in iterate(run.path, SCHEMAS[name], columns):
        table = table.filter(pc.greater_equal(table[tick], 0))
        more = table.num_rows if packets is None else pc.sum(table[packets]).as_py()
        taken += int(more or 0)
    return taken


def copies_of(run: Recorded) -> int | None:
    """Return how many copies ended, as the summary tells it; None if it does not."""
    names = ("copies_delivered", "copies_dropped")
    if not all(name in run.summary for name in names):
        return None
    return int(sum(run.summary[name] for name in names))
