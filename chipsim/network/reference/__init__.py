"""The reference network: a SimPy process per node, to be read, changed and compared against."""

from chipsim.network.reference.network import Network
from chipsim.network.reference.node import Node
from chipsim.network.reference.parts import Copy, Output, Packet, Port, Sink, SourcePort
from chipsim.network.reference.policies import (
    Arbiter,
    Candidate,
    DropPolicy,
    RoundRobin,
    Slots,
    SlotsFactory,
)

__all__ = [
    "Arbiter",
    "Candidate",
    "Copy",
    "DropPolicy",
    "Network",
    "Node",
    "Output",
    "Packet",
    "Port",
    "RoundRobin",
    "Sink",
    "Slots",
    "SlotsFactory",
    "SourcePort",
]
