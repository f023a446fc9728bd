"""The order of things at one instant, as SimPy priorities (DESIGN §3).

At one time there come first arrivals and releases, then arbitration, then devices (DMA, host,
timers), then programs. SimPy sorts equal times by priority and then by insertion; everything in
chipsim that has a place in this order is scheduled through :func:`at`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from heapq import heappush
from typing import Any

import simpy

ARRIVAL = 10
ARBITRATION = 20
DEVICE = 30
PROGRAM = 40


def at(
    env: simpy.Environment,
    time_ps: int,
    phase: int,
    action: Callable[[], Any],
    place: int | None = None,
) -> simpy.Event:
    """Call ``action()`` at ``time_ps`` in ``phase`` and return the event that does it.

    Parameters
    ----------
    env : simpy.Environment
    time_ps : int
        Not before ``env.now``.
    phase : int
        :data:`ARRIVAL`, :data:`ARBITRATION`, :data:`DEVICE` or :data:`PROGRAM`.
    action : callable
        Called without arguments.
    place : int, optional
        Its place among those of one time and phase, as :func:`next_place` gave it; by default
        behind all that have been scheduled.
    """
    event = env.event()
    event._ok = True
    event._value = None
    event.callbacks.append(lambda _: action())
    if place is None:
        env.schedule(event, priority=phase, delay=time_ps - env.now)  # type: ignore[arg-type]
    else:
        heappush(env._queue, (time_ps, phase, place, event))  # type: ignore[misc]
    return event


def next_place(env: simpy.Environment) -> int:
    """Take the place of an event that is scheduled now, for :func:`at`."""
    return next(env._eid)


def go_on(env: simpy.Environment, time_ps: int) -> None:
    """Move to ``time_ps``, up to which nothing is scheduled, without an event that says so."""
    env._now = time_ps


def happen_all(events: Sequence[simpy.Event]) -> None:
    """Let untriggered events happen now, one after another, without a way through the queue.

    What waits for them goes on before this returns. Only from an action that :func:`at` called.
    """
    for event in events:
        event._ok = True
        event._value = None
        callbacks, event.callbacks = event.callbacks, None  # type: ignore[assignment]
        for callback in callbacks:
            callback(event)


def alarm(env: simpy.Environment, time_ps: int, phase: int) -> simpy.Event:
    """Return an event that happens at ``time_ps`` in ``phase``, for a process to wait for."""
    return ring(env, env.event(), time_ps, phase)


def ring(env: simpy.Environment, event: simpy.Event, time_ps: int, phase: int) -> simpy.Event:
    """Let an untriggered event happen at ``time_ps`` in ``phase`` and return it."""
    event._ok = True
    event._value = None
    env.schedule(event, priority=phase, delay=time_ps - env.now)  # type: ignore[arg-type]
    return event
