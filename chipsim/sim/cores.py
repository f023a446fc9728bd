"""The PEs' bookkeeping as arrays: what each core is doing, and until when.

A handler is *open* from its start until its last send has been accepted by the TX register sets.
In the lazy network that moment is known only once somebody looks, so open handlers are **settled**
in bulk, at the next tick or when their PE wants to go on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from chipsim.machine.model import Machine

if TYPE_CHECKING:
    from chipsim.network.api import Network
    from chipsim.sim.ticks import TickLog

I64 = NDArray[np.int64]


class Cores:
    """State of the simulated PEs, one entry each.

    Attributes
    ----------
    endpoint, port, inbox : ndarray of int32, shape (cores,)
        Machine endpoint, TX source port, event inbox.
    tick : ndarray of int64
        Last tick handled, -1 before the first.
    busy_ps : ndarray of int64
        When the last handler ended, as far as settled [ps].
    open : ndarray of bool
        A handler has started and is not settled.
    ticked : ndarray of bool
        The open handler was started by a tick (and not by packets, a barrier or a transfer).
    awake_cycles, awake_ps : ndarray of int64
        Cycles computed so far, and time spent in handlers [ps].
    """

    def __init__(self, machine: Machine, endpoints: NDArray[np.int32], log: TickLog) -> None:
        count = len(endpoints)
        self.endpoint = endpoints
        self.port = machine.endpoint_port[endpoints]
        self.inbox = (2 * endpoints).astype(np.int32)
        self.log = log
        self.tick = np.full(count, -1, dtype=np.int64)
        self.busy_ps = np.zeros(count, dtype=np.int64)
        self.open = np.zeros(count, dtype=np.bool_)
        self.ticked = np.zeros(count, dtype=np.bool_)
        self.start_ps = np.zeros(count, dtype=np.int64)
        self.end_ps = np.zeros(count, dtype=np.int64)
        self.cycles = np.zeros(count, dtype=np.int64)
        self.packets_in = np.zeros(count, dtype=np.int64)
        self.packets_out = np.zeros(count, dtype=np.int64)
        self.awake_cycles = np.zeros(count, dtype=np.int64)
        self.awake_ps = np.zeros(count, dtype=np.int64)

    def begin(
        self, cores: NDArray[np.int32], tick: int, start_ps: int, ticked: bool = True
    ) -> None:
        """Open the handlers of some cores (which must be settled) for a tick, or in its course."""
        self.tick[cores] = tick
        self.ticked[cores] = ticked
        self.open[cores] = True
        self.start_ps[cores] = start_ps
        self.end_ps[cores] = start_ps
        self.cycles[cores] = 0
        self.packets_in[cores] = 0
        self.packets_out[cores] = 0

    def charge(
        self, cores: NDArray[np.int32], cycles: I64, end_ps: I64, received: I64, sent: I64
    ) -> None:
        """Add work to open handlers: cycles, their end without sends [ps], packets in and out."""
        self.cycles[cores] += cycles
        self.end_ps[cores] = end_ps
        self.packets_in[cores] += received
        self.packets_out[cores] += sent

    def settle(self, cores: NDArray[np.int32], network: Network, now_ps: int) -> NDArray[np.bool_]:
        """Close the handlers that have ended by ``now_ps`` and return which cores are free.

        A core whose last send was accepted knows its end (``busy_ps``), even if that lies ahead.
        """
        opened = self.open[cores]
        if not opened.any():
            free: NDArray[np.bool_] = self.busy_ps[cores] <= now_ps
            return free
        left, last = network.accepted(self.port[cores])
        end = np.maximum(self.end_ps[cores], np.where(self.packets_out[cores] > 0, last, 0))
        known = opened & (left == 0)
        self.busy_ps[cores] = np.where(known, end, self.busy_ps[cores])
        closing = known & (end <= now_ps)
        if closing.any():
            self._close(cores[closing])
        return (self.busy_ps[cores] <= now_ps) & ~self.open[cores]

    def _close(self, cores: NDArray[np.int32]) -> None:
        self.open[cores] = False
        self.awake_cycles[cores] += self.cycles[cores]
        self.awake_ps[cores] += self.busy_ps[cores] - self.start_ps[cores]
        self.log.add(
            cores,
            self.tick[cores],
            self.ticked[cores],
            self.start_ps[cores],
            self.busy_ps[cores],
            self.cycles[cores],
            self.packets_in[cores],
            self.packets_out[cores],
        )
