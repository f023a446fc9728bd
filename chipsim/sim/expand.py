"""The inner loops of sending: keys to packets, and packets to send times."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from chipsim.compiled import compiled


@compiled
def expand(
    rows: NDArray[np.int32],
    position: NDArray[np.int32],
    offset: NDArray[np.int64],
    payload: NDArray[np.uint32],
    tag: NDArray[np.int32],
    plan_port: NDArray[np.int32],
    plan_source: NDArray[np.int32],
    plan_net: NDArray[np.int32],
    plan_base: NDArray[np.int64],
    plan_size: NDArray[np.int64],
    plan_first: NDArray[np.int64],
    plan_routes: NDArray[np.int32],
) -> tuple[int, tuple[NDArray[Any], ...]]:
    """Return (-1, packet columns), or the index of the first key outside its net's block.

    The columns are position, port, route, source, key, payload, net, tag.
    """
    keys = len(position)
    bad = -1
    count = 0
    for i in range(keys):
        row = rows[position[i]]
        if bad < 0 and (offset[i] < 0 or offset[i] >= plan_size[row]):
            bad = i
        count += plan_first[row + 1] - plan_first[row]
    out_position = np.empty(count, np.int32)
    out_port = np.empty(count, np.int32)
    out_route = np.empty(count, np.int32)
    out_source = np.empty(count, np.int32)
    out_key = np.empty(count, np.uint32)
    out_payload = np.empty((count, payload.shape[1]), np.uint32)
    out_net = np.empty(count, np.int32)
    out_tag = np.empty(count, np.int32)
    j = 0
    for i in range(keys):
        row = rows[position[i]]
        for branch in range(plan_first[row], plan_first[row + 1]):
            out_position[j] = position[i]
            out_port[j] = plan_port[row]
            out_route[j] = plan_routes[branch]
            out_source[j] = plan_source[row]
            out_key[j] = plan_base[row] + offset[i]
            for word in range(payload.shape[1]):
                out_payload[j, word] = payload[i, word]
            out_net[j] = plan_net[row]
            out_tag[j] = tag[i]
            j += 1
    return bad, (
        out_position, out_port, out_route, out_source, out_key, out_payload, out_net, out_tag
    )  # fmt: skip


@compiled
def number_packets(
    position: NDArray[np.int32],
    source: NDArray[np.int32],
    first_ps: NDArray[np.int64],
    gap_ps: int,
    sequence: NDArray[np.int64],
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Return (seq, earliest_ps, gap_ps) per packet, and advance the sources' sequence numbers.

    ``first_ps`` is the time of a position's first packet; the others follow in gaps.
    """
    count = len(position)
    seq = np.empty(count, np.int64)
    earliest = np.empty(count, np.int64)
    gaps = np.empty(count, np.int64)
    for i in range(count):
        seq[i] = sequence[source[i]]
        sequence[source[i]] += 1
        earliest[i] = first_ps[position[i]]
        gaps[i] = gap_ps
    return seq, earliest, gaps


@compiled
def train(
    count: int,
    port: int,
    first_ps: int,
    gap_ps: int,
    route: int,
    source: int,
    first_seq: int,
    key: int,
    net: int,
    tick: int,
) -> tuple[
    NDArray[np.int32],
    NDArray[np.int64],
    NDArray[np.int64],
    NDArray[np.int32],
    NDArray[np.int32],
    NDArray[np.int64],
    NDArray[np.uint32],
    NDArray[np.int32],
    NDArray[np.int32],
    NDArray[np.int32],
]:
    """Return the columns of a train of packets that differ in seq and tag only.

    The columns are port, earliest_ps, gap_ps, route, source, seq, key, net, tick, tag.
    """
    tag = np.empty(count, np.int32)
    seq = np.empty(count, np.int64)
    for i in range(count):
        tag[i] = i
        seq[i] = first_seq + i
    return (
        np.full(count, port, np.int32),
        np.full(count, first_ps, np.int64),
        np.full(count, gap_ps, np.int64),
        np.full(count, route, np.int32),
        np.full(count, source, np.int32),
        seq,
        np.full(count, key, np.uint32),
        np.full(count, net, np.int32),
        np.full(count, tick, np.int32),
        tag,
    )
