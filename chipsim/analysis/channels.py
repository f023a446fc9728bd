"""Which channels carry most, who loads them, and where packets queue for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from chipsim.analysis.groups import by_value, group_rows, labels
from chipsim.analysis.streams import fold

if TYPE_CHECKING:
    from chipsim.analysis.run import Run

_COUNTS = ["packets", "flits", "busy_ps"]
_WAIT = ("arrived_ps", "granted_ps")


def hottest_channels(run: Run, count: int | None = None) -> pa.Table:
    """Return the channels that were busy longest, the hottest first.

    Returns
    -------
    pyarrow.Table
        ``channel``, ``name``, ``packets``, ``flits``, ``busy_ps`` over the trace; ``busy_share``
        of the time that the windows cover together; ``peak_share``, the largest share in one
        window; ``queue_peak``, the most packets that waited at its far end. Equal ones by channel.
        Channels that carried nothing are left out.

    Raises
    ------
    TraceError
        If the run has no channels traced.
    """
    columns = ["window_start_ps", "window_end_ps", *_COUNTS, "channel", "queue_peak"]
    parts = (_with_share(part) for part in run.parts("channels", columns))
    rows = fold(
        parts, ["window_start_ps", "window_end_ps", "channel"], _COUNTS, ["share", "queue_peak"]
    )
    start, end = rows["window_start_ps"].to_numpy(), rows["window_end_ps"].to_numpy()
    windows = np.unique(np.stack([start, end]), axis=1)
    covered = int((windows[1] - windows[0]).sum())
    groups = group_rows(rows, ["channel"])
    share = np.zeros(len(groups.keys))
    np.maximum.at(share, groups.of_row, rows["share"].to_numpy())
    total = groups.sums(rows["busy_ps"].to_numpy())
    numbers = groups.keys["channel"].to_pylist()
    table = pa.table(
        {
            "channel": groups.keys["channel"],
            "name": labels(run.machine.channel_label(c) for c in numbers),
            "packets": groups.sums(rows["packets"].to_numpy()),
            "flits": groups.sums(rows["flits"].to_numpy()),
            "busy_ps": total,
            "busy_share": total / max(covered, 1),
            "peak_share": share,
            "queue_peak": groups.maxima(rows["queue_peak"].to_numpy()),
        }
    )
    return table.take(pa.array(by_value(total, count)))


def _with_share(part: pa.Table) -> pa.Table:
    """Return windows with the share of their time that the channel was busy."""
    length = part["window_end_ps"].to_numpy() - part["window_start_ps"].to_numpy()
    share = part["busy_ps"].to_numpy() / np.maximum(length, 1)
    return part.append_column("share", pa.array(share))


def channel_waits(run: Run, count: int | None = None) -> pa.Table:
    """Return how long packets waited for each channel, the longest wait in all first.

    Returns
    -------
    pyarrow.Table
        ``channel``, ``name``, ``grants``, ``waited_ps`` (sum), ``mean_waited_ps``,
        ``max_waited_ps``. A wait is from the arrival at the node to the grant of this channel.

    Raises
    ------
    TraceError
        If the run has no hops traced.
    """
    parts = (_with_wait(part) for part in run.parts("hops", ["channel", *_WAIT]))
    rows = fold(parts, ["channel"], ["waited_ps"], ["longest_ps"])
    groups = group_rows(rows, ["channel"])
    total = groups.sums(rows["waited_ps"].to_numpy())
    sizes = groups.sums(rows["rows"].to_numpy())
    order = by_value(total, count)
    chosen = groups.keys["channel"].take(pa.array(order))
    return pa.table(
        {
            "channel": chosen,
            "name": labels(run.machine.channel_label(c) for c in chosen.to_pylist()),
            "grants": sizes[order],
            "waited_ps": total[order],
            "mean_waited_ps": total[order] / sizes[order],
            "max_waited_ps": groups.maxima(rows["longest_ps"].to_numpy())[order],
        }
    )


def channel_users(run: Run, count: int = 5) -> pa.Table:
    """Return who loads the ``count`` hottest channels: packets by kind, source and net.

    Returns
    -------
    pyarrow.Table
        ``channel``, ``name``, ``kind``, ``source``, ``from``, ``net``, ``packets``, ``share`` of
        the channel's grants, ``waited_ps``. The hottest channel first (as
        :func:`hottest_channels` has it), then the heaviest user.

    Raises
    ------
    TraceError
        If the run has no hops traced.
    """
    run.rows("hops")  # says which level is needed
    hottest = hottest_channels(run, count)["channel"].combine_chunks()
    columns = ["channel", "kind", "packet_source", "net", *_WAIT]
    mine = (p.filter(pc.is_in(p["channel"], hottest)) for p in run.parts("hops", columns))
    keys = ["channel", "kind", "packet_source", "net"]
    table = fold((_with_wait(part) for part in mine), keys, ["waited_ps"])
    endpoint = _endpoints(run)
    source = [endpoint.get(vertex, -1) for vertex in table["packet_source"].to_pylist()]
    table = table.append_column("source", pa.array(source, pa.int32()))
    groups = group_rows(table, ["channel", "kind", "source", "net"])
    rank = {channel: place for place, channel in enumerate(hottest.to_pylist())}
    place = np.array([rank[c] for c in groups.keys["channel"].to_pylist()], np.int64)
    packets = groups.sums(table["rows"].to_numpy())
    whole = np.bincount(place, weights=packets, minlength=len(rank))
    order = np.lexsort((-packets, place))
    keys = groups.keys.take(pa.array(order))
    machine = run.machine
    return pa.table(
        {
            "channel": keys["channel"],
            "name": labels(machine.channel_label(c) for c in keys["channel"].to_pylist()),
            "kind": keys["kind"],
            "source": keys["source"],
            "from": labels(_sender(run, e) for e in keys["source"].to_pylist()),
            "net": keys["net"],
            "packets": packets[order],
            "share": packets[order] / whole[place[order]],
            "waited_ps": groups.sums(table["waited_ps"].to_numpy())[order],
        }
    )


def _with_wait(part: pa.Table) -> pa.Table:
    waited = pc.subtract(part["granted_ps"], part["arrived_ps"])
    return part.append_column("waited_ps", waited).append_column("longest_ps", waited)


def _endpoints(run: Run) -> dict[int, int]:
    """Return where each source vertex is, as far as it has packets in the trace."""
    if run.vertices:
        return {number: vertex["endpoint"] for number, vertex in enumerate(run.vertices)}
    seen = fold(run.parts("packets", ["packet_source", "source"]), ["packet_source", "source"])
    return {row["packet_source"]: row["source"] for row in seen.to_pylist()}


def _sender(run: Run, endpoint: int) -> str:
    return run.machine.endpoint_label(endpoint) if endpoint >= 0 else "unknown"
