"""The figures of a chip that a simulation reads, in the units it computes with."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from chipsim.machine.description import Description
from chipsim.sim.costs import SYNAPTIC_EVENTS, Cost
from chipsim.units import cycles, ns, us

KB = 1024

_SYSTEM_NOC = ("dma.word_ns", "dma.noc_packets", "dma.bytes_per_flit")
"""What SpiNNaker1's System NoC is built from; a result rests on it once something is moved."""


@dataclass(frozen=True)
class ChipSettings:
    """What every :class:`~chipsim.sim.simulation.Simulation` needs of a description.

    Reading it marks the figures as read, so that the assumed ones are listed in the run's summary;
    those of memories, DMA, host and barriers are therefore read only where a run uses these.
    """

    tick_us: float
    sram_bytes: int
    costs: dict[str, Cost]

    @classmethod
    def read(cls, figures: Description, tick_us: float | None = None) -> ChipSettings:
        """Read the figures of a description; ``tick_us`` overrides its default."""
        return cls(
            tick_us=figures.number("pe.tick_us") if tick_us is None else tick_us,
            sram_bytes=int(figures.number("pe.app_data_kb") * KB),
            costs=_costs(figures),
        )


@dataclass(frozen=True)
class MemorySettings:
    """A memory as its responder sees it: latency and time per flit [ps], size [byte]."""

    latency_ps: int
    flit_ps: int
    nbytes: int

    @classmethod
    def sram(cls, figures: Description) -> MemorySettings:
        """Read a PE's SRAM; the NoC is its only limit."""
        nbytes = int(figures.number("pe.app_data_kb") * KB)
        if "dma.sram_access_cycles" not in figures:  # nobody else reaches it: it serves no requests
            return cls(1, 0, nbytes)
        latency = figures.integer("dma.sram_access_cycles")
        clock = figures.number("noc.clock_mhz")
        return cls(cycles(latency, clock), 0, nbytes)

    @classmethod
    def dram(cls, figures: Description) -> MemorySettings:
        """Read one DRAM interface."""
        gbps = figures.number("dram.interface_gbps")
        if "dram.efficiency" in figures:
            gbps *= figures.number("dram.efficiency")
        size = int(figures.number("dram.capacity_gb") * KB**3)
        return cls(
            ns(figures.number("dram.latency_ns")),
            _flit_ps(figures, gbps),
            size // figures.integer("dram.interfaces"),
        )


@dataclass(frozen=True)
class DmaSettings:
    """A PE's DMA engine: set-up [cycles of the PE], transfers under way at once, and in the queue.

    A queue without limit is 0.
    """

    setup_cycles: int
    outstanding: int
    queue_entries: int

    @classmethod
    def read(cls, figures: Description) -> DmaSettings:
        """Read the figures of a description."""
        for name in _SYSTEM_NOC:
            if name in figures:
                figures.figure(name)
        setup = figures.integer("dma.setup_cycles")
        queue = figures.integer("dma.queue_entries") if "dma.queue_entries" in figures else 0
        return cls(setup, figures.integer("dma.max_outstanding"), queue)


@dataclass(frozen=True)
class HostSettings:
    """The host link: latency and time per flit's payload [ps]."""

    latency_ps: int
    flit_ps: int

    @classmethod
    def read(cls, figures: Description) -> HostSettings:
        """Read the figures of a description."""
        rate = _flit_ps(figures, figures.number("host.link_gbps"))
        return cls(us(figures.number("host.latency_us")), rate)


def _flit_ps(figures: Description, gbps: float) -> int:
    """Time of one flit's payload at a rate [ps], rounded once."""
    flit_bytes = figures.integer("dma.bytes_per_flit")
    return max(1, round(Fraction(8 * flit_bytes * 1000) / Fraction(str(gbps))))


def _costs(figures: Description) -> dict[str, Cost]:
    provenance = {p.name: p for p in figures.provenance()}
    costs = {}
    for name in figures.names("pe.cycles"):
        figure = provenance[name]
        operation = name.removeprefix("pe.cycles.")
        counter = SYNAPTIC_EVENTS if operation == "synapse" else ""
        costs[operation] = Cost(int(str(figure.value)), figure.kind, figure.source, counter)
    entry = provenance.get("pe.irq_entry_cycles")
    if entry is not None:
        costs["irq_entry"] = Cost(int(str(entry.value)), entry.kind, entry.source)
    return costs
