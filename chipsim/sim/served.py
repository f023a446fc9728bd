"""Memory traffic that nobody waits for, served while the compiled network runs.

Most of what a memory gets concerns no program at that moment: read requests, which it answers, and
writes that a program will look for later. :func:`run_served` runs the network and serves them at
the instants at which they arrive; it comes back for everything else, which Python handles as it
would have handled these (:mod:`chipsim.sim.memory`). It never serves at the time of the next SimPy
event, since what happens there has an order of its own.
"""

from __future__ import annotations

import numpy as np
from numba import carray  # type: ignore[attr-defined]
from numpy.typing import NDArray

from chipsim.compiled import compiled, inlined
from chipsim.network.compiled.layout import (
    COPY_ROOM,
    COUNT,
    DONE,
    FIRED_COUNT,
    FIRED_START,
    INBOX_STRIDE,
    NOW,
    PACKET_ROOM,
    WATCH,
)
from chipsim.network.compiled.loop import run
from chipsim.network.compiled.queue import spare_events
from chipsim.network.compiled.state import State, bare, flags, ints, octets, opened, words
from chipsim.sim.consume import LOG_FORM, MEMORY, has_room
from chipsim.sim.flits import FLIT_WORDS, collect, only_key, send_words, take_noted

I64 = NDArray[np.int64]
U32 = NDArray[np.uint32]
Mask = NDArray[np.bool_]

FORM = 13
(
    ROW_OF,  # address: each endpoint's row in the table of ports, -1 without one; int32
    PORTS,  # address of the table of ports, shape (rows, PORT_FIELDS)
    ASKED,  # address of the table of requests, shape (REQUESTS, REQUEST_FIELDS)
    LOG,  # address of the packet log's form
    SEQUENCE,  # address: each vertex's next packet number
    KIND_OF_NET,
    NETS,
    SENT_BY_KIND,
    TICK_OFFSET,
    TICK_PS,
    ENDED,  # how many quiet writes have ended
    ENDED_ROWS,  # address of their rows, int64
    ENDED_ROOM,
) = range(FORM)

NOTHING, REQUESTS_ONLY, A_WRITE = range(3)
"""What a port may be served with."""
PORT_FIELDS = 13
(
    SERVING,
    FREE_PS,
    BYTES,
    LATENCY_PS,
    DMA_PORT,
    VERTEX,
    NUMBER,  # of the write that is awaited, and the rest of what collect needs
    LEFT,
    ARRIVED,
    FLITS,
    TO,
    TO_WORDS,
    TO_LEAD,
) = range(PORT_FIELDS)

REQUESTS = 256
"""Requests that are kept, by their transfers' numbers; others are left to Python."""
REQUEST_FIELDS = 6
ASK_NUMBER, ASK_WORDS, ASK_COUNT, ASK_LEAD, ASK_ROUTE, ASK_NET = range(REQUEST_FIELDS)


@compiled
def note_write(ports: I64, row: int, number: int, arrived: Mask, memory: U32, lead: int) -> None:
    """Have the flits of a write stored in ``memory`` from now on; see ``PORT_FIELDS``."""
    record = ports[row]
    record[NUMBER] = number
    record[LEFT] = record[FLITS] = len(arrived)
    record[ARRIVED] = arrived.ctypes.data
    record[TO], record[TO_WORDS], record[TO_LEAD] = memory.ctypes.data, len(memory), lead
    record[SERVING] = A_WRITE


@compiled
def note_request(asked: I64, number: int, memory: U32, lead: int, route: int, net: int) -> None:
    """Note what a read request asks for; see ``REQUEST_FIELDS``."""
    record = asked[number % REQUESTS]
    record[ASK_NUMBER], record[ASK_WORDS] = number, memory.ctypes.data
    record[ASK_COUNT], record[ASK_LEAD] = len(memory), lead
    record[ASK_ROUTE], record[ASK_NET] = route, net


@inlined
def flits_of(lead: int, count: int) -> int:
    """Return the flits that carry ``count`` words after ``lead`` empty ones."""
    return (lead + count + FLIT_WORDS - 1) // FLIT_WORDS


@inlined
def answer(directory: I64, net: State, form: I64, port: int, inbox: int, number: int) -> bool:
    """Take a read request and send the reply; return False, with nothing done, if that cannot be.

    ``port`` is the first field of the port's record.
    """
    ports = words(form[PORTS])
    ask = words(form[ASKED])
    at = (number % REQUESTS) * REQUEST_FIELDS
    count = ask[at + ASK_COUNT]
    flits = flits_of(ask[at + ASK_LEAD], count)
    scalars = net.scalars
    if ask[at + ASK_NUMBER] != number or scalars[PACKET_ROOM] < flits:
        return False
    if scalars[COPY_ROOM] < flits or spare_events(net) < flits + 1:
        return False
    now = scalars[NOW]
    log = carray(words(form[LOG]), (LOG_FORM,))
    if take_noted(directory, np.full(1, inbox, np.int32), now, log, -1, MEMORY)[2] < 0:
        return False
    start = max(now + ports[port + LATENCY_PS], ports[port + FREE_PS])
    ports[port + FREE_PS] = start
    ports[port + BYTES] += 4 * count
    vertex = ports[port + VERTEX]
    sequence = words(form[SEQUENCE])
    first_seq = sequence[vertex]
    sequence[vertex] += flits
    of_net = ask[at + ASK_NET]
    send_words(
        directory, carray(bare(ask[at + ASK_WORDS]), (count,)), ask[at + ASK_LEAD],
        ports[port + DMA_PORT], start, 0, ask[at + ASK_ROUTE], vertex, first_seq, 2 * number + 1,
        of_net, (now - form[TICK_OFFSET]) // form[TICK_PS],
    )  # fmt: skip
    kind = octets(form[KIND_OF_NET])[of_net if of_net >= 0 else form[NETS] - 1]
    words(form[SENT_BY_KIND])[kind] += flits
    net.inboxes[inbox * INBOX_STRIDE + WATCH] = 1
    return True


@inlined
def store(directory: I64, net: State, form: I64, port: int, inbox: int, row: int) -> bool:
    """Store the flits of the awaited write; return False, with nothing done, if that cannot be."""
    ports = words(form[PORTS])
    if form[ENDED] == form[ENDED_ROOM]:
        return False
    log = carray(words(form[LOG]), (LOG_FORM,))
    inboxes = np.full(1, inbox, np.int32)
    columns, payload, count = take_noted(directory, inboxes, net.scalars[NOW], log, -1, MEMORY)
    if count < 0:
        return False
    fresh, written = collect(
        carray(flags(ports[port + ARRIVED]), (ports[port + FLITS],)),
        carray(bare(ports[port + TO]), (ports[port + TO_WORDS],)),
        columns[6], payload, ports[port + TO_LEAD],
    )  # fmt: skip
    ports[port + LEFT] -= fresh
    ports[port + BYTES] += 4 * written
    if ports[port + LEFT] > 0:
        net.inboxes[inbox * INBOX_STRIDE + WATCH] = ports[port + LEFT]
        return True
    ports[port + SERVING] = NOTHING
    words(form[ENDED_ROWS])[form[ENDED]] = row
    form[ENDED] += 1
    return True


@inlined
def serve(directory: I64, net: State, form: I64, inbox: int) -> bool:
    """Serve what an inbox holds; return False, with nothing done, if that is not for here."""
    if inbox % 2 == 0:
        return False
    row = ints(form[ROW_OF])[inbox // 2]
    if row < 0:
        return False
    port = row * PORT_FIELDS
    serving = words(form[PORTS])[port + SERVING]
    if serving == NOTHING:
        return False
    log = carray(words(form[LOG]), (LOG_FORM,))
    if not has_room(log, net.inboxes[inbox * INBOX_STRIDE + COUNT]):
        return False
    key = only_key(directory, inbox)
    if serving == REQUESTS_ONLY:
        return key >= 0 and key % 2 == 0 and answer(directory, net, form, port, inbox, key // 2)
    if key != 2 * words(form[PORTS])[port + NUMBER] + 1:
        return False
    return store(directory, net, form, port, inbox, row)


@inlined
def sort_fired(net: State, start: int, count: int) -> bool:
    """Order fired watches as they are told; return False if one of them is no inbox's."""
    lists = net.lists
    for place in range(count):
        if lists[start + place] & 1:
            return False
    for place in range(1, count):
        code = lists[start + place]
        to = place
        while to > 0 and lists[start + to - 1] > code:
            lists[start + to] = lists[start + to - 1]
            to -= 1
        lists[start + to] = code
    return True


@inlined
def serve_fired(directory: I64, net: State, form: I64) -> bool:
    """Serve the watches that have just fired, in order; leave those that are not for here."""
    scalars, lists = net.scalars, net.lists
    start, count = scalars[FIRED_START], scalars[FIRED_COUNT]
    if count > 1 and not sort_fired(net, start, count):
        return False
    served = 0
    while served < count:
        inbox = (lists[start + served] >> 1) // INBOX_STRIDE
        if lists[start + served] & 1 or not serve(directory, net, form, inbox):
            break
        served += 1
    for place in range(count - served):
        lists[start + place] = lists[start + served + place]
    scalars[FIRED_COUNT] = count - served
    return bool(served == count)


@compiled
def run_served(directory: I64, until: int, form: I64) -> int:
    """Do :func:`chipsim.network.compiled.loop.run`, and serve what it stops for, before ``until``.

    Returns
    -------
    int
        As ``run``; watches that were not served are left as fired.
    """
    net = opened(directory)
    scalars = net.scalars
    while True:
        status = run(directory, until)
        if status != DONE or scalars[FIRED_COUNT] == 0 or scalars[NOW] >= until:
            return int(status)
        if not serve_fired(directory, net, form):
            return int(status)
