"""The inner loops between packets and kernels: decode keys, group by row, write keys.

A NumPy call costs a microsecond or more whatever its length, and a tick has a few packets a row,
so what takes several such calls is one compiled call here.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from chipsim.compiled import compiled

I32 = NDArray[np.int32]
I64 = NDArray[np.int64]
U32 = NDArray[np.uint32]


@compiled
def row_pointers(row: I32, rows: int) -> I64:
    """Return the CSR pointers of sorted row positions."""
    ptr = np.zeros(rows + 1, np.int64)
    for i in range(len(row)):
        ptr[row[i] + 1] += 1
    for i in range(rows):
        ptr[i + 1] += ptr[i]
    return ptr


@compiled
def same_step(step: I64) -> int:
    """Return the step that all rows are at, or -1 if they differ."""
    for i in range(1, len(step)):
        if step[i] != step[0]:
            return -1
    return int(step[0])


@compiled
def count_rows(counts: I64, column: int, row: I32) -> None:
    """Add to ``counts[:, column]`` how often each row position occurs."""
    for i in range(len(row)):
        counts[row[i], column] += 1


@compiled
def count_strays(strays: I64, rows: I32, taken: I32, kept: I32) -> None:
    """Add to each row's count of strays what was taken and not kept, given by row position."""
    if len(taken) == len(kept):
        return
    for position in taken:
        strays[rows[position]] += 1
    for position in kept:
        strays[rows[position]] -= 1


@compiled
def decode_spikes(
    row: I32, net: I32, key: U32, nets: NDArray[np.bool_], parity: int, low: int
) -> tuple[I32, I32]:
    """Return (row position, neuron) of the packets on ``nets`` with the batch's parity.

    A key has the neuron in its ``low`` lowest bits, and the parity above.
    """
    count = 0
    for i in range(len(row)):
        count += nets[net[i]] and (key[i] >> low) & 1 == parity
    out = np.empty(count, np.int32)
    neuron = np.empty(count, np.int32)
    count = 0
    for i in range(len(row)):
        if nets[net[i]] and (key[i] >> low) & 1 == parity:
            out[count] = row[i]
            neuron[count] = key[i] & ((1 << low) - 1)
            count += 1
    return out, neuron


@compiled
def decode_errors(
    net: I32, key: U32, nets: NDArray[np.bool_], parity: int, low: int, mid: int
) -> tuple[I64, I64, I64]:
    """Return (place among the packets, step, neuron) of those that are wanted.

    A key has the neuron in its ``low`` lowest bits, ``mid`` bits of the step above, then the
    parity.
    """
    count = 0
    place = np.empty(len(net), np.int64)
    step = np.empty(len(net), np.int64)
    neuron = np.empty(len(net), np.int64)
    for i in range(len(net)):
        if nets[net[i]] and (key[i] >> (low + mid)) & 1 == parity:
            place[count] = i
            step[count] = (key[i] >> low) & ((1 << mid) - 1)
            neuron[count] = key[i] & ((1 << low) - 1)
            count += 1
    return place[:count], step[:count], neuron[:count]


@compiled
def senders(ptr: I64, rows: I32, sample: I32) -> tuple[I32, I32]:
    """Return (row position, sample) of each event of CSR pointers."""
    position = np.empty(ptr[-1], np.int32)
    tag = np.empty(ptr[-1], np.int32)
    for r in range(len(rows)):
        for e in range(ptr[r], ptr[r + 1]):
            position[e] = r
            tag[e] = sample[rows[r]]
    return position, tag


@compiled
def due_inputs(
    steps: I64, lines: I64, rows: I32, now: I64, sample: I32, high: int
) -> tuple[I32, I64, I32, I64]:
    """Return (row position, key offset, sample) of the input spikes of each row's step ``now``.

    Parameters
    ----------
    steps, lines : ndarray of int64, shape (replicas, capacity)
    rows, now : ndarray, shape (k,)
    sample : ndarray of int32, shape (replicas,)
    high : int
        What stands above the line in a key.

    Returns
    -------
    tuple
        Row position, key offset, sample, and the number of spikes of each row position.
    """
    found = np.zeros(len(rows), np.int64)
    for r in range(len(rows)):
        for place in range(steps.shape[1]):
            found[r] += steps[rows[r], place] == now[r]
    total = found.sum()
    position = np.empty(total, np.int32)
    offset = np.empty(total, np.int64)
    tag = np.empty(total, np.int32)
    at = 0
    for r in range(len(rows)):
        for place in range(steps.shape[1]):
            if steps[rows[r], place] == now[r]:
                position[at] = r
                offset[at] = lines[rows[r], place] | high
                tag[at] = sample[rows[r]]
                at += 1
    return position, offset, tag, found
