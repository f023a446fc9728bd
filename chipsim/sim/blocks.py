"""Blocks of words that packets of one or several nets fill, each saying where its words belong."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from chipsim.network.api import PAYLOAD_WORDS, Deliveries
from chipsim.sim.flits import collect_block


class WordBlock:
    """Memory that is filled by packets of 128 bit, whose keys number them within their net.

    Parameters
    ----------
    words : ndarray of uint32, shape (words,)
        The memory itself.
    nets : sequence of (int, int, int)
        Number of each net that brings words, and the first word and number of words that it
        brings; together they are the block.

    Attributes
    ----------
    arrived : ndarray of bool, shape (packets,)
        Which packets have come since :meth:`begin`, net after net.
    arrays : tuple of ndarray
        What :func:`chipsim.sim.flits.collect_block` needs of a block.
    """

    def __init__(self, words: NDArray[np.uint32], nets: Sequence[tuple[int, int, int]]) -> None:
        rows, packets = [], 0
        for net, first, count in nets:
            own = -(-count // PAYLOAD_WORDS)
            rows.append((net, (1 << max(1, (own - 1).bit_length())) - 1, packets, first, count))
            packets += own
        self._rows = rows
        self.arrived = np.zeros(packets, dtype=np.bool_)
        self.arrays = (np.array(rows, dtype=np.int64).reshape(-1, 5), self.arrived, words)

    def begin(self) -> None:
        """Expect a new set of words."""
        self.arrived[:] = False

    @property
    def left(self) -> int:
        """Packets that are still missing."""
        return len(self.arrived) - int(np.count_nonzero(self.arrived))

    def take(self, packets: Deliveries) -> int:
        """Store the words of packets; return how many packets are none of the block's."""
        return collect_block(*self.arrays, packets.net, packets.key.view(np.int32), packets.payload)

    def first_missing(self) -> int:
        """Return the number of the first word that has not come, -1 if all have."""
        missing = np.flatnonzero(~self.arrived)
        if not len(missing):
            return -1
        packet = int(missing[0])
        _, _, start, first, _ = max(
            (row for row in self._rows if row[2] <= packet), key=lambda row: row[2]
        )
        return int(first + (packet - start) * PAYLOAD_WORDS)
