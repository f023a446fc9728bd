"""What researchers replace: who is granted, what is dropped, how much room a FIFO has."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol

from chipsim.machine.model import UNBOUNDED, FullPolicy, Machine

if TYPE_CHECKING:
    from chipsim.network.reference.node import Node
    from chipsim.network.reference.parts import Copy, Output, Packet, Port, Sink
    from chipsim.network.rules import Limb


class Candidate(NamedTuple):
    """What one input FIFO puts forward for one output.

    Attributes
    ----------
    input : int
        Position of the FIFO among its node's, in ascending port number.
    port : Port
    copy : Copy
        The packet's copy that asks.
    limb : Limb
        The branch it asks for.
    """

    input: int
    port: Port
    copy: Copy
    limb: Limb


class Arbiter(Protocol):
    """Chooses among the inputs that ask for one output; every output has an arbiter of its own."""

    def choose(self, candidates: Sequence[Candidate], inputs: int, now_ps: int) -> Candidate:
        """Return the candidate to grant.

        Parameters
        ----------
        candidates : sequence of Candidate
            At least one, in ascending input; at most one per input. All of them could be granted.
        inputs : int
            Number of input FIFOs of the node.
        now_ps : int
            The instant [ps].
        """


class RoundRobin:
    """The hardware's arbiter: the first candidate at or after a pointer, which moves past it."""

    def __init__(self) -> None:
        self.pointer = 0

    def choose(self, candidates: Sequence[Candidate], inputs: int, now_ps: int) -> Candidate:
        """Return the first candidate at or after the pointer, cyclically."""
        chosen = min(candidates, key=lambda c: (c.input - self.pointer) % inputs)
        self.pointer = (chosen.input + 1) % inputs
        return chosen


class DropPolicy:
    """When a packet is given up; the default does what the machine's description says."""

    def patience_ps(self, node: Node, copy: Copy) -> int:
        """Return how long ``copy`` may ask at ``node`` [ps], -1 for as long as it takes.

        Called when it begins to ask. What is still ungranted after the arbitration of that
        instant is dropped.
        """
        return node.wait_ps

    def second_patience_ps(self, node: Node, copy: Copy) -> int:
        """Return how long ``copy``, which waited in vain, may ask for its detours [ps].

        0 gives it up at once. Branches without a detour go on asking in that time.
        """
        return node.second_wait_ps

    def when_full(self, sink: Sink, copy: Copy) -> FullPolicy:
        """Return what happens to ``copy``, which finds the endpoint's receive FIFO full.

        ``STALL`` lets it in all the same: senders of stalling sinks wait for a slot beforehand.
        """
        return sink.full


class Slots:
    """The room of a FIFO, counted in packets: claimed at the grant, given back with the credit.

    One object may serve several ports (a shared buffer); it then wakes all their feeders.

    Parameters
    ----------
    capacity : int
        Packets; 0 is unbounded.
    """

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.taken = 0
        self.feeders: list[Output] = []

    def has_room(self, packet: Packet) -> bool:
        """Return whether a slot can be claimed for ``packet`` now."""
        return self.capacity == UNBOUNDED or self.taken < self.capacity

    def claim(self, packet: Packet) -> None:
        """Take a slot."""
        self.taken += 1

    def release(self, packet: Packet) -> None:
        """Give the slot back; the sender may use it at this instant."""
        self.taken -= 1


SlotsFactory = Callable[[Machine, int], Slots]
"""Makes the room of a port, given the machine and the port's number."""


def slots_of_machine(machine: Machine, port: int) -> Slots:
    """Return the room that the machine's description gives ``port``."""
    return Slots(int(machine.port_capacity[port]))
