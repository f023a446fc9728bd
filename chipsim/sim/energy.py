"""The account of energy, by part (hardware.md §7.1 and §10).

``uncore``: chip base power over the whole time. ``pe_sleep``: every PE's sleep power at its clock
level over the whole time. ``pe_active``: energy per cycle above sleep, for cycles in handlers. The
others are events times an energy each: ``noc`` per bit and hop, ``router`` per look-up, ``links``
per bit, ``dram`` per byte; none of these is published for SpiNNaker2, so they rest on assumptions
and are lines of their own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from chipsim.machine.model import EndpointKind

if TYPE_CHECKING:
    from chipsim.sim.simulation import Simulation

_MJ_PER_PJ = 1e-9
_MJ_PER_MW_PS = 1e-12


def account(simulation: Simulation) -> dict[str, float]:
    """Return the energy so far by part [mJ]."""
    machine, settings = simulation.machine, simulation.settings
    figures = machine.description
    elapsed = int(simulation.env.now)
    pes = int(np.count_nonzero(machine.endpoint_kind == EndpointKind.PE))
    sleep_mw = figures.number(f"power.pe_sleep_{settings.level}_mw")
    cycle_pj = figures.number(f"energy.pe_cycle_{settings.level}_pj")
    parts = {
        "uncore": figures.number("power.uncore_mw") * elapsed * _MJ_PER_MW_PS,
        "pe_sleep": pes * sleep_mw * elapsed * _MJ_PER_MW_PS,
        "pe_active": int(simulation.cores.awake_cycles.sum()) * cycle_pj * _MJ_PER_PJ,
    }
    flits = simulation.network.counters().channel_flits
    for number, cls in enumerate(machine.classes):
        count = int(flits[machine.channel_class == number].sum())
        picojoule = count * cls.pj_per_flit
        parts[cls.energy_part] = parts.get(cls.energy_part, 0.0) + picojoule * _MJ_PER_PJ
    moved = simulation.transfers.dram_bytes_moved
    if moved:
        parts["dram"] = moved * figures.number("energy.dram_byte_pj") * _MJ_PER_PJ
    return {name: float(value) for name, value in parts.items()}
