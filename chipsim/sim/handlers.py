"""The inner loops of handler bookkeeping: open, charge, settle.

One row per field and one column per core, so that a call from Python opens one array. Measured:
with an array per field the bookkeeping of a tick of 89 PEs took most of its CPU time.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from chipsim.compiled import compiled, inlined

I64 = NDArray[np.int64]

FIELDS = 28
(
    TICK,
    BUSY_PS,
    OPEN,
    TICKED,
    START_PS,
    END_PS,
    CYCLES,
    PACKETS_IN,
    PACKETS_OUT,
    AWAKE_CYCLES,
    AWAKE_PS,
    FIFO_PEAK,
    LEVEL,
    THRESHOLD,
    HIGH_CYCLES,
    HIGH_PS,
    OFFSET_PS,
    PERIOD_PS,
    FIFO_ROOM,
    FIFO_MOST,
    FIFO_FULL,
    TAKEN,
    WRITTEN,
    MISSED,
    USE_MOST_PS,
    BURST_TICK,
    BURST,
    BURST_MOST,
) = range(FIELDS)

MISSES = 2048
"""Missed deadlines that are kept one by one: the first ones of a run, by the handlers' ends."""
HANDLERS, OVERRUNS, USE_MAX_PS, ALL_CYCLES, LAST, LOG = range(6)
"""Positions in the totals; from ``LOG`` on stand core, tick, end and lateness [ps] of the first
:data:`MISSES` overruns, in no order, and in ``LAST`` which of them ends last (of many: core)."""
TOTALS = LOG + 4 * MISSES


@inlined
def rounded(cycles: int, numerator: int, denominator: int) -> int:
    """Return cycles in ps, half to even; ``numerator / denominator`` are ps per cycle."""
    product = cycles * numerator
    quotient = product // denominator
    twice = 2 * (product - quotient * denominator)
    if twice > denominator or (twice == denominator and quotient % 2 == 1):
        quotient += 1
    return quotient


@inlined
def open_handler(data: I64, core: int, tick: int, start_ps: int, ticked: bool) -> None:
    """Open the handler of a settled core."""
    data[TICK, core] = tick
    data[OPEN, core] = 1
    data[TICKED, core] = ticked
    data[START_PS, core] = start_ps
    data[END_PS, core] = start_ps
    data[CYCLES, core] = 0
    data[PACKETS_IN, core] = 0
    data[PACKETS_OUT, core] = 0
    data[FIFO_PEAK, core] = 0


@compiled
def open_handlers(
    data: I64, cores: NDArray[np.int32], tick: int, start_ps: int, ticked: bool
) -> None:
    """Open handlers of settled cores."""
    for core in cores:
        open_handler(data, core, tick, start_ps, ticked)


@inlined
def choose_level(data: I64, core: int, packets: int, switch_ps: int) -> None:
    """Set the clock level of a handler that starts, by packets waiting, where the policy does so.

    Such a PE sleeps at level 0, so that a handler at level 1 begins with the switch.
    """
    threshold = data[THRESHOLD, core]
    if threshold >= 0:
        data[LEVEL, core] = packets > threshold
        if packets > threshold:
            data[END_PS, core] += switch_ps


@inlined
def note_fill(data: I64, core: int, packets: int) -> None:
    """Note how many packets a core's receive FIFO held when it was emptied: its fullest."""
    if data[FIFO_ROOM, core] > 0 and packets >= data[FIFO_ROOM, core]:
        data[FIFO_FULL, core] += 1
    if packets > data[FIFO_MOST, core]:
        data[FIFO_MOST, core] = packets


@compiled
def note_fills(data: I64, core: int, packets: int) -> None:
    """Do :func:`note_fill` for one core."""
    note_fill(data, core, packets)


@compiled
def choose_levels(data: I64, core: int, packets: int, switch_ps: int) -> None:
    """Set the clock level of one core's handler, which has just been opened."""
    choose_level(data, core, packets, switch_ps)


@compiled
def charge_handlers(
    data: I64,
    cores: NDArray[np.int32],
    counts: I64,
    costs: I64,
    totals: I64,
    received: NDArray[np.int32],
    senders: NDArray[np.int32],
    rows: NDArray[np.int32],
    fan: I64,
    per_tick: int,
    per_send: int,
    rates: I64,
    switch_ps: int,
) -> I64:
    """Charge a step: operations counted per core, packets received and sent (by position).

    Parameters
    ----------
    counts : ndarray of int64, shape (len(cores), operations)
    costs : ndarray of int64, shape (operations,)
        Cycles of each operation.
    totals : ndarray of int64, shape (rows of the kernel, operations)
        The counts are added to it.
    rows, fan
        A sender writes ``fan[rows[position]]`` packets.
    per_tick, per_send : int
        Cycles of a handler's start, and of one packet.
    rates : ndarray of int64, shape (levels, 2)
        ps per cycle at each clock level, as a fraction.
    switch_ps : int
        Time of a change of level.

    Returns
    -------
    ndarray of int64, shape (2, len(cores))
        When each core's first send is written, and the gap to each further one [ps].
    """
    for position in received:
        data[PACKETS_IN, cores[position]] += 1
        # A step empties the receive FIFO once, and between two takes it only grows.
        data[FIFO_PEAK, cores[position]] += 1
    for position in senders:
        data[PACKETS_OUT, cores[position]] += fan[rows[position]]
        data[WRITTEN, cores[position]] += fan[rows[position]]
    times = np.empty((2, len(cores)), np.int64)
    for i in range(len(cores)):
        core = cores[i]
        data[TAKEN, core] += data[PACKETS_IN, core]
        note_fill(data, core, data[PACKETS_IN, core])
        choose_level(data, core, data[PACKETS_IN, core], switch_ps)
        level = data[LEVEL, core]
        start, numerator, denominator = data[END_PS, core], rates[level, 0], rates[level, 1]
        computed = per_tick
        for operation in range(len(costs)):
            computed += counts[i, operation] * costs[operation]
            totals[rows[i], operation] += counts[i, operation]
        data[CYCLES, core] += computed + per_send * data[PACKETS_OUT, core]
        data[END_PS, core] = start + rounded(computed, numerator, denominator)
        times[0, i] = start + rounded(computed + per_send, numerator, denominator)
        times[1, i] = rounded(per_send, numerator, denominator)
    return times


@inlined
def note_burst(data: I64, core: int) -> None:
    """Count the packets that a core's handlers took since its last tick, one that closes now."""
    if data[BURST_TICK, core] != data[TICK, core]:
        data[BURST_TICK, core] = data[TICK, core]
        data[BURST, core] = 0
    data[BURST, core] += data[PACKETS_IN, core]
    if data[BURST, core] > data[BURST_MOST, core]:
        data[BURST_MOST, core] = data[BURST, core]


@inlined
def note_miss(totals: I64, core: int, tick: int, end: int, late: int) -> None:
    """Keep an overrun if it is one of the first by (end, core), in whatever order they come.

    Handlers are closed when something looks at them, at the end of a window of the trace too: the
    first to be noticed would depend on the windows.
    """
    place, last = totals[OVERRUNS], LOG + 4 * totals[LAST]
    if place >= MISSES:
        if (end, core) > (totals[last + 2], totals[last]):
            return
        place = totals[LAST]
    at = LOG + 4 * place
    totals[at], totals[at + 1], totals[at + 2], totals[at + 3] = core, tick, end, late
    if totals[OVERRUNS] < MISSES:
        if place == 0 or (end, core) > (totals[last + 2], totals[last]):
            totals[LAST] = place
        return
    for other in range(MISSES):
        row, last = LOG + 4 * other, LOG + 4 * totals[LAST]
        if (totals[row + 2], totals[row]) > (totals[last + 2], totals[last]):
            totals[LAST] = other


@inlined
def note_use(data: I64, core: int, end: int, totals: I64) -> None:
    """Count how long after its tick a handler ended, and whether the next tick had begun."""
    use = end - (data[OFFSET_PS, core] + data[TICK, core] * data[PERIOD_PS, core])
    if use > totals[USE_MAX_PS]:
        totals[USE_MAX_PS] = use
    if use > data[USE_MOST_PS, core]:
        data[USE_MOST_PS, core] = use
    if use > data[PERIOD_PS, core]:
        note_miss(totals, core, data[TICK, core], end, use - data[PERIOD_PS, core])
        totals[OVERRUNS] += 1
        data[MISSED, core] += 1


@inlined
def settle(data: I64, core: int, left: int, last_ps: int, now_ps: int, totals: I64) -> int:
    """Close a core's handler if it has ended by ``now_ps``; return 1 if so, else 0."""
    if data[OPEN, core] != 1 or left > 0:
        return 0
    end = data[END_PS, core]
    if data[PACKETS_OUT, core] > 0 and last_ps > end:
        end = last_ps
    data[BUSY_PS, core] = end
    if end > now_ps:
        return 0
    data[OPEN, core] = -1
    data[AWAKE_CYCLES, core] += data[CYCLES, core]
    data[AWAKE_PS, core] += end - data[START_PS, core]
    if data[LEVEL, core] > 0:
        data[HIGH_CYCLES, core] += data[CYCLES, core]
        data[HIGH_PS, core] += end - data[START_PS, core]
    totals[HANDLERS] += 1
    totals[ALL_CYCLES] += data[CYCLES, core]
    note_burst(data, core)
    if data[TICKED, core]:
        note_use(data, core, end, totals)
    return 1


@compiled
def settle_handlers(
    data: I64,
    cores: NDArray[np.int32],
    left: NDArray[np.int32],
    last_ps: I64,
    now_ps: int,
    totals: I64,
) -> tuple[NDArray[np.bool_], int]:
    """Close the handlers that have ended by ``now_ps``.

    ``left`` and ``last_ps`` are the rows of each core's script that are not accepted, and the time
    of the last acceptance.

    Returns
    -------
    free : ndarray of bool, shape (len(cores),)
    closed : int
        How many were closed; their positions have ``OPEN`` = -1 until :func:`forget_closed`.
    """
    free = np.empty(len(cores), np.bool_)
    closed = 0
    for i in range(len(cores)):
        core = cores[i]
        closed += settle(data, core, left[i], last_ps[i], now_ps, totals)
        free[i] = data[OPEN, core] != 1 and data[BUSY_PS, core] <= now_ps
    return free, closed


@compiled
def forget_closed(data: I64, cores: NDArray[np.int32]) -> NDArray[np.int32]:
    """Return the cores that :func:`settle_handlers` closed, and mark them as closed."""
    count = 0
    for core in cores:
        count += data[OPEN, core] == -1
    closed = np.empty(count, np.int32)
    count = 0
    for core in cores:
        if data[OPEN, core] == -1:
            data[OPEN, core] = 0
            closed[count] = core
            count += 1
    return closed


@compiled
def settle_handler(data: I64, core: int, left: int, last_ps: int, now_ps: int, totals: I64) -> int:
    """Do :func:`settle_handlers` for one core; return 1 if its handler was closed (``OPEN`` = -1
    until :func:`forget_closed`), else 0.
    """
    return settle(data, core, left, last_ps, now_ps, totals)


@compiled
def any_open(data: I64) -> int:
    """Return 0 if no handler is open, 1 if some are, 2 if one of these has sent packets."""
    found = 0
    for core in range(data.shape[1]):
        if data[OPEN, core] == 1:
            found = 1
            if data[PACKETS_OUT, core] > 0:
                return 2
    return found


@compiled
def start_steps(
    data: I64, cores: NDArray[np.int32], left: I64, total: I64, rows: NDArray[np.int32],
    step: I64, tick: int, now_ps: int,
) -> int:  # fmt: skip
    """Open the handlers of ``tick`` on cores that run a kernel, if all are due, settled and free.

    Parameters
    ----------
    data, tick, now_ps
        As above.
    cores, rows : ndarray of int32, shape (k,)
        Cores, and their rows in ``left`` and ``total``: ticks left of each row's effect (one is
        taken away), and ticks that it had at its start.
    step : ndarray of int64, shape (k,)
        Gets the number of the tick within each row's effect.

    Returns
    -------
    int
        -1 if not all are due and free (nothing is changed), else how many rows have their last
        tick now.
    """
    for core in cores:
        free = data[OPEN, core] != 1 and data[BUSY_PS, core] <= now_ps
        if not free or data[TICK, core] != tick - 1:
            return -1
    last = 0
    for i in range(len(cores)):
        step[i] = total[rows[i]] - left[rows[i]]
        left[rows[i]] -= 1
        last += left[rows[i]] == 0
        open_handler(data, cores[i], tick, now_ps, True)
    return last


@compiled
def charge_operations(
    table: I64, cores: NDArray[np.int32], columns: I64, counts: I64, costs: I64
) -> None:
    """Set the cycles of the handlers that a step has opened, by operation.

    Parameters
    ----------
    table : ndarray of int64, shape (cores, all operations)
        Cycles of the open handler of each core; what a core did before is forgotten.
    columns : ndarray of int64, shape (operations,)
        Where each of the step's operations stands in ``table``.
    counts, costs
        As of :func:`charge_handlers`.
    """
    for i in range(len(cores)):
        table[cores[i]] = 0
        for operation in range(len(columns)):
            table[cores[i], columns[operation]] += counts[i, operation] * costs[operation]


LOGGED = 13
"""Rows that :func:`log_handlers` writes before the operations."""


@inlined
def log_handler(
    held: I64, at: int, data: I64, core: int, endpoint: NDArray[np.int32], table: I64,
    closing: I64, phase: int, batch: int,
) -> None:  # fmt: skip
    """Do :func:`log_handlers` for one core."""
    start, done = data[START_PS, core], data[BUSY_PS, core]
    due = data[OFFSET_PS, core] + data[TICK, core] * data[PERIOD_PS, core]
    ticked, sent = data[TICKED, core], data[PACKETS_OUT, core]
    held[0, at] = endpoint[core]
    held[1, at] = data[TICK, core]
    held[2, at] = start
    held[3, at] = done
    held[4, at] = done - start
    held[5, at] = data[CYCLES, core]
    held[6, at] = data[PACKETS_IN, core]
    held[7, at] = sent
    held[8, at] = ticked != 0 and done - due > data[PERIOD_PS, core]
    held[9, at] = data[FIFO_PEAK, core]
    held[10, at] = data[LEVEL, core]
    held[11, at] = phase
    held[12, at] = batch
    for operation in range(table.shape[1]):
        held[LOGGED + operation, at] = table[core, operation]
    held[LOGGED + closing[0, 0], at] += ticked * closing[0, 1]
    held[LOGGED + closing[1, 0], at] += sent * closing[1, 1]


@compiled
def log_handlers(
    held: I64, at: int, data: I64, endpoint: NDArray[np.int32], cores: NDArray[np.int32],
    table: I64, closing: I64, phase: int, batch: int,
) -> None:  # fmt: skip
    """Write closed handlers into ``held`` from column ``at`` on; there must be room.

    Parameters
    ----------
    held : ndarray of int64, shape (13 + operations, rows)
        The columns of :mod:`chipsim.sim.handler_log`.
    data
        As above.
    endpoint : ndarray of int32, shape (all cores,)
    cores : ndarray of int32
        Whose handlers were closed.
    table : ndarray of int64, shape (all cores, operations)
        As for :func:`charge_operations`.
    closing : ndarray of int64, shape (2, 2)
        Column in ``table`` and cost of a tick's start, and of a packet sent.
    phase, batch : int
    """
    for core in cores:
        log_handler(held, at, data, core, endpoint, table, closing, phase, batch)
        at += 1
