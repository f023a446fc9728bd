"""The slowest packets, where they waited, and one packet's whole life."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from chipsim.analysis.groups import as_text, labels
from chipsim.analysis.streams import delivered, filtered, fold, largest
from chipsim.errors import TraceError

if TYPE_CHECKING:
    from chipsim.analysis.run import Run

_SHOWN = ("packet_source", "packet_seq", "kind", "phase", "batch", "sample", "source")
_HOP = ("packet_source", "packet_seq", "channel", "arrived_ps", "granted_ps", "far_ps")
_TIMES = ("destination", "injected_ps", "ended_ps", "outcome", "hops", "waited_ps", "late")


def slowest(run: Run, count: int = 10) -> pa.Table:
    """Return the delivered copies with the longest latency, the slowest first.

    Returns
    -------
    pyarrow.Table
        Columns of ``packets`` with ``from``, ``to`` and ``latency_ps``; equal latencies in the
        order in which they ended.

    Raises
    ------
    TraceError
        If the run has no packets traced, or ``count`` is below 1.
    """
    _check_count(count)
    parts = (delivered(part) for part in run.parts("packets", [*_SHOWN, *_TIMES]))
    return _with_names(run, largest(parts, _latency, count))


def _latency(rows: pa.Table) -> NDArray[np.int64]:
    taken: NDArray[np.int64] = rows["ended_ps"].to_numpy() - rows["injected_ps"].to_numpy()
    return taken


def where_waited(run: Run, count: int = 10) -> pa.Table:
    """Return every stage of the slowest copies' ways, and how long each waited there.

    Returns
    -------
    pyarrow.Table
        ``rank`` (0 is the slowest copy), ``packet_source``, ``packet_seq``, and the columns of
        :func:`packet_life` from ``hop`` on. The waits of a rank sum to its ``waited_ps``.

    Raises
    ------
    TraceError
        If the run has no hops traced (the message says which level is needed).
    """
    run.rows("hops")  # says which level is needed
    copies = slowest(run, count)
    wanted = filtered(run, "hops", _HOP, lambda hops: _hops_of(hops, copies))
    tables = []
    for rank, copy in enumerate(copies.to_pylist()):
        way = way_of(run, _select(wanted, copy["packet_source"], copy["packet_seq"]), copy)
        rows = way.num_rows
        ids = [copy["packet_source"]] * rows, [copy["packet_seq"]] * rows
        way = way.add_column(0, "packet_seq", pa.array(ids[1], pa.int64()))
        way = way.add_column(0, "packet_source", pa.array(ids[0], pa.int32()))
        tables.append(way.add_column(0, "rank", pa.array([rank] * rows, pa.int32())))
    return pa.concat_tables(tables) if tables else _no_ways()


def packet_copies(run: Run, source: int, seq: int) -> pa.Table:
    """Return how each copy of one packet ended, as :func:`slowest` has it.

    Raises
    ------
    TraceError
        If the trace holds no such packet.
    """
    found = filtered(run, "packets", [*_SHOWN, *_TIMES], lambda p: _select(p, source, seq))
    if not found.num_rows:
        raise TraceError(f"{run.path}: no packet {source}:{seq} in the trace{_near(run, source)}")
    return _with_names(run, found)


def packet_life(run: Run, source: int, seq: int) -> pa.Table:
    """Return one packet's life: every grant it got, by time.

    Parameters
    ----------
    run : Run
    source, seq : int
        Its identity: source vertex, and number among that vertex's packets.

    Returns
    -------
    pyarrow.Table
        ``hop`` (from 0), ``channel`` and ``name``, ``arrived_ps`` (at the FIFO of the granting
        node), ``waited_ps`` (grant minus arrival), ``granted_ps``, ``far_ps`` (last flit in at
        the far end). A packet with several destinations has a grant per branch.

    Raises
    ------
    TraceError
        If the run has no hops traced, or the trace holds no such packet.
    """
    run.rows("hops")  # says which level is needed
    packet_copies(run, source, seq)
    found = filtered(run, "hops", _HOP, lambda hops: _select(hops, source, seq))
    return _named(run, found, np.arange(found.num_rows))


def way_of(run: Run, hops: pa.Table, copy: dict[str, int]) -> pa.Table:
    """Return the grants on one copy's way, first to last: followed back from its destination.

    Parameters
    ----------
    run : Run
    hops : pyarrow.Table
        All grants of the copy's packet.
    copy : mapping
        ``destination`` and ``ended_ps`` of the copy.
    """
    machine = run.machine
    channel, arrived = hops["channel"].to_numpy(), hops["arrived_ps"].to_numpy()
    far = hops["far_ps"].to_numpy()
    port = machine.channel_port[channel]
    sinks = machine.sinks_of(copy["destination"])
    at = np.isin(port, sinks) & (far == copy["ended_ps"])
    way: list[int] = []
    while at.any():
        # Two grants cannot end at one port at one time: a channel sends its flits in turn.
        way.append(int(np.flatnonzero(at)[0]))
        node = machine.channel_node[channel[way[-1]]]
        at = (machine.port_node[port] == node) & (far == arrived[way[-1]])
    return _named(run, hops, np.array(way[::-1], np.int64))


def _named(run: Run, hops: pa.Table, rows: np.ndarray[tuple[int], np.dtype[np.int64]]) -> pa.Table:
    found = hops.take(pa.array(rows))
    arrived, granted = found["arrived_ps"].to_numpy(), found["granted_ps"].to_numpy()
    machine = run.machine
    return pa.table(
        {
            "hop": np.arange(len(rows), dtype=np.int32),
            "channel": found["channel"],
            "name": labels(machine.channel_label(c) for c in found["channel"].to_pylist()),
            "arrived_ps": arrived,
            "waited_ps": granted - arrived,
            "granted_ps": granted,
            "far_ps": found["far_ps"],
        }
    )


def _select(rows: pa.Table, source: int, seq: int) -> pa.Table:
    return rows.filter(
        pc.and_(pc.equal(rows["packet_source"], source), pc.equal(rows["packet_seq"], seq))
    )


def _hops_of(hops: pa.Table, copies: pa.Table) -> pa.Table:
    """Return the grants of some packets: one pass over a long trace instead of one for each."""
    sources = pc.is_in(hops["packet_source"], copies["packet_source"].combine_chunks())
    numbers = pc.is_in(hops["packet_seq"], copies["packet_seq"].combine_chunks())
    return hops.filter(pc.and_(sources, numbers))


def _with_names(run: Run, rows: pa.Table) -> pa.Table:
    found = {name: as_text(rows[name]) for name in rows.column_names}
    for name, label in (("source", "from"), ("destination", "to")):
        numbers = rows[name].to_pylist()
        found[label] = labels(
            run.machine.endpoint_label(e) if e >= 0 else "outside" for e in numbers
        )
    found["latency_ps"] = pc.subtract(rows["ended_ps"], rows["injected_ps"])
    return pa.table(found)


def _near(run: Run, source: int) -> str:
    parts = run.parts("packets", ["packet_source", "packet_seq"])
    negated = (p.append_column("first", pc.negate(p["packet_seq"])) for p in parts)
    seen = fold(negated, ["packet_source"], maxima=["packet_seq", "first"]).to_pylist()
    for row in seen:
        if row["packet_source"] == source:
            return f"; source {source} has packets {-row['first']} to {row['packet_seq']}"
    known = sorted(row["packet_source"] for row in seen)
    shown = ", ".join(map(str, known[:12])) + (", …" if len(known) > 12 else "")
    return f"; there are packets of the source vertices {shown or 'none'}"


def _check_count(count: int) -> None:
    if count < 1:
        raise TraceError(f"got a count of {count}, expected at least 1")


def _no_ways() -> pa.Table:
    whole = [("rank", "i4"), ("packet_source", "i4"), ("packet_seq", "i8"), ("hop", "i4")]
    times = [(name, "i8") for name in ("arrived_ps", "waited_ps", "granted_ps", "far_ps")]
    fields = [*whole, ("channel", "i4"), *times]
    table = pa.table({name: np.empty(0, kind) for name, kind in fields})
    return table.add_column(5, "name", pa.array([], pa.string()))
