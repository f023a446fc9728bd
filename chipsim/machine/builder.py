"""Collects a machine part by part, and freezes it into the arrays of :class:`Machine`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from chipsim.errors import MachineError
from chipsim.machine.description import Description
from chipsim.machine.model import I8, I32, I64, Machine
from chipsim.machine.parts import (
    Branching,
    ChannelClass,
    EndpointKind,
    FullPolicy,
    NodeKind,
    PortKind,
    Routing,
)


class MachineBuilder:
    """Collects nodes, ports, channels and endpoints one by one and freezes them into arrays."""

    def __init__(self, name: str, description: Description, width: int, height: int) -> None:
        self.name = name
        self.description = description
        self.width = width
        self.height = height
        self._classes: list[ChannelClass] = []
        self._nodes: list[tuple[int, int, int, int, int, int, int, int]] = []
        self._labels: list[str] = []
        self._ports: list[tuple[int, int, int, int]] = []
        self._channels: list[tuple[int, int, int, int, int, int]] = []
        self._endpoints: list[tuple[int, int, int, int, int, int, int, int, int]] = []
        self.extras: dict[str, int] = {}

    @property
    def nodes(self) -> int:
        """Number of nodes so far."""
        return len(self._nodes)

    def sizes(self) -> tuple[int, int, int, int]:
        """Return the numbers of nodes, ports, channels and endpoints so far."""
        return len(self._nodes), len(self._ports), len(self._channels), len(self._endpoints)

    def channel_class(self, cls: ChannelClass) -> int:
        """Add a channel class and return its index."""
        self._classes.append(cls)
        return len(self._classes) - 1

    def node(
        self,
        label: str,
        *,
        kind: NodeKind = NodeKind.FIFO,
        branching: Branching = Branching.NONE,
        routing: Routing = Routing.XY,
        hop: bool = True,
        chip: int = 0,
        x: int = -1,
        y: int = -1,
        wait_ps: int = -1,
    ) -> int:
        """Add a node and return its index."""
        self._nodes.append((kind, branching, routing, int(hop), chip, x, y, wait_ps))
        self._labels.append(label)
        return len(self._nodes) - 1

    def port(
        self,
        node: int,
        capacity: int,
        kind: PortKind = PortKind.LINK,
        full: FullPolicy = FullPolicy.STALL,
    ) -> int:
        """Add an input FIFO (``node`` = -1 for a sink) and return its index."""
        self._ports.append((node, capacity, kind, full))
        return len(self._ports) - 1

    def channel(
        self, node: int, port: int, cls: int, latency_ps: int, flit_ps: int, credit_ps: int
    ) -> int:
        """Add a channel from ``node`` to ``port`` and return its index.

        Raises
        ------
        MachineError
            If one of the three times is below 1 ps (equal-time rules rest on that).
        """
        if min(latency_ps, flit_ps, credit_ps) < 1:
            raise MachineError(
                f"{self.name}: channel {self._classes[cls].name} from {self._labels[node]}: got "
                f"latency {latency_ps} ps, flit {flit_ps} ps, credit {credit_ps} ps; expected at "
                "least 1 ps each; raise the figure"
            )
        self._channels.append((node, port, latency_ps, credit_ps, flit_ps, cls))
        return len(self._channels) - 1

    def endpoint(
        self,
        kind: EndpointKind,
        *,
        port: int,
        sink: int,
        dma_port: int = -1,
        memory_sink: int = -1,
        chip: int = 0,
        x: int = -1,
        y: int = -1,
        index: int = 0,
    ) -> int:
        """Add an endpoint and return its index.

        ``memory_sink`` is the sink port of its memory traffic; -1 where that comes by ``sink``.
        """
        row = (kind, chip, x, y, index, port, dma_port, sink, memory_sink)
        self._endpoints.append(row)
        return len(self._endpoints) - 1

    def build(self, lut: I32 | None = None) -> Machine:
        """Freeze everything added so far."""
        nodes = np.array(self._nodes, dtype=np.int64).reshape(-1, 8)
        ports = np.array(self._ports, dtype=np.int64).reshape(-1, 4)
        channels = np.array(self._channels, dtype=np.int64).reshape(-1, 6)
        ends = np.array(self._endpoints, dtype=np.int64).reshape(-1, 9)

        def i8(column: NDArray[np.int64]) -> I8:
            return np.ascontiguousarray(column, dtype=np.int8)

        def i32(column: NDArray[np.int64]) -> I32:
            return np.ascontiguousarray(column, dtype=np.int32)

        def i64(column: NDArray[np.int64]) -> I64:
            return np.ascontiguousarray(column, dtype=np.int64)

        return Machine(
            name=self.name,
            description=self.description,
            classes=tuple(self._classes),
            node_kind=i8(nodes[:, 0]),
            node_branching=i8(nodes[:, 1]),
            node_routing=i8(nodes[:, 2]),
            node_hop=i8(nodes[:, 3]),
            node_chip=i32(nodes[:, 4]),
            node_x=i32(nodes[:, 5]),
            node_y=i32(nodes[:, 6]),
            node_wait_ps=i64(nodes[:, 7]),
            node_labels=tuple(self._labels),
            port_node=i32(ports[:, 0]),
            port_capacity=i32(ports[:, 1]),
            port_kind=i8(ports[:, 2]),
            port_full=i8(ports[:, 3]),
            channel_node=i32(channels[:, 0]),
            channel_port=i32(channels[:, 1]),
            channel_latency_ps=i64(channels[:, 2]),
            channel_credit_ps=i64(channels[:, 3]),
            channel_flit_ps=i64(channels[:, 4]),
            channel_class=i8(channels[:, 5]),
            endpoint_kind=i8(ends[:, 0]),
            endpoint_chip=i32(ends[:, 1]),
            endpoint_x=i32(ends[:, 2]),
            endpoint_y=i32(ends[:, 3]),
            endpoint_index=i32(ends[:, 4]),
            endpoint_port=i32(ends[:, 5]),
            endpoint_dma_port=i32(ends[:, 6]),
            endpoint_sink=i32(ends[:, 7]),
            endpoint_memory_sink=i32(ends[:, 8]) if (ends[:, 8] >= 0).any() else None,
            grid_width=self.width,
            grid_height=self.height,
            lut=lut,
            extras=dict(self.extras),
        )
