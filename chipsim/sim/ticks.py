"""The account of ticks: ``time_done`` and ``n_packets`` per PE, as the hardware records them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from chipsim.sim.clock import TickClock

TickSink = Callable[..., None]


class TickLog:
    """Aggregates of closed handlers, and a way on to whoever records each of them.

    Attributes
    ----------
    handlers : int
        Closed handlers.
    overruns : int
        Handlers that ended after the tick that follows theirs had begun.
    use_max_ps : int
        Longest time from a tick to the end of its handler [ps].
    """

    def __init__(self, clock: TickClock, sink: TickSink | None = None) -> None:
        self.clock = clock
        self.sink = sink
        self.handlers = 0
        self.overruns = 0
        self.use_max_ps = 0
        self.cycles = 0

    def add(
        self,
        cores: NDArray[np.int32],
        tick: NDArray[np.int64],
        ticked: NDArray[np.bool_],
        start_ps: NDArray[np.int64],
        done_ps: NDArray[np.int64],
        cycles: NDArray[np.int64],
        packets_in: NDArray[np.int64],
        packets_out: NDArray[np.int64],
    ) -> None:
        """Account closed handlers, one row each; those that no tick started use no tick."""
        use = np.where(ticked, done_ps - (self.clock.offset_ps + tick * self.clock.tick_ps), 0)
        over = use > self.clock.tick_ps
        self.handlers += len(cores)
        self.overruns += int(over.sum())
        self.use_max_ps = max(self.use_max_ps, int(use.max()))
        self.cycles += int(cycles.sum())
        if self.sink is not None:
            self.sink(cores, tick, start_ps, done_ps, cycles, packets_in, packets_out, over)
