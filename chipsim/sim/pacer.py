"""What a run does next: a SimPy event, a stretch of the lazy network, or a cut of the trace."""

from __future__ import annotations

from collections.abc import Callable

import simpy

from chipsim.network.api import Network
from chipsim.sim.observe import Observer
from chipsim.sim.watches import Watches
from chipsim.units import FOREVER


class Pacer:
    """Does one thing after another, in the order of their times.

    While somebody waits for a packet, the lazy network goes first, up to the next SimPy event and
    never past it; otherwise it is left behind until a core looks at its inbox.

    Parameters
    ----------
    env : simpy.Environment
    network : Network
    watches : Watches
        Who waits for packets.
    observer : Observer
        Cuts the trace into windows of time.
    stalled : callable
        Returns the error to raise where nothing can ever happen again.
    """

    def __init__(
        self,
        env: simpy.Environment,
        network: Network,
        watches: Watches,
        observer: Observer,
        stalled: Callable[[], Exception],
    ) -> None:
        self._env = env
        self._network = network
        self._watches = watches
        self._observer = observer
        self._stalled = stalled
        self._until = FOREVER - 1
        self._advance: Callable[[int], int] = network.advance

    def serve(self, advance: Callable[[int], int]) -> None:
        """Let the network run by ``advance``, which does on its way what nobody waits for."""
        self._advance = advance

    def reach(self, time_ps: int) -> bool:
        """Bring the lazy network to ``time_ps``; return whether nothing else happens until then.

        At that time neither, and within the time that :meth:`advance` was called for.
        """
        env = self._env
        if time_ps >= env.peek() or time_ps > self._until or time_ps >= self._observer.next_ps:
            return False
        return self._advance(time_ps) == time_ps and time_ps < env.peek()

    def advance(self, until_ps: int | None) -> bool:
        """Do the next thing, unless it comes after ``until_ps``; return whether there may be more.

        Raises
        ------
        Exception
            What ``stalled`` returns, if nothing is left to happen and no end of time is given.
        """
        self._until = FOREVER - 1 if until_ps is None else until_ps
        following = self._env.peek()
        if self._observer.next_ps <= following and self._may_cut(following, until_ps):
            return self._observer.cut()
        if self._watches and self._network.lazy:
            limit = min(following, self._until)
            network_time = self._network.next_time()
            if network_time <= limit and self._advance(int(limit)) < following:
                return True  # a watch fired, or the time is over
            if following == float("inf") and limit < network_time < FOREVER:
                return False  # something is under way, but not until then
        if following == float("inf"):
            raise self._stalled()
        if until_ps is not None and following > until_ps:
            return False
        self._env.step()
        return True

    def _may_cut(self, following: float, until_ps: int | None) -> bool:
        """Return whether the run gets as far as the end of the trace's open window of time."""
        if following == float("inf"):
            following = self._network.next_time() if self._network.lazy else FOREVER
        limit = FOREVER - 1 if until_ps is None else until_ps
        return self._observer.next_ps <= min(following, limit)
