"""A leaky read-out: no spikes, but one value a neuron at the end, and its error back."""

from __future__ import annotations

from chipsim.sim.program import StepCall
from eventprop_apps.kernels.layer import reset_rows
from eventprop_apps.kernels.operations import OPERATIONS
from eventprop_apps.kernels.readout import (
    ReadoutState,
    readout_backward_rows,
    readout_forward_rows,
)
from eventprop_apps.kernels.state import LayerState
from eventprop_apps.model import Model
from eventprop_apps.partition import Block
from eventprop_apps.programs.decode import count_strays
from eventprop_apps.programs.inbox import pointers
from eventprop_apps.programs.layer import LayerKernel


class ReadoutKernel(LayerKernel):
    """One part of a leaky read-out; row = replica.

    The value leaves in tick T - 1 as a packet of its own, and dL/d(value) comes back in tick
    T + 1, named by the neuron and step T - 1.
    """

    def __init__(
        self, model: Model, block: Block, state: LayerState, readout: ReadoutState, nets: int
    ) -> None:
        super().__init__(model, block, state, nets)
        self.readout = readout

    def room(self) -> int:
        """Return 0: a read-out's steps are done in parts."""
        return 0

    def _forward(self, call: StepCall, step: int) -> None:
        rows = call.rows
        if step == 0:
            reset_rows(self.state, rows)
            self.readout.reset(rows)
        position, line = self.spikes_in.take(call.inbox, self.parity, self.strays)
        count_strays(self.astray, rows, call.inbox.row, position)
        ptr = pointers(position, len(rows))
        call.counts[:, : len(OPERATIONS)] += readout_forward_rows(
            self.state, self.readout, self.factors, step, rows, ptr, line
        )
        if step == self.model.steps - 1:
            self._send_values(call, self.readout)

    def _backward(self, call: StepCall, step: int) -> None:
        rows = call.rows
        position, _, neuron, value = self.errors_in.take(
            call.inbox, self.parity, self.model.dtype, self.strays
        )
        count_strays(self.astray, rows, call.inbox.row, position)
        # A neuron gets one error; a late one acts from the step that drains it.
        self.readout.error[rows[position], neuron] = value
        ptr, index, at_step, error, ops = readout_backward_rows(
            self.state, self.readout, self.factors, step, rows,
            want_errors=self.errors_below is not None,
        )  # fmt: skip
        call.counts[:, : len(OPERATIONS)] += ops
        self._send_errors(call, ptr, index, at_step, error)
