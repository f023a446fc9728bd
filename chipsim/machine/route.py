"""A route: the tree of branches that a packet takes from a source port to sink ports.

Routes are flat: a tuple of *stages*, one per visit of a node, each a tuple of branches. Stage 0 is
at the node of the source port. A branch names the outgoing channel and the stage at its far end,
or :data:`SINK` where the channel ends in a sink port.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

SINK = -1

PACKETS = ("mc", "c2c", "nn", "fr")
"""Packet types: multicast, core to core, nearest neighbour, fixed route."""


class Branch(NamedTuple):
    """One output of a stage.

    Attributes
    ----------
    channel : int
        The outgoing channel.
    next : int
        Stage at the far end, or :data:`SINK`.
    """

    channel: int
    next: int


@dataclass(frozen=True)
class Route:
    """A tree of branches.

    Attributes
    ----------
    port : int
        The source port that the packet is written into.
    stages : tuple of tuple of Branch
        Branches per visited node; several branches of a stage may use one output and are granted
        one after another, in this order.
    payload_bits : int
        Payload size, which decides the flits per channel.
    memory : bool
        Whether the packet belongs to memory traffic (DMA requests, replies, writes): it then ends
        in the endpoint's memory inbox, which has no capacity limit, and not in its receive FIFO.
    packet : str
        The packet's type, for packet routers' counters: ``mc`` (multicast), ``c2c`` (core to core,
        SpiNNaker1: point to point), ``nn`` (nearest neighbour) or ``fr`` (fixed route).
    defaulted : tuple of int
        Stages at which a packet router found no entry and sent the packet straight on.
    """

    port: int
    stages: tuple[tuple[Branch, ...], ...]
    payload_bits: int = 0
    memory: bool = False
    packet: str = "mc"
    defaulted: tuple[int, ...] = ()

    @property
    def leaves(self) -> int:
        """Number of copies that the packet ends in."""
        return sum(branch.next == SINK for stage in self.stages for branch in stage)
