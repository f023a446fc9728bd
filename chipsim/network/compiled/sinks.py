"""Deliveries: copies that reach a sink go into the endpoint's inboxes."""

from __future__ import annotations

from chipsim.compiled import inlined
from chipsim.network.compiled.credits import release_to_channel
from chipsim.network.compiled.deadlines import log_drop
from chipsim.network.compiled.layout import (
    AFTER,
    ARRIVED,
    BIN,
    BINS,
    CAPACITY,
    CONSUME,
    COUNT,
    CREDIT,
    DELIVERED,
    DELIVERED_IN_WINDOW,
    DELIVERED_OF_CREATED,
    DROPPED,
    EARLIEST,
    END,
    EVENT_SINK,
    FIRST,
    FULL,
    FULL_DROP,
    HEAD,
    LAST,
    LATENCY_MAX,
    LATENCY_SUM,
    LIMIT,
    MEASURED,
    MEMORY,
    NONE,
    OVERWRITTEN,
    PACKET,
    PORT_STRIDE,
    QUEUE_PEAKS,
    WATCH,
    WINDOW_END,
    WINDOW_START,
)
from chipsim.network.compiled.queue import push
from chipsim.network.compiled.queues import inbox_holds
from chipsim.network.compiled.records import end_leaves, free_copy
from chipsim.network.compiled.state import State
from chipsim.network.compiled.watches import fire_inbox


@inlined
def arrive(net: State, port: int, now: int) -> None:
    """Deliver what has reached the sink by now, and plan the next arrival."""
    ports, copies = net.ports, net.copies
    copy = ports[port + HEAD]
    if copy < 0 or copies[copy + ARRIVED] > now:
        return  # delivered by an event of the same time
    while copy >= 0 and copies[copy + ARRIVED] <= now:
        after = copies[copy + AFTER]
        ports[port + HEAD] = after
        deliver(net, port, copy, now)
        copy = after
    if copy >= 0:
        push(net, copies[copy + ARRIVED], port << 3 | EVENT_SINK)


@inlined
def deliver(net: State, port: int, copy: int, now: int) -> None:
    """Put the copy into its inbox; drop it, or the oldest there, if that is full."""
    packet = net.copies[copy + PACKET]
    memory = net.packets[packet + MEMORY]
    inbox = net.ports[port + END] + memory
    limit = net.inboxes[inbox + LIMIT]
    if net.inboxes[inbox + COUNT] >= limit:
        if net.inboxes[inbox + FULL] == FULL_DROP:
            net.scalars[DROPPED] += 1
            lose(net, port, copy, now)
            return
        net.scalars[OVERWRITTEN] += 1
        net.scalars[DELIVERED] -= 1
        lose(net, port, take_first(net, inbox), now)
    net.scalars[DELIVERED] += 1
    if net.scalars[BINS] > 0:
        measure(net, packet, now)
    if net.scalars[CONSUME]:
        if net.ports[port + CAPACITY] > 0 and memory == 0:
            release_to_channel(net, port, now + net.ports[port + CREDIT])
        end_leaves(net, packet, 1)
        free_copy(net, copy)
    else:
        put(net, inbox, copy)
        if net.scalars[QUEUE_PEAKS]:
            inbox_holds(net, port, net.inboxes[inbox + COUNT])


@inlined
def lose(net: State, port: int, copy: int, now: int) -> None:
    """Log a copy that a full inbox lost."""
    net.dropped[port // PORT_STRIDE] += 1
    log_drop(net, port, copy, now)


@inlined
def put(net: State, inbox: int, copy: int) -> None:
    """Append to an inbox and look whether somebody waits for that."""
    inboxes = net.inboxes
    net.copies[copy + AFTER] = NONE
    if inboxes[inbox + FIRST] < 0:
        inboxes[inbox + FIRST] = copy
    else:
        net.copies[inboxes[inbox + LAST] + AFTER] = copy
    inboxes[inbox + LAST] = copy
    count = inboxes[inbox + COUNT] + 1
    inboxes[inbox + COUNT] = count
    watch = inboxes[inbox + WATCH]
    if watch > 0 and count >= watch:
        fire_inbox(net, inbox)


@inlined
def take_first(net: State, inbox: int) -> int:
    """Remove the oldest copy of an inbox."""
    copy = net.inboxes[inbox + FIRST]
    net.inboxes[inbox + FIRST] = net.copies[copy + AFTER]
    net.inboxes[inbox + COUNT] -= 1
    return copy  # type: ignore[no-any-return]


@inlined
def measure(net: State, packet: int, now: int) -> None:
    """Count a delivery in the measuring window's statistics."""
    scalars = net.scalars
    if now >= scalars[WINDOW_START] and now < scalars[WINDOW_END]:
        scalars[DELIVERED_IN_WINDOW] += 1
    if net.packets[packet + MEASURED]:
        latency = now - net.packets[packet + EARLIEST]
        scalars[DELIVERED_OF_CREATED] += 1
        scalars[LATENCY_SUM] += latency
        scalars[LATENCY_MAX] = max(scalars[LATENCY_MAX], latency)
        which = min(latency // scalars[BIN], scalars[BINS] - 1)
        net.latencies[which] += 1
