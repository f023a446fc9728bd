"""Watches: who wants to be told that packets arrived, or that a script has been accepted."""

from __future__ import annotations

from chipsim.network.api import ACCEPTED, INBOX, Notify
from chipsim.network.instant import ARBITRATION
from chipsim.network.reference.clock import Clock

NOTIFY = ARBITRATION + 5
"""After every node's arbitration of the instant, before devices and programs."""


class Watches:
    """Armed watches; each fires once, and those of one instant are reported in a fixed order."""

    def __init__(self, clock: Clock, notify: Notify | None) -> None:
        self._clock = clock
        self._notify = notify
        self._inbox_counts: dict[int, int] = {}
        self._ports: set[int] = set()
        self._fired: list[tuple[int, int]] = []

    def arm_inbox(self, inbox: int, count: int) -> None:
        """Fire when ``inbox`` holds at least ``count`` packets."""
        self._inbox_counts[inbox] = count

    def arm_accepted(self, port: int) -> None:
        """Fire when the script of ``port`` has been accepted whole."""
        self._ports.add(port)

    def inbox_holds(self, inbox: int, count: int) -> None:
        """Hear that ``inbox`` now holds ``count`` packets."""
        if count >= self._inbox_counts.get(inbox, count + 1):
            del self._inbox_counts[inbox]
            self._fire(INBOX, inbox)

    def script_accepted(self, port: int) -> None:
        """Hear that the script of ``port`` is empty now."""
        if port in self._ports:
            self._ports.remove(port)
            self._fire(ACCEPTED, port)

    def _fire(self, kind: int, index: int) -> None:
        if not self._fired:
            self._clock.at(self._clock.now, NOTIFY, self._report)
        self._fired.append((kind, index))

    def _report(self) -> None:
        fired, self._fired = sorted(self._fired), []
        if self._notify is not None:
            for kind, index in fired:
                self._notify(kind, index, self._clock.now)
