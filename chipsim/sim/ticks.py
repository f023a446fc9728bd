"""The account of ticks: ``time_done`` and ``n_packets`` per PE, as the hardware records them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from chipsim.sim import handlers
from chipsim.sim.clock import TickClock

TickSink = Callable[[NDArray[np.int32]], None]
WholeSink = Callable[[NDArray[np.int64], int, NDArray[np.int64]], None]


class TickLog:
    """Aggregates of closed handlers, and a way on to whoever records each of them.

    Handlers that no tick started count for cycles, but use no tick.

    Attributes
    ----------
    totals : ndarray of int64
        The counts and the log behind the properties, kept by :mod:`chipsim.sim.handlers`.
    sink : callable or None
        Takes the cores whose handlers were closed; None where nobody records them.
    whole_sink : callable or None
        Closes all handlers that have ended, and records them, in compiled code: takes the network's
        directory, the time and ``totals``.
    """

    def __init__(self, clock: TickClock, sink: TickSink | None = None) -> None:
        self.clock = clock
        self.sink = sink
        self.whole_sink: WholeSink | None = None
        self.totals = np.zeros(handlers.TOTALS, dtype=np.int64)

    @property
    def handlers(self) -> int:
        """Closed handlers."""
        return int(self.totals[handlers.HANDLERS])

    @property
    def overruns(self) -> int:
        """Handlers that ended after the tick that follows theirs had begun."""
        return int(self.totals[handlers.OVERRUNS])

    @property
    def use_max_ps(self) -> int:
        """Longest time from a tick to the end of its handler [ps]."""
        return int(self.totals[handlers.USE_MAX_PS])

    @property
    def cycles(self) -> int:
        """Cycles of all closed handlers."""
        return int(self.totals[handlers.ALL_CYCLES])

    @property
    def missed(self) -> NDArray[np.int64]:
        """The first :data:`~chipsim.sim.handlers.MISSES` overruns by (end, core), in no order.

        Columns: core, tick, end and lateness [ps].
        """
        kept = min(self.overruns, handlers.MISSES)
        return self.totals[handlers.LOG :].reshape(-1, 4)[:kept]
