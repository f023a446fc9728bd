"""Ctrl-C while the chip is simulated."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from chipsim.sim.simulation import Simulation


@contextmanager
def stop_on_interrupt(simulation: Simulation) -> Iterator[None]:
    """Let the first Ctrl-C ask the simulation to stop, and the second end the process at once.

    An exception inside a SimPy process could be taken for the result of what the process waits
    for, so the handler only sets a flag that the simulation looks at between events.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def handle(_number: int, _frame: FrameType | None) -> None:
        if simulation.stop_requested:
            os._exit(130)
        simulation.stop_requested = True

    before = signal.signal(signal.SIGINT, handle)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
