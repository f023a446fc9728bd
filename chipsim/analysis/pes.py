"""How much each PE computes, and which handlers took longer than a tick."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from chipsim.analysis.groups import as_text, group_rows, labels

if TYPE_CHECKING:
    from chipsim.analysis.run import Run


def pe_use(run: Run) -> pa.Table:
    """Return what each PE did over the trace.

    Returns
    -------
    pyarrow.Table
        ``pe`` and ``name``, ``handlers``, ``busy_ps``, ``use`` (busy time as a share of the run's
        chip time), ``longest_ps`` (the longest handler), ``cycles``, ``packets_in``,
        ``packets_out``, ``overruns``; ascending by PE. PEs that no handler ran on are left out.

    Raises
    ------
    TraceError
        If the run has no ticks traced.
    """
    rows = run.ticks
    groups = group_rows(rows, ["pe"])
    busy = groups.sums(rows["busy_ps"].to_numpy())
    span = rows["done_ps"].to_numpy() - rows["start_ps"].to_numpy()
    counted = {
        name: groups.sums(rows[name].to_numpy()) for name in ("cycles", "packets_in", "packets_out")
    }
    return pa.table(
        {
            "pe": groups.keys["pe"],
            "name": labels(run.machine.endpoint_label(e) for e in groups.keys["pe"].to_pylist()),
            "handlers": groups.sizes,
            "busy_ps": busy,
            "use": busy / max(run.span_ps, 1),
            "longest_ps": groups.maxima(span),
            **counted,
            "overruns": groups.sums(rows["overrun"].to_numpy(zero_copy_only=False)),
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
    rows = run.ticks
    rows = rows.filter(rows["overrun"])
    names = labels(run.machine.endpoint_label(e) for e in rows["pe"].to_pylist())
    found = {name: as_text(rows[name]) for name in rows.column_names if name != "overrun"}
    return pa.table({"name": names, **found, "span_ps": _span(rows)})


def _span(rows: pa.Table) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    span: np.ndarray[tuple[int], np.dtype[np.int64]] = (
        rows["done_ps"].to_numpy() - rows["start_ps"].to_numpy()
    )
    return span
