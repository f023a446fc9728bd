"""What every PE's SRAM holds, region by region, beside what it can hold.

The map is that of the chip's software (hardware.md §4.1): code (ITCM) and data (DTCM); of the data
a part is the application's, the rest is kept by the system: its receive FIFO, stack, heap and
tables. What code takes is not known here, so its use is None.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from chipsim.sim.settings import KB

if TYPE_CHECKING:
    from chipsim.sim.simulation import Simulation

CODE, FIFO, SYSTEM, FREE, APPLICATION = "code", "fifo", "system", "free", "application"

FIFO_BYTES_PER_PACKET = 4
"""Bytes that a packet takes in the receive FIFO at least: its key (a payload takes its own)."""


@dataclass(frozen=True)
class SramUse:
    """One region of one PE.

    Attributes
    ----------
    vertex, place : str
    region : str
        ``code``, ``fifo``, ``system``, a region of the program, ``application`` (their sum) or
        ``free`` (what they leave).
    used_bytes : int or None
        None where it is not known.
    limit_bytes : int or None
        What it may take; None for a program's own regions, whose sum is limited.
    """

    vertex: str
    place: str
    region: str
    used_bytes: int | None
    limit_bytes: int | None


def sram_table(simulation: Simulation) -> list[SramUse]:
    """Return the regions of every PE that runs a program, in the order of the vertices."""
    figures = simulation.machine.description
    code = int(figures.number("pe.code_kb") * KB)
    system = int(figures.number("pe.data_kb") * KB) - simulation.sram_limit
    rows = []
    for pe in simulation.pe_list:
        place = simulation.machine.endpoint_label(pe.endpoint)
        fifo = pe.receive_capacity * FIFO_BYTES_PER_PACKET or None
        regions: list[tuple[str, int | None, int | None]] = [
            (CODE, None, code),
            (FIFO, fifo, system),
            (SYSTEM, None, system),
            *((name, used, None) for name, used in pe.sram.regions.items()),
            (APPLICATION, pe.sram.used_bytes, pe.sram.limit_bytes),
            (FREE, pe.sram.limit_bytes - pe.sram.used_bytes, None),
        ]
        rows += [SramUse(pe.vertex, place, *region) for region in regions]
    return rows
