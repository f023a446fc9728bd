"""The account of energy, by part (hardware.md §7.1 and §10).

``uncore``: base power of every live chip over the whole time. ``pe_sleep``: every live PE's sleep
power at its clock level over the whole time; where the level changes (``pe.dvfs = "auto"``), at the
high level for the time of the handlers there. ``pe_active``: energy per cycle above sleep, by the
level of each handler. The others are events times an energy each: ``noc`` per bit and hop,
``router`` per look-up (SpiNNaker1: per routed bit), ``links`` per bit, ``dram`` per byte; none of
these is published for SpiNNaker2, so they rest on assumptions and are lines of their own.
:func:`kinds` says of each line what it rests on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from chipsim.machine.model import EndpointKind
from chipsim.sim.dvfs import LEVELS

if TYPE_CHECKING:
    from chipsim.sim.simulation import Simulation

_MJ_PER_PJ = 1e-9
_MJ_PER_MW_PS = 1e-12
_WEAKEST = ("U", "A", "I", "S", "C", "M", "D")
"""Kinds of figures, the ones that say least about the hardware first."""
_FIGURES = {
    "uncore": ("power.uncore_mw",),
    "pe_sleep": tuple(f"power.pe_sleep_{level}_mw" for level in LEVELS),
    "pe_active": tuple(f"energy.pe_cycle_{level}_pj" for level in LEVELS),
    "noc": ("energy.noc_bit_hop_pj",),
    "router": ("energy.router_lookup_pj", "energy.router_bit_pj"),
    "links": ("energy.link_bit_pj",),
    "dram": ("energy.dram_byte_pj",),
}
"""Which figures a line rests on; those that the machine does not have are left out."""


def account(simulation: Simulation, now_ps: int | None = None) -> dict[str, float]:
    """Return the energy by part [mJ], so far or up to a time that nothing happens before."""
    machine = simulation.machine
    figures = machine.description
    elapsed = int(simulation.env.now) if now_ps is None else now_ps
    chips = 1 if machine.chips is None else int(machine.chips.alive.sum())
    parts = {
        "uncore": chips * figures.number("power.uncore_mw") * elapsed * _MJ_PER_MW_PS,
        "pe_sleep": _sleep_mj(simulation, elapsed),
        "pe_active": _active_mj(simulation),
    }
    counters = simulation.network.counters()
    for number, cls in enumerate(machine.classes):
        members = machine.channel_class == number
        picojoule = int(counters.channel_flits[members].sum()) * cls.pj_per_flit
        picojoule += int(counters.channel_packets[members].sum()) * cls.pj_per_packet
        parts[cls.energy_part] = parts.get(cls.energy_part, 0.0) + picojoule * _MJ_PER_PJ
    moved = simulation.transfers.dram_bytes_moved
    if moved and "energy.dram_byte_pj" in figures:
        parts["dram"] = moved * figures.number("energy.dram_byte_pj") * _MJ_PER_PJ
    return {name: float(value) for name, value in parts.items()}


def _sleep_mj(simulation: Simulation, elapsed: int) -> float:
    """Return the energy of sleep: all PEs at the base level, but for handlers at another."""
    machine, levels = simulation.machine, simulation.levels
    is_pe = machine.endpoint_kind == EndpointKind.PE
    pes = int(np.count_nonzero(is_pe & machine.endpoint_alive))
    base_mw = machine.description.number(f"power.pe_sleep_{LEVELS[levels.base]}_mw")
    sleep = pes * base_mw * elapsed * _MJ_PER_MW_PS
    if levels.auto:
        high_mw = machine.description.number("power.pe_sleep_high_mw")
        sleep += (high_mw - base_mw) * int(simulation.cores.high_ps.sum()) * _MJ_PER_MW_PS
    return sleep


def _active_mj(simulation: Simulation) -> float:
    """Return the energy above sleep of the cycles in closed handlers."""
    figures, levels = simulation.machine.description, simulation.levels
    total = int(simulation.cores.awake_cycles.sum())
    base_pj = figures.number(f"energy.pe_cycle_{LEVELS[levels.base]}_pj")
    if not levels.auto:
        return total * base_pj * _MJ_PER_PJ
    high = int(simulation.cores.high_cycles.sum())
    high_pj = figures.number("energy.pe_cycle_high_pj")
    return ((total - high) * base_pj + high * high_pj) * _MJ_PER_PJ


def kinds(simulation: Simulation) -> dict[str, str]:
    """Return what each line of :func:`account` rests on: the weakest kind among its figures.

    ``M`` measured, ``C`` from public code, ``I`` inferred from these, ``A`` assumed, ``U`` set by
    the user.
    """
    figures = simulation.machine.description
    read = set(figures.reads)
    known = {p.name: p.kind for p in figures.provenance()}
    found = {}
    for part in account(simulation):
        rests_on = [known[name] for name in _FIGURES.get(part, ()) if name in known]
        in_use = [known[name] for name in _FIGURES.get(part, ()) if name in read & known.keys()]
        found[part] = min(in_use or rests_on or ["A"], key=_WEAKEST.index)
    return found
