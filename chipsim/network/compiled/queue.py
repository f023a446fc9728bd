"""The queue of events: a timing wheel for integer times.

The wheel has ``SLOTS`` slots of ``2**shift`` ps; the width is at most the smallest delay of the
machine, so that nearly every event lands in a later slot than the one in which it was made. A slot
holds a linked list. Where all its events have one time (always so on machines with one clock) they
are taken as a batch; otherwise, and for events that land inside the current slot, they go through
the **near** heap. Events beyond the wheel's horizon wait in the **far** heap. So any integer time
is right; the clock only decides how fast.

Invariants: events before ``SLOT_END`` are in the near heap (or in the batch being processed);
slots hold events of the next ``SLOTS`` slot numbers; the far heap holds any.
"""

from __future__ import annotations

from chipsim.compiled import inlined
from chipsim.network.compiled.bits import from_bit, lowest
from chipsim.network.compiled.layout import (
    BITMAP,
    BITMAP_WORDS,
    CODE,
    EVENT_FREE,
    EVENT_ROOM,
    EVENT_STRIDE,
    FAR_COUNT,
    NEAR_COUNT,
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
    if time < end:
        heap_push(net.near, scalars, NEAR_COUNT, time, code)
        return
    shift = scalars[SHIFT]
    number = time >> shift
    if number - (end >> shift) >= SLOTS - 1:
        heap_push(net.far, scalars, FAR_COUNT, time, code)
        return
    push_slot(net, number & _MASK, time, code)


@inlined
def push_slot(net: State, slot: int, time: int, code: int) -> None:
    """Put an event into a slot of the wheel."""
    scalars, events, slots = net.scalars, net.events, net.slots
    event = scalars[EVENT_FREE]
    base = event * EVENT_STRIDE
    scalars[EVENT_FREE] = events[base + CODE]
    scalars[EVENT_ROOM] -= 1
    at = slot * SLOT_STRIDE
    first = slots[at + SLOT_FIRST]
    events[base + TIME] = time
    events[base + CODE] = code | ((first >> 1) << 32)
    if first < 0:
        slots[at + SLOT_FIRST] = event << 1
        slots[at + SLOT_TIME] = time
        scalars[BITMAP + (slot >> 6)] |= 1 << (slot & 63)
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
    """Return how many events may be added; slots, near and far heap hold them together."""
    scalars = net.scalars
    return int(scalars[EVENT_ROOM] - scalars[NEAR_COUNT] - scalars[FAR_COUNT])


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
def next_event_time(net: State) -> int:
    """Return the time of the earliest event, or ``NEVER``."""
    scalars = net.scalars
    time = NEVER
    if scalars[NEAR_COUNT] > 0:
        time = net.near[0]
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
def enter(net: State, time: int) -> int:
    """Enter the slot of ``time``, the time of the next event, while the near heap is empty.

    Returns
    -------
    int
        The first event of a batch that shares ``time``, or -1 where the events of the slot have
        been put into the near heap.
    """
    scalars, events, near, far = net.scalars, net.events, net.near, net.far
    shift = scalars[SHIFT]
    number = time >> shift
    first = -1
    if number >= scalars[SLOT_END] >> shift:
        first = take_slot(net, number)
        scalars[SLOT_END] = (number + 1) << shift
    end = scalars[SLOT_END]
    from_far = scalars[FAR_COUNT] > 0 and far[0] < end
    if first >= 0 and first & 1 == 0 and not from_far:
        return int(first >> 1)
    event = first >> 1
    while event >= 0:
        base = event * EVENT_STRIDE
        code = events[base + CODE]
        heap_push(near, scalars, NEAR_COUNT, events[base + TIME], code & CODE_BITS)
        free_event(net, event)
        event = code >> 32
    while scalars[FAR_COUNT] > 0 and far[0] < end:
        early = far[0]
        heap_push(near, scalars, NEAR_COUNT, early, heap_pop(far, scalars, FAR_COUNT))
    return -1


@inlined
def move_to(net: State, now: int) -> None:
    """Let the wheel begin at ``now``; nothing is due up to it."""
    scalars = net.scalars
    shift = scalars[SHIFT]
    start = (now >> shift) << shift
    if start > scalars[SLOT_END]:
        scalars[SLOT_END] = start
