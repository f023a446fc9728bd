"""The inner loops of handler bookkeeping: open, charge, settle.

One row per field and one column per core, so that a call from Python opens one array. Measured:
with an array per field the bookkeeping of a tick of 89 PEs took most of its CPU time.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from chipsim.compiled import compiled, inlined

I64 = NDArray[np.int64]

FIELDS = 11
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
) = range(FIELDS)

TOTALS = 4
HANDLERS, OVERRUNS, USE_MAX_PS, ALL_CYCLES = range(TOTALS)


@inlined
def rounded(cycles: int, numerator: int, denominator: int) -> int:
    """Return cycles in ps, half to even; ``numerator / denominator`` are ps per cycle."""
    product = cycles * numerator
    quotient = product // denominator
    twice = 2 * (product - quotient * denominator)
    if twice > denominator or (twice == denominator and quotient % 2 == 1):
        quotient += 1
    return quotient


@compiled
def open_handlers(
    data: I64, cores: NDArray[np.int32], tick: int, start_ps: int, ticked: bool
) -> None:
    """Open handlers of settled cores."""
    for core in cores:
        data[TICK, core] = tick
        data[OPEN, core] = 1
        data[TICKED, core] = ticked
        data[START_PS, core] = start_ps
        data[END_PS, core] = start_ps
        data[CYCLES, core] = 0
        data[PACKETS_IN, core] = 0
        data[PACKETS_OUT, core] = 0


@compiled
def charge_handlers(
    data: I64,
    cores: NDArray[np.int32],
    computed: I64,
    received: NDArray[np.int32],
    senders: NDArray[np.int32],
    per_send: int,
    now_ps: int,
    numerator: int,
    denominator: int,
) -> I64:
    """Charge a step: computed cycles per core, packets received and sent (by position).

    Returns
    -------
    ndarray of int64, shape (len(cores),)
        When each core's first send is written [ps].
    """
    for position in received:
        data[PACKETS_IN, cores[position]] += 1
    for position in senders:
        data[PACKETS_OUT, cores[position]] += 1
    first = np.empty(len(cores), np.int64)
    for i in range(len(cores)):
        core = cores[i]
        data[CYCLES, core] += computed[i] + per_send * data[PACKETS_OUT, core]
        data[END_PS, core] = now_ps + rounded(computed[i], numerator, denominator)
        first[i] = now_ps + rounded(computed[i] + per_send, numerator, denominator)
    return first


@compiled
def settle_handlers(
    data: I64,
    cores: NDArray[np.int32],
    left: NDArray[np.int32],
    last_ps: I64,
    now_ps: int,
    clock_offset_ps: int,
    tick_ps: int,
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
        if data[OPEN, core] == 1 and left[i] == 0:
            end = data[END_PS, core]
            if data[PACKETS_OUT, core] > 0 and last_ps[i] > end:
                end = last_ps[i]
            data[BUSY_PS, core] = end
            if end <= now_ps:
                data[OPEN, core] = -1
                closed += 1
                data[AWAKE_CYCLES, core] += data[CYCLES, core]
                data[AWAKE_PS, core] += end - data[START_PS, core]
                totals[HANDLERS] += 1
                totals[ALL_CYCLES] += data[CYCLES, core]
                if data[TICKED, core]:
                    use = end - (clock_offset_ps + data[TICK, core] * tick_ps)
                    if use > tick_ps:
                        totals[OVERRUNS] += 1
                    if use > totals[USE_MAX_PS]:
                        totals[USE_MAX_PS] = use
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
