"""Taking: the copies in inboxes, or in the log of drops, become columns."""

from __future__ import annotations

import numpy as np

from chipsim.compiled import compiled, inlined
from chipsim.network.compiled.credits import release_to_channel
from chipsim.network.compiled.layout import (
    ARRIVED,
    CAPACITY,
    COUNT,
    CREDIT,
    FIRST,
    HOPS,
    INBOX_COUNT,
    INBOX_STRIDE,
    INJECTED_AT,
    KEY,
    NET,
    NEXT,
    NONE,
    NOW,
    PACKET,
    PAYLOAD,
    SEQ,
    SINK_PORT,
    SOURCE,
    TAG,
    TICK,
    WAITED,
)
from chipsim.network.compiled.queue import next_event_time, spare_events
from chipsim.network.compiled.records import end_leaves, free_copy
from chipsim.network.compiled.sinks import take_first
from chipsim.network.compiled.state import I32, I64, U32, State, opened

LONGS = 4
"""Columns of 64 bit: seq, injected, time, waited."""
INTS = 8
"""Columns of 32 bit: row, endpoint, key, source, net, tick, tag, hops."""
WORDS = 4
MASK_32 = 2**32 - 1


@inlined
def is_before(net: State, a: int, b: int) -> bool:
    """Return whether copy ``a`` of an inbox comes before ``b``: by key, time, source, seq."""
    p, q = net.copies[a + PACKET], net.copies[b + PACKET]
    if net.packets[p + KEY] != net.packets[q + KEY]:
        return net.packets[p + KEY] < net.packets[q + KEY]  # type: ignore[no-any-return]
    if net.copies[a + ARRIVED] != net.copies[b + ARRIVED]:
        return net.copies[a + ARRIVED] < net.copies[b + ARRIVED]  # type: ignore[no-any-return]
    if net.packets[p + SOURCE] != net.packets[q + SOURCE]:
        return net.packets[p + SOURCE] < net.packets[q + SOURCE]  # type: ignore[no-any-return]
    return net.packets[p + SEQ] < net.packets[q + SEQ]  # type: ignore[no-any-return]


@inlined
def merge(net: State, order: I64, into: I64, start: int, middle: int, end: int) -> None:
    """Merge two sorted runs of ``order`` into ``into``; equal ones keep their order."""
    left, right = start, middle
    for at in range(start, end):
        if left < middle and (right >= end or not is_before(net, order[right], order[left])):
            into[at] = order[left]
            left += 1
        else:
            into[at] = order[right]
            right += 1


@inlined
def sort_copies(net: State, order: I64, spare: I64, start: int, end: int) -> None:
    """Sort a part of ``order``: merges from below, after runs of 8 by insertion."""
    for first in range(start, end, 8):
        for at in range(first + 1, min(first + 8, end)):
            copy = order[at]
            to = at
            while to > first and is_before(net, copy, order[to - 1]):
                order[to] = order[to - 1]
                to -= 1
            order[to] = copy
    width = 8
    while width < end - start:
        for first in range(start, end, 2 * width):
            middle = min(first + width, end)
            merge(net, order, spare, first, middle, min(first + 2 * width, end))
        for at in range(start, end):
            order[at] = spare[at]
        width *= 2


@inlined
def write_row(
    net: State,
    copy: int,
    at: int,
    row: int,
    endpoint: int,
    time: int,
    longs: I64,
    ints: I32,
    payload: U32,
) -> None:
    """Write a copy into row ``at`` of the columns."""
    copies, packets = net.copies, net.packets
    packet = copies[copy + PACKET]
    longs[0, at] = packets[packet + SEQ]
    longs[1, at] = packets[packet + INJECTED_AT]
    longs[2, at] = time
    longs[3, at] = copies[copy + WAITED]
    ints[0, at] = row
    ints[1, at] = endpoint
    ints[2, at] = packets[packet + KEY]
    ints[3, at] = packets[packet + SOURCE]
    ints[4, at] = packets[packet + NET]
    ints[5, at] = packets[packet + TICK]
    ints[6, at] = packets[packet + TAG]
    ints[7, at] = copies[copy + HOPS]
    for word in range(WORDS):
        pair = packets[packet + PAYLOAD + (word >> 1)]
        payload[at, word] = (pair >> (32 * (word & 1))) & MASK_32


@inlined
def count_taken(net: State, inboxes: I32) -> int:
    """Return how many packets the inboxes hold together.

    A negative number is a refusal: -1 if events must grow first, -2 - row for an inbox that does
    not exist.
    """
    if spare_events(net) < len(inboxes):
        return -1
    total = 0
    for row in range(len(inboxes)):
        number = int(inboxes[row])
        if number < 0 or number >= net.scalars[INBOX_COUNT]:
            return -2 - row
        if net.inboxes[number * INBOX_STRIDE + SINK_PORT] == NONE:
            return -2 - row
        total += net.inboxes[number * INBOX_STRIDE + COUNT]
    return total


@inlined
def empty(net: State, inbox: int, now: int, order: I64, total: int) -> int:
    """Move what the inbox got up to ``now`` into ``order``, free its slots; return the new end."""
    port = net.inboxes[inbox + SINK_PORT]
    holds = port >= 0 and net.ports[port + CAPACITY] > 0
    while net.inboxes[inbox + FIRST] >= 0:
        if net.copies[net.inboxes[inbox + FIRST] + ARRIVED] > now:
            break
        order[total] = take_first(net, inbox)
        total += 1
        if holds:
            release_to_channel(net, port, net.scalars[NOW] + net.ports[port + CREDIT])
    return total


@inlined
def take_rows(net: State, inboxes: I32, now: int, total: int) -> tuple[I64, I32, U32, int]:
    """Empty inboxes, which hold ``total`` packets, of what was delivered up to ``now``.

    Returns
    -------
    tuple
        Columns of 64 and of 32 bit, payload, and how many rows of them count.
    """
    longs = np.empty((LONGS, total), np.int64)
    ints = np.empty((INTS, total), np.int32)
    payload = np.empty((total, WORDS), np.uint32)
    order = np.empty(total, np.int64)
    spare = np.empty(total, np.int64)
    end = 0
    for row in range(len(inboxes)):
        start = end
        number = int(inboxes[row])
        end = empty(net, number * INBOX_STRIDE, now, order, end)
        if end - start > 1:
            sort_copies(net, order, spare, start, end)
        for at in range(start, end):
            copy = order[at]
            time = net.copies[copy + ARRIVED]
            write_row(net, copy, at, row, number >> 1, time, longs, ints, payload)
            end_leaves(net, net.copies[copy + PACKET], 1)
            free_copy(net, copy)
    if end > 0:
        net.scalars[NEXT] = next_event_time(net)
    return longs, ints, payload, end


@compiled
def take(directory: I64, inboxes: I32, now: int) -> tuple[I64, I32, U32, int]:
    """Empty inboxes of what was delivered up to ``now``.

    Returns
    -------
    tuple
        Columns of 64 and of 32 bit, payload, and how many rows of them count, or a refusal of
        :func:`count_taken`.
    """
    net = opened(directory)
    total = count_taken(net, inboxes)
    if total < 0:
        none = np.empty((0, WORDS), np.uint32)
        return np.empty((LONGS, 0), np.int64), np.empty((INTS, 0), np.int32), none, total
    return take_rows(net, inboxes, now, total)
