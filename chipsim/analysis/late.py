"""Packets consumed in another tick than the one after their sending, and what that did."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from chipsim.analysis.groups import as_text, group_rows, labels
from chipsim.analysis.streams import filtered, fold

if TYPE_CHECKING:
    from chipsim.analysis.run import Run

EFFECTS = ("late_spikes", "late_errors", "unmatched_errors", "stale_phase", "tick_overruns")
"""Fields of the summary that say what lateness did to the result."""

_SHOWN = ("packet_source", "packet_seq", "kind", "phase", "batch", "sample")
_ENDS = ("source", "destination", "injected_ps", "ended_ps", "tick_sent", "tick_consumed")


def late_packets(run: Run) -> pa.Table:
    """Return the late copies, in the order in which they ended.

    Returns
    -------
    pyarrow.Table
        Columns of ``packets``, with ``from``, ``to`` and ``ticks``, how many ticks later than
        due the copy was consumed.

    Raises
    ------
    TraceError
        If the run has no packets traced.
    """
    columns = [*_SHOWN, *_ENDS, "late"]
    rows = filtered(run, "packets", columns, lambda part: part.filter(part["late"]))
    found = {name: as_text(rows[name]) for name in (*_SHOWN, *_ENDS)}
    for name, label in (("source", "from"), ("destination", "to")):
        found[label] = labels(
            run.machine.endpoint_label(e) if e >= 0 else "outside" for e in rows[name].to_pylist()
        )
    ticks = rows["tick_consumed"].to_numpy().astype(np.int64) - rows["tick_sent"].to_numpy() - 1
    return pa.table({**found, "ticks": ticks})


def lateness(run: Run) -> pa.Table:
    """Return how many copies were late, by kind and phase, of how many.

    Returns
    -------
    pyarrow.Table
        ``kind``, ``phase``, ``copies``, ``late``, ``share``, and how many ticks later than due the
        late ones acted (``mean_ticks``, ``most_ticks``; negative: sooner). What lateness did to
        the result is in the summary (:func:`effects`).

    Raises
    ------
    TraceError
        If the run has no packets traced.
    """
    columns = ["kind", "phase", "late", "tick_sent", "tick_consumed"]
    parts = (_with_ticks(part) for part in run.parts("packets", columns))
    rows = fold(parts, ["kind", "phase"], ["count", "ticks"], ["most"])
    groups = group_rows(rows, ["kind", "phase"])
    count, ticks = (groups.sums(rows[name].to_numpy()) for name in ("count", "ticks"))
    sizes = groups.sums(rows["rows"].to_numpy())
    keys = {name: groups.keys[name] for name in ("kind", "phase")}
    return pa.table(
        {
            **keys,
            "copies": sizes,
            "late": count,
            "share": count / sizes,
            "mean_ticks": ticks / np.maximum(count, 1),
            "most_ticks": groups.maxima(rows["most"].to_numpy()),
        }
    )


def _with_ticks(part: pa.Table) -> pa.Table:
    """Return packets with whether they were late (0 or 1), and by how many ticks."""
    late = part["late"].to_numpy(zero_copy_only=False).astype(np.int64)
    ticks = part["tick_consumed"].to_numpy().astype(np.int64) - part["tick_sent"].to_numpy() - 1
    found = part.append_column("count", pa.array(late))
    for name in ("ticks", "most"):
        found = found.append_column(name, pa.array(late * ticks))
    return found


def effects(run: Run) -> dict[str, int]:
    """Return the summary's counters of lateness and its consequences; empty without a summary."""
    return {name: run.summary[name] for name in EFFECTS if name in run.summary}
