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
from chipsim.sim import handlers
from chipsim.sim.whole import settle_whole

if TYPE_CHECKING:
    from chipsim.network.api import Network
    from chipsim.sim.ticks import TickLog

I64 = NDArray[np.int64]
_SENT = 2
"""What :func:`chipsim.sim.handlers.any_open` says when an open handler has sent packets."""


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
    open : ndarray of int64
        1 while a handler has started and is not settled.
    ticked : ndarray of int64
        1 if the open handler was started by a tick (and not by packets, a barrier or a transfer).
    start_ps, end_ps : ndarray of int64
        Start of the open handler, and its end without what it sends [ps].
    cycles, packets_in, packets_out : ndarray of int64
        Of the open handler.
    fifo_peak : ndarray of int64
        Most packets in the receive FIFO when the open handler emptied it: between two takes the
        FIFO only grows.
    awake_cycles, awake_ps : ndarray of int64
        Cycles computed so far, and time spent in handlers [ps].
    level, threshold : ndarray of int64
        Clock level of the open handler (or the last one), and the waiting packets above which a
        handler runs at level 1; -1 where the level is fixed.
    high_cycles, high_ps : ndarray of int64
        What of ``awake_cycles`` and ``awake_ps`` was spent at level 1.
    offset_ps, period_ps : ndarray of int64
        The PE's timer: tick k is at ``offset_ps + k * period_ps``.
    fifo_room : ndarray of int64
        Packets that the receive FIFO holds, 0 if it has no limit.
    fifo_most, fifo_full : ndarray of int64
        The most packets that were in the receive FIFO, and how often it became full.
    taken, written : ndarray of int64
        Packets taken out of the receive FIFO, and written to the TX registers.
    missed, use_most_ps : ndarray of int64
        Handlers that ended after the next tick had begun, and the longest time from a tick to the
        end of its handler [ps].
    burst_most : ndarray of int64
        The most packets taken from one tick to the next.
    """

    def __init__(self, machine: Machine, endpoints: NDArray[np.int32], log: TickLog) -> None:
        self.endpoint = endpoints
        self.port = machine.endpoint_port[endpoints]
        self.inbox = (2 * endpoints).astype(np.int32)
        self.log = log
        self.data = np.zeros((handlers.FIELDS, len(endpoints)), dtype=np.int64)
        self.tick = self.data[handlers.TICK]
        self.busy_ps = self.data[handlers.BUSY_PS]
        self.open = self.data[handlers.OPEN]
        self.ticked = self.data[handlers.TICKED]
        self.start_ps = self.data[handlers.START_PS]
        self.end_ps = self.data[handlers.END_PS]
        self.cycles = self.data[handlers.CYCLES]
        self.packets_in = self.data[handlers.PACKETS_IN]
        self.packets_out = self.data[handlers.PACKETS_OUT]
        self.awake_cycles = self.data[handlers.AWAKE_CYCLES]
        self.awake_ps = self.data[handlers.AWAKE_PS]
        self.fifo_peak = self.data[handlers.FIFO_PEAK]
        self.level = self.data[handlers.LEVEL]
        self.threshold = self.data[handlers.THRESHOLD]
        self.high_cycles = self.data[handlers.HIGH_CYCLES]
        self.high_ps = self.data[handlers.HIGH_PS]
        self.offset_ps = self.data[handlers.OFFSET_PS]
        self.period_ps = self.data[handlers.PERIOD_PS]
        self.fifo_room = self.data[handlers.FIFO_ROOM]
        self.fifo_most = self.data[handlers.FIFO_MOST]
        self.fifo_full = self.data[handlers.FIFO_FULL]
        self.taken = self.data[handlers.TAKEN]
        self.written = self.data[handlers.WRITTEN]
        self.missed = self.data[handlers.MISSED]
        self.use_most_ps = self.data[handlers.USE_MOST_PS]
        self.burst_most = self.data[handlers.BURST_MOST]
        self.fifo_room[:] = machine.port_capacity[machine.endpoint_sink[endpoints]]
        self.tick[:] = self.threshold[:] = -1
        self.offset_ps[:], self.period_ps[:] = log.clock.offset_ps, log.clock.tick_ps
        self._all = np.arange(len(endpoints), dtype=np.int32)
        self._none_left = np.zeros(len(endpoints), dtype=np.int32)
        self._never = np.full(len(endpoints), -1, dtype=np.int64)

    def tick_time(self, core: int, tick: int) -> int:
        """Return the time of a core's tick [ps]."""
        return int(self.offset_ps.item(core)) + tick * int(self.period_ps.item(core))

    def tick_at(self, core: int, now_ps: int) -> int:
        """Return a core's last tick whose time is not after ``now_ps``, -1 before tick 0."""
        return (now_ps - int(self.offset_ps.item(core))) // int(self.period_ps.item(core))

    def begin(
        self, cores: NDArray[np.int32], tick: int, start_ps: int, ticked: bool = True
    ) -> None:
        """Open the handlers of some cores (which must be settled) for a tick, or in its course."""
        handlers.open_handlers(self.data, cores, tick, start_ps, ticked)

    def note_fill(self, core: int, packets: int) -> None:
        """Note how many packets a core's receive FIFO held when it was emptied, or at the end."""
        handlers.note_fills(self.data, core, packets)

    def settle(self, cores: NDArray[np.int32], network: Network, now_ps: int) -> NDArray[np.bool_]:
        """Close the handlers that have ended by ``now_ps`` and return which cores are free.

        A core whose last send was accepted knows its end (``busy_ps``), even if that lies ahead.
        """
        if self.packets_out[cores].any():
            left, last = network.accepted(self.port[cores])
        else:  # nothing to ask the network: nobody has sent
            left, last = self._none_left[: len(cores)], self._never[: len(cores)]
        return self._close(cores, left, last, now_ps)

    def settle_all(self, network: Network, now_ps: int, directory: I64 | None = None) -> None:
        """Close every handler that has ended by ``now_ps``; in one call with the ``directory``."""
        if directory is not None:
            if self.log.whole_sink is not None:
                self.log.whole_sink(directory, now_ps, self.log.totals)
            else:
                settle_whole(directory, self.data, self.port, now_ps, self.log.totals)
            return
        found = handlers.any_open(self.data)
        if found == _SENT:
            self._close(self._all, *network.accepted(self.port), now_ps)
        elif found:
            self._close(self._all, self._none_left, self._never, now_ps)

    def settle_one(self, core: int, network: Network, now_ps: int) -> None:
        """Close a core's handler if it has ended by ``now_ps``."""
        left, last = 0, -1
        if self.packets_out.item(core):
            port = self.port.item(core)
            left, last = network.script_left(port), network.last_accepted_ps(port)
        log = self.log
        closed = handlers.settle_handler(self.data, core, left, last, now_ps, log.totals)
        if closed:
            self.open[core] = 0
            if log.sink is not None:
                log.sink(self._all[core : core + 1])

    def _close(
        self, cores: NDArray[np.int32], left: NDArray[np.int32], last: I64, now_ps: int
    ) -> NDArray[np.bool_]:
        log = self.log
        free, closed = handlers.settle_handlers(self.data, cores, left, last, now_ps, log.totals)
        if closed:
            rows = handlers.forget_closed(self.data, cores)
            if log.sink is not None:
                log.sink(rows)
        return free
