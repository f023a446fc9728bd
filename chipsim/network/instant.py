"""The order of things at one instant, as SimPy priorities (DESIGN §3).

At one time there come first arrivals and releases, then arbitration, then devices (DMA, host,
timers), then programs. SimPy sorts equal times by priority and then by insertion; everything in
chipsim that has a place in this order is scheduled through :func:`at`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import simpy

ARRIVAL = 10
ARBITRATION = 20
DEVICE = 30
PROGRAM = 40


def at(env: simpy.Environment, time_ps: int, phase: int, action: Callable[[], Any]) -> simpy.Event:
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
    """
    event = env.event()
    event._ok = True
    event._value = None
    event.callbacks.append(lambda _: action())
    env.schedule(event, priority=phase, delay=time_ps - env.now)  # type: ignore[arg-type]
    return event
