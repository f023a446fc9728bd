"""Synthetic machines: a mesh, torus or hexagonal torus, one router and one endpoint a tile.

An endpoint's source queue is its router's own input FIFO (unbounded), and the way from the router
into the endpoint is a hop like any other; so a packet's zero-load latency is ``noc.hop_cycles``
times the routers it visits. Built as whole arrays: a million routers take seconds.
"""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chipsim.errors import MachineError
from chipsim.machine import faults, wounds
from chipsim.machine.description import Description
from chipsim.machine.floor import STEPS, Tile
from chipsim.machine.layout import VECTORS, one_chip
from chipsim.machine.model import (
    UNBOUNDED,
    Branching,
    ChannelClass,
    DeadlockWarning,
    EndpointKind,
    FullPolicy,
    Machine,
    NodeKind,
    PortKind,
    Routing,
)
from chipsim.machine.spinnaker2 import NocTimes, noc_times

__all__ = ["DeadlockWarning", "build"]

ROUTING = {"table": Routing.TABLE, "xy": Routing.XY}
_NOC, _EJECT = 0, 1

_SQUARE = tuple(VECTORS.index(step) for step in STEPS)
_WAYS = {"mesh": _SQUARE, "torus": _SQUARE, "hex-torus": tuple(range(len(VECTORS)))}
"""Directions (0..5 = E, NE, N, W, SW, S) of a router's links, in the order of its channels."""


def build(description: Description, width: int, height: int, name: str) -> Machine:
    """Return a machine of ``width`` x ``height`` routers, less those at ``floor.holes``.

    Nodes and endpoints are numbered by row, then column; a node's channels are in the order east,
    west, north, south, endpoint, on a hexagonal torus east, north-east, north, west, south-west,
    south, endpoint. A torus closes rows and columns of more than two routers.

    Raises
    ------
    MachineError
        If a hole lies outside the grid, or no router is left; or if a side of a hexagonal torus is
        below 3, where two links of a router would lead to the same neighbour.

    Warns
    -----
    DeadlockWarning
        For a torus with finite FIFOs: packets on a ring can wait for each other in a circle.
    """
    torus = description.family != "mesh"
    ways = _WAYS[description.family]
    if len(ways) == len(VECTORS) and min(width, height) < 3:
        raise MachineError(
            f"{name}: a hexagonal torus has sides of at least 3; choose another size"
        )
    times = noc_times(description)
    fifo = description.integer("noc.fifo_packets")
    if torus and fifo != UNBOUNDED:
        warnings.warn(
            f"{name}: noc.fifo_packets = {fifo} on a torus can deadlock (rings without virtual "
            "channels); set it to 'unbounded', or use a mesh",
            DeadlockWarning,
            stacklevel=2,
        )
    tiles = _tiles(description, width, height, name)
    source, slot, far = _links(tiles, width, height, torus, ways)
    way = np.where(far >= 0, np.array([*ways, -1])[slot], -1).astype(np.int8)
    machine = _freeze(description, name, (width, height), times, fifo, tiles, source, far)
    return _wound(replace(machine, channel_direction=way), torus)


def _wound(machine: Machine, torus: bool) -> Machine:
    """Return the machine with its dead parts marked."""
    width, height = machine.grid_width, machine.grid_height

    def ground() -> faults.Ground:
        tiles = tuple(zip(machine.node_x.tolist(), machine.node_y.tolist(), strict=True))
        known = frozenset(tiles)
        ways = machine.channel_direction
        there = set() if ways is None else set(ways.tolist())

        def joined(tile: Tile, direction: int) -> Tile | None:
            x, y = (a + b for a, b in zip(tile, VECTORS[direction], strict=True))
            if torus:
                x = x % width if width > 2 else x
                y = y % height if height > 2 else y
            return (x, y) if direction in there and (x, y) in known else None

        return faults.Ground(one_chip(), tiles, 1, joined)

    return wounds.apply(machine, faults.read(machine.description, ground))


def _tiles(description: Description, width: int, height: int, name: str) -> NDArray[Any]:
    """Return the tiles with a router, as ``y * width + x``."""
    there = np.ones(width * height, dtype=bool)
    for x, y in description.tiles("floor.holes") if "floor.holes" in description else ():
        if not (x < width and y < height):
            raise MachineError(
                f"{name}: floor.holes names tile [{x}, {y}]; tiles run over x 0..{width - 1}, "
                f"y 0..{height - 1}"
            )
        there[y * width + x] = False
    if not there.any():
        raise MachineError(f"{name}: floor.holes leaves no router; name fewer tiles")
    return np.flatnonzero(there)


def _links(
    tiles: NDArray[Any], width: int, height: int, torus: bool, ways: tuple[int, ...]
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Return every channel's source, its place among the source's channels, and its far node: -1
    for the ejecting ones.
    """
    nodes = tiles
    number = np.full(width * height, -2, dtype=np.int64)
    number[tiles] = np.arange(len(tiles))
    x, y = nodes % width, nodes // width
    far = np.full((len(nodes), len(ways) + 1), -2, dtype=np.int64)
    for slot, (dx, dy) in enumerate(VECTORS[way] for way in ways):
        u: NDArray[Any] = x + dx
        v: NDArray[Any] = y + dy
        if torus and width > 2:
            u = u % width
        if torus and height > 2:
            v = v % height
        inside = (u >= 0) & (u < width) & (v >= 0) & (v < height)
        far[inside, slot] = number[(v * width + u)[inside]]
    far[:, -1] = -1
    source, direction = np.nonzero(far != -2)
    return source, direction, far[source, direction]


def _ports(
    count: int, far: NDArray[Any]
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Return (node, kind, source port, sink port, port of each channel).

    A node's ports stand together: its source port, then its link FIFOs by channel; sinks follow.
    """
    link = far >= 0
    order = np.argsort(far[link], kind="stable")
    degree = np.bincount(far[link], minlength=count)
    first = np.concatenate(([0], np.cumsum(degree + 1)))[:-1]
    of_link = np.empty(int(link.sum()), dtype=np.int64)
    rank = np.arange(len(order)) - np.concatenate(([0], np.cumsum(degree)))[far[link][order]]
    of_link[order] = first[far[link][order]] + 1 + rank
    inner = int(degree.sum()) + count
    node = np.concatenate((np.repeat(np.arange(count), degree + 1), np.full(count, -1)))
    kind = np.full(inner + count, int(PortKind.LINK))
    kind[first] = PortKind.SOURCE
    kind[inner:] = PortKind.SINK
    port = np.empty(len(far), dtype=np.int64)
    port[link] = of_link
    port[~link] = inner + np.arange(count)
    return node, kind, first, inner + np.arange(count), port


def _freeze(
    description: Description,
    name: str,
    size: tuple[int, int],
    times: NocTimes,
    fifo: int,
    tiles: NDArray[Any],
    source: NDArray[Any],
    far: NDArray[Any],
) -> Machine:
    width, height = size
    count = len(tiles)
    node, kind, first, sink, port = _ports(count, far)
    full = np.where(kind == PortKind.SINK, FullPolicy.DROP, FullPolicy.STALL)
    x, y = (tiles % width).astype(np.int32), (tiles // width).astype(np.int32)
    zeros8, zeros32 = np.zeros(count, dtype=np.int8), np.zeros(count, dtype=np.int32)
    channels = len(source)
    return Machine(
        name=name,
        description=description,
        classes=(
            ChannelClass("noc", times.flits, times.flit_pj),
            ChannelClass("eject", times.flits, times.flit_pj),
        ),
        node_kind=zeros8 + np.int8(NodeKind.FIFO),
        node_branching=zeros8 + np.int8(Branching.ANY),
        node_routing=zeros8 + np.int8(ROUTING[description.text("noc.routing")]),
        node_hop=zeros8 + np.int8(1),
        node_chip=zeros32,
        node_x=x,
        node_y=y,
        node_wait_ps=np.full(count, -1, dtype=np.int64),
        node_labels=tuple(f"router({u},{v})" for u, v in zip(x.tolist(), y.tolist(), strict=True)),
        port_node=node.astype(np.int32),
        port_capacity=np.where(kind == PortKind.LINK, fifo, UNBOUNDED).astype(np.int32),
        port_kind=kind.astype(np.int8),
        port_full=full.astype(np.int8),
        channel_node=source.astype(np.int32),
        channel_port=port.astype(np.int32),
        channel_latency_ps=np.full(channels, times.hop_ps, dtype=np.int64),
        channel_credit_ps=np.full(channels, times.credit_ps, dtype=np.int64),
        channel_flit_ps=np.full(channels, times.flit_ps, dtype=np.int64),
        channel_class=np.where(far >= 0, _NOC, _EJECT).astype(np.int8),
        endpoint_kind=zeros8 + np.int8(EndpointKind.PE),
        endpoint_chip=zeros32,
        endpoint_x=x,
        endpoint_y=y,
        endpoint_index=zeros32,
        endpoint_port=first.astype(np.int32),
        endpoint_dma_port=zeros32 - np.int32(1),
        endpoint_sink=sink.astype(np.int32),
        grid_width=width,
        grid_height=height,
        extras={"torus": int(description.family != "mesh"), "holes": width * height - count},
    )
