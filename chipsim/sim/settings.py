"""The figures of a chip that a simulation reads, in the units it computes with."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from chipsim.errors import DescriptionError, did_you_mean
from chipsim.machine.description import Description
from chipsim.sim.costs import Cost
from chipsim.units import cycles, ns, us

KB = 1024
LEVELS = ("low", "high")


@dataclass(frozen=True)
class ChipSettings:
    """What :class:`~chipsim.sim.simulation.Simulation` needs of a description.

    Reading it marks the figures as read, so that the assumed ones are listed in the run's summary.
    """

    level: str
    clock_mhz: float
    tick_us: float
    sram_bytes: int
    barrier_us: float
    costs: dict[str, Cost]
    dma_setup_ps: int
    dma_outstanding: int
    sram_latency_ps: int
    dram_latency_ps: int
    dram_flit_ps: int
    dram_bytes: int
    host_latency_ps: int
    host_flit_ps: int

    @classmethod
    def read(
        cls, figures: Description, tick_us: float | None = None, level: str | None = None
    ) -> ChipSettings:
        """Read the figures of a description; ``tick_us`` and ``level`` override its defaults."""
        level = figures.text("pe.levels.start") if level is None else level
        if level not in LEVELS:
            raise DescriptionError("clock level", [f"got {level!r}{did_you_mean(level, LEVELS)}"])
        clock = figures.number(f"pe.levels.{level}_mhz")
        flit_bytes = figures.integer("dma.bytes_per_flit")
        dram_gbps = figures.number("dram.interface_gbps") * figures.number("dram.efficiency")
        return cls(
            level=level,
            clock_mhz=clock,
            tick_us=figures.number("pe.tick_us") if tick_us is None else tick_us,
            sram_bytes=figures.integer("pe.app_data_kb") * KB,
            barrier_us=figures.number("pe.barrier_us"),
            costs=_costs(figures),
            dma_setup_ps=cycles(figures.integer("dma.setup_cycles"), clock),
            dma_outstanding=figures.integer("dma.max_outstanding"),
            sram_latency_ps=cycles(
                figures.integer("dma.sram_access_cycles"), figures.number("noc.clock_mhz")
            ),
            dram_latency_ps=ns(figures.number("dram.latency_ns")),
            dram_flit_ps=_flit_ps(flit_bytes, dram_gbps),
            dram_bytes=figures.integer("dram.capacity_gb")
            * KB**3
            // figures.integer("dram.interfaces"),
            host_latency_ps=us(figures.number("host.latency_us")),
            host_flit_ps=_flit_ps(flit_bytes, figures.number("host.link_gbps")),
        )


def _flit_ps(flit_bytes: int, gbps: float) -> int:
    """Time of one flit's payload at a rate [ps], rounded once."""
    return max(1, round(Fraction(8 * flit_bytes * 1000) / Fraction(str(gbps))))


def _costs(figures: Description) -> dict[str, Cost]:
    provenance = {p.name: p for p in figures.provenance()}
    costs = {}
    for name in figures.names("pe.cycles"):
        figure = provenance[name]
        operation = name.removeprefix("pe.cycles.")
        costs[operation] = Cost(int(str(figure.value)), figure.kind, figure.source)
    return costs
