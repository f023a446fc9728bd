"""The loss program: first spike times, the loss, and errors back to the output layer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from chipsim.errors import ProgramError
from chipsim.sim.pe import ProcessingElement
from chipsim.sim.program import Kernel, StepCall
from chipsim.sim.sends import NO_PLAN
from eventprop_apps.keys import bits_for
from eventprop_apps.losses.api import Outputs, Targets, given_errors
from eventprop_apps.losses.ttfs import note_first_spikes
from eventprop_apps.model import Model
from eventprop_apps.programs.batches import FedProgram, Steps
from eventprop_apps.programs.decode import count_strays
from eventprop_apps.programs.inbox import ASTRAY, Strays, pointers
from eventprop_apps.programs.plan import Job, Plan, SampleFeeder
from eventprop_apps.programs.ports import ErrorTargets, SpikeSources
from eventprop_apps.programs.whole import listen_whole

IDLE = -1


class LossKernel(Kernel):
    """The loss of all replicas; row = replica.

    Parameters
    ----------
    model : Model
    replicas, nets : int
    capacity : int
        Output spikes of a sample that are kept, where the loss reads all spikes.

    Attributes
    ----------
    first : ndarray of int32, shape (replicas, n_out)
        First spike step of each output neuron; T where silent.
    values : ndarray, shape (replicas, n_out)
        What a leaky read-out sent.
    loss : ndarray, shape (replicas,)
        Each sample's share of the loss.
    choice : ndarray of int64, shape (replicas, heads)
        The outputs predicted.
    label : ndarray of int64, shape (replicas, heads)
        -1 for a replica without a sample, or with given errors.
    wanted : ndarray, shape (replicas, n_out)
        Wanted values of the samples, where the loss takes such.
    given : ndarray or None, shape (replicas, n_out)
        dL/dt (or dL/dy of a read-out) to use instead of a label's.
    """

    operations: ClassVar[tuple[str, ...]] = ("spike_decode", "first_spike", "loss_output")

    def __init__(self, model: Model, replicas: int, nets: int, capacity: int = 0) -> None:
        self.model = model
        outputs = model.sizes[-1]
        shape = (replicas, outputs)
        self.reads = model.loss.reads
        self.spikes_in = SpikeSources(nets)
        self.errors: ErrorTargets | None = None
        self.first = np.full(shape, model.steps, dtype=np.int32)
        self.values = np.zeros(shape, dtype=model.dtype)
        self.heard = np.zeros((2, replicas, capacity), dtype=np.int32)
        self.count = np.zeros(replicas, dtype=np.int64)
        self.loss = np.zeros(replicas, dtype=model.dtype)
        self.choice = np.zeros((replicas, model.loss.heads), dtype=np.int64)
        self.label = np.full((replicas, model.loss.heads), IDLE, dtype=np.int64)
        self.wanted = np.zeros(shape, dtype=model.dtype)
        self.given: NDArray[Any] | None = None
        self.job: Job | None = None
        self.parity = 0
        self.sample = np.full(replicas, -1, dtype=np.int32)
        self.strays = Strays()
        self.astray = np.zeros(replicas, dtype=np.int64)
        self.on_errors: Any = None
        self.watch: Callable[[StepCall], None] | None = None

    def step(self, call: StepCall) -> None:
        """Note what the outputs sent; in tick T compute the loss and send the errors."""
        local = int(call.step[0])
        rows = call.rows
        if self.watch is not None:
            self.watch(call)
        if local == 0:
            self.first[rows] = self.model.steps
            self.values[rows] = 0
            self.count[rows] = 0
        if self.reads == "values":
            position, neuron, value = self.spikes_in.take_values(
                call.inbox, self.parity, self.model.dtype, self.strays
            )
            self.values[rows[position], neuron] = value
        else:
            position, neuron = self.spikes_in.take(call.inbox, self.parity, self.strays)
        count_strays(self.astray, rows, call.inbox.row, position)
        if len(position):
            ptr = pointers(position, len(rows))
            seen = np.diff(ptr)
            if self.reads != "values":
                note_first_spikes(self.first, local - 1, rows, ptr, neuron)
            if self.reads == "spikes":
                self._keep(rows, position, ptr, neuron, local - 1)
            call.counts[:, 0] = seen
            call.counts[:, 1] = seen
        if local == self.model.steps and self.job is not None:
            self._finish(call, self.job)

    def room(self) -> int:
        """Return the most packets of a step, at least 1: while it listens a loss sends nothing.

        0 where it needs more than first spikes, so that steps are done in parts.
        """
        return 0 if self.reads != "first" or self.spikes_in.several else 1

    def whole(self, form: NDArray[np.int64], local: int, tick: int, now: int) -> bool:
        """Listen in one call, if nobody watches; a batch's begin and end are done in parts."""
        if not 0 < local < self.model.steps or self.watch is not None:
            return False
        key, nets, _ = self.spikes_in.groups[0]
        stale = listen_whole(
            form, tick, now, NO_PLAN, nets, self.parity, bits_for(key.neurons), self.first,
            local - 1, self.astray,
        )  # fmt: skip
        if stale < 0:
            raise ProgramError(
                f"loss, tick {tick}: a packet names an output that there is not; a key was decoded "
                "with the wrong base"
            )
        self.strays.stale_phase += stale
        return True

    def _keep(
        self,
        rows: NDArray[np.int32],
        position: NDArray[Any],
        ptr: NDArray[np.int64],
        neuron: NDArray[Any],
        step: int,
    ) -> None:
        """Append spikes to their rows' records."""
        row = rows[position]
        place = self.count[row] + np.arange(len(row)) - ptr[position]
        room = self.heard.shape[2]
        if int(place.max()) >= room:
            raise ProgramError(
                f"loss: {int(place.max()) + 1} output spikes of replica "
                f"{int(row[place.argmax()])}, room for {room}; raise model.spike_records"
            )
        self.heard[0, row, place] = neuron
        self.heard[1, row, place] = step
        self.count[rows] += np.diff(ptr)

    def outputs(self, rows: NDArray[Any]) -> Outputs:
        """Return what the outputs of some rows did."""
        model, first = self.model, self.first[rows]
        if self.reads == "values":
            return Outputs(model.steps, model.dtype, first, values=self.values[rows])
        if self.reads == "first":
            return Outputs(model.steps, model.dtype, first)
        count = self.count[rows]
        ptr = np.concatenate([[0], np.cumsum(count)]).astype(np.int64)
        row = np.repeat(rows, count)
        place = np.arange(len(row)) - np.repeat(ptr[:-1], count)
        neuron, step = self.heard[:, row, place]
        return Outputs(model.steps, model.dtype, first, ptr, neuron, step)

    def _finish(self, call: StepCall, job: Job) -> None:
        rows = call.rows
        busy = rows[rows < len(job)]
        if not len(busy):
            return
        call.counts[: len(busy), 2] = self.first.shape[1]
        outputs = self.outputs(busy)
        if self.given is None:
            targets = Targets(self.label[busy], self.wanted[busy])
            loss, error = self.model.loss.rows(outputs, targets, job.batch)
            self.loss[busy] = loss
        else:
            error = given_errors(outputs, self.given[busy])
        self.choice[busy] = self.model.loss.predict(outputs)
        if self.on_errors is not None:
            self.on_errors()
        if job.backward and self.errors is not None:
            self._send(call, busy, outputs, error)

    def _send(
        self, call: StepCall, busy: NDArray[Any], outputs: Outputs, error: NDArray[Any]
    ) -> None:
        """Send the errors: to every spike that got one, or of every read-out value."""
        steps = outputs.steps
        position: Any
        step: Any
        neuron: Any
        if outputs.ptr is not None and outputs.neuron is not None and outputs.step is not None:
            keep = np.flatnonzero(outputs.step < steps - 1)
            position = np.repeat(np.arange(len(busy)), np.diff(outputs.ptr))[keep]
            step, neuron, value = outputs.step[keep], outputs.neuron[keep], error[keep]
        elif self.reads == "values":
            position, neuron = (place.reshape(-1) for place in np.indices(error.shape))
            step, value = np.full(error.size, steps - 1), error.reshape(-1)
        else:
            position, neuron = np.nonzero(outputs.first < steps - 1)
            step, value = outputs.first[position, neuron], error[position, neuron]
        assert self.errors is not None
        self.errors.send(
            call,
            self.parity,
            position.astype(np.int32),
            step,
            neuron,
            value,
            self.sample[busy[position]],
        )


class LossProgram(FedProgram):
    """Waits for its label (or its errors) from the host, then watches the output layer.

    ``sram``: the two target buffers and the first spike times.
    """

    def __init__(
        self,
        replica: int,
        kernel: LossKernel,
        plan: Plan,
        feeder: SampleFeeder,
        sram: dict[str, int],
    ) -> None:
        super().__init__(replica, plan, feeder, "loss", sram)
        self.kernel = kernel

    def counters(self) -> dict[str, int]:
        """Return the packets that had no effect here."""
        return {ASTRAY: int(self.kernel.astray[self.replica])}

    def batch(self, pe: ProcessingElement, number: int, job: Job) -> Steps:
        """Judge a sample."""
        kernel = self.kernel
        kernel.parity = number % 2
        kernel.job = job
        kernel.label[self.replica] = IDLE
        kernel.sample[self.replica] = -1
        if self.replica < len(job):
            self._load(pe, f"target{number % 2}")
            kernel.sample[self.replica] = job.samples[self.replica]
        yield pe.step(kernel, ticks=kernel.model.steps + 1)

    def _load(self, pe: ProcessingElement, region: str) -> None:
        words = pe.sram.words(pe.sram.number(region), 0, pe.sram.regions[region] // 4)
        kernel, model = self.kernel, self.kernel.model
        numbers = model.sizes[-1] * model.word_count
        if kernel.given is not None:
            kernel.given[self.replica] = words[:numbers].view(model.dtype)
            return
        heads = model.loss.heads
        kernel.label[self.replica] = words[:heads]
        if model.loss.wants_values:
            values = np.ascontiguousarray(words[heads : heads + numbers])
            kernel.wanted[self.replica] = values.view(model.dtype)
