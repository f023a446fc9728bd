"""Makes a machine of many chips from the arrays of one: no loop over chips, nodes or links.

The chip that is copied (the *template*) holds its packet router and everything on the chip; its
host interface comes last in every array, so that chips without an Ethernet port are a beginning of
it. Links between chips are added behind all chips: channels from a packet router's output node to
an input FIFO of the neighbour's input node.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, overload

import numpy as np
from numpy.typing import NDArray

from chipsim.machine.chips import Chips
from chipsim.machine.layout import Layout
from chipsim.machine.model import ChannelClass, Machine
from chipsim.machine.parts import FullPolicy, PortKind

I32 = NDArray[np.int32]


class Sizes(NamedTuple):
    """Numbers of nodes, ports, channels and endpoints."""

    nodes: int
    ports: int
    channels: int
    endpoints: int

    @classmethod
    def of(cls, machine: Machine) -> Sizes:
        """Return those of a machine."""
        return cls(machine.nodes, machine.ports, machine.channels, machine.endpoints)


@dataclass(frozen=True)
class LinkTimes:
    """One kind of link between chips: its class, times [ps] and FIFO at the far end [packets]."""

    cls: ChannelClass
    latency_ps: int
    flit_ps: int
    credit_ps: int
    capacity: int


@dataclass(frozen=True)
class Template:
    """A chip to be copied.

    Attributes
    ----------
    chip : Machine
        The chip with its host interface.
    bare : Sizes
        How much of each array a chip without a host interface has.
    entry, pool : int
        Input node and output node of the packet router.
    host : int
        The host endpoint.
    """

    chip: Machine
    bare: Sizes
    entry: int
    pool: int
    host: int


def one(template: Template, layout: Layout) -> Machine:
    """Return the template as a machine of one chip."""
    zero = np.zeros(1, dtype=np.int32)
    none = np.full((1, 6), -1, dtype=np.int32)
    chips = Chips(
        layout=layout,
        alive=np.ones(1, dtype=np.bool_),
        entry=zero + np.int32(template.entry),
        pool=zero + np.int32(template.pool),
        link=none,
        neighbour=none,
        host=zero + np.int32(template.host),
        first_node=zero,
        first_channel=zero,
        first_endpoint=zero,
        lut_start=zero,
    )
    direction = np.full(template.chip.channels, -1, dtype=np.int8)
    return replace(template.chip, chips=chips, channel_direction=direction)


def many(template: Template, layout: Layout, short: LinkTimes, long: LinkTimes) -> Machine:
    """Return the chips of a layout, joined by links: ``long`` ones between boards.

    Notes
    -----
    Time and memory are linear in the machine's arrays.
    """
    return _Stamp(template, layout).machine(short, long)


class _Part:
    """How one family of arrays (nodes, ports, channels or endpoints) is copied."""

    def __init__(self, full: int, bare: int, host: NDArray[np.bool_], extra: int) -> None:
        sizes = np.where(host, full, bare).astype(np.int64)
        ends = np.cumsum(sizes)
        self.total = int(ends[-1])
        self.extra = extra
        self.first = (ends - sizes).astype(np.int32)
        self.sizes = sizes
        self.local = np.arange(self.total, dtype=np.int32)
        self.local -= np.repeat(self.first, sizes)

    def copy(self, values: NDArray[Any], behind: object = 0) -> NDArray[Any]:
        """Return an array of the template for every chip; ``behind`` fills what links add."""
        out: NDArray[Any] = np.empty(self.total + self.extra, dtype=values.dtype)
        np.take(values, self.local, out=out[: self.total], mode="clip")
        out[self.total :] = behind
        return out

    def refer(self, values: I32, other: _Part, behind: object = 0) -> I32:
        """Return an array of numbers of ``other``, each shifted to its chip; -1 stays."""
        out = self.copy(values, behind)
        own = out[: self.total]
        own += np.where(own >= 0, np.repeat(other.first, self.sizes), np.int32(0))
        return out


class _Stamp:
    def __init__(self, template: Template, layout: Layout) -> None:
        self.template, self.layout = template, layout
        host = np.zeros(layout.chips, dtype=np.bool_)
        host[layout.ethernet] = True
        self.linked = layout.neighbour >= 0
        count = int(self.linked.sum())
        sizes = zip(Sizes.of(template.chip), template.bare, (0, count, count, 0), strict=True)
        self.nodes, self.ports, self.channels, self.ends = (
            _Part(full, bare, host, extra) for full, bare, extra in sizes
        )
        self.host = np.where(host, self.ends.first + np.int32(template.host), np.int32(-1))
        self.count = count

    def machine(self, short: LinkTimes, long: LinkTimes) -> Machine:
        chip, layout = self.template.chip, self.layout
        entry = self.nodes.first + np.int32(self.template.entry)
        pool = self.nodes.first + np.int32(self.template.pool)
        where, direction = np.nonzero(self.linked)
        there = layout.neighbour[where, direction]
        rank = np.full(self.linked.shape, -1, dtype=np.int32)
        rank[where, direction] = np.arange(self.count, dtype=np.int32)
        far = np.int32(self.ports.total) + rank[there, (direction + 3) % 6]
        is_long = layout.long[where, direction]

        def per(what: Callable[[LinkTimes], int]) -> NDArray[Any]:
            return np.where(is_long, what(long), what(short))

        nodes, ports, channels, ends = self.nodes, self.ports, self.channels, self.ends
        number = np.int32(len(chip.classes))
        ways = np.full(channels.total + self.count, -1, dtype=np.int8)
        ways[channels.total :] = direction
        capacity = np.zeros(self.count, dtype=np.int32)
        capacity[far - ports.total] = per(lambda link: link.capacity)
        return replace(
            chip,
            classes=(*chip.classes, short.cls, long.cls),
            node_kind=nodes.copy(chip.node_kind),
            node_branching=nodes.copy(chip.node_branching),
            node_routing=nodes.copy(chip.node_routing),
            node_hop=nodes.copy(chip.node_hop),
            node_chip=np.repeat(np.arange(layout.chips, dtype=np.int32), nodes.sizes),
            node_x=nodes.copy(chip.node_x),
            node_y=nodes.copy(chip.node_y),
            node_wait_ps=nodes.copy(chip.node_wait_ps),
            node_labels=Labels(chip.node_labels, layout, nodes.first, nodes.total),
            port_node=ports.refer(chip.port_node, nodes, entry[where]),
            port_capacity=ports.copy(chip.port_capacity, capacity),
            port_kind=ports.copy(chip.port_kind, PortKind.LINK),
            port_full=ports.copy(chip.port_full, FullPolicy.STALL),
            channel_node=channels.refer(chip.channel_node, nodes, pool[where]),
            channel_port=channels.refer(chip.channel_port, ports, far),
            channel_latency_ps=channels.copy(
                chip.channel_latency_ps, per(lambda link: link.latency_ps)
            ),
            channel_credit_ps=channels.copy(
                chip.channel_credit_ps, per(lambda link: link.credit_ps)
            ),
            channel_flit_ps=channels.copy(chip.channel_flit_ps, per(lambda link: link.flit_ps)),
            channel_class=channels.copy(chip.channel_class, number + is_long),
            endpoint_kind=ends.copy(chip.endpoint_kind),
            endpoint_chip=np.repeat(np.arange(layout.chips, dtype=np.int32), ends.sizes),
            endpoint_x=ends.copy(chip.endpoint_x),
            endpoint_y=ends.copy(chip.endpoint_y),
            endpoint_index=ends.copy(chip.endpoint_index),
            endpoint_port=ends.refer(chip.endpoint_port, ports),
            endpoint_dma_port=ends.refer(chip.endpoint_dma_port, ports),
            endpoint_sink=ends.refer(chip.endpoint_sink, ports),
            endpoint_memory_sink=self._memory_sink(chip),
            endpoint_reserved=self._reserved(chip),
            lut=self._lut(chip),
            channel_direction=ways,
            chips=self._chips(entry, pool, rank),
        )

    def _reserved(self, chip: Machine) -> NDArray[np.bool_] | None:
        return None if chip.endpoint_reserved is None else self.ends.copy(chip.endpoint_reserved)

    def _memory_sink(self, chip: Machine) -> I32 | None:
        sinks = chip.endpoint_memory_sink
        return None if sinks is None else self.ends.refer(sinks, self.ports)

    def _chips(self, entry: I32, pool: I32, rank: I32) -> Chips:
        layout = self.layout
        link = np.where(rank >= 0, rank + np.int32(self.channels.total), np.int32(-1))
        return Chips(
            layout=layout,
            alive=np.ones(layout.chips, dtype=np.bool_),
            entry=entry,
            pool=pool,
            link=link,
            neighbour=layout.neighbour,
            host=self.host,
            first_node=self.nodes.first,
            first_channel=self.channels.first,
            first_endpoint=self.ends.first,
            lut_start=np.where(self.host >= 0, 0, self.template.chip.nodes).astype(np.int32),
        )

    def _lut(self, chip: Machine) -> I32 | None:
        """Return the template's look-up tables twice: as they are, and without the host."""
        if chip.lut is None:
            return None
        return np.concatenate((chip.lut, without_host(self.template, chip.lut)))


def without_host(template: Template, lut: I32) -> I32:
    """Return look-up tables of the template for a chip without a host interface."""
    bare = lut.copy()
    bare[:, (bare >= template.bare.channels).any(axis=0)] = -1
    return bare


class Labels(Sequence[str]):
    """Labels of the nodes of many chips: the chip's name before that of the template's node."""

    def __init__(self, own: Sequence[str], layout: Layout, first: I32, count: int) -> None:
        self._own, self._layout, self._first, self._count = own, layout, first, count

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, node: int) -> str: ...
    @overload
    def __getitem__(self, node: slice) -> tuple[str, ...]: ...
    def __getitem__(self, node: int | slice) -> str | tuple[str, ...]:
        if isinstance(node, slice):
            return tuple(self[i] for i in range(*node.indices(self._count)))
        if not 0 <= node < self._count:
            raise IndexError(node)
        chip = int(np.searchsorted(self._first, node, side="right")) - 1
        x, y = int(self._layout.x[chip]), int(self._layout.y[chip])
        return f"chip({x},{y}) {self._own[node - int(self._first[chip])]}"
