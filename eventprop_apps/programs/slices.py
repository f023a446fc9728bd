"""A layer split by inputs: the slices, which hold its weights.

| tick | a slice | the neurons (`eventprop_apps.programs.neurons`) |
|---|---|---|
| k < T | sums the spikes sent in k - 1, sends what is not zero | add what slices sent, fire |
| T | | regularise, send the drive of neurons that spiked too little |
| T < k < 2T | adjoint step 2T - k, with jumps sent in k - 1 | adjoint step 2T - 1 - k, send jumps |
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from chipsim.network.api import PAYLOAD_WORDS
from chipsim.sim.program import StepCall
from chipsim.sim.sends import SendPlan
from eventprop_apps.kernels.layer import reset_rows
from eventprop_apps.kernels.operations import OPERATIONS
from eventprop_apps.kernels.slices import slice_backward_rows, slice_drives, slice_sums
from eventprop_apps.kernels.state import LayerState
from eventprop_apps.keys import CurrentKey
from eventprop_apps.losses.regularisers import DRIVE
from eventprop_apps.model import Model
from eventprop_apps.partition import Block
from eventprop_apps.programs.currents import DRIVE_STEP
from eventprop_apps.programs.decode import count_strays
from eventprop_apps.programs.inbox import pointers
from eventprop_apps.programs.layer import LayerKernel
from eventprop_apps.programs.ports import ErrorSources


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
        self.current_key = CurrentKey(model.sizes[block.layer + 1], model.numbers_per_packet)
        self.reads = not model.spikes(block.layer)

    def room(self) -> int:
        """Return 0: a slice's steps are done in parts."""
        return 0

    def _forward(self, call: StepCall, step: int) -> None:
        rows = call.rows
        if step == 0:
            reset_rows(self.state, rows)
        position, line = self.spikes_in.take(call.inbox, self.parity, self.strays)
        count_strays(self.astray, rows, call.inbox.row, position)
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
        count_strays(self.astray, rows, call.inbox.row, position)
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
        scalars = self._regulariser_scalars()
        assert scalars is not None
        slice_drives(self.state, call.rows, position, neuron, gap, scalars[DRIVE], call.counts)
