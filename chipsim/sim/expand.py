"""The inner loops of sending: keys to packets, and packets to send times."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from chipsim.compiled import compiled, inlined

I32 = NDArray[np.int32]
I64 = NDArray[np.int64]

LONGS = 3
"""Columns of 64 bit: earliest_ps, gap_ps, seq."""
INTS = 6
"""Columns of 32 bit: port, route, source, net, tick, tag."""
PLAN_FIELDS = 6
"""Rows of a plan's table: port, source, net, base, size, first."""


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
def write_packets(
    position: I32,
    port: I32,
    route: I32,
    source: I32,
    net: I32,
    tag: I32,
    times_ps: I64,
    tick: int,
    sequence: I64,
) -> tuple[I64, I32]:
    """Return packets with times and numbers, and advance the sources' sequence numbers.

    ``times_ps``, shape (2, positions), is the time of a position's first packet, and the gap in
    which the others follow. The columns are those of :func:`train`.
    """
    count = len(position)
    longs = np.empty((LONGS, count), np.int64)
    ints = np.empty((INTS, count), np.int32)
    for i in range(count):
        longs[0, i] = times_ps[0, position[i]]
        longs[1, i] = times_ps[1, position[i]]
        longs[2, i] = sequence[source[i]]
        sequence[source[i]] += 1
        ints[0, i] = port[i]
        ints[1, i] = route[i]
        ints[2, i] = source[i]
        ints[3, i] = net[i]
        ints[4, i] = tick
        ints[5, i] = tag[i]
    return longs, ints


@inlined
def count_keys(rows: I32, position: I32, offset: I64, plan: I64) -> tuple[int, int]:
    """Return -1 and the packets that keys become; or the index of a key outside its net's block."""
    count = 0
    for i in range(len(position)):
        row = rows[position[i]]
        if offset[i] < 0 or offset[i] >= plan[4, row]:
            return i, 0
        count += plan[5, row + 1] - plan[5, row]
    return -1, count


@inlined
def put_keys(
    rows: I32,
    position: I32,
    offset: I64,
    payload: NDArray[np.uint32],
    tag: I32,
    plan: I64,
    plan_routes: I32,
    times_ps: I64,
    tick: int,
    sequence: I64,
    longs: I64,
    ints: I32,
    keys: NDArray[np.uint32],
    words: NDArray[np.uint32],
) -> None:
    """Write the packets that keys become into columns with room for them."""
    j = 0
    for i in range(len(position)):
        row = rows[position[i]]
        source = plan[1, row]
        for branch in range(plan[5, row], plan[5, row + 1]):
            longs[0, j] = times_ps[0, position[i]]
            longs[1, j] = times_ps[1, position[i]]
            longs[2, j] = sequence[source]
            sequence[source] += 1
            ints[0, j] = plan[0, row]
            ints[1, j] = plan_routes[branch]
            ints[2, j] = source
            ints[3, j] = plan[2, row]
            ints[4, j] = tick
            ints[5, j] = tag[i]
            keys[j] = plan[3, row] + offset[i]
            for word in range(payload.shape[1]):
                words[j, word] = payload[i, word]
            j += 1


@compiled
def write_keys(
    rows: I32,
    position: I32,
    offset: I64,
    payload: NDArray[np.uint32],
    tag: I32,
    plan: I64,
    plan_routes: I32,
    times_ps: I64,
    tick: int,
    sequence: I64,
) -> tuple[int, I64, I32, NDArray[np.uint32], NDArray[np.uint32]]:
    """Do :func:`expand` and :func:`write_packets` in one go, for a single send of a step.

    ``plan`` has the columns port, source, net, base, size, first of a
    :class:`~chipsim.sim.sends.SendPlan`.

    Returns
    -------
    tuple
        -1 or the index of the first key outside its net's block; 64-bit columns, 32-bit columns,
        keys, payload.
    """
    bad, count = count_keys(rows, position, offset, plan)
    longs = np.empty((LONGS, count), np.int64)
    ints = np.empty((INTS, count), np.int32)
    keys = np.empty(count, np.uint32)
    words = np.empty((count, payload.shape[1]), np.uint32)
    if bad < 0:
        put_keys(
            rows, position, offset, payload, tag, plan, plan_routes, times_ps, tick, sequence,
            longs, ints, keys, words,
        )  # fmt: skip
    return bad, longs, ints, keys, words


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
) -> tuple[I64, I32, NDArray[np.uint32]]:
    """Return a train of packets that differ in seq and tag only.

    Returns
    -------
    tuple
        Columns of 64 bit (earliest_ps, gap_ps, seq), of 32 bit (port, route, source, net, tick,
        tag), and keys.
    """
    longs = np.empty((LONGS, count), np.int64)
    ints = np.empty((INTS, count), np.int32)
    keys = np.empty(count, np.uint32)
    for i in range(count):
        longs[0, i] = first_ps
        longs[1, i] = gap_ps
        longs[2, i] = first_seq + i
        ints[0, i] = port
        ints[1, i] = route
        ints[2, i] = source
        ints[3, i] = net
        ints[4, i] = tick
        ints[5, i] = i
        keys[i] = key
    return longs, ints, keys
