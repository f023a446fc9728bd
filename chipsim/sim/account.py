"""What a simulation can say of itself at any time: a summary's fields that are not a task's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from chipsim.machine import wounds
from chipsim.sim.energy import account as energy_account
from chipsim.sim.energy import kinds as energy_kinds
from chipsim.units import PS_PER_NS, PS_PER_S

if TYPE_CHECKING:
    from chipsim.sim.simulation import Simulation


_COSTS = ("pe.cycles.", "pe.irq_entry_cycles")
"""Figures that are read into the table of costs, which knows what was charged."""


def account(simulation: Simulation) -> dict[str, Any]:
    """Return packets, copies, latencies, ticks, energy and assumptions of a simulation so far."""
    tracer = simulation.tracer
    tracer.drops()
    counters = simulation.network.counters()
    aggregates = tracer.recorder.aggregates()
    latency = aggregates.all_latencies()
    log = simulation.tick_log
    return {
        "machine": simulation.machine.name,
        "packets": tracer.recorder.packets_sent(),
        "packets_injected": counters.injected,
        "copies_expected": counters.expected + tracer.probe_dropped,
        "copies_delivered": counters.delivered,
        "copies_dropped": counters.dropped + counters.overwritten + tracer.probe_dropped,
        "copies_in_flight": counters.in_flight,
        "packet_hops": counters.packet_hops,
        "latency_ns": (
            {
                "median": latency.quantile(0.5) / PS_PER_NS,
                "p99": latency.quantile(0.99) / PS_PER_NS,
                "max": latency.quantile(1.0) / PS_PER_NS,
            }
            if len(latency)
            else None
        ),
        "late_spikes": tracer.late["spike"],
        "late_errors": tracer.late["error"],
        "tick_overruns": log.overruns,
        "tick_use_max": log.use_max_ps / log.clock.tick_ps,
        "simulated_s": int(simulation.env.now) / PS_PER_S,
        "energy_mj": energy_account(simulation),
        "energy_kinds": energy_kinds(simulation),
        "sram": _sram(simulation),
        **_faults(simulation),
        "assumptions": assumptions(simulation),
        **_unread(simulation),
    }


def _sram(simulation: Simulation) -> dict[str, Any] | None:
    """Return the use and limit of the fullest PE's SRAM."""
    full = max(simulation.pe_list, key=lambda pe: pe.sram.used_bytes, default=None)
    if full is None:
        return None
    used, limit = full.sram.used_bytes, full.sram.limit_bytes
    return {"fullest": full.label, "used_bytes": used, "limit_bytes": limit}


def _faults(simulation: Simulation) -> dict[str, Any]:
    """Return what is dead and who is stuck, for machines with faults."""
    machine = simulation.machine
    if machine.faults is None:
        return {}
    stuck = [pe.label for pe in simulation.pe_list if pe.hung()]
    return {"faults": {**wounds.counts(machine), "stuck programs": stuck}}


def _unread(simulation: Simulation) -> dict[str, Any]:
    """Return the figures that were set and that nothing in the run has read, if there are any.

    They have changed no result. Costs count as read where a run charged them.
    """
    unread = [
        row.name
        for row in simulation.machine.description.unread_settings()
        if not row.name.startswith(_COSTS)
    ]
    unread += simulation.costs.unread_settings()
    return {"settings_not_read": unread} if unread else {}


def assumptions(simulation: Simulation) -> list[dict[str, Any]]:
    """Return the assumed and user-set figures that this simulation rests on."""
    simulation.charge_kernels()
    rows = [
        (item.name, item.value, item.kind, item.source)
        for item in simulation.machine.description.assumptions()
        if not item.name.startswith(_COSTS)
    ]
    rows += simulation.costs.assumptions()
    return [
        {"name": name, "value": value, "kind": kind, "source": source}
        for name, value, kind, source in rows
    ]
