"""The queue of events: a timing wheel of two levels for integer times.

The wheel has ``SLOTS`` slots of ``2**shift`` ps; the width is at most the smallest delay of the
machine, so that nearly every event lands in a later slot than the one in which it was made. A slot
holds a linked list. Where all its events have one time (always so on machines with one clock) they
are taken as a batch; otherwise, and for events that land inside the current slot, they are put
into the **near** level, a list for each picosecond of the current slot, so that an event costs the
same however many there are (a heap of the 400 events that a slot holds on a busy board did not).
Events beyond the wheel's horizon wait in the **far** heap. So any integer time is right; the clock
only decides how fast.

Invariants: events before ``SLOT_END`` are in the near level (or in the batch being processed);
slots hold events of the next ``SLOTS`` slot numbers; the far heap holds any.

References
----------
G. Varghese, T. Lauck: Hashed and Hierarchical Timing Wheels, IEEE/ACM Trans. Networking 5 (1997),
doi:10.1109/90.650142.
"""

from __future__ import annotations

from chipsim.compiled import inlined
from chipsim.network.compiled.ahead import look_ahead, look_at_list
from chipsim.network.compiled.bits import from_bit, lowest
from chipsim.network.compiled.layout import (
    AHEAD,
    AHEAD_TO,
    BITMAP,
    BITMAP_WORDS,
    CODE,
    EVENT_FREE,
    EVENT_ROOM,
    EVENT_STRIDE,
    FAR_COUNT,
    NEAR_BITS,
    NEAR_COUNT,
    NEAR_SUMS,
    NEVER,
    SHIFT,
    SLOT_END,
    SLOT_FIRST,
    SLOT_STRIDE,
    SLOT_TIME,
    SLOTS,
    TIME,
)
from chipsim.network.compiled.state import I64, State

_MASK = SLOTS - 1
CODE_BITS = 2**32 - 1


@inlined
def heap_push(heap: I64, scalars: I64, counter: int, time: int, code: int) -> None:
    """Add an event to a binary heap by time; ``counter`` is the scalar with its length."""
    at = scalars[counter]
    scalars[counter] = at + 1
    while at > 0:
        up = (at - 1) >> 1
        if heap[2 * up] <= time:
            break
        heap[2 * at] = heap[2 * up]
        heap[2 * at + 1] = heap[2 * up + 1]
        at = up
    heap[2 * at] = time
    heap[2 * at + 1] = code


@inlined
def heap_pop(heap: I64, scalars: I64, counter: int) -> int:
    """Remove the earliest event of a heap and return its code."""
    code = heap[1]
    last = scalars[counter] - 1
    scalars[counter] = last
    time = heap[2 * last]
    moved = heap[2 * last + 1]
    at = 0
    while True:
        down = 2 * at + 1
        if down >= last:
            break
        if down + 1 < last and heap[2 * down + 2] < heap[2 * down]:
            down += 1
        if heap[2 * down] >= time:
            break
        heap[2 * at] = heap[2 * down]
        heap[2 * at + 1] = heap[2 * down + 1]
        at = down
    heap[2 * at] = time
    heap[2 * at + 1] = moved
    return int(code)


@inlined
def push(net: State, time: int, code: int) -> None:
    """Schedule an event; there must be room (see ``EVENT_NEED``)."""
    scalars = net.scalars
    end = scalars[SLOT_END]
    shift = scalars[SHIFT]
    number = time >> shift
    if number - (end >> shift) >= SLOTS - 1:
        heap_push(net.far, scalars, FAR_COUNT, time, code)
        return
    events = net.events
    event = scalars[EVENT_FREE]
    base = event * EVENT_STRIDE
    scalars[EVENT_FREE] = events[base + CODE]
    scalars[EVENT_ROOM] -= 1
    if time < end:
        push_near(net, event, time, code)
    else:
        push_slot(net, event, number & _MASK, time, code)


@inlined
def push_near(net: State, event: int, time: int, code: int) -> None:
    """Put an event into the list of its picosecond of the current slot."""
    scalars, near = net.scalars, net.near
    at = time & ((1 << scalars[SHIFT]) - 1)
    first = near[at]
    near[at] = event
    net.events[event * EVENT_STRIDE + CODE] = code | (first << 32)
    if first < 0:
        scalars[NEAR_COUNT] += 1
        near[scalars[NEAR_BITS] + (at >> 6)] |= 1 << (at & 63)
        near[scalars[NEAR_SUMS] + (at >> 12)] |= 1 << ((at >> 6) & 63)


@inlined
def push_slot(net: State, event: int, slot: int, time: int, code: int) -> None:
    """Put an event into a slot of the wheel."""
    events, slots = net.events, net.slots
    base = event * EVENT_STRIDE
    at = slot * SLOT_STRIDE
    first = slots[at + SLOT_FIRST]
    events[base + TIME] = time
    events[base + CODE] = code | ((first >> 1) << 32)
    if first < 0:
        slots[at + SLOT_FIRST] = event << 1
        slots[at + SLOT_TIME] = time
        net.scalars[BITMAP + (slot >> 6)] |= 1 << (slot & 63)
        return
    mixed = first & 1
    other = slots[at + SLOT_TIME]
    if other != time:
        mixed = 1
        if time < other:
            slots[at + SLOT_TIME] = time
    slots[at + SLOT_FIRST] = (event << 1) | mixed


@inlined
def spare_events(net: State) -> int:
    """Return how many events may be added; slots, near level and far heap hold them together."""
    scalars = net.scalars
    return int(scalars[EVENT_ROOM] - scalars[FAR_COUNT])


@inlined
def free_event(net: State, event: int) -> None:
    """Give an event's record back."""
    scalars = net.scalars
    net.events[event * EVENT_STRIDE + CODE] = scalars[EVENT_FREE]
    scalars[EVENT_FREE] = event
    scalars[EVENT_ROOM] += 1


@inlined
def next_slot(net: State) -> int:
    """Return the number of the next occupied slot of the wheel, or ``NEVER``."""
    scalars = net.scalars
    number = scalars[SLOT_END] >> scalars[SHIFT]
    start = number & _MASK
    word = start >> 6
    bits = from_bit(scalars[BITMAP + word], start & 63)
    for _ in range(BITMAP_WORDS + 1):
        if bits != 0:
            slot = (word << 6) + lowest(bits)
            return int(number + ((slot - start) & _MASK))
        word = (word + 1) & (BITMAP_WORDS - 1)
        bits = scalars[BITMAP + word]
    return NEVER


@inlined
def near_time(net: State) -> int:
    """Return the time of the near level's first event; there must be one."""
    scalars, near = net.scalars, net.near
    word = 0
    while near[scalars[NEAR_SUMS] + word] == 0:
        word += 1
    word = (word << 6) + lowest(near[scalars[NEAR_SUMS] + word])
    at = (word << 6) + lowest(near[scalars[NEAR_BITS] + word])
    return int(scalars[SLOT_END] - (1 << scalars[SHIFT]) + at)


@inlined
def next_event_time(net: State) -> int:
    """Return the time of the earliest event, or ``NEVER``."""
    scalars = net.scalars
    time = NEVER
    if scalars[NEAR_COUNT] > 0:
        time = near_time(net)
    else:
        number = next_slot(net)
        if number < NEVER:
            time = net.slots[(number & _MASK) * SLOT_STRIDE + SLOT_TIME]
    if scalars[FAR_COUNT] > 0 and net.far[0] < time:
        time = net.far[0]
    return time


@inlined
def take_slot(net: State, number: int) -> int:
    """Empty a slot of the wheel and return its list (first event << 1 | mixed)."""
    slot = number & _MASK
    first = net.slots[slot * SLOT_STRIDE + SLOT_FIRST]
    net.slots[slot * SLOT_STRIDE + SLOT_FIRST] = -1
    net.scalars[BITMAP + (slot >> 6)] &= ~(1 << (slot & 63))
    return int(first)


@inlined
def take_near(net: State, time: int) -> int:
    """Empty the near level's list of an instant and return its first event, -1 if it has none."""
    scalars, near = net.scalars, net.near
    if scalars[NEAR_COUNT] == 0:
        return -1
    at = time & ((1 << scalars[SHIFT]) - 1)
    first = near[at]
    if first < 0:
        return -1
    near[at] = -1
    scalars[NEAR_COUNT] -= 1
    bits = scalars[NEAR_BITS] + (at >> 6)
    near[bits] &= ~(1 << (at & 63))
    if near[bits] == 0:
        near[scalars[NEAR_SUMS] + (at >> 12)] &= ~(1 << ((at >> 6) & 63))
    return int(first)


@inlined
def take_instant(net: State, time: int) -> int:
    """Remove the events of ``time``, the time of the next event.

    Returns
    -------
    int
        The first of them; the record of each says which is the next.
    """
    scalars, events, far = net.scalars, net.events, net.far
    if scalars[NEAR_COUNT] > 0 and scalars[FAR_COUNT] == 0:
        if scalars[EVENT_ROOM] < scalars[AHEAD] and time >= scalars[AHEAD_TO]:
            look_ahead(net, time)
        return take_near(net, time)
    shift = scalars[SHIFT]
    number = time >> shift
    first = -1
    if number >= scalars[SLOT_END] >> shift:
        first = take_slot(net, number)
        scalars[SLOT_END] = (number + 1) << shift
    end = scalars[SLOT_END]
    if first >= 0 and first & 1 == 0 and (scalars[FAR_COUNT] == 0 or far[0] >= end):
        if scalars[EVENT_ROOM] < scalars[AHEAD]:
            look_at_list(net, first >> 1)
        return int(first >> 1)
    event = first >> 1
    while event >= 0:
        base = event * EVENT_STRIDE
        code = events[base + CODE]
        push_near(net, event, events[base + TIME], code & CODE_BITS)
        event = code >> 32
    while scalars[FAR_COUNT] > 0 and far[0] < end:
        early = far[0]
        push(net, early, heap_pop(far, scalars, FAR_COUNT))
    if scalars[EVENT_ROOM] < scalars[AHEAD]:
        look_ahead(net, time)
    return take_near(net, time)


@inlined
def move_to(net: State, now: int) -> None:
    """Let the wheel begin at ``now``; nothing is due up to it."""
    scalars = net.scalars
    shift = scalars[SHIFT]
    start = (now >> shift) << shift
    if start > scalars[SLOT_END]:
        scalars[SLOT_END] = start
