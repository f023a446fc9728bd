"""What the reference network is made of: packets and their copies, FIFOs, outputs, inboxes.

These objects hold state and know their neighbours; when something happens is decided in
:mod:`~chipsim.network.reference.node` (arbitration) and
:mod:`~chipsim.network.reference.network` (acceptance, delivery).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from chipsim.machine.model import UNBOUNDED, FullPolicy
from chipsim.machine.route import PACKETS
from chipsim.network.reference.policies import Arbiter, Candidate, Slots

if TYPE_CHECKING:
    from chipsim.network.reference.monitor import Monitor
    from chipsim.network.reference.node import Node
    from chipsim.network.rules import Limb, Plan


@dataclass(slots=True, eq=False)
class Packet:
    """A packet as its sender wrote it; shared by all its copies.

    Attributes
    ----------
    created_ps : int
        The ``earliest_ps`` of its row.
    gap_ps : int
        Least time since the row before it was accepted; 0 where that does not count.
    injected_ps : int
        When it was accepted, -1 before.
    """

    plan: Plan
    source: int
    seq: int
    key: int
    payload: tuple[int, ...]
    net: int
    tick: int
    tag: int
    created_ps: int
    gap_ps: int
    injected_ps: int = -1


@dataclass(slots=True, eq=False)
class Copy:
    """A packet's copy in one FIFO (or inbox).

    Attributes
    ----------
    arrived_ps : int
        Arrival at this FIFO; acceptance, in a source port.
    pending : list of Limb
        Branches that have not been granted, in stage order.
    asking_ps : int
        When it began to ask, -1 before.
    deadline_ps : int
        When it is given up, -1 for never.
    sending : int
        Branches granted whose transmission has not ended.
    visited : bool
        Whether its first grant here has been counted.
    stage : int
        Where it stands in its packet's plan.
    second_wait : bool
        Whether it has waited in vain once, and asks for the detours of its blocked branches.
    hops : int
        Counted nodes that it has left behind.
    waited_ps : int
        Time spent in the FIFOs that it has left behind.
    """

    packet: Packet
    arrived_ps: int
    pending: list[Limb]
    hops: int = 0
    waited_ps: int = 0
    asking_ps: int = -1
    deadline_ps: int = -1
    sending: int = 0
    visited: bool = False
    stage: int = 0
    second_wait: bool = False

    def takes_detour(self, limb: Limb) -> bool:
        """Return whether a branch that it asks for is the detour of another."""
        return self.second_wait and limb not in self.packet.plan.stages[self.stage]


@dataclass(slots=True, eq=False)
class Flight:
    """A copy on a channel: granted, and not yet (its last flit) at the far end."""

    copy: Copy
    limb: Limb
    far_ps: int


@dataclass(eq=False)
class Port:
    """An input FIFO of a node.

    Attributes
    ----------
    number : int
        The machine's number of the port.
    node : Node
    input : int
        Position among the node's FIFOs.
    slots : Slots
        Its room.
    feeder : Output or None
        The channel that leads here; None for source ports.
    queue : deque of Copy
        Oldest first.
    given_up : list of int
        Copies that waited too long, by the packet's type.
    monitor : Monitor or None
        Who sends through this port what the router gave up.
    waiting, peak : int
        Copies with branches that are not granted, and the most of them since somebody asked.
    """

    number: int
    node: Node
    input: int
    slots: Slots
    feeder: Output | None = None
    queue: deque[Copy] = field(default_factory=deque)
    given_up: list[int] = field(default_factory=lambda: [0] * len(PACKETS))
    monitor: Monitor | None = None
    waiting: int = 0
    peak: int = 0

    def joined(self) -> None:
        """Count a copy that has joined the queue."""
        self.waiting += 1
        self.peak = max(self.peak, self.waiting)

    def take_peak(self) -> int:
        """Return the peak since the last call."""
        peak, self.peak = self.peak, self.waiting
        return peak

    def askers(self) -> Iterator[Copy]:
        """Yield the copies that may ask, oldest first: the head, or all of a pool."""
        if self.node.pool:
            yield from self.queue
        elif self.queue:
            yield self.queue[0]

    def candidates(self) -> Iterator[Candidate]:
        """Yield what this FIFO puts forward: for each output that is asked for, the first
        ungranted branch of the oldest copy that asks for it.
        """
        seen: set[int] = set()
        for copy in self.askers():
            for limb in copy.pending:
                if limb.channel not in seen:
                    seen.add(limb.channel)
                    yield Candidate(self.input, self, copy, limb)
            if len(seen) == len(self.node.outputs):
                return


@dataclass(eq=False)
class SourcePort(Port):
    """A FIFO fed by an endpoint's sends.

    Attributes
    ----------
    script : deque of Packet
        Rows that have not been accepted, in order.
    last_ps : int
        When the last row was accepted, -1 if none was.
    alarm_ps : int
        When the first row's time comes, as far as that has been scheduled.
    blocked : int
        Rows that found no slot when their time had come.
    """

    script: deque[Packet] = field(default_factory=deque)
    last_ps: int = -1
    alarm_ps: int = -1
    blocked: int = 0


@dataclass(slots=True, eq=False)
class Delivered:
    """A copy in an inbox, and whether it holds one of the sink's slots."""

    copy: Copy
    time_ps: int
    holds_slot: bool


@dataclass(eq=False)
class Sink:
    """A sink port with its two inboxes, for events and for memory traffic; or a dump, with none."""

    number: int
    endpoint: int
    capacity: int
    full: FullPolicy
    slots: Slots
    dump: bool = False
    feeder: Output | None = None
    inboxes: tuple[deque[Delivered], deque[Delivered]] = field(
        default_factory=lambda: (deque(), deque())
    )
    peak: int = 0
    """The most copies in one of its inboxes since somebody asked."""

    def take_peak(self) -> int:
        """Return the peak since the last call."""
        peak, self.peak = self.peak, max(map(len, self.inboxes))
        return peak

    def needs_slot(self, packet: Packet) -> bool:
        """Return whether senders wait for room: events at a stalling sink."""
        return self.full == FullPolicy.STALL and not packet.plan.route.memory

    def is_full(self, packet: Packet) -> bool:
        """Return whether the receive FIFO has no place for ``packet``, which has arrived."""
        if packet.plan.route.memory or self.capacity == UNBOUNDED:
            return False
        return len(self.inboxes[0]) >= self.capacity


@dataclass(eq=False)
class Output:
    """A node's outgoing channel.

    Attributes
    ----------
    channel : int
        The machine's number of the channel.
    node : Node
        Where it begins.
    far : Port or Sink
        Where it ends.
    busy_until_ps : int
        End of its last transmission; idle again at that time.
    wire : deque of Flight
        What is on its way, in order of arrival.
    packets, flits : int
        Grants so far, and their flits.
    error_limit : int
        As :func:`chipsim.network.noise.threshold`; 0 for a channel without errors.
    resent : int
        Frames that were hit, so far.
    emergency : int
        Grants to packets on a detour.
    given_up : int
        Branches that asked for it too long.
    """

    channel: int
    node: Node
    far: Port | Sink
    latency_ps: int
    credit_ps: int
    flit_ps: int
    arbiter: Arbiter
    busy_until_ps: int = 0
    wire: deque[Flight] = field(default_factory=deque)
    packets: int = 0
    flits: int = 0
    error_limit: int = 0
    resent: int = 0
    emergency: int = 0
    given_up: int = 0

    def has_credit(self, packet: Packet) -> bool:
        """Return whether the far end has, or needs no, slot for ``packet``."""
        return not self.claims(packet) or self.far.slots.has_room(packet)

    def claims(self, packet: Packet) -> bool:
        """Return whether a grant takes a slot at the far end."""
        return isinstance(self.far, Port) or self.far.needs_slot(packet)
