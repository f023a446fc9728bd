"""A node: the SimPy process that arbitrates its outputs, once per instant at which it is woken.

Arrivals, credits and ends of transmissions (phase 1 of an instant) ring the node's bell; the bell
sounds in phase 2, when every node's phase 1 is over. Two nodes' arbitrations at one instant do not
see each other's grants: whatever a grant causes is at least 1 ps away.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING

import simpy

from chipsim.machine.model import NodeKind
from chipsim.machine.route import PACKETS
from chipsim.network.instant import ARBITRATION, ARRIVAL
from chipsim.network.noise import hits
from chipsim.network.reference.account import Account
from chipsim.network.reference.clock import Clock
from chipsim.network.reference.credit import return_credit
from chipsim.network.reference.parts import Copy, Flight, Output, Port, Sink, SourcePort
from chipsim.network.reference.policies import Candidate, DropPolicy
from chipsim.network.reference.sources import Sources
from chipsim.network.rules import Limb

if TYPE_CHECKING:
    from chipsim.machine.model import Machine
    from chipsim.network.reference.monitor import Monitor
    from chipsim.network.reference.sinks import Sinks


class Node:
    """Input FIFOs, outputs, and the process that joins them.

    Attributes
    ----------
    number : int
        The machine's number of the node.
    pool : bool
        Whether any packet of a FIFO may ask, not only its head.
    hop : bool
        Whether a visit counts as a packet-hop.
    wait_ps : int
        How long a packet may ask, -1 for as long as it takes.
    second_wait_ps : int
        How long it may then ask for its detours.
    issue_ps : int
        After how long a granted copy is done here; 0: with the end of its transmission.
    monitor : Monitor or None
        Who reads what is given up.
    inputs : list of Port
        In ascending port number.
    outputs : dict of int to Output
        By channel, ascending.
    """

    def __init__(
        self,
        machine: Machine,
        number: int,
        clock: Clock,
        account: Account,
        drop_policy: DropPolicy,
        sources: Sources,
        sinks: Sinks,
        error_seed: int = 0,
    ) -> None:
        self.number = number
        self.pool = bool(machine.node_kind[number] == NodeKind.POOL)
        self.hop = bool(machine.node_hop[number])
        self.wait_ps = int(machine.node_wait_ps[number])
        behaviour = machine.behaviour
        second = None if behaviour is None else behaviour.node_wait2_ps
        self.second_wait_ps = 0 if second is None else int(second[number])
        issue = None if behaviour is None else behaviour.node_issue_ps
        self.issue_ps = 0 if issue is None else int(issue[number])
        self.monitor: Monitor | None = None
        self.inputs: list[Port] = []
        self.outputs: dict[int, Output] = {}
        self._clock = clock
        self._account = account
        self._drop_policy = drop_policy
        self._sources = sources
        self._sinks = sinks
        self._error_seed = error_seed
        self._bell: simpy.Event = clock.env.event()
        self._rung = False
        clock.env.process(self._arbitrations())

    def ring(self) -> None:
        """Have the node arbitrate in phase 2 of this instant."""
        if not self._rung:
            self._rung = True
            self._bell._ok = True
            self._bell._value = None
            self._clock.env.schedule(self._bell, priority=ARBITRATION)  # type: ignore[arg-type]

    def arrive(self, port: Port, copy: Copy) -> None:
        """Put ``copy`` at the end of ``port``; it may ask at this very instant."""
        port.queue.append(copy)
        port.joined()
        if self.pool or len(port.queue) == 1:
            self._begin_asking(copy)

    def _arbitrations(self) -> Generator[simpy.Event, None, None]:
        while True:
            yield self._bell
            self._bell = self._clock.env.event()
            self._rung = False
            self._arbitrate()
            self._give_up()

    def _arbitrate(self) -> None:
        """Let every idle output grant at most one branch."""
        asked: dict[int, list[Candidate]] = {}
        for port in self.inputs:
            for candidate in port.candidates():
                asked.setdefault(candidate.limb.channel, []).append(candidate)
        now = self._clock.now
        for channel in sorted(asked):
            output = self.outputs[channel]
            if output.busy_until_ps > now:
                continue
            eligible = [c for c in asked[channel] if output.has_credit(c.copy.packet)]
            if eligible:
                self._grant(output, output.arbiter.choose(eligible, len(self.inputs), now))

    def _grant(self, output: Output, chosen: Candidate) -> None:
        now = self._clock.now
        _, port, copy, limb = chosen
        copy.pending.remove(limb)
        port.waiting -= not copy.pending
        copy.sending += 1
        if self.hop and not copy.visited:
            copy.visited = True
            self._account.packet_hops += 1
        if output.claims(copy.packet):
            output.far.slots.claim(copy.packet)
        lost = self._frames_hit(output, limb)
        sent_ps = (limb.flits + lost) * output.flit_ps
        output.busy_until_ps = now + sent_ps + lost * (output.latency_ps + output.credit_ps)
        output.packets += 1
        output.flits += limb.flits + lost
        output.emergency += copy.takes_detour(limb)
        far_ps = output.busy_until_ps - output.flit_ps + output.latency_ps
        self._account.granted(copy, limb.channel, now, far_ps)
        self._launch(output, copy, limb, far_ps)
        done_ps = output.busy_until_ps
        if self.issue_ps > 0:
            self._clock.at(done_ps, ARRIVAL, self.ring)
            done_ps = now + self.issue_ps
        self._clock.at(done_ps, ARRIVAL, lambda: self._done(port, copy))

    def _frames_hit(self, output: Output, limb: Limb) -> int:
        """Count frames that are hit on their way and must be sent again."""
        if output.error_limit == 0:
            return 0
        lost = hits(
            self._error_seed, output.channel, output.packets, limb.flits, output.error_limit
        )
        output.resent += lost
        return lost

    def _launch(self, output: Output, copy: Copy, limb: Limb, far_ps: int) -> None:
        stages = copy.packet.plan.stages
        far = Copy(
            copy.packet,
            far_ps,
            list(stages[limb.next]) if isinstance(output.far, Port) else [],
            copy.hops + self.hop,
            copy.waited_ps + self._clock.now - copy.arrived_ps,
            stage=limb.next,
        )
        output.wire.append(Flight(far, limb, far_ps))
        self._clock.at(far_ps, ARRIVAL, lambda: self._arrived(output))

    def _arrived(self, output: Output) -> None:
        """Hand over the first flight of ``output``: flights of a channel do not overtake."""
        copy = output.wire.popleft().copy
        if isinstance(output.far, Sink):
            self._sinks.arrive(output.far, copy)
        else:
            output.far.node.arrive(output.far, copy)

    def _done(self, port: Port, copy: Copy) -> None:
        """End one branch's transmission (the output is idle), or issue; the copy may be done."""
        copy.sending -= 1
        self.ring()
        if not copy.pending and copy.sending == 0:
            self._leave(port, copy)

    def _leave(self, port: Port, copy: Copy) -> None:
        """Take ``copy`` out of ``port``: a new head, and a slot for the sender."""
        was_head = port.queue[0] is copy
        port.queue.remove(copy)
        if was_head and not self.pool and port.queue:
            self._begin_asking(port.queue[0])
        if isinstance(port, SourcePort):
            port.slots.release(copy.packet)
            self._sources.accept(port)
        else:
            return_credit(port, copy.packet, self._clock)

    def _begin_asking(self, copy: Copy) -> None:
        now = self._clock.now
        copy.asking_ps = now
        patience = self._drop_policy.patience_ps(self, copy)
        if patience >= 0:
            copy.deadline_ps = now + patience
        if patience > 0:
            self._clock.at(copy.deadline_ps, ARRIVAL, self.ring)
        self.ring()

    def _give_up(self) -> None:
        """Let those who waited too long ask for their detours, or give up what they still ask for.

        All of them at once; the bell is rung again, so that they, or those behind them, heads by
        now or the oldest of their pool for an output, ask in a further arbitration of this same
        instant.
        """
        now = self._clock.now
        late = [
            (port, copy)
            for port in self.inputs
            for copy in port.askers()
            if copy.pending and 0 <= copy.deadline_ps <= now
        ]
        for port, copy in late:
            second = self._drop_policy.second_patience_ps(self, copy)
            if second > 0 and not copy.second_wait:
                self._go_round(copy, second)
            else:
                self._lose(port, copy)
            self.ring()

    def _go_round(self, copy: Copy, second_ps: int) -> None:
        """Let ``copy`` ask for the detours of its blocked branches, for a second time."""
        copy.second_wait = True
        copy.deadline_ps += second_ps
        self._clock.at(copy.deadline_ps, ARRIVAL, self.ring)
        plan = copy.packet.plan
        if copy.stage in plan.detours:
            plain, ways = plan.stages[copy.stage], plan.detours[copy.stage]
            copy.pending = [ways[plain.index(limb)] for limb in copy.pending]

    def _lose(self, port: Port, copy: Copy) -> None:
        """Hand what ``copy`` still asks for to the monitor, or drop it."""
        port.given_up[PACKETS.index(copy.packet.plan.route.packet)] += 1
        for limb in copy.pending:
            self.outputs[limb.channel].given_up += 1
        if self.monitor is None or not self.monitor.takes(copy):
            lost = [end for limb in copy.pending for end in limb.endpoints]
            self._account.dropped(copy, port.number, lost, self._clock.now)
        copy.pending.clear()
        port.waiting -= 1
        if copy.sending == 0:  # else it leaves with the end of its last transmission
            self._leave(port, copy)
