"""The account of energy, by part (hardware.md §7.1 and §10).

``uncore``: base power of every live chip over the whole time. ``pe_sleep``: every live PE's sleep
power at its clock level over the whole time. ``pe_active``: energy per cycle above sleep, for
cycles in handlers. The others are events times an energy each: ``noc`` per bit and hop, ``router``
per look-up (SpiNNaker1: per routed bit), ``links`` per bit, ``dram`` per byte; none of these is
published for SpiNNaker2, so they rest on assumptions and are lines of their own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from chipsim.machine.model import EndpointKind

if TYPE_CHECKING:
    from chipsim.sim.simulation import Simulation

_MJ_PER_PJ = 1e-9
_MJ_PER_MW_PS = 1e-12


def account(simulation: Simulation, now_ps: int | None = None) -> dict[str, float]:
    """Return the energy by part [mJ], so far or up to a time that nothing happens before."""
    machine, settings = simulation.machine, simulation.settings
    figures = machine.description
    elapsed = int(simulation.env.now) if now_ps is None else now_ps
    is_pe = machine.endpoint_kind == EndpointKind.PE
    pes = int(np.count_nonzero(is_pe & machine.endpoint_alive))
    chips = 1 if machine.chips is None else int(machine.chips.alive.sum())
    sleep_mw = figures.number(f"power.pe_sleep_{settings.level}_mw")
    cycle_pj = figures.number(f"energy.pe_cycle_{settings.level}_pj")
    parts = {
        "uncore": chips * figures.number("power.uncore_mw") * elapsed * _MJ_PER_MW_PS,
        "pe_sleep": pes * sleep_mw * elapsed * _MJ_PER_MW_PS,
        "pe_active": int(simulation.cores.awake_cycles.sum()) * cycle_pj * _MJ_PER_PJ,
    }
    counters = simulation.network.counters()
    for number, cls in enumerate(machine.classes):
        members = machine.channel_class == number
        picojoule = int(counters.channel_flits[members].sum()) * cls.pj_per_flit
        picojoule += int(counters.channel_packets[members].sum()) * cls.pj_per_packet
        parts[cls.energy_part] = parts.get(cls.energy_part, 0.0) + picojoule * _MJ_PER_PJ
    moved = simulation.transfers.dram_bytes_moved
    if moved:
        parts["dram"] = moved * figures.number("energy.dram_byte_pj") * _MJ_PER_PJ
    return {name: float(value) for name, value in parts.items()}
