"""Barriers: a group of PEs that waits for all its members (a chip-wide interrupt line)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import simpy

from chipsim.errors import ProgramError
from chipsim.network.instant import DEVICE, at


class Barrier:
    """Releases all members a fixed time after the last has arrived, again and again.

    Parameters
    ----------
    env : simpy.Environment
    name : str
    members : sequence of str
        Vertices.
    cost_ps : int
        From the last arrival to the release [ps], at least 1.
    """

    def __init__(
        self, env: simpy.Environment, name: str, members: Sequence[str], cost_ps: int
    ) -> None:
        self.env = env
        self.name = name
        self.members = tuple(members)
        self.cost_ps = cost_ps
        self.on_release: list[Callable[[int], None]] = []
        self.generation = 0
        self.released: list[str] = []
        """Whom the last release let go, in the order in which they had arrived."""
        self.released_ps = -1
        self._arrived: dict[str, None] = {}
        self._known = frozenset(members)
        self._last_ps = 0
        self._event = env.event()

    def arrive(self, vertex: str, time_ps: int | None = None) -> simpy.Event:
        """Note that a member has arrived and return the release's event.

        Parameters
        ----------
        vertex : str
        time_ps : int, optional
            When it arrives [ps]: now by default; later for one whose handler's end is known.
        """
        if vertex not in self._known:
            raise ProgramError(
                f"barrier {self.name!r}: {vertex} is no member (members: {len(self.members)}); "
                "add it where the barrier is declared"
            )
        self._arrived[vertex] = None
        now = int(self.env.now)
        self._last_ps = max(self._last_ps, now if time_ps is None else time_ps, now)
        event = self._event
        if len(self._arrived) == len(self._known):
            at(self.env, self._last_ps + self.cost_ps, DEVICE, self._release)
        return event

    def missing(self) -> str:
        """Return a sentence about who has not arrived."""
        absent = [m for m in self.members if m not in self._arrived]
        shown = ", ".join(absent[:5]) + (", …" if len(absent) > 5 else "")
        return f"barrier {self.name!r}: {len(absent)} of {len(self.members)} absent: {shown}"

    def _release(self) -> None:
        event, self._event = self._event, self.env.event()
        self.released, self.released_ps = list(self._arrived), int(self.env.now)
        self._arrived.clear()
        self.generation += 1
        self._last_ps = 0
        for callback in self.on_release:
            callback(self.generation)
        event.succeed(self.generation)
