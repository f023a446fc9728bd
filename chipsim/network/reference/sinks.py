"""Delivery: what happens at the end of a route, and how programs take what is there."""

from __future__ import annotations

from collections.abc import Sequence

from chipsim.machine.model import FullPolicy
from chipsim.network.reference.account import Account, Ended
from chipsim.network.reference.clock import Clock
from chipsim.network.reference.credit import return_credit
from chipsim.network.reference.parts import Copy, Delivered, Sink
from chipsim.network.reference.policies import DropPolicy
from chipsim.network.reference.watches import Watches


class Sinks:
    """Puts arriving copies into inboxes and takes them out again."""

    def __init__(
        self,
        clock: Clock,
        account: Account,
        drop_policy: DropPolicy,
        watches: Watches,
        consume: bool,
    ) -> None:
        self._clock = clock
        self._account = account
        self._drop_policy = drop_policy
        self._watches = watches
        self._consume = consume

    def arrive(self, sink: Sink, copy: Copy) -> None:
        """Deliver ``copy``, or drop it or the oldest waiting one if the receive FIFO is full."""
        packet, now = copy.packet, self._clock.now
        if sink.dump:
            self._account.dropped(copy, sink.number, [sink.endpoint], now)
            return
        holds_slot = sink.needs_slot(packet)
        if sink.is_full(packet):
            verdict = self._drop_policy.when_full(sink, copy)
            if verdict == FullPolicy.DROP:
                self._account.dropped(copy, sink.number, [sink.endpoint], now)
                if holds_slot:
                    return_credit(sink, packet, self._clock)
                return
            if verdict == FullPolicy.OVERWRITE:
                oldest = sink.inboxes[0].popleft()
                self._account.overwrote(oldest.copy, sink.number, sink.endpoint, now)
                if oldest.holds_slot:
                    return_credit(sink, oldest.copy.packet, self._clock)
        self._account.delivered(copy, now)
        if self._consume:
            if holds_slot:
                return_credit(sink, packet, self._clock)
            return
        which = int(packet.plan.route.memory)
        inbox = sink.inboxes[which]
        inbox.append(Delivered(copy, now, holds_slot))
        sink.peak = max(sink.peak, len(inbox))
        self._watches.inbox_holds(2 * sink.endpoint + which, len(inbox))

    def take(self, sinks: Sequence[tuple[Sink, int]], now_ps: int) -> list[Ended]:
        """Empty inboxes (sink, 0 or 1) of what was delivered up to ``now_ps``, in take's order."""
        taken: list[Ended] = []
        for row, (sink, which) in enumerate(sinks):
            inbox = sink.inboxes[which]
            found = []
            while inbox and inbox[0].time_ps <= now_ps:
                entry = inbox.popleft()
                if entry.holds_slot:
                    return_credit(sink, entry.copy.packet, self._clock)
                found.append(Ended(row, sink.endpoint, entry.copy, entry.time_ps))
            found.sort(key=lambda e: (e.packet.key, e.time_ps, e.packet.source, e.packet.seq))
            taken += found
        return taken
