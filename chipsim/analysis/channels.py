"""Which channels carry most, who loads them, and where packets queue for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from chipsim.analysis.groups import as_text, by_value, group_rows, labels

if TYPE_CHECKING:
    from chipsim.analysis.run import Run


def hottest_channels(run: Run, count: int | None = None) -> pa.Table:
    """Return the channels that were busy longest, the hottest first.

    Returns
    -------
    pyarrow.Table
        ``channel``, ``name``, ``packets``, ``flits``, ``busy_ps`` over the trace; ``busy_share``
        of the time that the windows cover together; ``peak_share``, the largest share in one
        window. Equal ones by channel. Channels that carried nothing are left out.

    Raises
    ------
    TraceError
        If the run has no channels traced.
    """
    rows = run.channels
    start, end = rows["window_start_ps"].to_numpy(), rows["window_end_ps"].to_numpy()
    windows = np.unique(np.stack([start, end]), axis=1)
    covered = int((windows[1] - windows[0]).sum())
    groups = group_rows(rows, ["channel"])
    busy = rows["busy_ps"].to_numpy()
    share = np.zeros(len(groups.keys))
    np.maximum.at(share, groups.of_row, busy / np.maximum(end - start, 1))
    total = groups.sums(busy)
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
        }
    )
    return table.take(pa.array(by_value(total, count)))


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
    rows = run.read("hops", ["channel", "arrived_ps", "granted_ps"])
    waited = rows["granted_ps"].to_numpy() - rows["arrived_ps"].to_numpy()
    groups = group_rows(rows, ["channel"])
    total = groups.sums(waited)
    order = by_value(total, count)
    chosen = groups.keys["channel"].take(pa.array(order))
    return pa.table(
        {
            "channel": chosen,
            "name": labels(run.machine.channel_label(c) for c in chosen.to_pylist()),
            "grants": groups.sizes[order],
            "waited_ps": total[order],
            "mean_waited_ps": total[order] / groups.sizes[order],
            "max_waited_ps": groups.maxima(waited)[order],
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
    hops = run.read("hops", ["packet_source", "packet_seq", "channel", "arrived_ps", "granted_ps"])
    hottest = hottest_channels(run, count)["channel"].combine_chunks()
    hops = hops.filter(pc.is_in(hops["channel"], hottest))
    kind, source, net, names = _senders(run, hops)
    table = pa.table({"channel": hops["channel"], "kind": kind, "source": source, "net": net})
    groups = group_rows(table, table.column_names)
    waited = hops["granted_ps"].to_numpy() - hops["arrived_ps"].to_numpy()
    rank = {channel: place for place, channel in enumerate(hottest.to_pylist())}
    place = np.array([rank[c] for c in groups.keys["channel"].to_pylist()], np.int64)
    packets = groups.sizes
    whole = np.bincount(place, weights=packets, minlength=len(rank))
    order = np.lexsort((-packets, place))
    keys = groups.keys.take(pa.array(order))
    machine = run.machine
    return pa.table(
        {
            "channel": keys["channel"],
            "name": labels(machine.channel_label(c) for c in keys["channel"].to_pylist()),
            "kind": labels(names[k] for k in keys["kind"].to_pylist()),
            "source": keys["source"],
            "from": labels(_sender(run, e) for e in keys["source"].to_pylist()),
            "net": keys["net"],
            "packets": packets[order],
            "share": packets[order] / whole[place[order]],
            "waited_ps": groups.sums(waited)[order],
        }
    )


def _senders(
    run: Run, hops: pa.Table
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], list[str]]:
    """Return kind code, endpoint and net of each grant's packet, and the kinds' names.

    A packet without a row (it had not ended when the trace did, or a window left it out) is of
    the last kind, ``unknown``, from endpoint -1.
    """
    columns = ["packet_source", "packet_seq", "kind", "source", "net"]
    packets = run.read("packets", columns)
    names = pc.unique(packets["kind"].cast(pa.string())).to_pylist()
    kinds = pc.index_in(as_text(packets["kind"]), pa.array(names, pa.string())).to_numpy()
    one_more = int(pc.max(packets["packet_seq"]).as_py() or 0) + 2
    own = packets["packet_source"].to_numpy().astype(np.int64) * one_more
    own += packets["packet_seq"].to_numpy()
    asked = hops["packet_source"].to_numpy().astype(np.int64) * one_more
    # A number beyond all known ones must not pass for another source's packet.
    asked += np.minimum(hops["packet_seq"].to_numpy(), one_more - 1)
    identity, first = np.unique(own, return_index=True)
    at = np.searchsorted(identity, asked)
    known = at < len(identity)
    known[known] = identity[at[known]] == asked[known]
    row = first[at[known]]
    found = [np.full(len(asked), missing, np.int64) for missing in (len(names), -1, -1)]
    for column, values in zip(found, (kinds, packets["source"], packets["net"]), strict=True):
        column[known] = np.asarray(values)[row]
    return found[0], found[1], found[2], [*names, "unknown"]


def _sender(run: Run, endpoint: int) -> str:
    return run.machine.endpoint_label(endpoint) if endpoint >= 0 else "unknown"
