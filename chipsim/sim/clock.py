"""Tick clocks: one SimPy event a tick wakes every PE that waits for it.

The clock sleeps while nobody waits, so that a simulation in which nothing can happen any more runs
out of events and is recognised as stalled.
"""

from __future__ import annotations

from collections.abc import Callable

import simpy

from chipsim.errors import ProgramError
from chipsim.network.instant import PROGRAM, at, go_on, next_place


class TickClock:
    """A clock domain with ticks at ``offset_ps + k * tick_ps``, k = 0, 1, ….

    Parameters
    ----------
    env : simpy.Environment
    tick_ps : int
        Tick length [ps], at least 1.
    offset_ps : int
        Time of tick 0 [ps].
    """

    def __init__(self, env: simpy.Environment, tick_ps: int, offset_ps: int = 0) -> None:
        if tick_ps < 1:
            raise ProgramError(f"tick: got {tick_ps} ps, expected at least 1 ps")
        self.env = env
        self.tick_ps = tick_ps
        self.offset_ps = offset_ps
        self.may_go_on: Callable[[int], bool] | None = None
        """Says whether nothing else happens up to a time [ps], that time included; None: never."""
        self._waiting: dict[int, simpy.Event] = {}
        self._every: list[Callable[[int], bool]] = []
        self._scheduled = -1

    def time_of(self, tick: int) -> int:
        """Return the time of a tick [ps]."""
        return self.offset_ps + tick * self.tick_ps

    def current(self) -> int:
        """Return the last tick whose time is not after now, -1 before tick 0."""
        return self.tick_at(int(self.env.now))

    def tick_at(self, time_ps: int) -> int:
        """Return the last tick whose time is not after ``time_ps``, -1 before tick 0."""
        return (time_ps - self.offset_ps) // self.tick_ps

    def wait(self, tick: int) -> simpy.Event:
        """Return the event of a tick in the future; all who wait for it share it."""
        event = self._waiting.get(tick)
        if event is None:
            event = self._waiting[tick] = self.env.event()
            self._schedule(tick)
        return event

    def subscribe(self, on_tick: Callable[[int], bool]) -> None:
        """Call ``on_tick(tick)`` at every tick, before single waiters.

        It returns whether it wants the next one; :meth:`resume` wakes it again.
        """
        self._every.append(on_tick)

    def resume(self) -> None:
        """Make sure that the next tick happens (a subscriber has work again)."""
        self._schedule(self.current() + 1)

    def _schedule(self, tick: int) -> None:
        if self._scheduled < 0 or tick < self._scheduled:
            self._scheduled = tick
            at(self.env, self.time_of(tick), PROGRAM, lambda: self._on_tick(tick))

    def _on_tick(self, tick: int) -> None:
        if tick != self._scheduled:
            return  # an earlier tick was asked for after this one had been scheduled
        following: int | None = tick
        while following is not None:
            following = self._do(following)

    def _do(self, tick: int) -> int | None:
        """Do a tick. Return the next one if it is to be done at once, else see that it happens."""
        self._scheduled = -1
        wanted = False
        for on_tick in self._every:
            wanted |= on_tick(tick)
        event = self._waiting.pop(tick, None)
        if event is not None:
            event.succeed(tick)
        if self._waiting:
            self._schedule(min(tick + 1, *self._waiting) if wanted else min(self._waiting))
        elif wanted and self.may_go_on is None:
            self._schedule(tick + 1)
        elif wanted:
            return self._go_on(tick + 1)
        return None

    def _go_on(self, tick: int) -> int | None:
        """Do :meth:`_schedule`; or go there at once if nothing else happens on the way.

        That saves an event, and a look at the network before it.
        """
        assert self.may_go_on is not None
        if 0 <= self._scheduled <= tick:
            return None
        # What the look at the network schedules comes behind this tick, as it would have done.
        place, time = next_place(self.env), self.time_of(tick)
        if self.may_go_on(time):
            go_on(self.env, time)
            return tick
        self._scheduled = tick
        at(self.env, time, PROGRAM, lambda: self._on_tick(tick), place)
        return None
