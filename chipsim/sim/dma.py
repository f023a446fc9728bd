"""The DMA engine of a PE: set-up time, a bounded number of transfers under way, a queue."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from chipsim.errors import ProgramError
from chipsim.sim.memory import Transfer

if TYPE_CHECKING:
    from chipsim.sim.simulation import Simulation


class DmaEngine:
    """Moves words between this endpoint and other endpoints' memories.

    Parameters
    ----------
    simulation : Simulation
    endpoint : int
    setup_cycles : int
        From the program's order to the first flit, in cycles of the PE at its clock level.
    max_outstanding : int
        Transfers under way at once; further ones wait in order.
    queue_entries : int
        How many can wait in the software's queue, 0 for any number. One that finds it full waits
        all the same and is counted.

    Attributes
    ----------
    completed : int
        Transfers that have ended.
    overloads : int
        Transfers that were ordered while the queue was full.
    most_in_tick : int
        The most that ended from one tick to the next.
    """

    def __init__(
        self,
        simulation: Simulation,
        endpoint: int,
        setup_cycles: int,
        max_outstanding: int,
        queue_entries: int = 0,
    ) -> None:
        if max_outstanding < 1:
            raise ProgramError(f"DMA: got max_outstanding={max_outstanding}, expected at least 1")
        self.simulation = simulation
        self.endpoint = endpoint
        # A device acts after the instant of its order: at least 1 ps.
        self._setup_ps = tuple(max(1, time) for time in simulation.levels.times(setup_cycles))
        found = np.flatnonzero(simulation.cores.endpoint == endpoint)
        self._core = int(found[0]) if len(found) else -1
        self.max_outstanding = max_outstanding
        self.queue_entries = queue_entries
        self.completed = 0
        self.overloads = 0
        self.most_in_tick = 0
        self._tick = self._in_tick = 0
        self._under_way = 0
        self._queue: deque[Transfer] = deque()

    @property
    def setup_ps(self) -> int:
        """From the program's order to the first flit [ps]."""
        levels, core = self.simulation.levels, self._core
        level = self.simulation.cores.level.item(core) if core >= 0 else levels.base
        return self._setup_ps[level]

    def read(self, target: int, region: str, offset: int, words: int, label: str) -> Transfer:
        """Read ``words`` 32-bit words from word ``offset`` of a region at ``target``."""
        number = self.simulation.memory(target).sram.number(region)
        data = np.zeros(words, dtype=np.uint32)
        transfer = self.simulation.transfers.new(
            False, self.endpoint, target, number, offset, data, label
        )
        return self._queue_up(transfer)

    def write(
        self, target: int, region: str, offset: int, words: NDArray[np.uint32], label: str
    ) -> Transfer:
        """Write 32-bit words to a region at ``target``, from word ``offset`` on."""
        number = self.simulation.memory(target).sram.number(region)
        transfer = self.simulation.transfers.new(
            True, self.endpoint, target, number, offset, words.copy(), label
        )
        return self._queue_up(transfer)

    def _queue_up(self, transfer: Transfer) -> Transfer:
        if not len(transfer.words):
            raise ProgramError(f"{transfer.label}: a transfer of no words; leave it out")
        self.overloads += 0 < self.queue_entries <= len(self._queue)
        self._queue.append(transfer)
        self._start()
        return transfer

    def state(self) -> list[int]:
        """Return the counts, for a checkpoint."""
        return [self.completed, self.overloads, self.most_in_tick, self._tick, self._in_tick]

    def restore(self, state: Sequence[int]) -> None:
        """Continue from :meth:`state`."""
        self.completed, self.overloads, self.most_in_tick, self._tick, self._in_tick = state

    def _start(self) -> None:
        while self._queue and self._under_way < self.max_outstanding:
            transfer = self._queue.popleft()
            self._under_way += 1
            transfer.done.callbacks.append(lambda _: self._ended())
            simulation = self.simulation
            first = int(simulation.env.now) + self.setup_ps
            if transfer.write:
                simulation.memory(transfer.target).expect(transfer)
                simulation.transfers.send_flits(
                    self.endpoint, transfer.target, transfer, transfer.words, first, 0
                )
            else:
                simulation.memory(self.endpoint).expect(transfer)
                simulation.transfers.send_request(transfer, first)

    def _ended(self) -> None:
        self._under_way -= 1
        self.completed += 1
        tick = self._present_tick()
        self._in_tick = self._in_tick + 1 if tick == self._tick else 1
        self._tick = tick
        self.most_in_tick = max(self.most_in_tick, self._in_tick)
        self._start()

    def _present_tick(self) -> int:
        """Return the last tick of the engine's core that has begun."""
        simulation = self.simulation
        if self._core < 0:
            return simulation.clock.current()
        return simulation.cores.tick_at(self._core, int(simulation.env.now))
