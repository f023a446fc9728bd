"""Rule 9: branches that have asked for too long go round or are dropped, after phase 2."""

from __future__ import annotations

from chipsim.compiled import inlined
from chipsim.network.compiled.bits import lowest
from chipsim.network.compiled.credits import plan_wake
from chipsim.network.compiled.layout import (
    AFTER,
    ARRIVED,
    ASK,
    BIT,
    BRANCH_STRIDE,
    CHANNEL_STRIDE,
    DEADLINE,
    DROP_COUNT,
    DROP_HEAD,
    DROP_TAIL,
    DROPPED,
    DUE_COUNT,
    DUE_START,
    EVENT_DEADLINE,
    FIRST_BRANCH,
    GIVEN_UP_HERE,
    HEAD,
    INTERVAL,
    KIND,
    KIND_FIFO,
    KIND_MASK,
    LAST_AGAIN,
    LAST_END,
    LEAVES,
    LINE_STRIDE,
    MASK,
    MISSED,
    MONITOR,
    MONITOR_PORT,
    NEVER,
    NONE,
    OPEN,
    OVERFLOWED,
    PATIENCE_STRIDE,
    PORT_STRIDE,
    QUEUE,
    READ_TIME,
    RECEIVED,
    REGISTER_FREE,
    REQUESTS,
    SECOND_WAIT,
    STAGE,
    TO,
    TWIN,
    TYPE_HERE,
    TYPES,
    WAIT,
    WAITED,
)
from chipsim.network.compiled.notes import branch_on
from chipsim.network.compiled.ports import join, leave, mark
from chipsim.network.compiled.queue import push
from chipsim.network.compiled.state import State


@inlined
def give_up(net: State, now: int) -> None:
    """Look at the ports where somebody may have waited long enough, in ascending order.

    The order matters where several ports of a node share the register that a monitor reads.
    """
    count = net.scalars[DUE_COUNT]
    start = net.scalars[DUE_START]
    net.scalars[DUE_COUNT] = 0
    for at in range(start + 1, start + count):
        port = net.lists[at]
        to = at
        while to > start and net.lists[to - 1] > port:
            net.lists[to] = net.lists[to - 1]
            to -= 1
        net.lists[to] = port
    for at in range(start, start + count):
        port = net.lists[at]
        net.ports[port + DEADLINE] = NONE
        if net.ports[port + KIND] & KIND_MASK == KIND_FIFO:
            give_up_head(net, port, now)
        else:
            give_up_pool(net, port, now)


@inlined
def second_wait(net: State, port: int) -> int:
    """Return how long the packets of a port may ask for their detours."""
    return net.patience[port // PORT_STRIDE * PATIENCE_STRIDE + SECOND_WAIT]  # type: ignore[no-any-return]


@inlined
def patience_over(net: State, port: int, copy: int, first: int, now: int) -> int:
    """Do what is due with a copy whose first wait ends at ``first``; return its next limit.

    ``NONE`` once it has been given up.
    """
    if now < first:
        return first
    last = first + second_wait(net, port)
    if now >= last:
        drop_rest(net, port, copy, now)
        return NONE
    if net.stages[net.copies[copy + STAGE] + TWIN] >= 0:
        go_round(net, port, copy, now)
    return last


@inlined
def give_up_head(net: State, port: int, now: int) -> None:
    """Deal with a FIFO's head that has asked for too long, else look again later."""
    ports = net.ports
    if ports[port + ASK] < 0:
        return
    first = ports[port + ASK] + ports[port + WAIT]
    limit = patience_over(net, port, ports[port + HEAD], first, now)
    if limit >= 0:
        look_again(net, port, limit)


@inlined
def give_up_pool(net: State, port: int, now: int) -> None:
    """Deal with a pool's copies that have asked for too long, and look again for the next one."""
    following = NEVER
    copy = net.ports[port + HEAD]
    while copy >= 0 and net.copies[copy + ARRIVED] <= now:
        after = net.copies[copy + AFTER]
        first = net.copies[copy + ARRIVED] + net.ports[port + WAIT]
        limit = patience_over(net, port, copy, first, now)
        if limit >= 0:
            following = min(following, limit)
            if limit == first:
                break  # those behind it have waited less
        copy = after
    if following < NEVER:
        look_again(net, port, following)


@inlined
def look_again(net: State, port: int, time: int) -> None:
    """Plan the port's next look."""
    net.ports[port + DEADLINE] = time
    push(net, time, port << 3 | EVENT_DEADLINE)


@inlined
def go_round(net: State, port: int, copy: int, now: int) -> None:
    """Let a copy ask for the detours of its blocked branches instead of these."""
    copies, stages, channels = net.copies, net.stages, net.channels
    plain = copies[copy + STAGE]
    twin = stages[plain + TWIN]
    copies[copy + STAGE] = twin
    left = copies[copy + MASK]
    while left != 0:
        offset = FIRST_BRANCH + lowest(left) * BRANCH_STRIDE
        left &= left - 1
        before = stages[plain + offset + TO]
        instead = stages[twin + offset + TO]
        if before == instead:
            continue
        fifo = net.ports[port + KIND] & KIND_MASK == KIND_FIFO
        if not fifo or branch_on(net, copy, before) < 0:
            withdraw(net, port, before, now)
        channels[instead + REQUESTS] |= net.ports[port + BIT]
        open_at = channels[instead + OPEN]
        if open_at <= now:
            mark(net, instead)
        elif open_at < NEVER:
            plan_wake(net, instead, open_at)


@inlined
def drop_rest(net: State, port: int, copy: int, now: int) -> None:
    """Give up the copy's ungranted branches; it leaves with the end of its last transmission."""
    copies = net.copies
    leave(net, port, copy, max(now, copies[copy + LAST_END]), now)
    left = copies[copy + MASK]
    base = copies[copy + STAGE] + FIRST_BRANCH
    net.given_up[port // PORT_STRIDE * TYPES + net.stages[base + TYPE_HERE]] += 1
    leaves = 0
    while left != 0:
        branch = base + lowest(left) * BRANCH_STRIDE
        leaves += net.stages[branch + LEAVES]
        channel = net.stages[branch + TO]
        net.lines[channel // CHANNEL_STRIDE * LINE_STRIDE + GIVEN_UP_HERE] += 1
        withdraw(net, port, channel, now)
        left &= left - 1
    monitor = net.patience[port // PORT_STRIDE * PATIENCE_STRIDE + MONITOR]
    if monitor >= 0 and handed_over(net, monitor, copy, now):
        return
    net.scalars[DROPPED] += leaves
    net.dropped[port // PORT_STRIDE] += leaves
    log_drop(net, port, copy, now)


@inlined
def handed_over(net: State, monitor: int, copy: int, now: int) -> bool:
    """Let the monitor read the copy, and plan when it is sent again; return False if it is lost.

    Packets that will be in the queue when this one has been read are one interval apart, because
    each of them has been read before now.
    """
    monitors, copies = net.monitors, net.copies
    if now < monitors[monitor + REGISTER_FREE]:
        monitors[monitor + MISSED] += 1
        return False
    again = now + monitors[monitor + READ_TIME]
    monitors[monitor + REGISTER_FREE] = again
    last = monitors[monitor + LAST_AGAIN]
    interval = monitors[monitor + INTERVAL]
    if last > again and (last - again + interval - 1) // interval >= monitors[monitor + QUEUE]:
        monitors[monitor + OVERFLOWED] += 1
        return False
    monitors[monitor + RECEIVED] += 1
    if last >= 0:
        again = max(again, last + interval)
    monitors[monitor + LAST_AGAIN] = again
    twin = net.stages[copies[copy + STAGE] + TWIN]
    if twin < NONE:
        copies[copy + STAGE] = -2 - twin
    copies[copy + WAITED] += now - copies[copy + ARRIVED]
    copies[copy + ARRIVED] = again
    copies[copy + LAST_END] = NONE
    join(net, monitors[monitor + MONITOR_PORT], copy, again)
    return True


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
