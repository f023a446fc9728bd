"""Builds SpiNNaker1 chips: 18 cores round one packet router, six links.

All packets of a chip pass its router: an input node collects what comes from cores and links and
passes one packet a cycle through the look-up; the router proper holds its packets in order, and
one whose output stays blocked for ``wait1`` is dropped.

SDRAM lies on a network of its own (the System NoC), apart from the packets: every core's DMA engine
has a channel to it and one back, at the rate of a word in ``dma.word_ns``; the SDRAM has one each
way at its own rate. The System NoC is a pool, so that what waits for one core holds up no other.

A channel's flit is a byte between core and router, a symbol of the 2-of-7 code on links, and 16
byte on the System NoC.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from chipsim.machine import faults, stamp, wounds
from chipsim.machine.builder import MachineBuilder
from chipsim.machine.description import Description
from chipsim.machine.layout import Layout, one_chip
from chipsim.machine.model import (
    UNBOUNDED,
    Branching,
    ChannelClass,
    EndpointKind,
    FullPolicy,
    Machine,
    NodeKind,
    PortKind,
    Routing,
)
from chipsim.machine.spinnaker2 import FULL, per_cycle
from chipsim.machine.stamp import LinkTimes, Sizes, Template
from chipsim.units import cycles, ns

_WORD_BYTES = 4


def build(description: Description, layout: Layout | None = None) -> Machine:
    """Return one chip, or the chips of a layout joined by links."""
    template = _Chip(description).build()
    if layout is None:
        return _wound(stamp.one(template, one_chip()))
    short, long = (link_times(description, kind) for kind in ("short", "long"))
    return _wound(stamp.many(template, layout, short, long))


def _wound(machine: Machine) -> Machine:
    """Return the machine with its dead parts marked."""
    chips, figures = machine.chips, machine.description
    assert chips is not None
    cores = figures.integer("floor.cores")
    one_tile = ((0, 0),)
    found = faults.read(
        figures,
        lambda: faults.Ground(chips.layout, one_tile, cores, faults.tiles_of(()), has_tiles=False),
    )
    return wounds.apply(machine, found)


def link_times(description: Description, kind: str) -> LinkTimes:
    """Return what links of a kind (``short`` on a board, ``long`` between boards) are.

    Energy is per bit: ``bits_per_symbol`` for each symbol but the one that ends the packet.
    """
    symbol_ps = ns(description.number(f"links.{kind}.symbol_ns"))
    sizes = description.integers("packet.payload_bits")
    symbols = description.integers("links.symbols_per_packet")
    picojoule = description.number("energy.router_bit_pj")
    each = round(picojoule * description.integer("links.bits_per_symbol"), 9)
    return LinkTimes(
        cls=ChannelClass(
            f"link_{kind}", dict(zip(sizes, symbols, strict=True)), each, "router", -each
        ),
        latency_ps=ns(description.number(f"links.{kind}.latency_ns")) + symbol_ps,
        flit_ps=symbol_ps,
        credit_ps=ns(description.number(f"links.{kind}.credit_ns")),
        capacity=description.integer("router.input_packets"),
    )


class _Chip:
    """One build: keeps what several parts need."""

    def __init__(self, description: Description) -> None:
        self.figures = description
        self.builder = MachineBuilder(description.name, description, 1, 1)
        clock = description.number("noc.clock_mhz")
        self.hop_ps = cycles(description.integer("noc.hop_cycles"), clock)
        self.byte_ps = per_cycle(clock, description.number("noc.flits_per_cycle"))
        self.credit_ps = cycles(description.integer("noc.credit_cycles"), clock)

    def build(self) -> Template:
        self._classes()
        entry, pool = self._router()
        system = self._system_noc()
        for core in range(self.figures.integer("floor.cores")):
            self._core(core, entry, pool, system)
        self._sdram_endpoint(system)
        bare = self.builder.sizes()
        host = self._host(entry, pool)
        self.builder.extras.update(packet_router_input=entry, packet_router=pool)
        self.builder.extras["endpoint_host"] = host
        chip = replace(self.builder.build(), endpoint_reserved=self._reserved())
        return Template(chip, Sizes(*bare), entry, pool, host)

    def _classes(self) -> None:
        figures, make = self.figures, self.builder.channel_class
        head, byte = figures.integer("packet.mc_bits"), figures.integer("noc.flit_bits")
        sizes = figures.integers("packet.payload_bits")
        flits = {size: -(-(head + size) // byte) for size in sizes}
        picojoule = round(figures.number("energy.router_bit_pj") * byte, 9)
        self.inject = make(ChannelClass("inject", flits, picojoule, "router"))
        self.eject = make(ChannelClass("eject", flits, 0.0, "router"))
        self.lookup = make(ChannelClass("lookup", dict.fromkeys(sizes, 1), 0.0, "router"))
        words = dict.fromkeys((*sizes, 8 * figures.integer("dma.bytes_per_flit")), 1)
        self.dma = make(ChannelClass("dma", words, 0.0, "router"))
        self.memory = make(ChannelClass("sdram", words, 0.0, "router"))

    def _router(self) -> tuple[int, int]:
        figures, builder = self.figures, self.builder
        clock = figures.number("router.clock_mhz")
        entry = builder.node("router input", routing=Routing.SOURCE, hop=False, x=0, y=0)
        drops = figures.text("router.blocked_policy") == "drop"
        wait = cycles(figures.integer("router.wait1_cycles"), clock) if drops else -1
        pool = builder.node(
            "router", branching=Branching.ANY, routing=Routing.TABLE, x=0, y=0, wait_ps=wait
        )
        builder.channel(
            entry,
            builder.port(pool, figures.integer("router.output_packets")),
            self.lookup,
            cycles(figures.integer("router.mc_latency_cycles"), clock),
            per_cycle(clock, figures.number("router.mc_packets_per_cycle")),
            cycles(figures.integer("router.credit_cycles"), clock),
        )
        return entry, pool

    def _system_noc(self) -> int:
        """Add the System NoC and set the times of a flit on its channels."""
        figures = self.figures
        size = figures.integer("dma.bytes_per_flit")
        self.word_ps = ns(figures.number("dma.word_ns") * size / _WORD_BYTES)
        self.sdram_ps = ns(8 * size / figures.number("dram.interface_gbps"))
        return self.builder.node(
            "System NoC", kind=NodeKind.POOL, routing=Routing.SOURCE, hop=False, x=0, y=0
        )

    def _to_system(self, cls: int, node: int, system: int, flit_ps: int) -> None:
        """Add a channel from a node to the System NoC; a flit is in when all of it is."""
        port = self.builder.port(system, self.figures.integer("dma.noc_packets"))
        self.builder.channel(node, port, cls, flit_ps, flit_ps, self.credit_ps)

    def _from_system(self, cls: int, system: int, flit_ps: int) -> int:
        """Add a channel from the System NoC to a new sink for memory traffic; return the sink."""
        sink = self.builder.port(-1, UNBOUNDED, PortKind.SINK)
        self.builder.channel(system, sink, cls, flit_ps, flit_ps, self.credit_ps)
        return sink

    def _sdram_endpoint(self, system: int) -> None:
        """Add the SDRAM behind the System NoC."""
        builder = self.builder
        node = builder.node("SDRAM", routing=Routing.SOURCE, hop=False, x=0, y=0)
        port = builder.port(node, UNBOUNDED, PortKind.SOURCE)
        self._to_system(self.memory, node, system, self.sdram_ps)
        sink = self._from_system(self.memory, system, self.sdram_ps)
        number = self.figures.integer("floor.cores") + 1  # behind the cores and the host
        builder.extras["endpoint_dram"] = builder.endpoint(
            EndpointKind.DRAM, port=port, dma_port=port, sink=sink, memory_sink=sink, x=0, y=0,
            index=number,
        )  # fmt: skip

    def _channel(self, cls: int, node: int, port: int) -> int:
        return self.builder.channel(node, port, cls, self.hop_ps, self.byte_ps, self.credit_ps)

    def _core(self, core: int, entry: int, pool: int, system: int) -> None:
        figures, builder = self.figures, self.builder
        node = builder.node(f"core({core})", routing=Routing.SOURCE, hop=False, x=0, y=0)
        port = builder.port(node, figures.integer("pe.tx_sets"), PortKind.SOURCE)
        dma = builder.port(node, UNBOUNDED, PortKind.SOURCE)
        depth, full = figures.integer("pe.rx_fifo_packets"), FULL[figures.text("pe.rx_full")]
        sink = builder.port(-1, depth, PortKind.SINK, full)
        buffer = builder.port(entry, figures.integer("router.input_packets"))
        self._channel(self.inject, node, buffer)
        self._channel(self.eject, pool, sink)
        self._to_system(self.dma, node, system, self.word_ps)
        memory = self._from_system(self.dma, system, self.word_ps)
        builder.endpoint(
            EndpointKind.PE, port=port, sink=sink, dma_port=dma, memory_sink=memory, x=0, y=0,
            index=core,
        )  # fmt: skip

    def _host(self, entry: int, pool: int) -> int:
        builder = self.builder
        node = builder.node("HOST", routing=Routing.SOURCE, hop=False, x=0, y=0)
        port = builder.port(node, UNBOUNDED, PortKind.SOURCE)
        dma = builder.port(node, UNBOUNDED, PortKind.SOURCE)
        sink = builder.port(-1, UNBOUNDED, PortKind.SINK, FullPolicy.STALL)
        buffer = builder.port(entry, self.figures.integer("router.input_packets"))
        self._channel(self.inject, node, buffer)
        self._channel(self.eject, pool, sink)
        number = self.figures.integer("floor.cores")  # behind the cores of the one tile
        return builder.endpoint(
            EndpointKind.HOST, port=port, sink=sink, dma_port=dma, x=0, y=0, index=number
        )

    def _reserved(self) -> NDArray[np.bool_] | None:
        """Return the cores kept for system software: the first ones (core 0 is the monitor)."""
        count = self.figures.integer("floor.reserved_pes")
        if count == 0:
            return None
        reserved = np.zeros(self.builder.sizes()[3], dtype=np.bool_)
        reserved[: min(count, self.figures.integer("floor.cores"))] = True
        return reserved
