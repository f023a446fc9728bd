"""A layer split by inputs: its neurons, which take currents from slices and send them jumps.

`eventprop_apps.programs.slices` says what they do in each tick.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from chipsim.sim.program import StepCall
from chipsim.sim.sends import SendPlan
from eventprop_apps.kernels.layer import reset_rows
from eventprop_apps.kernels.neurons import (
    add_currents,
    adjoint_jumps,
    adjoint_sources,
    fire_rows,
    read_rows,
)
from eventprop_apps.kernels.operations import OPERATIONS
from eventprop_apps.kernels.readout import ReadoutState
from eventprop_apps.kernels.state import SPIKE_NEURON, SPIKES, LayerState
from eventprop_apps.keys import CurrentKey
from eventprop_apps.losses.regularisers import DRIVE, LOW
from eventprop_apps.model import Model
from eventprop_apps.partition import Block
from eventprop_apps.programs.currents import DRIVE_STEP, CurrentSources
from eventprop_apps.programs.decode import count_strays
from eventprop_apps.programs.inbox import pointers
from eventprop_apps.programs.layer import LayerKernel


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
        key = CurrentKey(model.sizes[block.layer + 1], model.numbers_per_packet)
        self.currents_in = CurrentSources(nets, key)
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
        count_strays(self.astray, rows, call.inbox.row, position)
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
        scalars = self._regulariser_scalars()
        if scalars is None or not scalars[DRIVE] > 0:
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
        count_strays(self.astray, rows, call.inbox.row, position)
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
