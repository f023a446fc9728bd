"""The network's view of SimPy: the present, appointments, and when the next one is."""

from __future__ import annotations

import heapq
from collections.abc import Callable

import simpy

from chipsim.network.instant import at
from chipsim.units import FOREVER


class Clock:
    """Makes appointments in a SimPy environment and remembers their times.

    The environment is composed and not inherited from (a subclass loses SimPy's early-bound
    factories), and its own queue holds the events of timers and programs as well, so the time of
    the network's next event has to be kept here.
    """

    def __init__(self, env: simpy.Environment) -> None:
        self.env = env
        self._due: list[int] = []

    @property
    def now(self) -> int:
        """The present [ps]."""
        return int(self.env.now)

    def at(self, time_ps: int, phase: int, action: Callable[[], None]) -> None:
        """Call ``action()`` at ``time_ps`` in ``phase`` of that instant."""
        heapq.heappush(self._due, time_ps)

        def act() -> None:
            heapq.heappop(self._due)  # SimPy runs in order of time: the smallest is this one
            action()

        at(self.env, time_ps, phase, act)

    def next_time(self) -> int:
        """Return the time of the next appointment [ps], ``FOREVER`` if there is none."""
        return self._due[0] if self._due else FOREVER
