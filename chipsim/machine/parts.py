"""What nodes, ports, channels and endpoints can be: the kinds that a machine's arrays name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum


class DeadlockWarning(UserWarning):
    """A machine whose routes can wait for each other in a circle."""


class NodeKind(IntEnum):
    """Which packets of an input FIFO may ask for an output."""

    FIFO = 0
    """Only the head."""
    POOL = 1
    """Any packet, the oldest first (an issue buffer)."""


class Branching(IntEnum):
    """How a packet may split at a node."""

    NONE = 0
    LOCAL = 1
    """Among the PEs of the node's own quad, by mask."""
    ANY = 2


class Routing(IntEnum):
    """How the node finds a packet's output; a route that disagrees is not valid."""

    XY = 0
    LUT = 1
    TABLE = 2
    SOURCE = 3


class PortKind(IntEnum):
    """What feeds and what empties an input FIFO."""

    LINK = 0
    """Fed by a channel, emptied by its node."""
    SOURCE = 1
    """Fed by an endpoint's sends, emptied by its node."""
    SINK = 2
    """Fed by a channel, emptied by the endpoint's program."""


class FullPolicy(IntEnum):
    """What happens to a packet that finds a sink port full."""

    STALL = 0
    DROP = 1
    OVERWRITE = 2


class EndpointKind(IntEnum):
    """What an endpoint is."""

    PE = 0
    DRAM = 1
    HOST = 2


UNBOUNDED = 0
"""A port capacity without limit."""


@dataclass(frozen=True)
class ChannelClass:
    """What channels of one kind share.

    Attributes
    ----------
    name : str
        ``inject``, ``noc``, ``eject``, ``router_in``, ``lookup``, ``router_out``, ``link_short``…
    flits : mapping of int to int
        Flits (or link frames) of a packet by its payload size [bit]; every payload the machine
        knows is listed.
    pj_per_flit : float
        Energy per flit and channel [pJ].
    pj_per_packet : float
        Energy per packet and channel beside that of its flits [pJ]; negative where the last flit
        carries no data.
    energy_part : str
        The line of the energy account that it belongs to (``noc``, ``router``, ``links``).
    """

    name: str
    flits: Mapping[int, int]
    pj_per_flit: float = 0.0
    energy_part: str = "noc"
    pj_per_packet: float = 0.0
