"""Who waits for the network: watches on inboxes and scripts, and what to do when they fire."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import simpy

from chipsim.network.api import ACCEPTED, INBOX
from chipsim.network.instant import DEVICE, PROGRAM, at, ring

if TYPE_CHECKING:
    from chipsim.sim.simulation import Simulation


class Watches:
    """Actions that wait for packets or acceptances. False while nobody waits."""

    def __init__(self, simulation: Simulation) -> None:
        self.simulation = simulation
        self._armed: dict[tuple[int, int], list[Callable[[int], Any]]] = {}

    def __bool__(self) -> bool:
        return bool(self._armed)

    def accepted(self, core: int) -> simpy.Event:
        """Return an event for the moment at which a core's last send has been accepted."""
        event = self.simulation.env.event()
        port = int(self.simulation.cores.port[core])
        self._wake(ACCEPTED, port, event)
        self.simulation.network.watch_accepted(port)
        return event

    def when_free(self, core: int, action: Callable[[], None]) -> None:
        """Call ``action`` when a core's open handler has ended."""
        if self.simulation.script_left(core):
            port = int(self.simulation.cores.port[core])
            self._watch(ACCEPTED, port, PROGRAM, lambda: self.when_free(core, action))
            self.simulation.network.watch_accepted(port)
        else:
            at(
                self.simulation.env,
                max(self.simulation.handler_end(core), int(self.simulation.env.now)),
                PROGRAM,
                action,
            )

    def inbox(self, inbox: int, count: int) -> simpy.Event:
        """Return an event for the moment at which an inbox holds ``count`` packets."""
        event = self.simulation.env.event()
        self._wake(INBOX, inbox, event)
        self.simulation.network.watch_inbox(inbox, count)
        return event

    def memory(
        self, inbox: int, count: int, action: Callable[[int], None], now: int | None = None
    ) -> None:
        """Call ``action(time_ps)`` as a device when a memory inbox holds ``count`` packets.

        ``now`` is the present of an action that was called ahead of SimPy's clock.
        """
        simulation = self.simulation
        simulation.synchronise()
        if simulation.network.waiting(inbox) >= count:
            time = int(simulation.env.now) if now is None else now
            at(simulation.env, time, DEVICE, lambda: action(time))
            return
        self._armed.setdefault((INBOX, inbox), []).append(partial(self._as_device, action))
        simulation.network.watch_inbox(inbox, count)

    def forget_inbox(self, inbox: int) -> None:
        """Forget who waits for an inbox: compiled code has done what they would have done."""
        del self._armed[INBOX, inbox]

    def _as_device(self, action: Callable[[int], None], time: int) -> None:
        """Call ``action(time)`` at ``time``, to which the network has just come.

        Where SimPy has nothing to do up to then the action need not go through its queue: whatever
        it starts lies later, and what it finishes is put into the queue for ``time``.
        """
        env = self.simulation.env
        if self.simulation.network.lazy and env.peek() > time:
            action(time)
        else:
            at(env, time, DEVICE, lambda: action(time))

    def _watch(self, kind: int, index: int, phase: int, action: Callable[[], Any]) -> None:
        env = self.simulation.env
        self._armed.setdefault((kind, index), []).append(lambda time: at(env, time, phase, action))

    def _wake(self, kind: int, index: int, event: simpy.Event) -> None:
        env = self.simulation.env
        self._armed.setdefault((kind, index), []).append(
            lambda time: ring(env, event, time, PROGRAM)
        )

    def notify(self, kind: int, index: int, time_ps: int) -> None:
        """Do what waits for a watch; networks call it (:data:`chipsim.network.api.Notify`)."""
        now = int(self.simulation.env.now)
        time = time_ps if time_ps > now else now
        for schedule in self._armed.pop((kind, index), []):
            schedule(time)
