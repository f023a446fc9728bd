"""The machine as arrays: nodes joined by directed channels, and endpoints that send and receive.

Every chip is described in the same terms (DESIGN §2), so one network model serves all:

* a **node** holds input FIFOs (**ports**) and grants its outgoing channels;
* a **channel** leads from a node to one port; it has a latency, a credit latency and a time per
  flit;
* an **endpoint** (PE, memory interface, host) has source ports, into which its packets are
  written, and a sink port, where packets end.

A *source port* belongs to the node that forwards from it: on synthetic machines that is the router
itself (an endpoint's source queue is its router's local input FIFO), on SpiNNaker2 it is a node of
the PE's own, from which an injection channel leads to the QPE router.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from chipsim.errors import MachineError
from chipsim.machine.parts import (
    UNBOUNDED,
    Branching,
    ChannelClass,
    DeadlockWarning,
    EndpointKind,
    FullPolicy,
    NodeKind,
    PortKind,
    Routing,
)

if TYPE_CHECKING:
    from chipsim.machine.behaviour import Behaviour
    from chipsim.machine.chips import Chips
    from chipsim.machine.description import Description
    from chipsim.machine.faults import Faults

__all__ = [
    "UNBOUNDED",
    "Branching",
    "ChannelClass",
    "DeadlockWarning",
    "EndpointKind",
    "FullPolicy",
    "Machine",
    "NodeKind",
    "PortKind",
    "Routing",
]

I8 = NDArray[np.int8]
I32 = NDArray[np.int32]
I64 = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Machine:
    """A chip, board or synthetic mesh, as arrays.

    Attributes
    ----------
    node_kind, node_branching, node_routing : ndarray of int8, shape (nodes,)
        :class:`NodeKind`, :class:`Branching`, :class:`Routing`.
    node_hop : ndarray of int8, shape (nodes,)
        1 where a visit counts as a packet-hop (routers), 0 at the nodes of endpoints and at the
        packet router's input node (its pool counts).
    node_chip, node_x, node_y : ndarray of int32, shape (nodes,)
        Chip index and tile.
    node_wait_ps : ndarray of int64, shape (nodes,)
        How long a packet may ask for an output before its ungranted branches are dropped [ps];
        -1 where blocked packets hold their place.
    port_node, port_capacity : ndarray of int32, shape (ports,)
        The node a port belongs to; capacity in packets, 0 = unbounded. A sink port's node is -1.
    port_kind, port_full : ndarray of int8, shape (ports,)
        :class:`PortKind`; :class:`FullPolicy` (matters for sinks).
    channel_node, channel_port : ndarray of int32, shape (channels,)
        Source node and far port.
    channel_latency_ps, channel_credit_ps, channel_flit_ps : ndarray of int64, shape (channels,)
        Latency, credit latency and time per flit [ps], each at least 1.
    channel_class : ndarray of int8, shape (channels,)
        Index into ``classes``.
    endpoint_kind : ndarray of int8; endpoint_chip, endpoint_x, endpoint_y, endpoint_index : int32
        :class:`EndpointKind`; chip, tile, and number within the tile (PE 0..3).
    endpoint_port, endpoint_dma_port, endpoint_sink : ndarray of int32, shape (endpoints,)
        Source port of its packets (TX register sets), source port of its DMA flits and memory
        replies (unbounded; -1 if there is none), sink port.
    endpoint_memory_sink : ndarray of int32, shape (endpoints,) or None
        Sink port of memory traffic where that has channels of its own (SpiNNaker1's System NoC),
        -1 for endpoints without; None where it comes by ``endpoint_sink`` as well.
    lut : ndarray of int32, shape (nodes of a chip, tiles) or None
        For nodes with :attr:`Routing.LUT` or :attr:`Routing.XY`: the outgoing channel towards each
        destination tile of the same chip (index ``y * grid_width + x``), -1 where there is none.
        Equal chips share their rows, so channels count from the chip's first one: read it by
        :meth:`lut_row`.
    chips : Chips or None
        The chips, their packet routers and links; None on machines without packet routers.
    channel_direction : ndarray of int8, shape (channels,) or None
        0..5 = E, NE, N, W, SW, S for links between chips and between the routers of synthetic
        machines, -1 for every other channel.
    endpoint_dead, channel_dead : ndarray of bool, or None
        What the faults took away; None where nothing is dead. Dead things keep their numbers.
    endpoint_reserved : ndarray of bool, shape (endpoints,) or None
        PEs that are kept for system software.
    """

    name: str
    description: Description
    classes: tuple[ChannelClass, ...]
    node_kind: I8
    node_branching: I8
    node_routing: I8
    node_hop: I8
    node_chip: I32
    node_x: I32
    node_y: I32
    node_wait_ps: I64
    node_labels: Sequence[str]
    port_node: I32
    port_capacity: I32
    port_kind: I8
    port_full: I8
    channel_node: I32
    channel_port: I32
    channel_latency_ps: I64
    channel_credit_ps: I64
    channel_flit_ps: I64
    channel_class: I8
    endpoint_kind: I8
    endpoint_chip: I32
    endpoint_x: I32
    endpoint_y: I32
    endpoint_index: I32
    endpoint_port: I32
    endpoint_dma_port: I32
    endpoint_sink: I32
    grid_width: int
    grid_height: int
    lut: I32 | None = None
    extras: Mapping[str, int] = field(default_factory=dict)
    """Named single nodes, for example ``packet_router`` (the pool node of chip 0)."""
    chips: Chips | None = None
    channel_direction: I8 | None = None
    endpoint_dead: Bools | None = None
    channel_dead: Bools | None = None
    endpoint_reserved: Bools | None = None
    endpoint_memory_sink: I32 | None = None
    faults: Faults | None = None
    """What is dead on its own; ``endpoint_dead`` and ``channel_dead`` follow from it."""
    behaviour: Behaviour | None = None
    """What packets may meet beyond the plain rules (links that err, detours, reinjection)."""

    @property
    def nodes(self) -> int:
        """Number of nodes."""
        return len(self.node_kind)

    @property
    def ports(self) -> int:
        """Number of ports."""
        return len(self.port_node)

    @property
    def channels(self) -> int:
        """Number of directed channels."""
        return len(self.channel_node)

    @property
    def endpoints(self) -> int:
        """Number of endpoints."""
        return len(self.endpoint_kind)

    def endpoint_at(self, x: int, y: int, index: int = 0, chip: int = 0) -> int:
        """Return the endpoint at tile (x, y), number ``index``, of ``chip``.

        Raises
        ------
        MachineError
            If there is none.
        """
        found = self._endpoints_of(chip).get((x, y, index))
        if found is None:
            raise MachineError(
                f"{self.name}: no endpoint {index} at tile ({x}, {y}) of chip {chip}; "
                f"tiles run over x 0..{self.grid_width - 1}, y 0..{self.grid_height - 1}, with "
                "the holes that `chipsim machine` draws"
            )
        return found

    def _endpoints_of(self, chip: int) -> dict[tuple[int, int, int], int]:
        cached: dict[int, dict[tuple[int, int, int], int]] = self.__dict__.setdefault("_index", {})
        if chip not in cached:
            if self.chips is not None and 0 <= chip < len(self.chips):
                first, last = np.searchsorted(self.endpoint_chip, (chip, chip + 1)).tolist()
                ends = np.arange(first, last)
            else:
                ends = np.flatnonzero(self.endpoint_chip == chip)
            columns = (self.endpoint_x, self.endpoint_y, self.endpoint_index)
            keys = zip(*(column[ends].tolist() for column in columns), strict=True)
            cached[chip] = dict(zip(keys, ends.tolist(), strict=True))
        return cached[chip]

    @property
    def endpoint_alive(self) -> Bools:
        """Whether each endpoint works, bool of shape (endpoints,)."""
        if self.endpoint_dead is None:
            return np.ones(self.endpoints, dtype=np.bool_)
        return ~self.endpoint_dead

    @property
    def channel_alive(self) -> Bools:
        """Whether each channel works, bool of shape (channels,)."""
        if self.channel_dead is None:
            return np.ones(self.channels, dtype=np.bool_)
        return ~self.channel_dead

    def pes(self) -> I32:
        """Return the PEs for applications, in machine order: those not dead and not reserved."""
        free = (self.endpoint_kind == EndpointKind.PE) & self.endpoint_alive
        if self.endpoint_reserved is not None:
            free &= ~self.endpoint_reserved
        return np.flatnonzero(free).astype(np.int32)

    def lut_row(self, node: int) -> I32:
        """Return the outgoing channel of a node towards each tile of its chip, -1: no way."""
        rows: I32 = self.lut_rows(np.array([node]))[0]
        return rows

    def lut_rows(self, nodes: NDArray[np.integer]) -> I32:
        """Return the rows of several nodes, int32 of shape (nodes, tiles).

        Raises
        ------
        MachineError
            If the machine has no look-up tables.
        """
        if self.lut is None:
            raise MachineError(f"{self.name}: has no look-up tables; its routers do without")
        if self.chips is None:
            found: I32 = self.lut[nodes]
            return found
        chip = self.node_chip[nodes]
        rows = self.lut[self.chips.lut_start[chip] + (nodes - self.chips.first_node[chip])]
        first = self.chips.first_channel[chip]
        return np.where(rows >= 0, rows + first[:, None], -1).astype(np.int32)

    def lut_channel(self, node: int, tile: int) -> int:
        """Return the outgoing channel of a node towards one tile (``y * grid_width + x``)."""
        if self.lut is None:
            raise MachineError(f"{self.name}: has no look-up tables; its routers do without")
        if self.chips is None or len(self.chips) == 1:
            return int(self.lut[node, tile])
        chip = int(self.node_chip[node])
        row = int(self.chips.lut_start[chip]) + node - int(self.chips.first_node[chip])
        channel = int(self.lut[row, tile])
        return channel + int(self.chips.first_channel[chip]) if channel >= 0 else -1

    def endpoint_label(self, endpoint: int) -> str:
        """Return a name such as ``PE(1,6,0)``, ``DRAM(0,5)``, ``HOST(5,7)`` or ``core(3)``.

        On a machine of several chips the chip stands before it: ``chip(3,4) PE(1,6,0)``.
        """
        kind = EndpointKind(int(self.endpoint_kind[endpoint])).name
        where = [int(self.endpoint_x[endpoint]), int(self.endpoint_y[endpoint])]
        index = int(self.endpoint_index[endpoint])
        if kind == "PE":
            where.append(index)
        label = f"{kind}({','.join(map(str, where))})"
        if self.chips is not None and self.lut is None:  # a chip without tiles
            label = f"core({index})" if kind == "PE" else kind
        chip = int(self.endpoint_chip[endpoint])
        if self.chips is not None:
            return f"{self.chips.label(chip)} {label}" if len(self.chips) > 1 else label
        prefix = f"chip {chip} " if self.node_chip.size and int(self.node_chip.max()) > 0 else ""
        return f"{prefix}{label}"

    def sinks_of(self, endpoint: int) -> list[int]:
        """Return the sink ports of an endpoint: for events, and for memory traffic if apart."""
        sinks = [int(self.endpoint_sink[endpoint])]
        if self.endpoint_memory_sink is not None:
            sinks.append(int(self.endpoint_memory_sink[endpoint]))
        return [port for port in sinks if port >= 0]

    def sink_owner(self, port: int) -> int:
        """Return the endpoint behind a sink port, for events or for memory traffic; -1: none."""
        for sinks in (self.endpoint_sink, self.endpoint_memory_sink):
            found = [] if sinks is None else np.flatnonzero(sinks == port).tolist()
            if found:
                return int(found[0])
        return -1

    def channel_label(self, channel: int) -> str:
        """Return a name such as ``noc router(1,1) -> router(2,1)``."""
        port = int(self.channel_port[channel])
        far = int(self.port_node[port])
        if far >= 0:
            target = self.node_labels[far]
        else:
            owner = self.sink_owner(port)
            target = self.endpoint_label(owner) if owner >= 0 else f"sink {port}"
        source = self.node_labels[int(self.channel_node[channel])]
        name = self.classes[int(self.channel_class[channel])].name
        return f"{name} {source} -> {target}"
