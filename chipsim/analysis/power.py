"""Power over time, by part of the chip: the trace's counts times the machine's energy figures.

The same figures and parts as the account at a run's end (:mod:`chipsim.sim.energy`), so the
windows of a whole trace add up to it. A run's data set ``power`` is that account itself, window by
window, with every clock level and the DRAM's bytes; it is taken where counts cannot tell these.
What is derived here from counts has one clock level and leaves ``dram`` out. Which of these figures
are assumed is in the run's summary.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from chipsim.machine.model import EndpointKind, Machine

if TYPE_CHECKING:
    from chipsim.analysis.run import Run

I64 = NDArray[np.int64]
F64 = NDArray[np.float64]

_MW_PER_PJ_PS = 1000.0
"""A picojoule in a picosecond is a watt."""


def power_parts(
    machine: Machine, length_ps: I64, flits: I64, packets: I64, cycles: I64
) -> dict[str, F64]:
    """Return the power of each part in some windows [mW].

    Parameters
    ----------
    machine : Machine
    length_ps : ndarray of int64, shape (windows,)
    flits, packets : ndarray of int64, shape (windows, classes)
        Grants of the windows, by class of channel.
    cycles : ndarray of int64, shape (windows,)
        Cycles of handlers, over all PEs.

    Returns
    -------
    dict of str to ndarray of float64, shape (windows,)
        ``uncore``, ``pe_sleep`` (both constant), ``pe_active``, and the parts of the channels'
        classes. PEs run at one level: the machine's, the low one where that changes with the load.

    Raises
    ------
    UnknownFigureError
        If the machine has no energy figures (synthetic ones).
    """
    figures = machine.description
    level = _base_level(machine) or "low"
    pes = int(np.count_nonzero((machine.endpoint_kind == EndpointKind.PE) & machine.endpoint_alive))
    chips = 1 if machine.chips is None else int(machine.chips.alive.sum())
    length = np.maximum(length_ps, 1).astype(np.float64)
    steady = np.ones(len(length))
    parts = {
        "uncore": steady * chips * figures.number("power.uncore_mw"),
        "pe_sleep": steady * pes * figures.number(f"power.pe_sleep_{level}_mw"),
        "pe_active": cycles
        * figures.number(f"energy.pe_cycle_{level}_pj")
        * _MW_PER_PJ_PS
        / length,
    }
    for number, cls in enumerate(machine.classes):
        picojoule = flits[:, number] * cls.pj_per_flit + packets[:, number] * cls.pj_per_packet
        if picojoule.any():
            before = parts.get(cls.energy_part, np.zeros(len(length)))
            parts[cls.energy_part] = before + picojoule * _MW_PER_PJ_PS / length
    return parts


def by_class(machine: Machine, slot: I64, channel: I64, values: I64, slots: int) -> I64:
    """Return the sums of values by slot and class of channel, shape (slots, classes)."""
    total = np.zeros((slots, len(machine.classes)), np.int64)
    np.add.at(total, (slot, machine.channel_class[channel].astype(np.int64)), values)
    return total


def _needs_account(run: Run) -> bool:
    """Return whether counts cannot tell the power: DRAM in use, or clock levels that change."""
    if "dram" in run.summary.get("energy_mj", {}):
        return True
    levels = pc.unique(run.read("ticks", ["level"])["level"])
    return len(levels) > 1 or _base_level(run.machine) is None


def _base_level(machine: Machine) -> str | None:
    """Return the clock level of all PEs, None where it changes with the load."""
    figures = machine.description
    policy = figures.text("pe.dvfs") if "pe.dvfs" in figures else "start"
    if policy == "start":
        return figures.text("pe.levels.start")
    return None if policy == "auto" else policy


def _recorded(run: Run) -> pa.Table:
    """Return the run's data set, with the names of parts as text."""
    rows = run.read("power")
    part = rows["part"].cast(pa.string())
    return rows.set_column(rows.column_names.index("part"), "part", part)


def power(run: Run) -> pa.Table:
    """Return the power of each part in each window of the trace.

    Returns
    -------
    pyarrow.Table
        ``window_start_ps``, ``window_end_ps``, ``part``, ``power_mw``; by window, then part.

    Raises
    ------
    TraceError
        If the run has no channels and ticks traced.
    UnknownFigureError
        If the machine has no energy figures.
    """
    if "power" in run.datasets and _needs_account(run):
        return _recorded(run)
    rows = run.channels
    end, start = rows["window_end_ps"].to_numpy(), rows["window_start_ps"].to_numpy()
    ends, first = np.unique(end, return_index=True)
    starts = start[first]
    slot = np.searchsorted(ends, end)
    columns = (rows["channel"].to_numpy().astype(np.int64), slot)
    flits, packets = (
        by_class(run.machine, columns[1], columns[0], rows[name].to_numpy(), len(ends))
        for name in ("flits", "packets")
    )
    ticks = run.read("ticks", ["done_ps", "cycles"])
    cycles = np.zeros(len(ends), np.int64)
    if len(ends):
        at = np.minimum(np.searchsorted(ends, ticks["done_ps"].to_numpy()), len(ends) - 1)
        np.add.at(cycles, at, ticks["cycles"].to_numpy())
    parts = power_parts(run.machine, ends - starts, flits, packets, cycles)
    return pa.table(
        {
            "window_start_ps": np.repeat(starts, len(parts)),
            "window_end_ps": np.repeat(ends, len(parts)),
            "part": pa.array(list(parts) * len(ends), pa.string()),
            "power_mw": np.stack(list(parts.values()), axis=1).reshape(-1),
        }
    )
