"""The inner loops of memory traffic: which packets belong together, and where their words go."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from chipsim.compiled import compiled

I32 = NDArray[np.int32]
I64 = NDArray[np.int64]
U32 = NDArray[np.uint32]


@compiled
def run_ends(key: U32) -> I64:
    """Return where each run of equal keys ends (the position after its last)."""
    count = 0
    for i in range(len(key)):
        count += i + 1 == len(key) or key[i + 1] != key[i]
    ends = np.empty(count, np.int64)
    count = 0
    for i in range(len(key)):
        if i + 1 == len(key) or key[i + 1] != key[i]:
            ends[count] = i + 1
            count += 1
    return ends


@compiled
def collect(
    arrived: NDArray[np.bool_], memory: U32, flit: I32, payload: U32, lead: int
) -> tuple[int, int]:
    """Store the words of flits.

    Parameters
    ----------
    arrived : ndarray of bool, shape (flits,)
        Which flits of the transfer have arrived; updated.
    memory : ndarray of uint32, shape (words,)
        Gets the words: flit f holds words ``4 * f - lead`` to ``4 * f - lead + 3``, as far as there
        are any.
    flit : ndarray of int32, shape (n,)
        Place of each packet in its transfer.
    payload : ndarray of uint32, shape (n, 4)
    lead : int
        Words of the first flit before the transfer's own.

    Returns
    -------
    tuple of int
        Flits that had not arrived before, and words written.
    """
    fresh = 0
    written = 0
    for i in range(len(flit)):
        place = flit[i]
        fresh += not arrived[place]
        arrived[place] = True
        first = place * payload.shape[1] - lead
        for word in range(max(0, -first), min(payload.shape[1], len(memory) - first)):
            memory[first + word] = payload[i, word]
            written += 1
    return fresh, written
