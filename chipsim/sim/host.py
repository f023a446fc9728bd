"""The host link: data is written into PE memories at the link's rate."""

from __future__ import annotations

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
        simulation = self.simulation
        memory = simulation.memory(target)
        transfer = simulation.transfers.new(
            True, self.endpoint, target, memory.sram.number(region), offset, words.copy(), label
        )
        memory.expect(transfer)
        start = max(int(simulation.env.now) + self.latency_ps, self.free_ps)
        rows = flit_rows(transfer.words)
        simulation.transfers.send_flits(self.endpoint, target, transfer, rows, start, self.flit_ps)
        self.free_ps = start + len(rows) * self.flit_ps
        return transfer
