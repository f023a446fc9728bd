"""What is mapped: vertices (one program on one PE each) and nets (who sends packets to whom).

An :class:`Application` knows nothing of a machine: sizes, costs and expected traffic only. Stage
functions (:mod:`chipsim.mapping.strategies`) turn it into a placement, routes and keys.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal, NamedTuple, TypeAlias, get_args

from chipsim.errors import MappingError, did_you_mean
from chipsim.machine.route import PACKETS
from chipsim.mapping.constraints import contradictions, statement_problems

Name: TypeAlias = Hashable
"""What vertices and nets are called: any hashable; str or int where it goes into a file."""

Kind: TypeAlias = Literal["spike", "error", "gradient", "weight", "host", "current"]
Transport: TypeAlias = Literal["noc_direct", "router_multicast"]
Packet: TypeAlias = Literal["mc", "c2c", "nn", "fr"]

KINDS: tuple[str, ...] = get_args(Kind)
TRANSPORTS: tuple[str, ...] = get_args(Transport)
KEY_BITS = 32


class Place(NamedTuple):
    """Where a vertex is fixed: tile (x, y), number within the tile, chip."""

    x: int
    y: int
    pe: int = 0
    chip: int = 0

    def __str__(self) -> str:
        return f"tile ({self.x},{self.y}), PE {self.pe} of chip {self.chip}"


@dataclass(frozen=True)
class Vertex:
    """One program on one PE (or, when fixed there, on a memory or host interface).

    Attributes
    ----------
    name : hashable
        Unique in the application.
    sram_bytes : mapping of str to int
        Size of each memory region [byte]; the region ``code`` counts against the code memory,
        all others against the data memory.
    cycles_per_tick : float, optional
        Estimated work per tick [PE cycles].
    splittable : bool
        Whether a partitioner may cut the vertex in parts.
    group : int, optional
        The replica it belongs to; None for a vertex that serves all replicas (the optimiser).
    fixed : Place or tuple, optional
        ``(x, y, pe)`` or ``(x, y, pe, chip)``: every placer keeps it there.
    label : str
        For people; the name when empty.
    """

    name: Name
    sram_bytes: Mapping[str, int] = field(default_factory=dict)
    cycles_per_tick: float | None = None
    splittable: bool = False
    group: int | None = None
    fixed: Place | tuple[int, ...] | None = None
    label: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "sram_bytes", dict(self.sram_bytes))
        if self.fixed is not None and 2 <= len(self.fixed) <= 4:
            object.__setattr__(self, "fixed", Place(*self.fixed))

    @property
    def place(self) -> Place | None:
        """The fixed place, with all four fields."""
        return None if self.fixed is None else Place(*self.fixed)

    def __str__(self) -> str:
        return self.label or str(self.name)


@dataclass(frozen=True)
class Net:
    """A multicast connection: packets of one source vertex to its sinks.

    Attributes
    ----------
    name : hashable
        Unique among the nets.
    source : hashable
        The sending vertex.
    sinks : tuple of hashable
        The receiving vertices, each once; the source may be among them.
    kind : str
        One of :data:`KINDS`.
    key_bits : int
        The net owns a block of ``2**key_bits`` keys.
    payload_bits : int
        Payload of each packet [bit].
    transport : str, optional
        One of :data:`TRANSPORTS`; None takes the application's.
    packets_per_tick : mapping of str to float
        Expected packets per tick in each phase (``forward``, ``backward``, ``exchange``, ...).
        Metrics that weigh by traffic leave a net without expectation out, and count it.
    dma : bool
        The packets are flits of DMA transfers: they leave by the source's DMA port, one unicast
        route per sink, and end in memory inboxes.
    packet : str
        The packets' type, one of :data:`chipsim.machine.route.PACKETS`; others than ``mc`` are for
        machines with packet routers, which send them without their tables of keys: ``c2c`` (core
        to core), a packet per sink; ``nn`` (nearest neighbour), a packet per sink, all on chips
        next to the source's; ``fr`` (fixed route), one packet, to sinks on the Ethernet chip.
    """

    name: Name
    source: Name
    sinks: tuple[Name, ...]
    kind: Kind = "spike"
    key_bits: int = 0
    payload_bits: int = 0
    transport: Transport | None = None
    packets_per_tick: Mapping[str, float] = field(default_factory=dict)
    dma: bool = False
    packet: Packet = "mc"

    def __post_init__(self) -> None:
        object.__setattr__(self, "sinks", tuple(self.sinks))
        object.__setattr__(self, "packets_per_tick", dict(self.packets_per_tick))

    def weight(self, phase: str | None = None) -> float:
        """Return the expected packets per tick of ``phase``, or of all phases together."""
        if phase is None:
            return float(sum(self.packets_per_tick.values()))
        return float(self.packets_per_tick.get(phase, 0.0))


@dataclass(frozen=True)
class Application:
    """Vertices and nets, checked as a whole.

    Attributes
    ----------
    name : str
    vertices : tuple of Vertex
        Their order is the program order and the tie-break of every placer.
    nets : tuple of Net
    transport : str
        The transport of nets that state none.
    together : tuple of tuple of hashable
        Vertices of each list share a tile (SpiNNaker2: a QPE, SpiNNaker1: a chip, synthetic
        machines: a router); lists with a vertex in common are one.
    apart : tuple of tuple of hashable
        No two vertices of a list share a tile.

    Raises
    ------
    MappingError
        Naming all problems at once: duplicate names, unknown sources or sinks, nets without
        sinks, negative or impossible sizes, constraints that contradict each other.
    """

    name: str
    vertices: tuple[Vertex, ...]
    nets: tuple[Net, ...] = ()
    transport: Transport = "noc_direct"
    together: tuple[tuple[Name, ...], ...] = ()
    apart: tuple[tuple[Name, ...], ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "vertices", tuple(self.vertices))
        object.__setattr__(self, "nets", tuple(self.nets))
        object.__setattr__(self, "together", tuple(tuple(row) for row in self.together))
        object.__setattr__(self, "apart", tuple(tuple(row) for row in self.apart))
        problems = [*self._duplicates(), *self._vertex_problems(), *self._net_problems()]
        problems += self._constraint_problems()
        if self.transport not in TRANSPORTS:
            problems.append(f"transport is {self.transport!r}; expected {_one_of(TRANSPORTS)}")
        if problems:
            raise MappingError(f"application {self.name!r}", problems)

    @cached_property
    def vertex_by_name(self) -> dict[Name, Vertex]:
        """Vertices by name, in order."""
        return {vertex.name: vertex for vertex in self.vertices}

    @cached_property
    def net_by_name(self) -> dict[Name, Net]:
        """Nets by name, in order."""
        return {net.name: net for net in self.nets}

    @cached_property
    def groups(self) -> dict[int, tuple[Vertex, ...]]:
        """Vertices of each group in order, by ascending group number."""
        found: dict[int, list[Vertex]] = {}
        for vertex in self.vertices:
            if vertex.group is not None:
                found.setdefault(vertex.group, []).append(vertex)
        return {group: tuple(found[group]) for group in sorted(found)}

    @cached_property
    def phases(self) -> tuple[str, ...]:
        """All phases that nets state traffic for, in order of first mention."""
        return tuple(dict.fromkeys(p for net in self.nets for p in net.packets_per_tick))

    def transport_of(self, net: Net) -> Transport:
        """Return the net's transport, or the application's where the net states none.

        Packets of other types than multicast are in no table of keys: for them it is
        ``noc_direct``, a packet per destination.
        """
        if net.packet != "mc":
            return "noc_direct"
        return self.transport if net.transport is None else net.transport

    def outgoing(self, vertex: Name) -> tuple[Net, ...]:
        """Return the nets that ``vertex`` sends on, in order."""
        return self._outgoing.get(vertex, ())

    def incoming(self, vertex: Name) -> tuple[Net, ...]:
        """Return the nets that reach ``vertex``, in order."""
        return self._incoming.get(vertex, ())

    @cached_property
    def _outgoing(self) -> dict[Name, tuple[Net, ...]]:
        return _collect((net.source, net) for net in self.nets)

    @cached_property
    def _incoming(self) -> dict[Name, tuple[Net, ...]]:
        return _collect((sink, net) for net in self.nets for sink in net.sinks)

    def _constraint_problems(self) -> list[str]:
        names = {vertex.name: None for vertex in self.vertices}
        found = [*statement_problems("together", self.together, names)]
        found += statement_problems("apart", self.apart, names)
        return found or list(contradictions(self))

    def _duplicates(self) -> list[str]:
        problems = []
        for what, names in (
            ("vertex", [v.name for v in self.vertices]),
            ("net", [n.name for n in self.nets]),
        ):
            counts: dict[Name, int] = {}
            for name in names:
                counts[name] = counts.get(name, 0) + 1
            problems += [
                f"{what} name {name!r} is used {count} times; give each {what} a name of its own"
                for name, count in counts.items()
                if count > 1
            ]
        return problems

    def _vertex_problems(self) -> list[str]:
        problems = []
        for vertex in self.vertices:
            where = f"vertex {vertex.name!r}"
            problems += [
                f"{where}: region {region!r} is {size} bytes; expected an integer of at least 0"
                for region, size in vertex.sram_bytes.items()
                if not _is_count(size)
            ]
            if vertex.cycles_per_tick is not None and not vertex.cycles_per_tick >= 0:
                problems.append(
                    f"{where}: cycles_per_tick is {vertex.cycles_per_tick}; expected at least 0"
                )
            if vertex.fixed is not None and not isinstance(vertex.fixed, Place):
                problems.append(
                    f"{where}: fixed is {vertex.fixed!r}; expected (x, y), (x, y, pe) or "
                    "(x, y, pe, chip)"
                )
        return problems

    def _net_problems(self) -> list[str]:
        names = {vertex.name: None for vertex in self.vertices}
        problems: list[str] = []
        for net in self.nets:
            where = f"net {net.name!r}"
            if net.source not in names:
                problems.append(
                    f"{where}: source {net.source!r} is no vertex{_near(net.source, names)}"
                )
            if not net.sinks:
                problems.append(f"{where}: has no sinks; name at least one or leave the net out")
            for sink in dict.fromkeys(net.sinks):
                if sink not in names:
                    problems.append(f"{where}: sink {sink!r} is no vertex{_near(sink, names)}")
                if (count := net.sinks.count(sink)) > 1:
                    problems.append(f"{where}: sink {sink!r} is named {count} times; name it once")
            problems += [f"{where}: {text}" for text in _net_sizes(net)]
        return problems


def _net_sizes(net: Net) -> list[str]:
    problems = []
    if not (_is_count(net.key_bits) and net.key_bits <= KEY_BITS):
        problems.append(f"key_bits is {net.key_bits}; expected an integer of 0 to {KEY_BITS}")
    if not _is_count(net.payload_bits):
        problems.append(f"payload_bits is {net.payload_bits}; expected an integer of at least 0")
    if net.kind not in KINDS:
        problems.append(f"kind is {net.kind!r}; expected {_one_of(KINDS)}")
    if net.transport is not None and net.transport not in TRANSPORTS:
        problems.append(f"transport is {net.transport!r}; expected {_one_of(TRANSPORTS)}")
    if net.packet not in PACKETS:
        problems.append(f"packet is {net.packet!r}; expected {_one_of(PACKETS)}")
    elif net.packet != "mc" and (net.dma or net.transport is not None):
        given = "dma" if net.dma else f"transport {net.transport!r}"
        problems.append(
            f"has packet {net.packet!r} and {given}; such packets go through packet routers: "
            "leave one of the two out"
        )
    problems += [
        f"packets_per_tick in phase {phase!r} is {count}; expected at least 0"
        for phase, count in net.packets_per_tick.items()
        if not count >= 0
    ]
    return problems


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _one_of(names: Iterable[str]) -> str:
    return "one of " + ", ".join(names)


def _near(name: Name, names: Mapping[Name, None]) -> str:
    """Suggest the nearest name; a long list of all names would hide the problem."""
    hint = did_you_mean(str(name), (str(n) for n in names))
    return hint if hint.startswith("; did you mean") else ""


def _collect(pairs: Iterable[tuple[Name, Net]]) -> dict[Name, tuple[Net, ...]]:
    found: dict[Name, list[Net]] = {}
    for vertex, net in pairs:
        found.setdefault(vertex, []).append(net)
    return {vertex: tuple(nets) for vertex, nets in found.items()}
