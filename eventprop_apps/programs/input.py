"""The input program: one spike per input line, timed by the sample's value."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from chipsim.sim.pe import ProcessingElement
from chipsim.sim.program import Kernel, StepCall
from eventprop_apps.keys import SpikeKey, bits_for
from eventprop_apps.programs.batches import FedProgram, Steps
from eventprop_apps.programs.decode import due_inputs
from eventprop_apps.programs.plan import Job, Plan, SampleFeeder, sample_events
from eventprop_apps.programs.ports import SpikeTargets
from eventprop_apps.programs.whole import input_whole

_NEVER = -1


class InputKernel(Kernel):
    """Sends the spikes of each step, for all replicas in one call.

    Parameters
    ----------
    replicas : int
    capacity : int
        Spikes that a sample can have.
    key : SpikeKey
    """

    operations: ClassVar[tuple[str, ...]] = ("input_event",)

    def __init__(self, replicas: int, capacity: int, key: SpikeKey) -> None:
        self.key = key
        self.spikes_out: SpikeTargets | None = None
        self.parity = 0
        self.sample = np.full(replicas, -1, dtype=np.int32)
        self._step = np.full((replicas, capacity), _NEVER, dtype=np.int64)
        self._line = np.zeros((replicas, capacity), dtype=np.int64)

    def load(self, row: int, words: NDArray[np.uint32] | None, sample: int, parity: int) -> None:
        """Take a replica's sample as it stands in its SRAM; None leaves the replica idle."""
        self.parity = parity
        self.sample[row] = sample
        self._step[row] = _NEVER
        if words is not None:
            step, line = sample_events(words)
            self._step[row, : len(step)] = step
            self._line[row, : len(line)] = line

    def room(self) -> int:
        """Return the most packets of a step: every spike of every sample."""
        plan = None if self.spikes_out is None else self.spikes_out.alone
        if plan is None or plan.by_key:
            return 0
        return int(plan.fan.sum()) * self._step.shape[1]

    def whole(self, form: NDArray[np.int64], local: int, tick: int, now: int) -> bool:
        """Send the spikes of the step in one call."""
        assert self.spikes_out is not None
        assert self.spikes_out.alone is not None
        plan = self.spikes_out.alone.form
        high = self.parity << bits_for(self.key.neurons)
        input_whole(form, tick, now, plan, self._step, self._line, self.sample, high)
        return True

    def step(self, call: StepCall) -> None:
        """Send the spikes of the step."""
        high = self.parity << bits_for(self.key.neurons)
        position, offset, tag, found = due_inputs(
            self._step, self._line, call.rows, call.step, self.sample, high
        )
        call.counts[:, 0] = 1 + found
        if len(position) and self.spikes_out is not None:
            self.spikes_out.send(call, position, offset - high, offset, tag)


class InputProgram(FedProgram):
    """Waits for its sample from the host, then plays it; ``sram``: the two sample buffers."""

    def __init__(
        self,
        replica: int,
        kernel: InputKernel,
        plan: Plan,
        feeder: SampleFeeder,
        steps: int,
        sram: dict[str, int],
    ) -> None:
        super().__init__(replica, plan, feeder, "input", sram)
        self.kernel = kernel
        self.steps = steps

    def batch(self, pe: ProcessingElement, number: int, job: Job) -> Steps:
        """Play a sample."""
        self._load(pe, number, job)
        yield pe.step(self.kernel, ticks=self.steps)

    def _load(self, pe: ProcessingElement, number: int, job: Job) -> None:
        words, sample = None, -1
        if self.replica < len(job):
            region = f"sample{number % 2}"
            words = pe.sram.words(pe.sram.number(region), 0, pe.sram.regions[region] // 4)
            sample = int(job.samples[self.replica])
        self.kernel.load(self.replica, words, sample, number % 2)
