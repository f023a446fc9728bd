"""SpiNNaker1's monitor core: it reads what its router gives up, and sends it again."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from chipsim.network.instant import ARRIVAL
from chipsim.network.reference.clock import Clock
from chipsim.network.reference.parts import Copy, Port

if TYPE_CHECKING:
    from chipsim.machine.behaviour import Reinjection


class Monitor:
    """The router's register for one packet, and the software that empties it into a queue.

    Parameters
    ----------
    port : Port
        Through which it sends.
    timing : Reinjection
    clock : Clock

    Attributes
    ----------
    held : deque of Copy
        In the register or the queue, in order; ``arrived_ps`` says when they are sent again.
    received, missed, overflowed : int
        Packets that it read; that found the register full; that found the queue full.
    """

    def __init__(self, port: Port, timing: Reinjection, clock: Clock) -> None:
        self.port = port
        self.held: deque[Copy] = deque()
        self.received = self.missed = self.overflowed = 0
        self._timing = timing
        self._clock = clock
        self._register_free_ps = 0
        self._last_ps: int | None = None

    def takes(self, copy: Copy) -> bool:
        """Take over a copy that was given up; return False if it is lost."""
        now = self._clock.now
        if now < self._register_free_ps:
            self.missed += 1
            return False
        read_ps = now + self._timing.read_ps
        self._register_free_ps = read_ps
        if sum(held.arrived_ps > read_ps for held in self.held) >= self._timing.queue_packets:
            self.overflowed += 1
            return False
        self.received += 1
        again_ps = read_ps
        if self._last_ps is not None:
            again_ps = max(again_ps, self._last_ps + self._timing.interval_ps)
        self._last_ps = again_ps
        self.held.append(self._renewed(copy, again_ps))
        self._clock.at(again_ps, ARRIVAL, self._send)
        return True

    def _renewed(self, copy: Copy, again_ps: int) -> Copy:
        """Return what is left of ``copy``: its ungranted branches, none of them a detour."""
        plan = copy.packet.plan
        plain = plan.stages[copy.stage]
        if copy.second_wait and copy.stage in plan.detours:
            ways = plan.detours[copy.stage]
            pending = [plain[ways.index(limb)] for limb in copy.pending]
        else:
            pending = list(copy.pending)
        waited = copy.waited_ps + self._clock.now - copy.arrived_ps
        return Copy(copy.packet, again_ps, pending, copy.hops, waited, stage=copy.stage)

    def _send(self) -> None:
        self.port.node.arrive(self.port, self.held.popleft())
