"""The effects a program can yield. Each one ends the open handler's claim on time first.

A program says *what*; the PE's process performs it in SimPy.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from chipsim.errors import ProgramError
from chipsim.sim.program import Effect, Kernel, Waiting

if TYPE_CHECKING:
    from chipsim.sim.blocks import WordBlock
    from chipsim.sim.memory import Transfer
    from chipsim.sim.pe import ProcessingElement

StallError = Callable[["ProcessingElement"], Exception]


@dataclass
class NextTick(Effect):
    """Wait for the PE's next tick; start late if the last handler has not ended by then."""

    def perform(self, pe: ProcessingElement) -> Waiting:
        """Return the tick's number."""
        yield from pe.until_free()
        simulation = pe.simulation
        tick = pe.tick + 1
        if simulation.cores.tick_time(pe.core, tick) > simulation.env.now:
            yield pe.tick_event()
        if pe.hung():
            yield from pe.hang()
        pe.begin_handler(tick)
        return tick


@dataclass
class Compute(Effect):
    """Spend the cycles of some operations."""

    cycles: int
    operations: Mapping[str, int] = field(default_factory=dict)

    def perform(self, pe: ProcessingElement) -> Waiting:
        """Return the time at which the work is done [ps]."""
        if pe.simulation.cores.packets_out.item(pe.core):
            yield from pe.until_idle()  # the same core writes the packets, one after another
        pe.charge(self.cycles, self.operations)
        yield from pe.until_idle()
        return int(pe.simulation.env.now)


@dataclass
class Step(Effect):
    """Run a kernel at each of the next ``ticks`` ticks, batched with other cores."""

    kernel: Kernel
    ticks: int = 1

    def perform(self, pe: ProcessingElement) -> Waiting:
        """Return when the last of the steps has started; the PE is then busy with it."""
        yield from pe.until_free()
        ticks = self.ticks if pe.stuck_from is None else pe.ticks_before_stuck(self.ticks)
        if ticks or not self.ticks:
            yield pe.simulation.group_of(self.kernel, pe).join(pe.core, ticks)
        if ticks < self.ticks:
            yield from pe.hang()


@dataclass
class Receive(Effect):
    """Wait until the receive FIFO holds ``count`` packets and drain it."""

    count: int = 1
    on_stall: StallError | None = None

    def drain(self, pe: ProcessingElement) -> Any:
        """Drain the receive FIFO and return the effect's result."""
        return pe.take_packets()

    def perform(self, pe: ProcessingElement) -> Waiting:
        """Return the drained packets (:class:`~chipsim.network.api.Deliveries`)."""
        if self.count < 1:
            raise ProgramError(f"pe.receive: got count={self.count}, expected at least 1")
        yield from pe.until_free()
        simulation = pe.simulation
        simulation.synchronise()
        if simulation.network.waiting(pe.inbox) < self.count:
            yield simulation.watches.inbox(pe.inbox, self.count)
        if pe.stuck_from is not None and pe.hung():
            yield from pe.hang()
        pe.begin_handler(None)
        return self.drain(pe)

    def waits_for(self, pe: ProcessingElement) -> str:
        """Name the missing packets."""
        held = pe.simulation.network.waiting(pe.inbox)
        return f"{self.count} packets in its receive FIFO, which holds {held}"

    def stalled(self, pe: ProcessingElement) -> Exception | None:
        """Return what the program said to raise."""
        return self.on_stall(pe) if self.on_stall is not None else None


@dataclass
class ReceiveBlock(Receive):
    """Wait until the receive FIFO holds ``count`` packets and store the words of a block."""

    block: WordBlock | None = None

    def drain(self, pe: ProcessingElement) -> tuple[int, int]:
        """Return the number of packets drained, and how many were none of the block's."""
        assert self.block is not None
        return pe.take_block(self.block)


@dataclass
class BarrierWait(Effect):
    """Wait until every member of a barrier has arrived."""

    name: str

    def perform(self, pe: ProcessingElement) -> Waiting:
        """Return when the barrier is released; ticks in between are masked, not missed."""
        end = pe.known_end()
        if end is None:
            yield from pe.until_free()
            end = int(pe.simulation.env.now)
        yield pe.simulation.barrier(self.name).arrive(pe.vertex, end)
        pe.skip_masked_ticks()

    def waits_for(self, pe: ProcessingElement) -> str:
        """Name the members that have not arrived."""
        return pe.simulation.barrier(self.name).missing()


@dataclass
class TransferWait(Effect):
    """Wait until a memory transfer is complete."""

    transfer: Transfer
    on_stall: StallError | None = None

    def perform(self, pe: ProcessingElement) -> Waiting:
        """Return the words (uint32) of a read, None for a write."""
        if not pe.is_free():
            yield from pe.until_free()
        done = self.transfer.done
        if not done.triggered:
            yield done
        if pe.stuck_from is not None and pe.hung():
            yield from pe.hang()
        pe.begin_handler(None)
        return self.transfer.words

    def waits_for(self, pe: ProcessingElement) -> str:
        """Name the missing words."""
        return f"{self.transfer.label}: words {missing_words(self.transfer.missing())} are missing"

    def stalled(self, pe: ProcessingElement) -> Exception | None:
        """Return what the program said to raise."""
        return self.on_stall(pe) if self.on_stall is not None else None


@dataclass
class Hang(Effect):
    """Do nothing any more: what a stuck program is found in."""

    tick: int

    def waits_for(self, pe: ProcessingElement) -> str:
        """Say since when it is stuck."""
        return f"nothing: its program is stuck since tick {self.tick} (faults.stuck_pes)"


def missing_words(words: np.ndarray) -> str:
    """Return a short form of word numbers: ``24 to 27`` or ``none``."""
    if not len(words):
        return "none"
    first, last = int(words[0]), int(words[-1])
    return f"{first} to {last}" if last > first else f"{first}"
