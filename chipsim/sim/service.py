"""What of the memory traffic compiled code may serve, as a table (:mod:`chipsim.sim.served`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from chipsim.sim import served as at

if TYPE_CHECKING:
    from chipsim.sim.memory import MemoryPort, Transfer
    from chipsim.sim.simulation import Simulation

_ENDED_ROOM = 256
"""Writes that may end in one call; those beyond are left to Python."""


class MemoryService:
    """The table of memory ports and read requests, and how the network runs while they are served.

    Parameters
    ----------
    simulation : Simulation

    Attributes
    ----------
    ports : ndarray of int64, shape (rows, fields)
        A record each memory port; its columns are named in :mod:`chipsim.sim.served`.
    """

    def __init__(self, simulation: Simulation) -> None:
        machine = simulation.machine
        self._simulation = simulation
        self._network: Any = simulation.network
        self._dma_port = machine.endpoint_dma_port
        self._row_of = np.full(machine.endpoints, -1, dtype=np.int32)
        self._members: list[MemoryPort] = []
        self.ports = np.zeros((64, at.PORT_FIELDS), dtype=np.int64)
        self._asked = np.full((at.REQUESTS, at.REQUEST_FIELDS), -1, dtype=np.int64)
        self._words: list[NDArray[np.uint32] | None] = [None] * at.REQUESTS
        self._ended = np.zeros(_ENDED_ROOM, dtype=np.int64)
        self.form = np.zeros(at.FORM, dtype=np.int64)
        self._fill()

    def _fill(self) -> None:
        simulation, tracer, form = self._simulation, self._simulation.tracer, self.form
        arrays: dict[int, NDArray[Any]] = {
            at.ROW_OF: self._row_of,
            at.PORTS: self.ports,
            at.ASKED: self._asked,
            at.LOG: tracer.packet_log.form,
            at.SEQUENCE: simulation.sequence,
            at.KIND_OF_NET: tracer.kind_of_net,
            at.SENT_BY_KIND: tracer.sent_by_kind,
            at.ENDED_ROWS: self._ended,
        }
        for field, array in arrays.items():
            form[field] = array.ctypes.data
        form[at.NETS], form[at.ENDED_ROOM] = len(tracer.kind_of_net), _ENDED_ROOM
        form[at.TICK_OFFSET] = simulation.clock.offset_ps
        form[at.TICK_PS] = simulation.clock.tick_ps

    def add(self, port: MemoryPort) -> int:
        """Give a memory port a record and return its row."""
        row = len(self._members)
        if row == len(self.ports):
            self.ports = np.concatenate([self.ports, np.zeros_like(self.ports)])
            self.form[at.PORTS] = self.ports.ctypes.data
        self._members.append(port)
        self._row_of[port.endpoint] = row
        record = self.ports[row]
        record[at.LATENCY_PS] = port.latency_ps
        record[at.DMA_PORT] = self._dma_port[port.endpoint]
        record[at.VERTEX] = self._simulation.vertex_at.get(port.endpoint, -1)
        return row

    def await_requests(self, row: int) -> None:
        """Serve read requests, if a vertex with packet numbers of its own sends the replies."""
        if self.ports.item(row, at.VERTEX) >= 0:
            self.ports[row, at.SERVING] = at.REQUESTS_ONLY

    def await_write(self, row: int, transfer: Transfer, memory: NDArray[np.uint32]) -> None:
        """Serve the flits of a write into ``memory``, and nothing else, until its end."""
        at.note_write(self.ports, row, transfer.number, transfer.arrived, memory, transfer.lead)

    def ask(self, transfer: Transfer, memory: NDArray[np.uint32], route: int) -> None:
        """Note what a read request asks for: ``memory``, whose flits take ``route`` back."""
        slot = transfer.number % at.REQUESTS
        self._words[slot] = memory  # as long as its address is used
        at.note_request(self._asked, transfer.number, memory, transfer.lead, route, transfer.net)

    def advance(self, until_ps: int) -> int:
        """Advance the compiled network, as its ``advance``, and serve meanwhile."""
        return int(self._network.advance(until_ps, self._run))

    def _run(self, directory: NDArray[np.int64], until_ps: int) -> int:
        status = at.run_served(directory, until_ps, self.form)
        ended = self.form.item(at.ENDED)
        if ended:
            self.form[at.ENDED] = 0
            for row in self._ended[:ended].tolist():
                self._members[row].ended_quietly()
        return status
