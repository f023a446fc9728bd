"""Credits without events: the times at which a port's slots are known to be free.

A bounded port keeps the times of its slots that are free or will be, ascending, in a ring of
``capacity`` words. A grant takes the earliest; a departure adds the time from which the sender may
use the slot again. A FIFO releases in order, so that the new time goes to the back at once; a pool
may have to move it forward. The sender so knows when it may grant next, and needs an event only
when something waits for it.
"""

from __future__ import annotations

from chipsim.compiled import inlined
from chipsim.network.compiled.layout import (
    BUSY,
    CAPACITY,
    EVENT_WAKE,
    FEEDER,
    FRONT,
    KNOWN,
    MODE,
    MODE_STALL,
    NEVER,
    OPEN,
    REQUESTS,
    RING,
    WAKE,
)
from chipsim.network.compiled.queue import push
from chipsim.network.compiled.state import State


@inlined
def first_credit(net: State, port: int) -> int:
    """Return when the bounded port's next slot is free, ``NEVER`` if that is not known."""
    ports = net.ports
    if ports[port + KNOWN] == 0:
        return NEVER
    return net.credits[ports[port + RING] + ports[port + FRONT]]  # type: ignore[no-any-return]


@inlined
def use_credit(net: State, port: int) -> None:
    """Take the earliest slot of a bounded port."""
    ports = net.ports
    front = ports[port + FRONT] + 1
    if front == ports[port + CAPACITY]:
        front = 0
    ports[port + FRONT] = front
    ports[port + KNOWN] -= 1


@inlined
def add_credit(net: State, port: int, time: int) -> bool:
    """Add a slot that is free from ``time`` on; return whether it is now the earliest."""
    ports, credits = net.ports, net.credits
    capacity = ports[port + CAPACITY]
    ring = ports[port + RING]
    known = ports[port + KNOWN]
    ports[port + KNOWN] = known + 1
    at = ports[port + FRONT] + known
    if at >= capacity:
        at -= capacity
    while known > 0:
        before = at - 1
        if before < 0:
            before = capacity - 1
        if credits[ring + before] <= time:
            break
        credits[ring + at] = credits[ring + before]
        at = before
        known -= 1
    credits[ring + at] = time
    return bool(known == 0)


@inlined
def plan_wake(net: State, channel: int, time: int) -> None:
    """Let the output be looked at again at ``time``, unless that is planned already."""
    if net.channels[channel + WAKE] != time:
        net.channels[channel + WAKE] = time
        push(net, time, channel << 3 | EVENT_WAKE)


@inlined
def release_to_channel(net: State, port: int, time: int) -> None:
    """Give a slot of the bounded port back to the channel that feeds it, from ``time`` on."""
    if not add_credit(net, port, time):
        return
    channels = net.channels
    channel = net.ports[port + FEEDER]
    open_at = max(channels[channel + BUSY], time)
    if channels[channel + MODE] & MODE_STALL == 0:
        channels[channel + OPEN] = open_at
    if channels[channel + REQUESTS] != 0:
        plan_wake(net, channel, open_at)
