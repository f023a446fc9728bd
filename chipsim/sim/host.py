"""The host link: data is written into PE memories at the link's rate."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from chipsim.sim.memory import Transfer, flit_rows

if TYPE_CHECKING:
    from chipsim.sim.simulation import Simulation


class HostLink:
    """Sends transfers one after another, each flit's payload at the link's rate.

    Parameters
    ----------
    simulation : Simulation
    endpoint : int
        The host interface.
    latency_ps : int
        From an order to the first flit on the chip [ps].
    flit_ps : int
        Time per flit of 16 byte on the link [ps].
    """

    def __init__(
        self, simulation: Simulation, endpoint: int, latency_ps: int, flit_ps: int
    ) -> None:
        self.simulation = simulation
        self.endpoint = endpoint
        self.latency_ps = latency_ps
        self.flit_ps = flit_ps
        self.free_ps = 0

    def write(
        self, target: int, region: str, offset: int, words: NDArray[np.uint32], label: str
    ) -> Transfer:
        """Write 32-bit words into a mapped region of a PE."""
        return self.write_all([(target, region, offset, words, label)])[0]

    def write_all(
        self, writes: Iterable[tuple[int, str, int, NDArray[np.uint32], str]]
    ) -> list[Transfer]:
        """Order several writes (target, region, offset, words, label), one after another.

        The same as one :meth:`write` each, in one call to the network.
        """
        simulation = self.simulation
        transfers, trains = [], []
        start = max(int(simulation.env.now) + self.latency_ps, self.free_ps)
        for target, region, offset, words, label in writes:
            memory = simulation.memory(target)
            transfer = simulation.transfers.new(
                True, self.endpoint, target, memory.sram.number(region), offset, words.copy(), label
            )
            memory.expect(transfer, quietly=True)
            transfers.append(transfer)
            rows = flit_rows(transfer.words, transfer.lead)
            trains.append((target, transfer, rows, start))
            start += self.flit_ps * transfer.left
        self.free_ps = start
        simulation.transfers.send_trains(self.endpoint, trains, self.flit_ps)
        return transfers
