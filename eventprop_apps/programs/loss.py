"""The loss program: first spike times, the loss, and errors back to the output layer."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from chipsim.sim.pe import ProcessingElement
from chipsim.sim.program import Effect, Kernel, Program, StepCall
from eventprop_apps.losses.ttfs import first_spike_errors, note_first_spikes
from eventprop_apps.model import Model
from eventprop_apps.programs.inbox import Strays, pointers
from eventprop_apps.programs.plan import BATCH_BARRIER, BEGIN_BARRIER, Job, Plan, SampleFeeder
from eventprop_apps.programs.ports import ErrorTargets, SpikeSources

IDLE = -1


class LossKernel(Kernel):
    """The loss of all replicas; row = replica.

    Attributes
    ----------
    first : ndarray of int32, shape (replicas, n_out)
        First spike step of each output neuron; T where silent.
    loss : ndarray, shape (replicas,)
        Each sample's share of the loss.
    label : ndarray of int64, shape (replicas,)
        -1 for a replica without a sample, or with given errors.
    given : ndarray or None, shape (replicas, n_out)
        dL/dt to use instead of a label's.
    """

    operations: ClassVar[tuple[str, ...]] = ("spike_decode", "first_spike", "loss_output")

    def __init__(self, model: Model, replicas: int, nets: int) -> None:
        self.model = model
        outputs = model.sizes[-1]
        self.spikes_in = SpikeSources(nets)
        self.errors: ErrorTargets | None = None
        self.first = np.full((replicas, outputs), model.steps, dtype=np.int32)
        self.loss = np.zeros(replicas, dtype=model.dtype)
        self.label = np.full(replicas, IDLE, dtype=np.int64)
        self.given: NDArray[Any] | None = None
        self.job: Job | None = None
        self.parity = 0
        self.sample = np.full(replicas, -1, dtype=np.int32)
        self.strays = Strays()
        self.on_errors: Any = None

    def step(self, call: StepCall) -> None:
        """Note first spikes; in tick T compute the loss and send the errors."""
        local = int(call.step[0])
        rows = call.rows
        if local == 0:
            self.first[rows] = self.model.steps
        position, neuron = self.spikes_in.take(call.inbox, self.parity, self.strays)
        if len(position):
            ptr = pointers(position, len(rows))
            note_first_spikes(self.first, local - 1, rows, ptr, neuron)
            seen = np.diff(ptr)
            call.counts[:, 0] = seen
            call.counts[:, 1] = seen
        if local == self.model.steps and self.job is not None:
            self._finish(call, self.job)

    def _finish(self, call: StepCall, job: Job) -> None:
        rows = call.rows
        steps, dtype = self.model.steps, self.model.dtype
        busy = rows[rows < len(job)]
        if not len(busy):
            return
        call.counts[: len(busy), 2] = self.first.shape[1]
        first = self.first[busy]
        if self.given is None:
            loss, error = self.model.loss.loss_rows(
                first, self.label[busy], job.batch, steps=steps, dtype=dtype
            )
            self.loss[busy] = loss
        else:
            error = first_spike_errors(first, self.given[busy], steps=steps, dtype=dtype)
        if self.on_errors is not None:
            self.on_errors()
        if not job.backward or self.errors is None:
            return
        position, neuron = np.nonzero(first < steps - 1)
        self.errors.send(
            call,
            self.parity,
            position.astype(np.int32),
            first[position, neuron],
            neuron,
            error[position, neuron],
            self.sample[busy[position]],
        )


class LossProgram(Program):
    """Waits for its label (or its errors) from the host, then watches the output layer."""

    def __init__(
        self,
        replica: int,
        kernel: LossKernel,
        plan: Plan,
        feeder: SampleFeeder,
        sram: dict[str, int],
    ) -> None:
        self.replica = replica
        self.kernel = kernel
        self.plan = plan
        self.feeder = feeder
        self._sram = sram

    def sram(self) -> dict[str, int]:
        """Return the two target buffers and the first spike times."""
        return self._sram

    def run(self, pe: ProcessingElement) -> Generator[Effect, Any, None]:
        """Judge one sample a job."""
        kernel = self.kernel
        number = 0
        yield from self.feeder.wait(pe, number, self.replica, "loss")
        yield pe.barrier(BEGIN_BARRIER)
        while (job := self.plan.job(number)) is not None:
            kernel.parity = number % 2
            kernel.job = job
            kernel.label[self.replica] = IDLE
            kernel.sample[self.replica] = -1
            if self.replica < len(job):
                self._load(pe, f"target{number % 2}")
                kernel.sample[self.replica] = job.samples[self.replica]
            yield pe.step(kernel, ticks=kernel.model.steps + 1)
            yield from self.feeder.wait(pe, number + 1, self.replica, "loss")
            yield pe.barrier(BATCH_BARRIER)
            number += 1

    def _load(self, pe: ProcessingElement, region: str) -> None:
        words = pe.sram.words(pe.sram.number(region), 0, pe.sram.regions[region] // 4)
        if self.kernel.given is None:
            self.kernel.label[self.replica] = int(words[0])
        else:
            outputs = self.kernel.first.shape[1] * self.kernel.model.word_count
            self.kernel.given[self.replica] = words[:outputs].view(self.kernel.model.dtype)
