"""Looking at everything: what is in flight, who waits for what, and what was dropped."""

from __future__ import annotations

import numpy as np

from chipsim.compiled import compiled, inlined
from chipsim.network.compiled.bits import lowest
from chipsim.network.compiled.credits import first_credit
from chipsim.network.compiled.inbox import INTS, LONGS, WORDS, write_row
from chipsim.network.compiled.layout import (
    AFTER,
    ARRIVED,
    ASK,
    BRANCH_STRIDE,
    CAPACITY,
    CHANNEL_STRIDE,
    DROP_COUNT,
    DROP_HEAD,
    EARLIEST,
    END,
    FEEDER,
    FIRST_BRANCH,
    HEAD,
    INBOX_COUNT,
    INBOX_STRIDE,
    KEY,
    KIND,
    KIND_FIFO,
    KIND_MASK,
    KIND_SINK,
    KIND_SOURCE,
    LAST_END,
    LEAVES,
    LINK,
    MASK,
    MASK_THERE,
    MEMORY,
    MODE,
    MODE_STALL,
    NET,
    NONE,
    NOW,
    PACKET,
    PORT,
    PORT_COUNT,
    PORT_STRIDE,
    REMAINING,
    SCRIPT,
    SEQ,
    SOURCE,
    STAGE,
    STAGE_THERE,
    TO,
)
from chipsim.network.compiled.notes import branch_on
from chipsim.network.compiled.records import end_leaves, free_copy
from chipsim.network.compiled.state import I32, I64, U32, State, opened


@inlined
def leaves_left(net: State, copy: int) -> int:
    """Return the leaves below the branches of a copy that have not been granted."""
    left = net.copies[copy + MASK]
    base = net.copies[copy + STAGE] + FIRST_BRANCH
    leaves = 0
    while left != 0:
        leaves += net.stages[base + lowest(left) * BRANCH_STRIDE + LEAVES]
        left &= left - 1
    return leaves


@inlined
def put_flying(
    net: State, rows: I64, at: int, packet: int, port: int, since: int, leaves: int
) -> int:
    """Write one row of :func:`in_flight`, if ``rows`` has room for it; return the next."""
    if at < rows.shape[1]:
        rows[0, at] = net.packets[packet + SOURCE]
        rows[1, at] = net.packets[packet + SEQ]
        rows[2, at] = net.packets[packet + KEY]
        rows[3, at] = net.packets[packet + NET]
        rows[4, at] = port // PORT_STRIDE
        rows[5, at] = since
        rows[6, at] = leaves
    return at + 1


@compiled
def in_flight(directory: I64, rows: I64) -> tuple[int, int]:
    """Walk scripts, FIFOs and channels.

    Returns
    -------
    tuple of int
        Copies in flight, and rows: packets or copies of packets, with the leaves below them.
        As many as there is room for have been written.
    """
    net = opened(directory)
    at = 0
    total = 0
    for number in range(net.scalars[PORT_COUNT]):
        port = number * PORT_STRIDE
        kind = net.ports[port + KIND]
        if kind & KIND_SOURCE:
            packet = net.sources[net.ports[port + FEEDER] + SCRIPT]
            while packet >= 0:
                left = net.packets[packet + REMAINING]
                total += left
                at = put_flying(net, rows, at, packet, port, net.packets[packet + EARLIEST], left)
                packet = net.packets[packet + LINK]
        copy = net.ports[port + HEAD]
        while copy >= 0:
            left = 1 if kind == KIND_SINK else leaves_left(net, copy)
            total += left
            packet = net.copies[copy + PACKET]
            at = put_flying(net, rows, at, packet, port, net.copies[copy + ARRIVED], left)
            copy = net.copies[copy + AFTER]
    return total, at


@inlined
def lacks_credit(net: State, copy: int, channel: int) -> bool:
    """Return whether the far end has no slot for the copy."""
    far = net.channels[channel + PORT]
    if net.ports[far + CAPACITY] == 0:
        return False
    memory = net.packets[net.copies[copy + PACKET] + MEMORY] != 0
    if net.channels[channel + MODE] & MODE_STALL and memory:
        return False
    return bool(first_credit(net, far) > net.scalars[NOW])


@inlined
def put_waits(net: State, rows: I64, at: int, port: int, copy: int) -> int:
    """Write one row of :func:`waits` per output that the copy still needs."""
    packet = net.copies[copy + PACKET]
    left = net.copies[copy + MASK]
    base = net.copies[copy + STAGE] + FIRST_BRANCH
    while left != 0:
        bit = lowest(left)
        left &= left - 1
        channel = net.stages[base + bit * BRANCH_STRIDE + TO]
        if branch_on(net, copy, channel) != bit:
            continue  # a second branch on one output
        if at < rows.shape[1]:
            rows[0, at] = port // PORT_STRIDE
            rows[1, at] = channel // CHANNEL_STRIDE
            rows[2, at] = lacks_credit(net, copy, channel)
            rows[3, at] = net.copies[copy + ARRIVED]
            rows[4, at] = net.packets[packet + SOURCE]
            rows[5, at] = net.packets[packet + SEQ]
        at += 1
    return at


@compiled
def waits(directory: I64, rows: I64) -> int:
    """Write who waits for what, as far as there is room; return how many rows there are."""
    net = opened(directory)
    at = 0
    for number in range(net.scalars[PORT_COUNT]):
        port = number * PORT_STRIDE
        kind = net.ports[port + KIND] & KIND_MASK
        copy = net.ports[port + HEAD]
        if kind == KIND_FIFO:
            if net.ports[port + ASK] >= 0:
                at = put_waits(net, rows, at, port, copy)
        elif kind != KIND_SINK:
            while copy >= 0 and net.copies[copy + ARRIVED] <= net.scalars[NOW]:
                at = put_waits(net, rows, at, port, copy)
                copy = net.copies[copy + AFTER]
    return at


@inlined
def endpoint_at(net: State, port: int) -> int:
    """Return the endpoint of a sink port, -1 for a dump."""
    inbox = net.ports[port + END] // INBOX_STRIDE
    return NONE if inbox >= net.scalars[INBOX_COUNT] else inbox // 2


@inlined
def endpoints_below(net: State, copy: int, port: int, stack: I64, ends: I64) -> int:
    """List where the leaves end that a dropped copy has lost; return how many there are."""
    stage = net.copies[copy + STAGE]
    if stage < 0:
        ends[0] = endpoint_at(net, port)
        return 1
    found = 0
    height = 0
    left = net.copies[copy + MASK]
    while left != 0:
        stack[height] = stage + FIRST_BRANCH + lowest(left) * BRANCH_STRIDE
        height += 1
        left &= left - 1
    while height > 0:
        height -= 1
        branch = stack[height]
        below = net.stages[branch + STAGE_THERE]
        if below < 0:
            far = net.channels[net.stages[branch + TO] + PORT]
            ends[found] = endpoint_at(net, far)
            found += 1
            continue
        left = net.stages[branch + MASK_THERE]
        while left != 0:
            stack[height] = below + FIRST_BRANCH + lowest(left) * BRANCH_STRIDE
            height += 1
            left &= left - 1
    return found


@compiled
def take_drops(directory: I64, total: int) -> tuple[I64, I32, U32]:
    """Return and forget the ``total`` leaves lost since the last call, in columns as of a take."""
    net = opened(directory)
    longs = np.empty((LONGS, total), np.int64)
    ints = np.empty((INTS, total), np.int32)
    payload = np.empty((total, WORDS), np.uint32)
    stack = np.empty(total + 1, np.int64)  # branches with disjoint leaves: never more than leaves
    ends = np.empty(total + 1, np.int64)
    at = 0
    copy = net.scalars[DROP_HEAD]
    while copy >= 0:
        port = net.copies[copy + ARRIVED]
        time = net.copies[copy + LAST_END]
        count = endpoints_below(net, copy, port, stack, ends)
        for leaf in range(count):
            row = port // PORT_STRIDE
            write_row(net, copy, at, row, ends[leaf], time, longs, ints, payload)
            at += 1
        after = net.copies[copy + AFTER]
        end_leaves(net, net.copies[copy + PACKET], count)
        free_copy(net, copy)
        copy = after
    net.scalars[DROP_HEAD] = NONE
    net.scalars[DROP_COUNT] = 0
    return longs, ints, payload
