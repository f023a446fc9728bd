"""Rule 9: branches that have asked for too long are dropped, after phase 2 of their instant."""

from __future__ import annotations

from chipsim.compiled import inlined
from chipsim.network.compiled.arbitration import branch_on
from chipsim.network.compiled.bits import lowest
from chipsim.network.compiled.layout import (
    AFTER,
    ARRIVED,
    ASK,
    BIT,
    BRANCH_STRIDE,
    DEADLINE,
    DROP_COUNT,
    DROP_HEAD,
    DROP_TAIL,
    DROPPED,
    DUE_COUNT,
    DUE_START,
    EVENT_DEADLINE,
    HEAD,
    KIND,
    KIND_FIFO,
    KIND_MASK,
    LAST_END,
    LEAVES,
    MASK,
    NONE,
    OPEN,
    PORT_STRIDE,
    REQUESTS,
    STAGE,
    TO,
    WAIT,
)
from chipsim.network.compiled.ports import leave, mark
from chipsim.network.compiled.queue import push
from chipsim.network.compiled.state import State


@inlined
def give_up(net: State, now: int) -> None:
    """Look at the ports where somebody may have waited long enough."""
    count = net.scalars[DUE_COUNT]
    net.scalars[DUE_COUNT] = 0
    for at in range(count):
        port = net.lists[net.scalars[DUE_START] + at]
        net.ports[port + DEADLINE] = NONE
        if net.ports[port + KIND] & KIND_MASK == KIND_FIFO:
            give_up_head(net, port, now)
        else:
            give_up_pool(net, port, now)


@inlined
def give_up_head(net: State, port: int, now: int) -> None:
    """Drop what is left of a FIFO's head if it has asked for too long, else look again later."""
    ports = net.ports
    if ports[port + ASK] < 0:
        return
    limit = ports[port + ASK] + ports[port + WAIT]
    if limit > now:
        look_again(net, port, limit)
    else:
        drop_rest(net, port, ports[port + HEAD], now)


@inlined
def give_up_pool(net: State, port: int, now: int) -> None:
    """Drop what is left of a pool's oldest copies, and look again for the next one."""
    while True:
        copy = net.ports[port + HEAD]
        if copy < 0 or net.copies[copy + ARRIVED] > now:
            return
        limit = net.copies[copy + ARRIVED] + net.ports[port + WAIT]
        if limit > now:
            look_again(net, port, limit)
            return
        drop_rest(net, port, copy, now)


@inlined
def look_again(net: State, port: int, time: int) -> None:
    """Plan the port's next look."""
    net.ports[port + DEADLINE] = time
    push(net, time, port << 3 | EVENT_DEADLINE)


@inlined
def drop_rest(net: State, port: int, copy: int, now: int) -> None:
    """Drop the copy's ungranted branches; it leaves with the end of its last transmission."""
    copies = net.copies
    leave(net, port, copy, max(now, copies[copy + LAST_END]))
    left = copies[copy + MASK]
    base = net.stages[copies[copy + STAGE]]
    leaves = 0
    while left != 0:
        branch = base + lowest(left) * BRANCH_STRIDE
        leaves += net.branches[branch + LEAVES]
        withdraw(net, port, net.branches[branch + TO], now)
        left &= left - 1
    net.scalars[DROPPED] += leaves
    net.dropped[port // PORT_STRIDE] += leaves
    log_drop(net, port, copy, now)


@inlined
def withdraw(net: State, port: int, channel: int, now: int) -> None:
    """Take back the port's request for the output, unless another packet of a pool has one.

    That packet is the port's candidate from now on, and may be granted at this very instant: it
    may be memory traffic, which a stalling sink takes where it had no slot for the dropped one.
    """
    if net.ports[port + KIND] & KIND_MASK != KIND_FIFO:
        copy = net.ports[port + HEAD]
        while copy >= 0 and net.copies[copy + ARRIVED] <= now:
            if branch_on(net, copy, channel) >= 0:
                if net.channels[channel + OPEN] <= now:
                    mark(net, channel)
                return
            copy = net.copies[copy + AFTER]
    net.channels[channel + REQUESTS] &= ~net.ports[port + BIT]


@inlined
def log_drop(net: State, port: int, copy: int, now: int) -> None:
    """Keep a dropped copy for :meth:`take_drops`; its record says branches, port and time."""
    net.copies[copy + ARRIVED] = port
    net.copies[copy + LAST_END] = now
    net.copies[copy + AFTER] = NONE
    if net.scalars[DROP_HEAD] < 0:
        net.scalars[DROP_HEAD] = copy
    else:
        net.copies[net.scalars[DROP_TAIL] + AFTER] = copy
    net.scalars[DROP_TAIL] = copy
    net.scalars[DROP_COUNT] += 1
