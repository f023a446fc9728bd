"""Looking ahead: on big machines, what a slot's events will read is fetched before it is needed.

A hop reads and writes ten to fifteen cache lines (its event, two ports, a channel, a copy, a stage
and their credits), each of which says where the next one is. On one chip they stay in the core's
own cache. A board of 48 chips has 20 MB of them, and when all chips are busy, events of one
instant lie anywhere in it: each line then takes 100 to 200 ns to come from memory, one after the
other. The events of a slot of the wheel are known when the slot begins, so that their chains are
followed here side by side, a step of all of them at a time, with *prefetches*: instructions that
ask for a line and do not wait for it. Nothing is changed, and no result depends on it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from llvmlite import ir  # type: ignore[import-untyped,unused-ignore]
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from chipsim.compiled import inlined
from chipsim.network.compiled.bits import from_bit, lowest
from chipsim.network.compiled.layout import (
    AFTER,
    AHEAD_TO,
    ASK,
    CHASE_STRIDE,
    CHASED,
    CODE,
    END,
    EVENT_INJECT,
    EVENT_POOL,
    EVENT_SINK,
    EVENT_STRIDE,
    EVENT_WAKE,
    FEEDER,
    FIRST_BRANCH,
    HEAD,
    INPUTS,
    KIND,
    KIND_POOL,
    KIND_SOURCE,
    NEAR_BITS,
    PACKET,
    PORT,
    REQUESTS,
    RING,
    ROOT,
    SCRIPT,
    SHIFT,
    SLOT_END,
    SOURCE_PORT,
    STAGE,
    TO,
)
from chipsim.network.compiled.state import I64, State

LINE = 8
"""Words of a cache line; records of ports, channels and packets are two lines long."""

# What the base of a chain's next step belongs to.
AT_HEAD = 0  # a port, whose first copy matters
AT_ASK = 1  # a pool, in which a copy arrives
AT_COPY = 2
AT_STAGE = 3
AT_CHANNEL = 4
AT_FAR = 5
AT_WAKE = 6  # a channel that looks at its requests
AT_INPUT = 7
AT_SOURCE = 8
AT_PACKET = 9
AT_SINK = 10
AT_DELIVERED = 11
AT_POOLED = 12  # a copy in a pool, all of which are looked through for the oldest that asks
AT_END = 13
STEPS = 16
"""Chains are cut off here: seven steps lead to everything but the copies of a long pool."""
ENOUGH = 64
"""Chains that are followed together."""
FEW = 12
"""Where fewer events come at once, following them costs what it saves."""


def _fetch(typing_context: Any, array: Any, at: Any) -> Any:
    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pointer, index = arguments
        byte = ir.IntType(8).as_pointer()
        word = ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [byte, word, word, word])
        module = builder.module
        call = cgutils.get_or_insert_function(module, kind, "llvm.prefetch.p0")  # type: ignore[no-untyped-call]
        where = builder.bitcast(builder.gep(pointer, [index]), byte)
        to_read, keep, data = word(0), word(3), word(1)
        builder.call(call, [where, to_read, keep, data])
        return context.get_dummy_value()

    return types.none(array, types.int64), codegen


fetch = cast("Callable[[I64, int], None]", intrinsic(_fetch))
"""``fetch(array, at)`` asks for the cache line of ``array[at]`` and does not wait for it."""


@inlined
def fetch_pair(array: I64, at: int) -> None:
    """Ask for a record of two lines."""
    fetch(array, at)
    fetch(array, at + LINE)


@inlined
def look_ahead(net: State, time: int) -> None:
    """Fetch what the next events of the near level will touch, from those of ``time`` on.

    Not more than fit the cache beside each other until their turn comes: those behind
    ``AHEAD_TO`` are looked at when the time has come there.
    """
    scalars, near = net.scalars, net.near
    at = time & ((1 << scalars[SHIFT]) - 1)
    begin_ps = time - at
    word = at >> 6
    bits = from_bit(near[scalars[NEAR_BITS] + word], at & 63)
    last = (1 << scalars[SHIFT]) >> 6
    scalars[AHEAD_TO] = scalars[SLOT_END]
    count = 0
    while True:
        while bits == 0 and word + 1 < last:
            word += 1
            bits = near[scalars[NEAR_BITS] + word]
        if bits == 0:
            break
        at = (word << 6) + lowest(bits)
        bits &= bits - 1
        count = begin_list(net, count, near[at])
        if count > ENOUGH:
            scalars[AHEAD_TO] = begin_ps + at + 1
            break
    follow_all(net, count)


@inlined
def look_at_list(net: State, event: int) -> None:
    """Fetch what the events of a list will touch."""
    follow_all(net, begin_list(net, 0, event))


@inlined
def begin_list(net: State, count: int, event: int) -> int:
    """Begin the chains of a list's events; return how many chains there are now."""
    while event >= 0:
        code = net.events[event * EVENT_STRIDE + CODE]
        event = code >> 32
        count = begin(net, count, code & 7, (code & 0xFFFFFFFF) >> 3)
        if count > CHASED - 2:
            follow_all(net, count)
            count = 0
    return count


@inlined
def follow_all(net: State, count: int) -> None:
    """Follow the chains that have begun."""
    if count >= FEW:
        for _ in range(STEPS):
            count = step_all(net, count)


@inlined
def begin(net: State, count: int, kind: int, base: int) -> int:
    """Begin the one or two chains of an event; return how many there are now."""
    if kind == EVENT_WAKE:
        fetch_pair(net.channels, base)
        count = put(net, count, AT_WAKE, base)
        return put(net, count, AT_CHANNEL, base)
    if kind == EVENT_INJECT:
        fetch(net.sources, base)
        return put(net, count, AT_SOURCE, base)
    fetch_pair(net.ports, base)
    if kind == EVENT_POOL:
        count = put(net, count, AT_ASK, base)
    elif kind == EVENT_SINK:
        return put(net, count, AT_SINK, base)
    return put(net, count, AT_HEAD, base)


@inlined
def put(net: State, count: int, step: int, base: int) -> int:
    """Write a chain's next step; return the number of the one behind it."""
    net.chase[count * CHASE_STRIDE] = step
    net.chase[count * CHASE_STRIDE + 1] = base
    return count + 1


@inlined
def step_all(net: State, count: int) -> int:
    """Go one step further on every chain; return how many have not ended."""
    left = 0
    for row in range(count):
        step = net.chase[row * CHASE_STRIDE]
        base = net.chase[row * CHASE_STRIDE + 1]
        left = follow(net, left, step, base)
    return left


@inlined
def follow(net: State, row: int, step: int, base: int) -> int:
    """Read what the base leads to, and fetch that; return the next free row."""
    if step == AT_HEAD:
        return from_port(net, row, base, net.ports[base + HEAD])
    if step == AT_COPY:
        stage = net.copies[base + STAGE]
        if stage < 0:
            return row
        fetch(net.stages, stage)
        return put(net, row, AT_STAGE, stage)
    if step == AT_STAGE:
        channel = net.stages[base + FIRST_BRANCH + TO]
        fetch_pair(net.channels, channel)
        return put(net, row, AT_CHANNEL, channel)
    if step == AT_CHANNEL:
        far = net.channels[base + PORT]
        fetch(net.inputs, net.channels[base + INPUTS])
        fetch_pair(net.ports, far)
        return put(net, row, AT_FAR, far)
    if step == AT_FAR:
        fetch(net.credits, net.ports[base + RING])
        return row
    if step == AT_WAKE:
        requests = net.channels[base + REQUESTS]
        if requests == 0:
            return row
        entry = net.channels[base + INPUTS] + lowest(requests)
        fetch(net.inputs, entry)
        return put(net, row, AT_INPUT, entry)
    if step == AT_INPUT:
        port = net.inputs[base]
        fetch_pair(net.ports, port)
        return put(net, row, AT_HEAD, port)
    return follow_rare(net, row, step, base)


@inlined
def follow_rare(net: State, row: int, step: int, base: int) -> int:
    """Do the same for what comes once a packet, and for pools."""
    if step == AT_SOURCE:
        fetch_pair(net.ports, net.sources[base + SOURCE_PORT])
        packet = net.sources[base + SCRIPT]
        if packet < 0:
            return row
        fetch(net.packets, packet + LINE)
        return put(net, row, AT_PACKET, packet)
    if step == AT_PACKET:
        fetch(net.copies, net.packets[base + ROOT])
        return put(net, row, AT_COPY, net.packets[base + ROOT])
    if step == AT_SINK:
        fetch(net.inboxes, net.ports[base + END])
        copy = net.ports[base + HEAD]
        if copy < 0:
            return row
        fetch(net.copies, copy)
        return put(net, row, AT_DELIVERED, copy)
    if step == AT_DELIVERED:
        fetch(net.packets, net.copies[base + PACKET] + LINE)
        return row
    if step == AT_ASK:
        return from_port(net, row, base, net.ports[base + ASK])
    fetch(net.stages, max(net.copies[base + STAGE], 0))  # AT_POOLED
    after = net.copies[base + AFTER]
    if after < 0:
        return row
    fetch(net.copies, after)
    return put(net, row, AT_POOLED, after)


@inlined
def from_port(net: State, row: int, port: int, copy: int) -> int:
    """Fetch a copy of a port, and what its leaving will touch: credits, and whoever feeds it."""
    ports = net.ports
    kind = ports[port + KIND]
    fetch(net.credits, ports[port + RING])
    if kind & KIND_SOURCE == 0:
        fetch_pair(net.channels, ports[port + FEEDER])
    if copy < 0:
        return row
    fetch(net.copies, copy)
    return put(net, row, AT_POOLED if kind == KIND_POOL else AT_COPY, copy)
