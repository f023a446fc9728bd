"""How long copies took, by what they have in common."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from chipsim.analysis.groups import group_rows, labels
from chipsim.analysis.streams import delivered, fold, with_latency
from chipsim.errors import TraceError, did_you_mean

if TYPE_CHECKING:
    from chipsim.analysis.run import Run

KEYS: dict[str, tuple[str, ...]] = {
    "kind": ("kind",),
    "phase": ("phase",),
    "hops": ("hops",),
    "route": ("source", "destination"),
    "source": ("source",),
    "destination": ("destination",),
    "net": ("net",),
    "batch": ("batch",),
}
"""What latencies can be grouped by, and the columns that this means."""


def latency(run: Run, by: str | Sequence[str] = "kind") -> pa.Table:
    """Return the latency of delivered copies, from injection to the last flit's delivery.

    Parameters
    ----------
    run : Run
    by : str or sequence of str
        One or several of ``kind``, ``phase``, ``hops``, ``route``, ``source``, ``destination``,
        ``net``, ``batch``; an empty sequence takes all copies together.

    Returns
    -------
    pyarrow.Table
        The columns of ``by`` (with ``from`` and ``to``, the endpoints' names, for ``route``,
        ``source`` and ``destination``), ``copies``, ``min_ps``, ``median_ps``, ``p99_ps``,
        ``max_ps``, and the means ``mean_ps`` and ``mean_waited_ps`` (in FIFOs). Ascending by
        group. Quantiles are values that occurred, of rank ceil(share * copies).

    Raises
    ------
    TraceError
        If the run has no packets traced, or ``by`` names something else.
    """
    keys = key_columns(by)
    columns = dict.fromkeys(("injected_ps", "ended_ps", "waited_ps", "outcome", *keys))
    parts = (with_latency(delivered(part)) for part in run.parts("packets", list(columns)))
    rows = fold(parts, [*keys, "latency_ps"], ["waited_ps"])
    groups = group_rows(rows, keys)
    taken, times = rows["latency_ps"].to_numpy(), rows["rows"].to_numpy()
    low, median, p99, high = groups.quantiles(taken, [(0, 1), (1, 2), (99, 100), (1, 1)], times)
    copies = groups.sums(times)
    found = {name: groups.keys[name] for name in groups.keys.column_names}
    for name, label in (("source", "from"), ("destination", "to")):
        if name in keys:
            numbers = groups.keys[name].to_pylist()
            found[label] = labels(run.machine.endpoint_label(e) for e in numbers)
    return pa.table(
        {
            **found,
            "copies": copies,
            "min_ps": low,
            "median_ps": median,
            "p99_ps": p99,
            "max_ps": high,
            "mean_ps": groups.sums(taken * times) / np.maximum(copies, 1),
            "mean_waited_ps": groups.sums(rows["waited_ps"].to_numpy()) / np.maximum(copies, 1),
        }
    )


def key_columns(by: str | Sequence[str]) -> list[str]:
    """Return the columns that ``by`` means.

    Raises
    ------
    TraceError
        If it names something that latencies cannot be grouped by.
    """
    names = [by] if isinstance(by, str) else list(by)
    for name in names:
        if name not in KEYS:
            hint = did_you_mean(name, KEYS)
            raise TraceError(f"latency by {name!r}: unknown{hint}; expected {', '.join(KEYS)}")
    return list(dict.fromkeys(column for name in names for column in KEYS[name]))
