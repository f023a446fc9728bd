"""What goes on at input FIFOs: joining, asking, leaving, and acceptance from scripts.

A copy joins its next FIFO's list **when it is granted**, with its time of arrival: a channel's
arrivals are in the order of its grants, so the list is right from then on. A FIFO thus needs one
event per packet, when its head may ask: at its arrival or when the head before it has gone,
whichever is later.
"""

from __future__ import annotations

from chipsim.compiled import inlined
from chipsim.network.compiled.bits import lowest
from chipsim.network.compiled.credits import (
    add_credit,
    first_credit,
    plan_wake,
    release_to_channel,
    use_credit,
)
from chipsim.network.compiled.layout import (
    ACCEPTED,
    AFTER,
    ARRIVED,
    ASK,
    BIT,
    BLOCKED,
    BRANCH_STRIDE,
    CAPACITY,
    CREDIT,
    DEADLINE,
    DIRTY,
    DIRTY_COUNT,
    DUE_COUNT,
    DUE_START,
    EARLIEST,
    EVENT_DEADLINE,
    EVENT_HEAD,
    EVENT_INJECT,
    EVENT_POOL,
    EVENT_SINK,
    FEEDER,
    FIRST_BRANCH,
    FREE,
    GAP,
    HEAD,
    INJECTED,
    INJECTED_AT,
    KIND,
    KIND_FIFO,
    KIND_MASK,
    KIND_POOL,
    KIND_SINK,
    KIND_SOURCE,
    LEFT,
    LINK,
    MASK,
    NEVER,
    NONE,
    NOTED,
    OPEN,
    PENDING,
    QUEUE_PEAKS,
    REQUESTS,
    ROOT,
    SCRIPT,
    SOURCE_PORT,
    STAGE,
    TAIL,
    TO,
    WAIT,
    WATCH_ACCEPTED,
)
from chipsim.network.compiled.queue import push
from chipsim.network.compiled.queues import queue_grows, queue_shrinks
from chipsim.network.compiled.state import State
from chipsim.network.compiled.watches import fire_accepted


@inlined
def mark(net: State, channel: int) -> None:
    """Have the output arbitrated in phase 2 of this instant."""
    if net.channels[channel + DIRTY] == 0:
        net.channels[channel + DIRTY] = 1
        count = net.scalars[DIRTY_COUNT]
        net.lists[count] = channel
        net.scalars[DIRTY_COUNT] = count + 1


@inlined
def request(net: State, copy: int, bit: int, now: int) -> None:
    """Let ``copy`` ask for the outputs of its ungranted branches."""
    channels, stages = net.channels, net.stages
    base = net.copies[copy + STAGE] + FIRST_BRANCH
    left = net.copies[copy + MASK]
    while left != 0:
        channel = stages[base + lowest(left) * BRANCH_STRIDE + TO]
        left &= left - 1
        channels[channel + REQUESTS] |= bit
        open_at = channels[channel + OPEN]
        if open_at <= now:
            mark(net, channel)
        elif open_at < NEVER:
            plan_wake(net, channel, open_at)


@inlined
def limit_wait(net: State, port: int, now: int) -> None:
    """Watch that what begins to ask now does not ask for longer than its node allows."""
    ports = net.ports
    planned = ports[port + DEADLINE]
    limit = now + ports[port + WAIT]
    if planned == NOTED or 0 <= planned <= limit:
        return
    if limit == now:
        note_due(net, port)
    else:
        ports[port + DEADLINE] = limit
        push(net, limit, port << 3 | EVENT_DEADLINE)


@inlined
def note_due(net: State, port: int) -> None:
    """Have the port looked at after phase 2 of this round."""
    count = net.scalars[DUE_COUNT]
    net.ports[port + DEADLINE] = NOTED
    net.lists[net.scalars[DUE_START] + count] = port
    net.scalars[DUE_COUNT] = count + 1


@inlined
def head_asks(net: State, port: int, now: int) -> None:
    """Let the head of a FIFO begin to ask."""
    net.ports[port + ASK] = now
    request(net, net.ports[port + HEAD], net.ports[port + BIT], now)
    if net.ports[port + WAIT] >= 0:
        limit_wait(net, port, now)


@inlined
def pool_arrives(net: State, port: int, now: int) -> None:
    """Let the next copy that arrives at a pool ask, and plan the one after it."""
    ports, copies = net.ports, net.copies
    copy = ports[port + ASK]
    request(net, copy, ports[port + BIT], now)
    after = copies[copy + AFTER]
    ports[port + ASK] = after
    if after >= 0:
        push(net, copies[after + ARRIVED], port << 3 | EVENT_POOL)
    if ports[port + WAIT] >= 0:
        limit_wait(net, port, now)


@inlined
def join(net: State, port: int, copy: int, time: int) -> None:
    """Put ``copy`` at the end of a LINK or SINK port's list; it arrives there at ``time``."""
    ports, copies = net.ports, net.copies
    copies[copy + AFTER] = NONE
    kind = ports[port + KIND]
    head = ports[port + HEAD]
    if net.scalars[QUEUE_PEAKS] and kind != KIND_SINK:
        queue_grows(net, port, copy)
    if kind == KIND_FIFO:
        if head < 0:
            ports[port + HEAD] = copy
            push(net, max(time, ports[port + FREE]), port << 3 | EVENT_HEAD)
        else:
            copies[ports[port + TAIL] + AFTER] = copy
        ports[port + TAIL] = copy
    elif kind == KIND_POOL:
        if head < 0:
            ports[port + HEAD] = copy
        else:
            copies[ports[port + TAIL] + AFTER] = copy
        ports[port + TAIL] = copy
        if ports[port + ASK] < 0:
            ports[port + ASK] = copy
            push(net, time, port << 3 | EVENT_POOL)
    else:
        join_sink(net, port, copy, time)


@inlined
def join_sink(net: State, port: int, copy: int, time: int) -> None:
    """Put ``copy`` on its way to a sink, which (unbounded) may have several channels."""
    ports, copies = net.ports, net.copies
    head = ports[port + HEAD]
    if head < 0 or time < copies[head + ARRIVED]:
        copies[copy + AFTER] = head
        ports[port + HEAD] = copy
        if head < 0:
            ports[port + TAIL] = copy
        push(net, time, port << 3 | EVENT_SINK)
        return
    before = ports[port + TAIL]
    if copies[before + ARRIVED] <= time:
        copies[before + AFTER] = copy
        ports[port + TAIL] = copy
        return
    before = head
    while copies[copies[before + AFTER] + ARRIVED] <= time:
        before = copies[before + AFTER]
    copies[copy + AFTER] = copies[before + AFTER]
    copies[before + AFTER] = copy


@inlined
def leave(net: State, port: int, copy: int, end: int, now: int) -> None:
    """Take ``copy``, all of whose branches are granted or dropped, out of its node at ``end``."""
    ports, copies = net.ports, net.copies
    after = copies[copy + AFTER]
    if net.scalars[QUEUE_PEAKS] and ports[port + KIND] & KIND_SOURCE == 0:
        queue_shrinks(net, port, now)
    if ports[port + KIND] & KIND_MASK == KIND_FIFO:
        ports[port + HEAD] = after
        ports[port + FREE] = end
        ports[port + ASK] = NONE
        if after >= 0:
            push(net, max(end, copies[after + ARRIVED]), port << 3 | EVENT_HEAD)
    else:
        unlink(net, port, copy, after)
    if ports[port + CAPACITY] > 0:
        release(net, port, end)


@inlined
def unlink(net: State, port: int, copy: int, after: int) -> None:
    """Take ``copy`` out of a pool's list."""
    ports, copies = net.ports, net.copies
    before = ports[port + HEAD]
    if before == copy:
        ports[port + HEAD] = after
        return
    while copies[before + AFTER] != copy:
        before = copies[before + AFTER]
    copies[before + AFTER] = after
    if after < 0:
        ports[port + TAIL] = before


@inlined
def release(net: State, port: int, end: int) -> None:
    """Free a slot of the bounded port, for its channel a credit latency later."""
    if net.ports[port + KIND] & KIND_SOURCE:
        add_credit(net, port, end)
        plan_inject(net, net.ports[port + FEEDER])
    else:
        release_to_channel(net, port, end + net.ports[port + CREDIT])


@inlined
def plan_inject(net: State, source: int) -> None:
    """Schedule the acceptance of the script's next packet, if its time is known by now."""
    sources, packets = net.sources, net.packets
    packet = sources[source + SCRIPT]
    if packet < 0:
        return
    time = max(packets[packet + EARLIEST], sources[source + ACCEPTED] + packets[packet + GAP])
    port = sources[source + SOURCE_PORT]
    if net.ports[port + CAPACITY] > 0:
        time = max(time, first_credit(net, port))
    if time < NEVER and sources[source + PENDING] != time:
        sources[source + PENDING] = time
        push(net, time, source << 3 | EVENT_INJECT)


@inlined
def accept(net: State, source: int, now: int) -> None:
    """Accept the first packet of a script into its port."""
    sources, packets, copies = net.sources, net.packets, net.copies
    packet = sources[source + SCRIPT]
    sources[source + SCRIPT] = packets[packet + LINK]
    sources[source + LEFT] -= 1
    if max(packets[packet + EARLIEST], sources[source + ACCEPTED] + packets[packet + GAP]) < now:
        sources[source + BLOCKED] += 1
    sources[source + ACCEPTED] = now
    packets[packet + INJECTED_AT] = now
    net.scalars[INJECTED] += 1
    port = sources[source + SOURCE_PORT]
    if net.ports[port + CAPACITY] > 0:
        use_credit(net, port)
    copy = packets[packet + ROOT]
    copies[copy + ARRIVED] = now
    enter_source(net, port, copy, now)


@inlined
def enter_source(net: State, port: int, copy: int, now: int) -> None:
    """Put an accepted copy into its source port, where it may ask at once."""
    ports, copies = net.ports, net.copies
    head = ports[port + HEAD]
    copies[copy + AFTER] = NONE
    if head < 0:
        ports[port + HEAD] = copy
    else:
        copies[ports[port + TAIL] + AFTER] = copy
    ports[port + TAIL] = copy
    if ports[port + KIND] & KIND_MASK == KIND_POOL:
        request(net, copy, ports[port + BIT], now)
        if ports[port + WAIT] >= 0:
            limit_wait(net, port, now)
    elif head < 0:
        if ports[port + FREE] <= now:
            head_asks(net, port, now)
        else:
            push(net, ports[port + FREE], port << 3 | EVENT_HEAD)


@inlined
def inject(net: State, source: int, now: int) -> None:
    """Accept what the script may have accepted by now, and plan the next acceptance."""
    sources = net.sources
    if sources[source + PENDING] != now:
        return  # a slot became free earlier than planned; this event is an old plan
    sources[source + PENDING] = NONE
    while True:
        accept(net, source, now)
        packet = sources[source + SCRIPT]
        if packet < 0:
            if sources[source + WATCH_ACCEPTED]:
                fire_accepted(net, source)
            return
        if net.packets[packet + EARLIEST] > now or net.packets[packet + GAP] > 0:
            break
        port = sources[source + SOURCE_PORT]
        if net.ports[port + CAPACITY] > 0 and first_credit(net, port) > now:
            break
    plan_inject(net, source)
