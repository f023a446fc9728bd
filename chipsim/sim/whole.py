"""Whole handlers: packets taken, a kernel evaluated, work charged, packets sent, in one call.

What :class:`chipsim.sim.steps.StepGroup` does with a kernel in parts, a compiled kernel can do
whole: it calls :func:`begin`, evaluates the rows, and calls :func:`finish`; both are made of the
functions that the parts call. Measured: a compiled call from Python costs 2 µs for each array that
it returns and 0.1 µs for each that it gets, and a tick of 22 rows has less work than that. So such
a call returns no array, and what it needs of the chip stands in one, the **form**: numbers, and
addresses of arrays with their lengths.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import carray  # type: ignore[attr-defined]
from numpy.typing import NDArray

from chipsim.compiled import compiled, inlined
from chipsim.network.compiled.inbox import INTS as TAKEN_INTS
from chipsim.network.compiled.inbox import WORDS, count_taken, take_rows
from chipsim.network.compiled.layout import ACCEPTED, FEEDER, NOW, PORT_STRIDE
from chipsim.network.compiled.layout import LEFT as WAITING
from chipsim.network.compiled.script import SENT_ALL, send
from chipsim.network.compiled.state import State, bare, ints, octets, opened, words
from chipsim.sim.consume import LOG_FORM, TICK, count_kinds, has_room, note_taken
from chipsim.sim.expand import INTS, LONGS, PLAN_FIELDS, count_keys, put_keys
from chipsim.sim.handlers import (
    FIELDS,
    OPEN,
    any_open,
    charge_handlers,
    charge_operations,
    log_handler,
    settle,
    start_steps,
)
from chipsim.sim.spikes import FORM as SPIKE_FORM
from chipsim.sim.spikes import log_spikes

I32 = NDArray[np.int32]
I64 = NDArray[np.int64]
U32 = NDArray[np.uint32]

SENT_PACKETS = 2
"""What :func:`chipsim.sim.handlers.any_open` says when an open handler has sent packets."""

FORM = 45
(
    STATUS,  # what the call came to, see below
    TAKEN,  # packets taken
    SENT,  # packets sent
    LAST,  # rows that had the last tick of their effect
    BAD_NET,  # of a key outside its net's block: net, keys of the block, key offset
    BAD_SIZE,
    BAD_OFFSET,
    NETWORK,  # from here on addresses of arrays, their lengths, and numbers
    NETWORK_LENGTH,
    DATA,
    CORES,
    ROWS,
    INBOXES,
    COUNT,
    DATA_CORES,
    LEFT,
    TOTAL,
    STEP,
    ALL_ROWS,
    COUNTS,
    COSTS,
    TOTALS,
    OPERATIONS,
    RATES,
    LEVELS,
    SEQUENCE,
    VERTICES,
    KIND_OF_NET,
    NETS,
    SENT_KINDS,
    KINDS,
    LOG,  # form of the log of packets
    SPIKES,  # form of the log of spikes, 0 where nobody records them
    CHARGED,  # cycles by operation of the open handlers, 0 where nobody records them
    CHARGED_CORES,
    CHARGED_OPERATIONS,
    CHARGED_COLUMNS,
    PER_TICK,
    PER_SEND,
    SWITCH_PS,
    OUT_LONGS,
    OUT_INTS,
    OUT_KEYS,
    OUT_WORDS,
    OUT_ROOM,
) = range(FORM)

PLAN = 5
PLAN_TABLE, PLAN_NETS, PLAN_ROUTES, PLAN_BRANCHES, PLAN_FAN = range(PLAN)
"""A send plan's own form."""

DONE = 0
IN_PARTS = 1  # not all rows are due and free and at one step: nothing was done
NO_ROOM = 2  # more packets wait than can be counted now: nothing was done
NOT_SENT = 3  # all done, but the network has no room for the packets that are in the out columns
BAD_KEY = 4  # a key lies outside its net's block
TOO_MANY = 5  # more packets than the out columns hold


@inlined
def script_of(net: State, port: int) -> tuple[int, int]:
    """Return how many of a port's sends wait for acceptance, and when the last was accepted."""
    source = net.ports[port * PORT_STRIDE + FEEDER]
    return net.sources[source + WAITING], net.sources[source + ACCEPTED]


@compiled
def settle_whole(directory: I64, data: I64, ports: I32, now: int, totals: I64) -> None:
    """Close every handler that has ended by ``now``, where nobody records them one by one.

    ``ports`` are the cores' source ports; the other parameters are those of
    :func:`chipsim.sim.handlers.settle_handlers`.
    """
    found = any_open(data)
    if not found:
        return
    net = opened(directory)
    for core in range(data.shape[1]):
        left, last = 0, -1
        if found == SENT_PACKETS:
            left, last = script_of(net, int(ports[core]))
        if settle(data, core, left, last, now, totals):
            data[OPEN, core] = 0


@compiled
def settle_logged(
    directory: I64, data: I64, ports: I32, now: int, totals: I64, held: I64, rows: int,
    endpoint: I32, table: I64, closing: I64, phase: int, batch: int,
) -> int:  # fmt: skip
    """Do :func:`settle_whole` and record the handlers; return the rows that ``held`` then has.

    The further parameters are those of :func:`chipsim.sim.handlers.log_handlers`; there must be
    room for a row of each core behind the first ``rows``.
    """
    found = any_open(data)
    if not found:
        return rows
    net = opened(directory)
    for core in range(data.shape[1]):
        left, last = 0, -1
        if found == SENT_PACKETS:
            left, last = script_of(net, int(ports[core]))
        if settle(data, core, left, last, now, totals):
            data[OPEN, core] = 0
            log_handler(held, rows, data, core, endpoint, table, closing, phase, batch)
            rows += 1
    return rows


class Handlers(NamedTuple):
    """The arrays of a form, as the parts' functions have them."""

    network: I64
    data: I64
    cores: I32
    rows: I32
    inboxes: I32
    left: I64
    total: I64
    step: I64
    counts: I64
    costs: I64
    totals: I64
    rates: I64
    sequence: I64
    kind_of_net: NDArray[np.int8]
    sent: I64
    log: I64


@inlined
def read(form: I64) -> Handlers:
    """Return the arrays of a form."""
    count, all_rows, operations = form[COUNT], form[ALL_ROWS], form[OPERATIONS]
    return Handlers(
        carray(words(form[NETWORK]), (form[NETWORK_LENGTH],)),
        carray(words(form[DATA]), (FIELDS, form[DATA_CORES])),
        carray(ints(form[CORES]), (count,)),
        carray(ints(form[ROWS]), (count,)),
        carray(ints(form[INBOXES]), (count,)),
        carray(words(form[LEFT]), (all_rows,)),
        carray(words(form[TOTAL]), (all_rows,)),
        carray(words(form[STEP]), (count,)),
        carray(words(form[COUNTS]), (count, operations)),
        carray(words(form[COSTS]), (operations,)),
        carray(words(form[TOTALS]), (all_rows, operations)),
        carray(words(form[RATES]), (form[LEVELS], 2)),
        carray(words(form[SEQUENCE]), (form[VERTICES],)),
        carray(octets(form[KIND_OF_NET]), (form[NETS],)),
        carray(words(form[SENT_KINDS]), (form[KINDS],)),
        carray(words(form[LOG]), (LOG_FORM,)),
    )


@inlined
def together(on: Handlers) -> bool:
    """Return whether all rows are at the same step of their effects."""
    first = on.rows[0]
    apart = 0
    for row in on.rows:
        apart += on.total[row] - on.left[row] != on.total[first] - on.left[first]
    return apart == 0


@inlined
def rows_of(form: I64) -> I32:
    """Return the kernel's rows in this call."""
    return carray(ints(form[ROWS]), (form[COUNT],))


@inlined
def steps_of(form: I64) -> I64:
    """Return the number of the tick within each row's effect."""
    return carray(words(form[STEP]), (form[COUNT],))


@inlined
def counts_of(form: I64) -> I64:
    """Return the operation counts that a kernel fills in, zeros, shape (rows, operations)."""
    return carray(words(form[COUNTS]), (form[COUNT], form[OPERATIONS]))


@compiled
def begin(form: I64, tick: int, now: int) -> tuple[I32, U32]:
    """Open the handlers of ``tick`` and take their packets; ``STATUS`` says whether it could.

    Returns
    -------
    tuple of ndarray
        Of the packets, sorted by (row, key, time): the columns of 32 bit of
        :mod:`chipsim.network.compiled.inbox` (row, endpoint, key, source, net, ...), shape
        (8, packets), and the payload, shape (packets, 4).
    """
    on = read(form)
    net = opened(on.network)
    waiting = count_taken(net, on.inboxes)
    status = DONE
    if waiting < 0 or net.scalars[NOW] != now or not together(on):
        status = IN_PARTS
    elif not has_room(on.log, waiting):
        status = NO_ROOM
    if status == DONE:
        last = start_steps(on.data, on.cores, on.left, on.total, on.rows, on.step, tick, now)
        form[LAST] = last
        if last < 0:
            status = IN_PARTS
    form[STATUS] = status
    form[TAKEN] = form[SENT] = 0
    if status != DONE:
        return np.empty((TAKEN_INTS, 0), np.int32), np.empty((0, WORDS), np.uint32)
    longs, columns, payload, _ = take_rows(net, on.inboxes, now, waiting)
    note_taken(on.log, longs, columns, waiting, tick, TICK)
    form[TAKEN] = waiting
    on.counts[:] = 0
    return columns, payload


@compiled
def finish(
    form: I64,
    plan: I64,
    received: I32,
    position: I32,
    offset: I64,
    payload: U32,
    tag: I32,
    tick: int,
) -> None:
    """Charge what the rows counted, record it if asked to, and send keys; sets ``STATUS``.

    Parameters
    ----------
    form
        The form.
    plan : ndarray of int64, shape (6,)
        The send plan's form; any, where no row sends.
    received : ndarray of int32
        Row position of each packet taken.
    position, offset, payload, tag
        As of :func:`chipsim.sim.sends.draft`.
    """
    on = read(form)
    nets, branches = plan[PLAN_NETS], plan[PLAN_BRANCHES]
    fan = carray(words(plan[PLAN_FAN]), (nets,))
    times = charge_handlers(
        on.data, on.cores, on.counts, on.costs, on.totals, received, position, on.rows, fan,
        form[PER_TICK], form[PER_SEND], on.rates, form[SWITCH_PS],
    )  # fmt: skip
    if form[CHARGED] != 0:
        charge_operations(
            carray(words(form[CHARGED]), (form[CHARGED_CORES], form[CHARGED_OPERATIONS])),
            on.cores, carray(words(form[CHARGED_COLUMNS]), (form[OPERATIONS],)),
            on.counts, on.costs,
        )  # fmt: skip
    if len(position) == 0:
        return
    table = carray(words(plan[PLAN_TABLE]), (PLAN_FIELDS, nets + 1))
    routes = carray(ints(plan[PLAN_ROUTES]), (branches,))
    bad, count = count_keys(on.rows, position, offset, table)
    room = form[OUT_ROOM]
    if bad >= 0:
        row = on.rows[position[bad]]
        form[STATUS], form[BAD_NET] = BAD_KEY, table[2, row]
        form[BAD_SIZE], form[BAD_OFFSET] = table[4, row], offset[bad]
    elif count > room:
        form[STATUS] = TOO_MANY
    if form[STATUS] != DONE:
        return
    longs = carray(words(form[OUT_LONGS]), (LONGS, room))
    columns = carray(ints(form[OUT_INTS]), (INTS, room))
    keys = carray(bare(form[OUT_KEYS]), (room,))[:count]
    payloads = carray(bare(form[OUT_WORDS]), (room, WORDS))[:count]
    put_keys(
        on.rows, position, offset, payload, tag, table, routes, times, tick, on.sequence,
        longs, columns, keys, payloads,
    )  # fmt: skip
    form[SENT] = count
    nets_sent = columns[3, :count]
    count_kinds(on.sent, on.kind_of_net, nets_sent)
    if form[SPIKES] != 0:
        log_spikes(
            carray(words(form[SPIKES]), (SPIKE_FORM,)), longs[0, :count], columns[2, :count], keys,
            nets_sent, columns[4, :count], columns[5, :count],
        )  # fmt: skip
    status = send(
        on.network, columns[0, :count], longs[0, :count], longs[1, :count], columns[1, :count],
        columns[2, :count], longs[2, :count], keys, payloads, nets_sent, columns[4, :count],
        columns[5, :count],
    )  # fmt: skip
    if status != SENT_ALL:
        form[STATUS] = NOT_SENT
