"""What slices of a layer send its neurons: currents in packets of several numbers, and drives."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from chipsim.network.api import Deliveries
from eventprop_apps.keys import CurrentKey

DRIVE_STEP = 0
"""Step in the key of a drive: no neuron spikes in step 0, so no jump has it."""


class CurrentSources:
    """The nets that bring the neurons what each slice has summed, slices ascending.

    Parameters
    ----------
    nets : int
        Number of the application's nets.
    key : CurrentKey
    """

    def __init__(self, nets: int, key: CurrentKey) -> None:
        self.key = key
        self._rank = np.full(nets + 1, -1, dtype=np.int64)
        self._ranks = 0

    def add(self, nets: list[int]) -> None:
        """Expect sums on ``nets``, one a row, added after those of earlier calls."""
        self._rank[nets] = self._ranks
        self._ranks += 1

    def take(
        self, inbox: Deliveries, parity: int, dtype: np.dtype[Any]
    ) -> tuple[NDArray[np.int32], NDArray[np.int64], NDArray[Any], int]:
        """Return (row position, group, sums (n, width)) in the order of the sums, and strays."""
        rank = self._rank[inbox.net]
        sent_parity, group = self.key.decode(inbox.key)
        own = np.flatnonzero((rank >= 0) & (sent_parity == parity))
        order = own[np.lexsort((rank[own], inbox.row[own]))]
        value = np.ascontiguousarray(inbox.payload[order]).view(dtype)
        return inbox.row[order], group[order], value, len(inbox) - len(order)
