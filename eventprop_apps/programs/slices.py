"""A layer split by inputs: the program of its slices, and that of its neurons.

| tick | a slice | the neurons |
|---|---|---|
| k < T | sums the spikes sent in k - 1, sends what is not zero | add what slices sent, fire |
| T | | regularise, send the drive of neurons that spiked too little |
| T < k < 2T | adjoint step 2T - k, with jumps sent in k - 1 | adjoint step 2T - 1 - k, send jumps |
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from chipsim.network.api import PAYLOAD_WORDS, Deliveries
from chipsim.sim.pe import ProcessingElement
from chipsim.sim.program import Effect, Program, StepCall
from chipsim.sim.sends import SendPlan
from eventprop_apps.kernels.layer import OPERATIONS, reset_rows
from eventprop_apps.kernels.readout import ReadoutState
from eventprop_apps.kernels.slices import (
    add_currents,
    adjoint_jumps,
    adjoint_sources,
    fire_rows,
    read_rows,
    slice_backward_rows,
    slice_drives,
    slice_sums,
)
from eventprop_apps.kernels.state import SPIKE_NEURON, SPIKES, LayerState
from eventprop_apps.keys import CurrentKey
from eventprop_apps.losses.regularisers import DRIVE, LOW
from eventprop_apps.model import Model
from eventprop_apps.partition import Block
from eventprop_apps.programs.inbox import pointers
from eventprop_apps.programs.layer import LayerKernel
from eventprop_apps.programs.plan import BATCH_BARRIER, BEGIN_BARRIER, Plan
from eventprop_apps.programs.ports import ErrorSources

DRIVE_STEP = 0
"""Step in the key of a drive: no neuron spikes in step 0, so no jump has it."""


def numbers_per_packet(model: Model) -> int:
    """Return how many numbers a packet of 128 bit carries."""
    return PAYLOAD_WORDS // model.word_count


class CurrentSources:
    """The nets that bring the neurons what each slice has summed, slices ascending.

    Parameters
    ----------
    nets : int
        Number of the application's nets.
    key : CurrentKey
    """

    def __init__(self, nets: int, key: CurrentKey) -> None:
        self.key = key
        self._rank = np.full(nets + 1, -1, dtype=np.int64)
        self._ranks = 0

    def add(self, nets: list[int]) -> None:
        """Expect sums on ``nets``, one a row, added after those of earlier calls."""
        self._rank[nets] = self._ranks
        self._ranks += 1

    def take(
        self, inbox: Deliveries, parity: int, dtype: np.dtype[Any]
    ) -> tuple[NDArray[np.int32], NDArray[np.int64], NDArray[Any], int]:
        """Return (row position, group, sums (n, width)) in the order of the sums, and strays."""
        rank = self._rank[inbox.net]
        sent_parity, group = self.key.decode(inbox.key)
        own = np.flatnonzero((rank >= 0) & (sent_parity == parity))
        order = own[np.lexsort((rank[own], inbox.row[own]))]
        value = np.ascontiguousarray(inbox.payload[order]).view(dtype)
        return inbox.row[order], group[order], value, len(inbox) - len(order)


class SliceKernel(LayerKernel):
    """One slice of a layer's input lines, with the weights of all neurons from these lines.

    Attributes
    ----------
    jumps_in : ErrorSources
        The neurons' jumps, and drives.
    currents_out : SendPlan or None
    """

    operations: ClassVar[tuple[str, ...]] = (*OPERATIONS, "spike_decode", "jump_add")

    def __init__(self, model: Model, block: Block, state: LayerState, nets: int) -> None:
        super().__init__(model, block, state, nets)
        self.jumps_in = ErrorSources(nets, self.errors_in.key)
        self.currents_out: SendPlan | None = None
        self.current_key = CurrentKey(model.sizes[block.layer + 1], numbers_per_packet(model))
        self.reads = not model.spikes(block.layer)

    def room(self) -> int:
        """Return 0: a slice's steps are done in parts."""
        return 0

    def _forward(self, call: StepCall, step: int) -> None:
        rows = call.rows
        if step == 0:
            reset_rows(self.state, rows)
        position, line = self.spikes_in.take(call.inbox, self.parity, self.strays)
        if step == self.model.steps - 1 or not len(position):
            return  # what is summed in step T - 1 would act in step T
        sender, group, value = slice_sums(
            self.state, self.factors, step, rows, pointers(position, len(rows)), line,
            self.current_key.width, call.counts,
        )  # fmt: skip
        if len(sender) and self.currents_out is not None:
            call.send(
                self.currents_out,
                sender,
                self.current_key.encode(self.parity, group),
                value.view(np.uint32).reshape(len(sender), PAYLOAD_WORDS),
                self.sample[rows[sender]],
            )

    def _regularise(self, call: StepCall) -> None:
        """Do nothing: the neurons know their spikes."""

    def _backward(self, call: StepCall, step: int) -> None:
        rows, q = call.rows, step + 1
        position, jump_step, neuron, value = self.jumps_in.take(
            call.inbox, self.parity, self.model.dtype, self.strays
        )
        np.add.at(call.counts[:, len(OPERATIONS) + 1], position, 1)
        driven = jump_step == DRIVE_STEP
        if driven.any():
            self._drive(call, position[driven], neuron[driven], value[driven])
            position, neuron, value = position[~driven], neuron[~driven], value[~driven]
        if q == self.model.steps - 1:
            return
        below = self.lines_below - self.block.lines[0]  # the slice's first line of own spikes
        first = 0 if self.errors_below is not None else max(0, below)
        ptr, index, error = slice_backward_rows(
            self.state, self.factors, q, rows, pointers(position, len(rows)), neuron, value,
            before=self.reads, ops=call.counts,
            first_line=first if self.errors_below or self.errors_own else self.state.n_in,
        )  # fmt: skip
        at = np.full(len(index), q - 2, dtype=np.int32)
        self._send_errors(call, ptr, index + self.block.lines[0], at, error)

    def _drive(
        self, call: StepCall, position: NDArray[Any], neuron: NDArray[Any], gap: NDArray[Any]
    ) -> None:
        regulariser = self.model.regularisers[self.layer]
        assert regulariser is not None
        assert self.job is not None
        scalars = regulariser.scalars(
            self.model.steps, self.job.batch, self.model.factors[self.layer].dt_s, self.model.dtype
        )
        slice_drives(self.state, call.rows, position, neuron, gap, scalars[DRIVE], call.counts)


class NeuronsKernel(LayerKernel):
    """The neurons of a layer in slices: currents come in, spikes and jumps go out.

    Attributes
    ----------
    currents_in : CurrentSources
    jumps_out : SendPlan or None
    readout : ReadoutState or None
        Of a leaky read-out.
    """

    operations: ClassVar[tuple[str, ...]] = (*OPERATIONS, "spike_decode", "current_add")

    def __init__(
        self,
        model: Model,
        block: Block,
        state: LayerState,
        readout: ReadoutState | None,
        nets: int,
    ) -> None:
        super().__init__(model, block, state, nets)
        width = numbers_per_packet(model)
        self.currents_in = CurrentSources(nets, CurrentKey(model.sizes[block.layer + 1], width))
        self.jumps_out: SendPlan | None = None
        self.readout = readout

    def room(self) -> int:
        """Return 0: the steps of these neurons are done in parts."""
        return 0

    def _forward(self, call: StepCall, step: int) -> None:
        rows = call.rows
        if step == 0:
            reset_rows(self.state, rows)
            if self.readout is not None:
                self.readout.reset(rows)
        position, group, value, strays = self.currents_in.take(
            call.inbox, self.parity, self.model.dtype
        )
        self.strays.stale_phase += strays
        ptr = pointers(position, len(rows))
        call.counts[:, len(OPERATIONS) + 1] += np.diff(ptr) * value.shape[1]
        add_currents(self.state, self.factors, rows, ptr, group, value)
        if self.readout is not None:
            read_rows(self.state, self.readout, self.factors, step, rows, call.counts)
            if step == self.model.steps - 1:
                self._send_values(call, self.readout)
            return
        out_ptr, out = fire_rows(self.state, self.factors, step, rows, call.counts)
        self._send_spikes(call, step, out_ptr, out)

    def _regularise(self, call: StepCall) -> None:
        """Add the regulariser to the spikes' errors; tell the slices which neurons it drives."""
        super()._regularise(call)
        job, regulariser = self.job, self.model.regularisers[self.layer]
        if job is None or not job.backward or regulariser is None or not regulariser.acts:
            return
        model = self.model
        scalars = regulariser.scalars(
            model.steps, job.batch, model.factors[self.layer].dt_s, model.dtype
        )
        if not scalars[DRIVE] > 0:
            return
        gap = np.stack([scalars[LOW] - self._spikes_of(row) for row in call.rows.tolist()])
        position, neuron = np.nonzero((gap > 0) & (self.sample[call.rows] >= 0)[:, None])
        steps = np.full(len(neuron), DRIVE_STEP)
        self._send_jumps(call, position, steps, neuron, gap[position, neuron])

    def _spikes_of(self, row: int) -> NDArray[Any]:
        """Return the number of recorded spikes of each neuron of a row, in the model's dtype."""
        spikes = self.state.spikes[row, SPIKE_NEURON, : self.state.counts[row, SPIKES]]
        return np.bincount(spikes, minlength=self.state.n_out).astype(self.model.dtype)

    def _backward(self, call: StepCall, step: int) -> None:
        rows = call.rows
        position, err_step, neuron, value = self.errors_in.take(
            call.inbox, self.parity, self.model.dtype, self.strays
        )
        if self.readout is not None:
            self.readout.error[rows[position], neuron] = value
            ptr, where, jump = adjoint_sources(
                self.state, self.readout, self.factors, step, rows, call.counts
            )
        else:
            self._store_errors(call, position, err_step, neuron, value, step)
            ptr, where, jump = adjoint_jumps(self.state, self.factors, step, rows, call.counts)
        if step > 0:  # what step 0 adds is of no use to the slices
            sender = np.repeat(np.arange(len(rows)), np.diff(ptr))
            self._send_jumps(call, sender, np.full(len(where), step + 1), where, jump)

    def _send_jumps(
        self,
        call: StepCall,
        position: NDArray[Any],
        step: NDArray[Any],
        neuron: NDArray[Any],
        value: NDArray[Any],
    ) -> None:
        """Send jumps, or drives, to all slices; rows ascending."""
        if not len(position) or self.jumps_out is None:
            return
        sender = position.astype(np.int32)
        call.send(
            self.jumps_out,
            sender,
            self.errors_in.key.encode(self.parity, step, neuron),
            np.ascontiguousarray(value, self.model.dtype).view(np.uint32).reshape(len(sender), -1),
            self.sample[call.rows[sender]],
        )


class NeuronsProgram(Program):
    """Runs the neurons of a layer in slices; it has no weights to send or to get."""

    def __init__(
        self, replica: int, kernel: NeuronsKernel, plan: Plan, sram: dict[str, int]
    ) -> None:
        self.replica = replica
        self.kernel = kernel
        self.plan = plan
        self._sram = sram

    def sram(self) -> dict[str, int]:
        """Return state and records."""
        return self._sram

    def run(self, pe: ProcessingElement) -> Generator[Effect, Any, None]:
        """Do one batch a job."""
        kernel = self.kernel
        number = self.plan.start
        if not number:
            yield pe.barrier(BEGIN_BARRIER)
        while (job := self.plan.job(number)) is not None:
            kernel.begin(number, job, self.replica)
            steps = kernel.model.steps
            yield pe.step(kernel, ticks=2 * steps if job.backward else steps + 1)
            yield pe.barrier(BATCH_BARRIER)
            number += 1
