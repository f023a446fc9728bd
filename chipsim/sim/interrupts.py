"""Interrupts: programs that packets, finished transfers and ticks wake, whichever comes first.

SpiNNaker1's software works like that: a packet's interrupt comes first, then the end of a DMA
transfer, then the timer (hardware.md §6.2); so do :class:`Interrupt`'s causes that are due at one
time. Entering a handler costs ``irq_entry`` cycles (``pe.irq_entry_cycles``); a tick's are part of
``tick_overhead``. A handler that has begun is not interrupted: what comes meanwhile waits.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import simpy

from chipsim.network.api import Deliveries
from chipsim.network.instant import PROGRAM, ring
from chipsim.sim.program import Effect, Waiting

if TYPE_CHECKING:
    from chipsim.sim.memory import Transfer
    from chipsim.sim.pe import ProcessingElement


@dataclass(frozen=True)
class Woken:
    """What woke a program.

    Attributes
    ----------
    cause : str
        ``packet``, ``transfer`` or ``tick``.
    packets : Deliveries or None
        The drained receive FIFO, if packets did.
    transfer : Transfer or None
        The finished transfer, if one did.
    tick : int or None
        The tick's number, if it did.
    """

    cause: str
    packets: Deliveries | None = None
    transfer: Transfer | None = None
    tick: int | None = None


@dataclass
class Interrupt(Effect):
    """Wait for packets, for one of some transfers, or for the next tick."""

    transfers: tuple[Transfer, ...] = ()
    tick: bool = True

    def perform(self, pe: ProcessingElement) -> Waiting:
        """Return what woke the program (:class:`Woken`), with its handler opened."""
        yield from pe.until_free()
        while True:
            if pe.hung():
                yield from pe.hang()
            woken = self._due(pe)
            if woken is not None:
                return woken
            yield self._any(pe)

    def _due(self, pe: ProcessingElement) -> Woken | None:
        """Open the handler of the first cause that is due now, if there is one."""
        simulation = pe.simulation
        simulation.synchronise()
        entry = {"irq_entry": 1}
        if simulation.network.waiting(pe.inbox):
            pe.begin_handler(None)
            pe.work(**entry)
            return Woken("packet", packets=pe.take_packets())
        for transfer in self.transfers:
            if transfer.done.processed:
                pe.begin_handler(None)
                pe.work(**entry)
                return Woken("transfer", transfer=transfer)
        tick = pe.tick + 1
        if self.tick and simulation.cores.tick_time(pe.core, tick) <= simulation.env.now:
            pe.begin_handler(tick)
            return Woken("tick", tick=tick)
        return None

    def _any(self, pe: ProcessingElement) -> simpy.Event:
        """Return an event for the moment at which a cause may be due."""
        env = pe.simulation.env
        event = env.event()
        rung = False

        def wake(_: simpy.Event) -> None:
            nonlocal rung
            if not rung:
                rung = True
                ring(env, event, int(env.now), PROGRAM)

        sources = [pe.packet_event(), *(transfer.done for transfer in self.transfers)]
        if self.tick:
            sources.append(pe.tick_event())
        for source in sources:
            source.callbacks.append(wake)
        return event

    def waits_for(self, pe: ProcessingElement) -> str:
        """Name the causes that do not come."""
        moved = f" or {len(self.transfers)} transfers" if self.transfers else ""
        return f"an interrupt by packets{moved}"
