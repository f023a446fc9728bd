"""Batched steps: all cores that are due for one kernel at one instant, in one stacked call.

A core that overran is late: it runs alone, in a call with one row, as soon as it is free, and
catches up tick by tick; no tick is skipped. Group size 1 and n give the same bits because kernels
treat rows independently.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import simpy
from numpy.typing import NDArray

from chipsim.errors import ProgramError
from chipsim.network.instant import PROGRAM, at, happen_all
from chipsim.sim.handlers import charge_handlers, start_steps
from chipsim.sim.program import Kernel, Outgoing, StepCall
from chipsim.sim.sends import Draft, draft, merge, numbered, payload_rows, written
from chipsim.sim.whole_steps import WholeSteps

if TYPE_CHECKING:
    from chipsim.sim.simulation import Simulation

_NOBODY = np.zeros(0, dtype=np.int32)


class StepGroup:
    """The cores that run one kernel.

    Parameters
    ----------
    simulation : Simulation
    kernel : Kernel
    cores : ndarray of int32, shape (rows,)
        Core of each of the kernel's rows.
    number : int
        Of the group, in the order of :meth:`Simulation.bind`.

    Attributes
    ----------
    counts, charged : ndarray of int64, shape (rows, operations)
        How often each row did each of the kernel's operations: since the last
        :meth:`Simulation.charge_kernels`, and before it.
    whole : WholeSteps or None
        Its short cut, once it is known that there is one.
    """

    def __init__(
        self, simulation: Simulation, kernel: Kernel, cores: NDArray[np.int32], number: int = 0
    ) -> None:
        self.simulation = simulation
        self.number = number
        self.kernel = kernel
        self.cores = cores
        self.row_of = {int(core): row for row, core in enumerate(cores)}
        self._left = np.zeros(len(cores), dtype=np.int64)
        self._total = np.zeros(len(cores), dtype=np.int64)
        self._done: list[simpy.Event | None] = [None] * len(cores)
        self._ones = np.ones(len(cores), dtype=np.int64)
        self._refresh()
        self._rates, self._switch_ps = simulation.levels.rates(), simulation.levels.switch_ps
        self._costs = simulation.costs.vector(kernel.operations)
        shape = (len(cores), len(kernel.operations))
        self.counts = np.zeros(shape, dtype=np.int64)
        self.charged = np.zeros(shape, dtype=np.int64)
        self.whole: WholeSteps | None = None
        self._may_whole = True

    def join(self, core: int, ticks: int) -> simpy.Event:
        """Run the kernel on a core at each of its next ``ticks`` ticks; return the end's event.

        The core must be free. The event happens at the start of the last handler; the core is
        busy until that handler has ended.
        """
        if ticks < 1:
            raise ProgramError(f"pe.step: got ticks={ticks}, expected at least 1")
        row = self.row_of[core]
        self._left[row] = self._total[row] = ticks
        done = self._done[row] = self.simulation.env.event()
        self._stale = True  # many join at one instant: the next tick looks once
        simulation = self.simulation
        following = simulation.cores.tick.item(core) + 1
        if simulation.cores.tick_time(core, following) <= simulation.env.now:
            self._run_late(row)
        else:
            self._wait(row)
        return done

    def _wait(self, row: int) -> None:
        """Make sure that a row's next tick, which lies ahead, happens."""
        simulation = self.simulation
        if simulation.timers is None:
            simulation.clock.resume()
            return
        core = self.cores.item(row)
        due = simulation.cores.tick_time(core, simulation.cores.tick.item(core) + 1)
        simulation.timers.wake(self, row, due)

    def on_timer(self, rows: NDArray[np.int32]) -> None:
        """Run rows whose own timers tick now: free ones in a call per tick, the others when free.

        The simulation has settled all cores before.
        """
        simulation = self.simulation
        now = int(simulation.env.now)
        free = simulation.cores.settle(self.cores[rows], simulation.network, now)
        for row in rows[~free].tolist():
            self._when_free(row)
        ready = rows[free]
        due = simulation.cores.tick[self.cores[ready]] + 1
        for tick in np.unique(due).tolist():
            part = ready[due == tick]
            self._start(part, self.cores[part], tick, now)
            for row in part[self._left[part] > 0].tolist():
                self._wait(row)

    def on_tick(self, tick: int) -> bool:
        """Run the cores that are due and free; arrange for the late ones.

        The simulation has settled all cores before.
        """
        if self._stale:
            self._refresh()
        rows = self._active
        simulation = self.simulation
        if not len(rows) or simulation.timers is not None:
            return False
        cores = self._active_cores
        now = int(simulation.env.now)
        if self._start(rows, cores, tick, now):
            return bool(len(self._active))
        free = simulation.cores.settle(cores, simulation.network, now)
        due = simulation.cores.tick[cores] == tick - 1
        for row in rows[due & ~free]:
            self._when_free(int(row))
        ready = due & free
        if ready.any():
            self._start(rows[ready], cores[ready], tick, now)
        return bool(len(self._active))

    def _start(
        self, rows: NDArray[np.int32], cores: NDArray[np.int32], tick: int, now: int
    ) -> bool:
        """Run some rows, if all are due, settled and free; return whether they are."""
        inboxes = self._active_inboxes
        if cores is not self._active_cores:
            inboxes = self.simulation.cores.inbox[cores]
        last = self._start_whole(rows, cores, inboxes, tick, now)
        if last < 0:
            step = np.empty(len(rows), dtype=np.int64)
            last = start_steps(
                self.simulation.cores.data, cores, self._left, self._total, rows, step, tick, now
            )
            if last < 0:
                return False
            self._execute(rows, cores, inboxes, step, tick, now)
        if last:
            self._leave(rows[self._left[rows] == 0])
        return True

    def _start_whole(
        self,
        rows: NDArray[np.int32],
        cores: NDArray[np.int32],
        inboxes: NDArray[np.int32],
        tick: int,
        now: int,
    ) -> int:
        """Do :meth:`_start` by the short cut; see :meth:`WholeSteps.run`."""
        if self.whole is None:
            if self.simulation.directory is None or not self._may_whole:
                return -1
            self._may_whole = self.kernel.room() > 0
            if not self._may_whole:
                return -1
            self.whole = WholeSteps(self, self._left, self._total, self._costs)
        return self.whole.run(rows, cores, inboxes, tick, now)

    def _refresh(self) -> None:
        self._stale = False
        self._active = np.flatnonzero(self._left > 0).astype(np.int32)
        self._active_cores = self.cores[self._active]
        self._active_inboxes = self.simulation.cores.inbox[self._active_cores]

    def _when_free(self, row: int) -> None:
        """Run a late row as soon as its handler has ended."""
        core = int(self.cores[row])
        self.simulation.watches.when_free(core, lambda: self._run_late(row))

    def _run_late(self, row: int) -> None:
        simulation = self.simulation
        simulation.synchronise()
        core = self.cores[row : row + 1]
        now = int(simulation.env.now)
        # A handler that ends exactly at a tick is seen twice, by its own alarm and by the tick:
        # whoever comes second must neither take a tick before its time nor one too many.
        number = int(core[0])
        tick = simulation.cores.tick.item(number) + 1
        if not self._left[row] or simulation.cores.tick_time(number, tick) > now:
            return
        if not simulation.cores.settle(core, simulation.network, now)[0]:
            self._when_free(row)
            return
        self._start(np.array([row], dtype=np.int32), core, tick, now)
        if self._left[row] and simulation.cores.tick_time(number, tick + 1) <= simulation.env.now:
            self._when_free(row)
        elif self._left[row]:
            self._wait(row)

    def _execute(
        self,
        rows: NDArray[np.int32],
        cores: NDArray[np.int32],
        inboxes: NDArray[np.int32],
        step: NDArray[np.int64],
        tick: int,
        now: int,
    ) -> None:
        call = StepCall(
            rows=rows,
            tick=tick,
            step=step,
            inbox=self.simulation.drain(inboxes, tick),
            start_ps=now,
            counts=np.zeros((len(rows), len(self._costs)), dtype=np.int64),
        )
        self.kernel.step(call)
        self._finish(call, cores)

    def _finish(self, call: StepCall, cores: NDArray[np.int32]) -> None:
        """Turn counts into cycles and sends into scripts."""
        simulation = self.simulation
        simulation.tick_handlers += len(cores)
        sent = call.sent
        drafted = merge([self._draft(call, out) for out in sent]) if len(sent) > 1 else None
        writers, fan = _NOBODY, self._ones
        if drafted is not None:
            writers = drafted.position
        elif sent:
            writers, fan = sent[0].position, sent[0].plan.fan
        times = charge_handlers(
            simulation.cores.data,
            cores,
            call.counts,
            self._costs,
            self.counts,
            call.inbox.row,
            writers,
            call.rows,
            fan,
            simulation.tick_cycles,
            simulation.send_cycles,
            self._rates,
            self._switch_ps,
        )
        if simulation.operations is not None:
            simulation.operations.step(cores, self.kernel.operations, call.counts, self._costs)
        if drafted is not None:
            simulation.send(numbered(drafted, times, call.tick, simulation.sequence))
        elif sent:
            self._write(call, sent[0], times)

    def _write(self, call: StepCall, out: Outgoing, times: NDArray[np.int64]) -> None:
        simulation = self.simulation
        sends = written(
            out.plan, call.rows, out.position, *_columns(out), times, call.tick,
            simulation.sequence,
        )  # fmt: skip
        simulation.send(sends)

    def _draft(self, call: StepCall, out: Outgoing) -> Draft:
        return draft(out.plan, call.rows, out.position, *_columns(out))

    def _leave(self, rows: NDArray[np.int32]) -> None:
        """Let the programs of some rows go on, one after another, at once."""
        self._refresh()
        ended = [done for row in rows if (done := self._done[row]) is not None]
        for row in rows:
            self._done[row] = None
        env = self.simulation.env
        at(env, int(env.now), PROGRAM, lambda: happen_all(ended))


def _columns(
    out: Outgoing,
) -> tuple[NDArray[np.int64], NDArray[np.uint32], NDArray[np.int32]]:
    """Return key offsets, payload words and tags of a send."""
    count = len(out.position)
    plan = out.plan
    payload = payload_rows(out.payload, count, plan.most_words, plan.names[0])
    tag = np.full(count, -1, np.int32) if out.tag is None else out.tag.astype(np.int32, copy=False)
    return out.offset.astype(np.int64, copy=False), payload, tag
