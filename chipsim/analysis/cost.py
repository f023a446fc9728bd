"""What a sample and a phase cost: packets, routers, waiting, computing time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from chipsim.analysis.groups import group_rows
from chipsim.analysis.streams import fold, with_latency

if TYPE_CHECKING:
    from chipsim.analysis.run import Run


def sample_cost(run: Run) -> pa.Table:
    """Return the packets of each sample of each batch.

    Returns
    -------
    pyarrow.Table
        ``batch``, ``sample`` (as the program numbered it), ``copies``, one column ``KIND_copies``
        for each kind that carries a sample's number, ``routers`` (visited, summed over copies),
        ``waited_ps`` and ``latency_ps`` (sums over copies). Packets that belong to no sample
        (the exchange, the host) are in :func:`phase_cost`.

    Raises
    ------
    TraceError
        If the run has no packets traced.
    """
    columns = ["batch", "sample", "kind", "hops", "waited_ps", "injected_ps", "ended_ps"]
    mine = (p.filter(pc.greater_equal(p["sample"], 0)) for p in run.parts("packets", columns))
    sums = ["hops", "waited_ps", "latency_ps"]
    rows = fold((with_latency(part) for part in mine), ["batch", "sample", "kind"], sums)
    groups = group_rows(rows, ["batch", "sample"])
    kinds, copies = rows["kind"].cast(pa.string()), rows["rows"].to_numpy()
    names = sorted(pc.unique(kinds).to_pylist())
    by_kind = {
        f"{name}_copies": groups.sums(copies * pc.equal(kinds, name).to_numpy()) for name in names
    }
    return pa.table(
        {
            **{name: groups.keys[name] for name in ("batch", "sample")},
            "copies": groups.sums(copies),
            **by_kind,
            "routers": groups.sums(rows["hops"].to_numpy()),
            "waited_ps": groups.sums(rows["waited_ps"].to_numpy()),
            "latency_ps": groups.sums(rows["latency_ps"].to_numpy()),
        }
    )


def phase_cost(run: Run) -> pa.Table:
    """Return what each phase cost over the trace.

    Returns
    -------
    pyarrow.Table
        ``phase``, ``copies``, ``routers``, ``waited_ps`` (of packets consumed in it), ``handlers``
        and ``busy_ps`` (of handlers closed in it, over all PEs), in the order of the phases' codes.

    Raises
    ------
    TraceError
        If the run has no packets and ticks traced.
    """
    sums = ["hops", "waited_ps"]
    packets = fold(run.parts("packets", ["phase", *sums]), ["phase"], sums)
    ticks = fold(run.parts("ticks", ["phase", "busy_ps"]), ["phase"], ["busy_ps"])
    moved, worked = group_rows(packets, ["phase"]), group_rows(ticks, ["phase"])
    names = _in_order(packets, ticks)
    return pa.table(
        {
            "phase": pa.array(names, pa.string()),
            "copies": _at(names, moved.keys, moved.sums(packets["rows"].to_numpy())),
            "routers": _at(names, moved.keys, moved.sums(packets["hops"].to_numpy())),
            "waited_ps": _at(names, moved.keys, moved.sums(packets["waited_ps"].to_numpy())),
            "handlers": _at(names, worked.keys, worked.sums(ticks["rows"].to_numpy())),
            "busy_ps": _at(names, worked.keys, worked.sums(ticks["busy_ps"].to_numpy())),
        }
    )


def _in_order(*tables: pa.Table) -> list[str]:
    """Return the phases that occur, in the order of their codes in the trace."""
    known: dict[str, None] = {}
    for table in tables:
        for chunk in table["phase"].chunks:
            known.update(dict.fromkeys(chunk.dictionary.to_pylist()))
    used: set[str] = set()
    for table in tables:
        used.update(pc.unique(table["phase"].cast(pa.string())).to_pylist())
    return [name for name in known if name in used]


def _at(names: list[str], keys: pa.Table, values: NDArray[np.int64]) -> list[int]:
    found = dict(zip(keys["phase"].to_pylist(), values.tolist(), strict=True))
    return [found.get(name, 0) for name in names]
