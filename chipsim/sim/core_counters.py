"""What cores have counted, under the names of the SpiNNaker tool chain where it has the same thing.

A counter that this model has no such thing for is left out (``docs/pe.md`` lists them): a zero that
nothing can change says less than nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from chipsim.machine.model import EndpointKind, Machine
from chipsim.machine.route import SINK, Route
from chipsim.network.api import Counters, Deliveries
from chipsim.sim.costs import SYNAPTIC_EVENTS
from chipsim.sim.dvfs import LEVELS
from chipsim.trace.provenance import Missed, Row

if TYPE_CHECKING:
    from chipsim.sim.pe import ProcessingElement
    from chipsim.sim.simulation import Simulation


class Strangers:
    """Packets that reach a core which their net does not lead to: routing tables sent them there.

    The core finds no entry for their keys in its own table. Which nets and cores that can happen
    to is known before the run, so that a run with right tables counts nothing.

    Parameters
    ----------
    machine : Machine
        With the ports that the routes lead to.
    """

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._owner = np.full(machine.ports, -1, dtype=np.int64)
        self._owner[machine.endpoint_sink] = np.arange(machine.endpoints)
        self._wrong: set[int] = set()
        self._pairs = np.zeros(0, dtype=np.int64)
        self.found: dict[int, int] = {}
        """Packets by endpoint."""

    def __bool__(self) -> bool:
        return bool(self._wrong)

    def learn(self, net: int, routes: Iterable[Route], sinks: Sequence[int]) -> None:
        """Note where a net's packets end, beside the endpoints that they are meant for."""
        ends = {
            self._owner.item(self._machine.channel_port.item(branch.channel))
            for route in routes
            for stage in route.stages
            for branch in stage
            if branch.next == SINK
        }
        wrong = ends.difference(sinks, (-1,))
        if wrong:
            self._wrong.update(net * self._machine.endpoints + end for end in wrong)
            self._pairs = np.array(sorted(self._wrong), dtype=np.int64)

    def count(self, taken: Deliveries) -> None:
        """Count the strangers among packets that cores have taken."""
        pair = taken.net.astype(np.int64) * self._machine.endpoints + taken.endpoint
        ends, times = np.unique(taken.endpoint[np.isin(pair, self._pairs)], return_counts=True)
        for end, count in zip(ends.tolist(), times.tolist(), strict=True):
            self.found[end] = self.found.get(end, 0) + count


def place_of(simulation: Simulation, pe: ProcessingElement) -> tuple[int, int, str]:
    """Return the chip's x and y, and the label of a core with its vertex."""
    machine = simulation.machine
    chip = int(machine.endpoint_chip[pe.endpoint])
    part = f"{machine.endpoint_label(pe.endpoint)} {pe.vertex}"
    if machine.chips is None:
        return chip, 0, part
    return int(machine.chips.x[chip]), int(machine.chips.y[chip]), part


def rows(simulation: Simulation, counts: Counters) -> Iterator[Row]:
    """Yield the counters of cores with a program."""
    operations = _operations(simulation)
    for pe in simulation.pe_list:
        if simulation.machine.endpoint_kind[pe.endpoint] != EndpointKind.PE:
            continue
        x, y, part = place_of(simulation, pe)
        values = {
            **_packets(simulation, pe, counts),
            **_ticks(simulation, pe),
            **_transfers(simulation, pe),
            **operations[pe.core],
            **_levels(simulation, pe),
            **pe.program.counters(),
        }
        for name, value in values.items():
            yield Row("core", x, y, part, name, int(value))


def missed(simulation: Simulation) -> list[Missed]:
    """Return the first missed deadlines of a run, in the order of the handlers' ends, then cores.

    Which they are does not depend on the order in which they were noticed, which is another where a
    trace has windows of time.
    """
    kept = sorted(simulation.tick_log.missed.tolist(), key=lambda row: (row[2], row[0]))
    return [
        Missed(*place_of(simulation, simulation.pe_list[core]), tick, end_ps, late_ps)
        for core, tick, end_ps, late_ps in kept
    ]


def _packets(simulation: Simulation, pe: ProcessingElement, counts: Counters) -> dict[str, int]:
    """Return what went out by the TX registers and came in by the receive FIFO."""
    machine, cores, core = simulation.machine, simulation.cores, pe.core
    waiting = simulation.network.waiting(pe.inbox)
    late, most_late = simulation.tracer.late_at[:, pe.endpoint].tolist()
    sequence = int(simulation.sequence[simulation.vertex_number[pe.vertex]])
    values = {
        "Packets_sent": cores.written[core],
        "Memory_packets_sent": sequence - cores.written[core],
        "Times_the_transmission_of_spikes_overran": counts.blocked_at[
            machine.endpoint_port[pe.endpoint]
        ],
        "How many spikes were processed": cores.taken[core],
        "Maximum number of spikes in a timer tick": cores.burst_most[core],
        "Times_the_input_buffer_lost_packets": counts.dropped_at[
            machine.endpoint_sink[pe.endpoint]
        ],
        "Max_filled_size_input_buffer": max(cores.fifo_most[core], waiting),
        "Late spikes": late,
        "Max late spike": most_late,
    }
    room = int(cores.fifo_room[core])
    if room:
        values["Times_the_input_buffer_was_full"] = cores.fifo_full[core] + (waiting >= room)
    if simulation.machine.chips is not None:
        failed = simulation.strangers.found.get(pe.endpoint, 0)
        values["Number of failed pop table searches"] = failed
    return values


def _ticks(simulation: Simulation, pe: ProcessingElement) -> dict[str, int]:
    """Return how the handlers of ticks kept their deadlines."""
    cores, core = simulation.cores, pe.core
    longest, period = int(cores.use_most_ps[core]), int(cores.period_ps[core])
    return {
        "Times_the_timer_tic_over_ran": cores.missed[core],
        "Max_number_of_times_timer_tic_over_ran": max(0, (longest - 1) // period),
        "Max_time_done_ps": longest,
    }


def _transfers(simulation: Simulation, pe: ProcessingElement) -> dict[str, int]:
    """Return what the core's DMA engine did; nothing on machines whose cores have none."""
    figures = simulation.machine.description
    if "dma.max_outstanding" not in figures:
        return {}
    engine = simulation.transfers.engines().get(pe.endpoint)
    values = {
        "DMA's that were completed": 0 if engine is None else engine.completed,
        "Maximum number of DMAs in a timer tick": 0 if engine is None else engine.most_in_tick,
    }
    if "dma.queue_entries" in figures:
        overloads = 0 if engine is None else engine.overloads
        values["Times_the_dma_queue_was_overloaded"] = overloads
    return values


def _operations(simulation: Simulation) -> list[dict[str, int]]:
    """Return, core by core, the counters that operations feed (:class:`chipsim.sim.costs.Cost`)."""
    costs = simulation.costs.costs
    found: list[dict[str, int]] = [{SYNAPTIC_EVENTS: 0} for _ in simulation.pe_list]

    def add(core: int, operation: str, times: int) -> None:
        name = costs[operation].counter
        if name:
            found[core][name] = found[core].get(name, 0) + times

    for pe in simulation.pe_list:
        for operation, times in pe.operations.items():
            add(pe.core, operation, times)
    for group in simulation.groups():
        done: NDArray[np.int64] = group.charged + group.counts
        for core, row in zip(group.cores.tolist(), done.tolist(), strict=True):
            for operation, times in zip(group.kernel.operations, row, strict=True):
                add(core, operation, times)
    return found


def _levels(simulation: Simulation, pe: ProcessingElement) -> dict[str, int]:
    """Return how long the core was at each clock level, and the cycles of its handlers there."""
    cores, levels, core = simulation.cores, simulation.levels, pe.core
    now, cycles = int(simulation.env.now), int(cores.awake_cycles[core])
    high = {"ps": now * levels.base, "cycles": cycles * levels.base}
    if levels.auto:
        high = {"ps": int(cores.high_ps[core]), "cycles": int(cores.high_cycles[core])}
    values = {}
    for number, name in enumerate(LEVELS):
        if f"pe.levels.{name}_mhz" in simulation.machine.description:
            values[f"Time_at_{name}_level_ps"] = high["ps"] if number else now - high["ps"]
            spent = high["cycles"] if number else cycles - high["cycles"]
            values[f"Cycles_at_{name}_level"] = spent
    values["Time_awake_ps"] = int(cores.awake_ps[core])
    return values
