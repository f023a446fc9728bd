"""How much each PE computes, and which handlers took longer than a tick."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from chipsim.analysis.groups import as_text, by_value, group_rows, labels
from chipsim.analysis.streams import filtered, fold
from chipsim.trace.schema import OPERATION, SCHEMAS

if TYPE_CHECKING:
    from chipsim.analysis.run import Run

_SUMS = ["busy_ps", "cycles", "packets_in", "packets_out"]
_MAX = ["span_ps", "fifo_peak"]


def pe_use(run: Run) -> pa.Table:
    """Return what each PE did over the trace.

    Returns
    -------
    pyarrow.Table
        ``pe`` and ``name``, ``handlers``, ``busy_ps``, ``use`` (busy time as a share of the run's
        chip time), ``longest_ps`` (the longest handler), ``cycles``, ``packets_in``,
        ``packets_out``, ``overruns``, ``fifo_peak`` (most packets in its receive FIFO); ascending
        by PE. PEs that no handler ran on are left out.

    Raises
    ------
    TraceError
        If the run has no ticks traced.
    """
    columns = ["pe", "start_ps", "done_ps", "overrun", "fifo_peak", *_SUMS]
    rows = fold(
        (_with_span(p) for p in run.parts("ticks", columns)), ["pe"], [*_SUMS, "late"], _MAX
    )
    groups = group_rows(rows, ["pe"])
    counted = {name: groups.sums(rows[name].to_numpy()) for name in _SUMS}
    busy = counted.pop("busy_ps")
    return pa.table(
        {
            "pe": groups.keys["pe"],
            "name": labels(run.machine.endpoint_label(e) for e in groups.keys["pe"].to_pylist()),
            "handlers": groups.sums(rows["rows"].to_numpy()),
            "busy_ps": busy,
            "use": busy / max(run.handled_ps, 1),
            "longest_ps": groups.maxima(rows["span_ps"].to_numpy()),
            **counted,
            "overruns": groups.sums(rows["late"].to_numpy()),
            "fifo_peak": groups.maxima(rows["fifo_peak"].to_numpy()),
        }
    )


def overruns(run: Run) -> pa.Table:
    """Return the handlers that ended after the next tick, in the order of their ends.

    Returns
    -------
    pyarrow.Table
        Columns of ``ticks`` with ``name``, the PE's.

    Raises
    ------
    TraceError
        If the run has no ticks traced.
    """
    columns = SCHEMAS["ticks"].names
    rows = filtered(run, "ticks", columns, lambda part: part.filter(part["overrun"]))
    names = labels(run.machine.endpoint_label(e) for e in rows["pe"].to_pylist())
    found = {name: as_text(rows[name]) for name in rows.column_names if name != "overrun"}
    return pa.table({"name": names, **found, "span_ps": _span(rows)})


def cycles_by_operation(run: Run) -> pa.Table:
    """Return what the PEs computed, by operation, the most cycles first.

    Returns
    -------
    pyarrow.Table
        ``operation``, ``cycles`` over all PEs, ``share`` of all cycles. Operations that were never
        charged are left out. The cycles sum to those of :func:`pe_use`.

    Raises
    ------
    TraceError
        If the run has no ticks traced.
    """
    run.rows("ticks")  # says which level is needed
    names = [f"{OPERATION}{name}" for name in run.operations]
    total = np.zeros(len(names), np.int64)
    for part in run.parts("ticks", names):
        total += [part[name].to_numpy().sum(dtype=np.int64) for name in names]
    order = by_value(total)
    order = order[total[order] > 0]
    return pa.table(
        {
            "operation": labels(run.operations[i] for i in order.tolist()),
            "cycles": total[order],
            "share": total[order] / max(int(total.sum()), 1),
        }
    )


def _with_span(part: pa.Table) -> pa.Table:
    late = pa.array(part["overrun"].to_numpy(zero_copy_only=False).astype(np.int64))
    return part.append_column("span_ps", pa.array(_span(part))).append_column("late", late)


def _span(rows: pa.Table) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    span: np.ndarray[tuple[int], np.dtype[np.int64]] = (
        rows["done_ps"].to_numpy() - rows["start_ps"].to_numpy()
    )
    return span
