"""The event loop: instants, each in rounds of phase 1 and phase 2."""

from __future__ import annotations

from chipsim.compiled import compiled, inlined
from chipsim.network.compiled.arbitration import arbitrate
from chipsim.network.compiled.deadlines import give_up
from chipsim.network.compiled.layout import (
    CODE,
    COPY_NEED,
    COPY_ROOM,
    DEADLINE,
    DIRTY_COUNT,
    DONE,
    DUE_COUNT,
    EVENT_DEADLINE,
    EVENT_HEAD,
    EVENT_INJECT,
    EVENT_NEED,
    EVENT_POOL,
    EVENT_SINK,
    EVENT_STRIDE,
    EVENT_WAKE,
    FIRED_COUNT,
    GROW_COPIES,
    GROW_EVENTS,
    GROW_LOG,
    HOP_LOG,
    LOG_CAPACITY,
    LOG_COUNT,
    LOG_NEED,
    NEXT,
    NONE,
    NOW,
    OPEN,
    WAKE,
)
from chipsim.network.compiled.ports import head_asks, inject, mark, note_due, pool_arrives
from chipsim.network.compiled.queue import (
    CODE_BITS,
    free_event,
    move_to,
    next_event_time,
    spare_events,
    take_instant,
    take_near,
)
from chipsim.network.compiled.sinks import arrive
from chipsim.network.compiled.state import I64, State, opened


@inlined
def wake(net: State, channel: int, now: int) -> None:
    """Have an output looked at again."""
    channels = net.channels
    if channels[channel + WAKE] == now:
        channels[channel + WAKE] = NONE
    if channels[channel + OPEN] <= now:
        mark(net, channel)


@inlined
def handle(net: State, code: int, now: int) -> None:
    """Do what an event says: phase 1."""
    kind = code & 7
    base = code >> 3
    if kind == EVENT_HEAD:
        head_asks(net, base, now)
    elif kind == EVENT_WAKE:
        wake(net, base, now)
    elif kind == EVENT_SINK:
        arrive(net, base, now)
    elif kind == EVENT_INJECT:
        inject(net, base, now)
    elif kind == EVENT_POOL:
        pool_arrives(net, base, now)
    elif kind == EVENT_DEADLINE and net.ports[base + DEADLINE] == now:
        note_due(net, base)


@inlined
def room(net: State) -> int:
    """Return ``DONE`` if there is room for all that one round can make, else what must grow."""
    scalars = net.scalars
    if spare_events(net) < scalars[EVENT_NEED]:
        return GROW_EVENTS
    if scalars[COPY_ROOM] < scalars[COPY_NEED]:
        return GROW_COPIES
    if scalars[HOP_LOG] and scalars[LOG_CAPACITY] - scalars[LOG_COUNT] < scalars[LOG_NEED]:
        return GROW_LOG
    return DONE


@inlined
def phase_one(net: State, now: int) -> None:
    """Take every event of this instant."""
    event = take_instant(net, now)
    while event >= 0:
        code = net.events[event * EVENT_STRIDE + CODE]
        free_event(net, event)
        handle(net, code & CODE_BITS, now)
        event = code >> 32
        if event < 0:
            event = take_near(net, now)  # what they have made at this very instant


@compiled
def run(directory: I64, until: int) -> int:
    """Process every instant up to ``until``, or up to the first in which a watch fires.

    Returns
    -------
    int
        ``DONE``; or what must grow before the loop can go on.
    """
    net = opened(directory)
    scalars = net.scalars
    status = DONE
    while True:
        time = next_event_time(net)
        if scalars[DIRTY_COUNT] > 0:  # drops made others candidates: a further round
            time = scalars[NOW]
        if scalars[FIRED_COUNT] > 0 and time > scalars[NOW]:
            break
        if time > until:
            scalars[NOW] = max(until, scalars[NOW])
            move_to(net, until)
            break
        status = room(net)
        if status != DONE:
            break
        scalars[NOW] = time
        phase_one(net, time)
        arbitrate(net, time)
        if scalars[DUE_COUNT] > 0:
            give_up(net, time)
    scalars[NEXT] = next_event_time(net)
    return status
