"""A line of routers with several endpoints, and ways to send and take by hand."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from chipsim.machine.builder import MachineBuilder
from chipsim.machine.model import (
    ChannelClass,
    EndpointKind,
    FullPolicy,
    Machine,
    PortKind,
)
from chipsim.machine.route import SINK, Branch, Route
from chipsim.network.api import Deliveries, Network, Sends
from chipsim.network.compiled import Network as CompiledNetwork

LATENCY, FLIT, CREDIT = 30, 10, 20


def builder() -> tuple[MachineBuilder, int]:
    """Return a builder and its channel class: a flit, or four with 128 bit."""
    made = MachineBuilder("rig", None, 1, 1)  # type: ignore[arg-type]
    return made, made.channel_class(ChannelClass("noc", {0: 1, 128: 4}))


def star(
    sinks: int,
    sources: int = 1,
    *,
    latency: int = LATENCY,
    capacity: int = 0,
    full: FullPolicy = FullPolicy.STALL,
) -> Machine:
    """Return one node with source ports 0, 1, … and channels 0, 1, … to endpoints 0, 1, …."""
    made, cls = builder()
    node = made.node("hub")
    for _ in range(sources):
        made.port(node, 0, PortKind.SOURCE)
    for number in range(sinks):
        sink = made.port(-1, capacity, PortKind.SINK, full)
        made.channel(node, sink, cls, latency, FLIT, CREDIT)
        port = number if number < sources else -1
        made.endpoint(EndpointKind.PE, port=port, sink=sink, x=number, y=0)
    return made.build()


def to(port: int, *channels: int, memory: bool = False) -> Route:
    """Return the route that branches into ``channels``, which end in sinks."""
    return Route(port, (tuple(Branch(channel, SINK) for channel in channels),), 0, memory)


def sends(
    routes: Sequence[Route],
    numbers: Sequence[int],
    times: Sequence[int],
    keys: Sequence[int] | None = None,
    gap: int = 0,
) -> Sends:
    """Return one row per time, of packets 0, 1, …, on the routes given row by row."""
    count = len(times)
    zeros = np.zeros(count, dtype=np.int32)
    return Sends(
        port=np.array([route.port for route in routes], dtype=np.int32),
        earliest_ps=np.array(times, dtype=np.int64),
        gap_ps=np.full(count, gap, dtype=np.int64),
        route=np.array(numbers, dtype=np.int32),
        source=zeros,
        seq=np.arange(count, dtype=np.int64),
        key=np.array(range(count) if keys is None else keys, dtype=np.uint32),
        payload=np.zeros((count, 4), dtype=np.uint32),
        net=zeros,
        tick=zeros,
        tag=zeros,
    )


def send(network: Network, route: Route, times: Sequence[int], gap: int = 0) -> None:
    """Send packets 0, 1, … on one route."""
    number = int(network.add_routes([route])[0])
    network.send(sends([route] * len(times), [number] * len(times), times, gap=gap))


def take_all(network: CompiledNetwork, now: int) -> Deliveries:
    """Return what all inboxes hold."""
    return network.take(np.arange(2 * network.machine.endpoints, dtype=np.int32), now)
