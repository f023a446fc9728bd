"""Acceptance: how the rows of a script enter a source port."""

from __future__ import annotations

from chipsim.network.instant import ARRIVAL
from chipsim.network.reference.account import Account
from chipsim.network.reference.clock import Clock
from chipsim.network.reference.parts import Copy, SourcePort
from chipsim.network.reference.watches import Watches


class Sources:
    """Accepts rows at their first possible time."""

    def __init__(self, clock: Clock, account: Account, watches: Watches) -> None:
        self._clock = clock
        self._account = account
        self._watches = watches

    def accept(self, port: SourcePort) -> None:
        """Accept every row whose time has come and that finds a slot.

        Called when rows were appended, when a row's time comes and when a slot becomes free; all
        of them may fall into one instant, in any order.
        """
        now = self._clock.now
        while port.script:
            packet = port.script[0]
            due = max(packet.created_ps, port.last_ps + packet.gap_ps)
            if due > now:
                if port.alarm_ps != due:
                    port.alarm_ps = due
                    self._clock.at(due, ARRIVAL, lambda: self.accept(port))
                return
            if not port.slots.has_room(packet):
                return
            port.blocked += due < now
            port.slots.claim(packet)
            port.script.popleft()
            port.last_ps = packet.injected_ps = now
            self._account.injected += 1
            port.node.arrive(port, Copy(packet, now, list(packet.plan.stages[0])))
            if not port.script:
                self._watches.script_accepted(port.number)
