"""The hop log as columns: one pass over its rows, which come by time."""

from __future__ import annotations

import numpy as np

from chipsim.compiled import compiled, inlined
from chipsim.network.compiled.layout import LOG_STRIDE
from chipsim.network.compiled.state import I32, I64

SOURCE, SEQ, CHANNEL, ARRIVED, GRANTED, FAR, NET = range(LOG_STRIDE)
LONGS = 4
"""Columns of 64 bit: seq, arrived, granted, far."""
INTS = 3
"""Columns of 32 bit: source, net, channel."""


@inlined
def sort_run(log: I64, order: I32, start: int, end: int) -> None:
    """Sort the rows of one instant by channel, which grants at most once in it (shell sort)."""
    gap = 1
    while 3 * gap + 1 < end - start:
        gap = 3 * gap + 1
    while gap > 0:
        for i in range(start + gap, end):
            row = order[i]
            channel = log[row * LOG_STRIDE + CHANNEL]
            to = i
            while to >= start + gap and log[order[to - gap] * LOG_STRIDE + CHANNEL] > channel:
                order[to] = order[to - gap]
                to -= gap
            order[to] = row
        gap //= 3


@compiled
def as_columns(log: I64, count: int) -> tuple[I64, I32]:
    """Return the first ``count`` rows by (granted, channel), as columns.

    Notes
    -----
    O(n) and the sorting of each instant's grants, of which there are few.
    """
    longs = np.empty((LONGS, count), np.int64)
    ints = np.empty((INTS, count), np.int32)
    order = np.empty(count, np.int32)
    start = 0
    while start < count:
        granted = log[start * LOG_STRIDE + GRANTED]
        end = start
        while end < count and log[end * LOG_STRIDE + GRANTED] == granted:
            order[end] = end
            end += 1
        sort_run(log, order, start, end)
        for at in range(start, end):
            row = order[at] * LOG_STRIDE
            longs[0, at] = log[row + SEQ]
            longs[1, at] = log[row + ARRIVED]
            longs[2, at] = granted
            longs[3, at] = log[row + FAR]
            ints[0, at] = log[row + SOURCE]
            ints[1, at] = log[row + NET]
            ints[2, at] = log[row + CHANNEL]
        start = end
    return longs, ints
