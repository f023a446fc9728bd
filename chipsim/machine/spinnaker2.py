"""Builds the SpiNNaker2 chip from its description.

Nodes are numbered QPE routers first (by row, then column), then the packet router's input node and
issue pool, then one node per PE, memory interface and host. PEs are endpoints 0 … in the order of
the QPEs, four each.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from chipsim.machine import faults, stamp, wounds
from chipsim.machine.builder import MachineBuilder
from chipsim.machine.description import Description
from chipsim.machine.floor import STEPS, Floor, Tile
from chipsim.machine.layout import Layout, one_chip
from chipsim.machine.lut import Plan, Turn, Turns, synthesise
from chipsim.machine.model import (
    I32,
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
from chipsim.machine.stamp import LinkTimes, Sizes, Template
from chipsim.units import cycles, ns

_FLOOR_READ = (
    "width",
    "height",
    "qpe_x",
    "qpe_y",
    "qpe_holes",
    "router_tiles",
    "router_ports",
    "router_transit",
    "mem_a_tiles",
    "mem_b_tiles",
    "host_tiles",
    "attachment",
)

FULL = {
    "drop_count": FullPolicy.DROP,
    "overwrite": FullPolicy.OVERWRITE,
    "stall": FullPolicy.STALL,
}
"""What a description calls the policies of a full receive FIFO."""


@dataclass(frozen=True)
class NocTimes:
    """Times of NoC channels [ps] and the flits of each payload."""

    hop_ps: int
    flit_ps: int
    credit_ps: int
    flits: dict[int, int]
    flit_pj: float


def noc_times(description: Description) -> NocTimes:
    """Return the NoC's times from the figures ``noc.*``; each is rounded once."""
    clock = description.number("noc.clock_mhz")
    most = description.integer("noc.max_payload_bits")
    sizes = description.integers("packet.payload_bits")
    energy = description.number("energy.noc_bit_hop_pj") * description.integer("noc.flit_bits")
    return NocTimes(
        hop_ps=cycles(description.integer("noc.hop_cycles"), clock),
        flit_ps=per_cycle(clock, description.number("noc.flits_per_cycle")),
        credit_ps=cycles(description.integer("noc.credit_cycles"), clock),
        flits={size: max(1, -(-size // most)) for size in sizes},
        flit_pj=round(energy, 9),
    )


def per_cycle(clock_mhz: float, rate: float) -> int:
    """Return the time of one item [ps] where ``rate`` of them pass in a cycle, rounded once."""
    return round(Fraction(1_000_000) / (Fraction(str(clock_mhz)) * Fraction(str(rate))))


def floor_of(description: Description) -> Floor:
    """Return the floor plan (``floor.*``)."""
    names = (f"floor.{name}" for name in _FLOOR_READ)
    return Floor.from_values({name: description.figure(name) for name in names})


def turns_of(description: Description) -> Turns:
    """Return the figures ``noc.detour_turns`` and ``noc.avoided_turns``."""

    def turns(name: str) -> frozenset[Turn]:
        return frozenset((int(x), int(y), str(way)) for x, y, way in description.rows(name))

    return Turns(turns("noc.detour_turns"), turns("noc.avoided_turns"))


def link_times(description: Description, kind: str) -> LinkTimes:
    """Return what links of a kind (``short`` on a board, ``long`` between boards) are.

    A flit of a link is a frame; the fixed latency comes on top of the frames' transmission, so the
    last frame is in after latency + frames x frame time.
    """
    frame_ps = ns(description.number(f"links.{kind}.frame_ns"))
    sizes = description.integers("packet.payload_bits")
    frames = description.integers("links.frames_per_packet")
    picojoule = description.number("energy.link_bit_pj")
    bits = description.integer("links.short.frame_bits")
    flits = dict(zip(sizes, frames, strict=True))
    return LinkTimes(
        cls=ChannelClass(f"link_{kind}", flits, round(picojoule * bits, 9), "links"),
        latency_ps=ns(description.number(f"links.{kind}.latency_ns")) + frame_ps,
        flit_ps=frame_ps,
        credit_ps=ns(description.number(f"links.{kind}.credit_ns")),
        capacity=description.integer(f"links.{kind}.fifo_packets"),
    )


def engines(description: Description) -> tuple[str, ...]:
    """Return the packet types with a look-up of their own, in the order of the router's look-ups.

    A type that takes as long as multicast packets shares their look-up.
    """
    usual = _peek(description, "mc")
    others = (kind for kind in ("c2c", "nn") if _peek(description, kind) not in (None, usual))
    return ("mc", *others)


def _peek(description: Description, packet: str) -> object:
    """Return the figure of a type's latency, which does not count as read."""
    return description.peek(f"router.{packet}_latency_cycles")


def build(description: Description, layout: Layout | None = None) -> Machine:
    """Return one chip, or the chips of a layout joined by links.

    Warns
    -----
    DeadlockWarning
        For several chips whose link FIFOs are finite: all packets of a chip share its look-up and
        its issue buffer, so packets that cross each other between two chips can wait for each other
        in a circle.
    """
    chip = _Chip(description)
    template = chip.build()
    if layout is None:
        return _wound(stamp.one(template, one_chip()), chip, template)
    links = [link_times(description, kind) for kind in ("short", "long")]
    if any(link.capacity != UNBOUNDED for link in links):
        warnings.warn(
            f"{description.name}: finite links.*.fifo_packets can deadlock (packets of both "
            "directions share each chip's look-up and issue buffer); set it to 'unbounded'",
            DeadlockWarning,
            stacklevel=2,
        )
    return _wound(stamp.many(template, layout, *links), chip, template)


def _wound(machine: Machine, chip: _Chip, template: Template) -> Machine:
    """Return the machine with its faults: dead parts marked, look-up tables that go round them."""
    chips = machine.chips
    assert chips is not None
    floor = chip.floor
    count = chip.description.integer("floor.pes_per_qpe")
    found = faults.read(
        machine.description,
        lambda: faults.Ground(chips.layout, floor.qpes, count, faults.tiles_of(floor.routers)),
    )
    lost: list[tuple[int, int, int]] = []
    plans: dict[int, Plan | None] = {}
    for number in found.wounded():
        rest, cut_off = floor.without(*found.on_chip(number))
        lost += [(number, *tile) for tile in cut_off]
        plans[number] = synthesise(rest, turns_of(chip.description)) if rest.ports else None
    machine = _planned(machine, chip, template, plans)
    return wounds.apply(machine, replace(found, cut_off=tuple(lost)))


def with_plans(machine: Machine, plans: Mapping[int, Plan]) -> Machine:
    """Return a machine of this module whose routers on some chips go by other plans.

    Notes
    -----
    Plans are for the chips' live parts (``Floor.without``). Chips that are not named keep what they
    have. O(chips named × nodes of a chip × tiles).
    """
    chip = _Chip(machine.description)
    return _planned(machine, chip, chip.build(), plans)


def _planned(
    machine: Machine, chip: _Chip, template: Template, plans: Mapping[int, Plan | None]
) -> Machine:
    """Return the machine with look-up tables by these plans; None: of a chip without any way."""
    chips = machine.chips
    assert chips is not None
    tables, start = [machine.lut], chips.lut_start.copy()
    height = 0 if machine.lut is None else len(machine.lut)
    for number, plan in sorted(plans.items()):
        lut = chip.lut(plan)
        tables.append(lut if chips.host[number] >= 0 else stamp.without_host(template, lut))
        start[number] = height
        height += len(lut)
    if len(chips) == 1 and len(tables) > 1:
        return replace(machine, lut=tables[1])
    if len(tables) > 1:
        lut = np.concatenate([table for table in tables if table is not None])
        return replace(machine, lut=lut, chips=replace(chips, lut_start=start))
    return machine


class _Chip:
    """One build: keeps the numbers of routers and channels until the look-up tables are filled."""

    def __init__(self, description: Description) -> None:
        self.description = description
        self.floor = floor_of(description)
        self.qpes = frozenset(self.floor.qpes)
        self.plan: Plan = synthesise(self.floor, turns_of(description))
        self.noc = noc_times(description)
        description.integer("noc.virtual_channels")  # assumed: one, as the nodes are built
        self.fifo = description.integer("noc.fifo_packets")
        self.builder = MachineBuilder(
            description.name, description, self.floor.width, self.floor.height
        )
        self.routers: dict[Tile, int] = {}
        self.to: dict[tuple[Tile, Tile], int] = {}
        self.to_packet_router: dict[Tile, int] = {}
        self.from_packet_router: dict[Tile, int] = {}
        self.to_edge: dict[Tile, tuple[Tile, int]] = {}

    def build(self) -> Template:
        self._classes()
        for x, y in self.floor.routers:
            self.routers[x, y] = self.builder.node(
                f"router({x},{y})", branching=Branching.LOCAL, routing=Routing.LUT, x=x, y=y
            )
        self._mesh()
        self._packet_router()
        self._pes()
        self._edge("dram_a", EndpointKind.DRAM, self.floor.mem_a)
        self._edge("dram_b", EndpointKind.DRAM, self.floor.mem_b)
        bare = self.builder.sizes()
        self._edge("host", EndpointKind.HOST, self.floor.host)
        extras = self.builder.extras
        return Template(
            chip=replace(
                self.builder.build(self.lut(self.plan)), endpoint_reserved=self._reserved()
            ),
            bare=Sizes(*bare),
            entry=extras["packet_router_input"],
            pool=extras["packet_router"],
            host=extras["endpoint_host"],
        )

    def _reserved(self) -> NDArray[np.bool_] | None:
        """Return the PEs kept for system software: the last ones of the chip."""
        pes = len(self.floor.qpes) * self.description.integer("floor.pes_per_qpe")
        count = self.description.integer("floor.reserved_pes")
        if count == 0:
            return None
        reserved = np.zeros(self.builder.sizes()[3], dtype=np.bool_)
        reserved[max(0, pes - count) : pes] = True
        return reserved

    def _classes(self) -> None:
        noc, make = self.noc, self.builder.channel_class
        names = ("inject", "noc", "eject", "router_in", "router_out")
        self.cls = {name: make(ChannelClass(name, noc.flits, noc.flit_pj)) for name in names}
        lookup = self.description.number("energy.router_lookup_pj")
        once = dict.fromkeys(noc.flits, 1)
        self.cls["lookup"] = make(ChannelClass("lookup", once, lookup, "router"))

    def _channel(self, name: str, node: int, port: int, latency_ps: int | None = None) -> int:
        noc = self.noc
        latency = noc.hop_ps if latency_ps is None else latency_ps
        return self.builder.channel(node, port, self.cls[name], latency, noc.flit_ps, noc.credit_ps)

    def _join(self, name: str, node: int, far: int, latency_ps: int | None = None) -> int:
        """Add a channel to a new input FIFO of node ``far``."""
        return self._channel(name, node, self.builder.port(far, self.fifo), latency_ps)

    def _mesh(self) -> None:
        for (x, y), node in self.routers.items():
            for dx, dy in STEPS:
                far = (x + dx, y + dy)
                if far in self.routers:
                    self.to[(x, y), far] = self._join("noc", node, self.routers[far])

    def _packet_router(self) -> None:
        builder, figures = self.builder, self.description
        x, y = self.floor.router[0]
        source = Routing.SOURCE
        clock = figures.number("router.clock_mhz")
        drops = figures.text("router.blocked_policy") == "drop"
        entry = builder.node("packet router input", routing=source, hop=False, x=x, y=y)
        pool = builder.node(
            "packet router",
            kind=NodeKind.POOL,
            branching=Branching.ANY,
            routing=Routing.TABLE,
            x=x,
            y=y,
            wait_ps=cycles(figures.integer("router.wait1_cycles"), clock) if drops else -1,
        )
        for tile in self.floor.ports:
            self.to_packet_router[tile] = self._join("router_in", self.routers[tile], entry)
        for engine in engines(figures):
            builder.channel(
                entry,
                builder.port(pool, figures.integer("router.issue_buffer_packets")),
                self.cls["lookup"],
                cycles(figures.integer(f"router.{engine}_latency_cycles"), clock),
                per_cycle(clock, figures.number("router.mc_packets_per_cycle")),
                cycles(figures.integer("router.credit_cycles"), clock),
            )
        for tile in self.floor.ports:
            self.from_packet_router[tile] = self._join("router_out", pool, self.routers[tile])
        builder.extras.update(packet_router_input=entry, packet_router=pool)

    def _pes(self) -> None:
        builder, figures = self.builder, self.description
        sets, depth = figures.integer("pe.tx_sets"), figures.integer("pe.rx_fifo_packets")
        full = FULL[figures.text("pe.rx_full")]
        clock = figures.number("noc.clock_mhz")
        inject_ps = cycles(figures.integer("noc.inject_cycles"), clock)
        count = figures.integer("floor.pes_per_qpe")
        for x, y in self.floor.qpes:
            for index in range(count):
                node = builder.node(
                    f"PE({x},{y},{index})", routing=Routing.SOURCE, hop=False, x=x, y=y
                )
                port = builder.port(node, sets, PortKind.SOURCE)
                dma = builder.port(node, UNBOUNDED, PortKind.SOURCE)
                sink = builder.port(-1, depth, PortKind.SINK, full)
                self._join("inject", node, self.routers[x, y], inject_ps)
                self._channel("eject", self.routers[x, y], sink)
                builder.endpoint(
                    EndpointKind.PE, port=port, sink=sink, dma_port=dma, x=x, y=y, index=index
                )

    def _edge(self, name: str, kind: EndpointKind, tiles: tuple[Tile, ...]) -> None:
        """Add a memory interface or the host: one endpoint, a channel pair per attached tile."""
        builder = self.builder
        x, y = tiles[0]
        node = builder.node(f"{kind.name}({x},{y})", routing=Routing.SOURCE, hop=False, x=x, y=y)
        port = builder.port(node, UNBOUNDED, PortKind.SOURCE)
        dma = builder.port(node, UNBOUNDED, PortKind.SOURCE)
        sink = builder.port(-1, UNBOUNDED, PortKind.SINK)
        for tile, beside in self.floor.attachments(tiles):
            self._join("inject", node, self.routers[beside])
            self.to_edge[tile] = (beside, self._channel("eject", self.routers[beside], sink))
        builder.extras[f"endpoint_{name}"] = builder.endpoint(
            kind, port=port, sink=sink, dma_port=dma, x=x, y=y
        )

    def lut(self, plan: Plan | None) -> I32:
        """Return the channel towards each destination tile, by a plan; None where nothing is left.

        At its own tile a QPE router has -1: the header's PE mask picks the outputs there. The row
        of the packet router's pool names the port that a leg to the tile leaves by. Routers that
        the plan leaves out have -1 everywhere.
        """
        width = self.floor.width
        lut = np.full((self.builder.nodes, width * self.floor.height), -1, dtype=np.int32)
        if plan is None:
            return lut
        pool = self.builder.extras["packet_router"]
        for (here, there), following in plan.step.items():
            if there in self.qpes:
                lut[self.routers[here], there[1] * width + there[0]] = self.to[here, following]
        for here, following in plan.to_router.items():
            out = self.to_packet_router[here] if following == here else self.to[here, following]
            for x, y in self.floor.router:
                lut[self.routers[here], y * width + x] = out
        for (x, y), port in plan.port.items():
            lut[pool, y * width + x] = self.from_packet_router[port]
        for (x, y), (beside, channel) in self.to_edge.items():
            if beside in plan.port:
                lut[:, y * width + x] = lut[:, beside[1] * width + beside[0]]
                lut[self.routers[beside], y * width + x] = channel
        return lut
