"""Ctrl-C: the first ends a run in order, the second ends the process at once."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from chipsim.cli.command import note

INTERRUPTED = 130


@contextmanager
def second_interrupt_exits() -> Iterator[None]:
    """Let the first SIGINT do what it did before, and any further one end the process.

    An experiment that installs a handler of its own for its time takes over the first; whatever it
    does then, a second one cannot be waited out. Nothing changes where SIGINT is ignored (a job in
    the background) and in other threads than the main one, which get no signals.
    """
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(before):
        yield
        return

    def first(number: int, frame: FrameType | None) -> None:
        signal.signal(signal.SIGINT, at_once)
        before(number, frame)

    def at_once(number: int, frame: FrameType | None) -> None:
        # Not sys.exit: what hangs may be the very code that would have to unwind.
        os._exit(INTERRUPTED)

    signal.signal(signal.SIGINT, first)
    try:
        yield
    except KeyboardInterrupt:
        note("chipsim: stopping; Ctrl-C again to stop at once")
        raise
    finally:
        signal.signal(signal.SIGINT, before)
