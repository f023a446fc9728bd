"""A layer of spiking neurons: forward in time, then the adjoint in reversed time, on one PE."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from chipsim.errors import ProgramError
from chipsim.sim.program import Kernel, StepCall
from chipsim.sim.sends import NO_PLAN
from eventprop_apps.kernels.layer import backward_rows, forward_rows, reset_rows, store_errors
from eventprop_apps.kernels.operations import OPERATIONS
from eventprop_apps.kernels.readout import ReadoutState
from eventprop_apps.kernels.regularise import regularise_rows
from eventprop_apps.kernels.state import LayerState
from eventprop_apps.keys import ErrorKey, SpikeKey, bits_for
from eventprop_apps.model import Model
from eventprop_apps.partition import Block
from eventprop_apps.programs.decode import count_rows, count_strays, same_step, senders
from eventprop_apps.programs.inbox import Strays, pointers
from eventprop_apps.programs.plan import Job
from eventprop_apps.programs.ports import ErrorSources, ErrorTargets, SpikeSources, SpikeTargets
from eventprop_apps.programs.whole import backward_whole, forward_whole


class SpikeLog(Protocol):
    """Takes what a layer fires: (step, rows, neurons)."""

    def append(self, entry: tuple[int, NDArray[np.int32], NDArray[np.int32]], /) -> None:
        """Take the spikes of one step."""


class LayerKernel(Kernel):
    """One part of a layer of all replicas; row = replica.

    Parameters
    ----------
    model : Model
    block : Block
        The layer, and which of its neurons.
    state : LayerState
        One row per replica, each with its own weights.
    nets : int
        Number of the application's nets.
    """

    operations: ClassVar[tuple[str, ...]] = (*OPERATIONS, "spike_decode")

    def __init__(self, model: Model, block: Block, state: LayerState, nets: int) -> None:
        layer = block.layer
        self.model = model
        self.block = block
        self.layer = layer
        self.state = state
        self.factors = model.factors[layer].array(model.dtype)
        self.lines_below = model.sizes[layer]
        self.key_out = SpikeKey(model.sizes[layer + 1])
        self.spikes_in = SpikeSources(nets)
        self.errors_in = ErrorSources(
            nets, ErrorKey(model.sizes[layer + 1], model.steps), block.first
        )
        self.spikes_out: SpikeTargets | None = None
        self.errors_below: ErrorTargets | None = None
        self.errors_own: ErrorTargets | None = None
        self.parity = 0
        self.job: Job | None = None
        self.sample = np.full(state.rows, -1, dtype=np.int32)
        self.shares = np.zeros(state.rows, dtype=model.dtype)
        self.strays = Strays()
        self.spike_log: SpikeLog | None = None
        self.watch: Callable[[StepCall, int], None] | None = None
        self.astray = np.zeros(state.rows, dtype=np.int64)
        self._found = np.zeros(3, dtype=np.int64)

    def begin(self, number: int, job: Job, replica: int) -> None:
        """Take a replica's part of a job."""
        self.parity = number % 2
        self.job = job
        self.sample[replica] = job.samples[replica] if replica < len(job) else -1

    def step(self, call: StepCall) -> None:
        """Do the forward or backward step that each row is at."""
        local = same_step(call.step)
        if local < 0:
            raise ProgramError(
                f"layer {self.layer}: rows of one call are at different steps of their batch; "
                "batches must begin together"
            )
        count_rows(call.counts, len(OPERATIONS), call.inbox.row)
        steps = self.model.steps
        if local < steps:
            self._forward(call, local)
        elif local > steps:
            self._backward(call, 2 * steps - 1 - local)
        else:
            # Tick T: spikes of step T - 1 arrive, which no layer sees any more.
            self._regularise(call)
        if self.watch is not None:
            self.watch(call, local)

    def room(self) -> int:
        """Return the most packets of a step; 0 where steps are done in parts.

        Whole are those of a layer of spiking neurons that is not recurrent, on nets of one form.
        """
        below, state = self.errors_below, self.state
        up = None if self.spikes_out is None else self.spikes_out.alone
        if (
            self.errors_own is not None
            or self.spikes_in.several
            or self.errors_in.several
            or up is None
            or up.by_key
            or (below is not None and (len(below.plans) > 1 or below.plans[0].by_key))
        ):
            return 0
        sent = int(up.fan.sum()) * state.n_out
        down = 0 if below is None else int(below.plans[0].fan.sum()) * state.inputs.shape[2]
        return max(sent, down)

    def whole(self, form: NDArray[np.int64], local: int, tick: int, now: int) -> bool:
        """Do a forward or backward step in one call, unless somebody watches the neurons."""
        steps = self.model.steps
        if local == steps or self.spike_log is not None or self.watch is not None:
            return False
        if local < steps:
            stale = self._forward_whole(form, local, tick, now)
        else:
            stale = self._backward_whole(form, 2 * steps - 1 - local, tick, now)
        if stale < 0:
            raise ProgramError(
                f"layer {self.layer}, tick {tick}: a packet names a line or neuron that the layer "
                "does not have; a key was decoded with the wrong base"
            )
        self.strays.stale_phase += stale
        return True

    def _forward_whole(self, form: NDArray[np.int64], step: int, tick: int, now: int) -> int:
        key, nets, _ = self.spikes_in.groups[0]
        state, block = self.state, self.block
        plan = None if self.spikes_out is None else self.spikes_out.alone
        assert plan is not None
        return forward_whole(
            form, tick, now, plan.form, nets, self.parity, bits_for(key.neurons), step,
            self.sample, block.first, self.parity << bits_for(self.key_out.neurons),
            len(OPERATIONS), self.astray, state.weights, state.neuron, state.spikes,
            state.spike_values, state.inputs, state.counts, state.gradient, self.factors,
        )  # fmt: skip

    def _backward_whole(self, form: NDArray[np.int64], step: int, tick: int, now: int) -> int:
        key, nets = self.errors_in.key, self.errors_in.wanted
        state, below = self.state, self.errors_below
        low, plan, first_line = 0, NO_PLAN, state.n_in
        high = self.parity
        if below is not None:
            low, plan, first_line = bits_for(below.key.neurons), below.plans[0].form, 0
            high <<= low + bits_for(below.key.steps)
        stale = backward_whole(
            form, tick, now, plan, nets, self.parity, bits_for(key.neurons), bits_for(key.steps),
            step, self.sample, self.block.first, low, high, len(OPERATIONS), self._found,
            self.astray, first_line, state.weights, state.neuron, state.spikes, state.spike_values,
            state.inputs, state.input_errors, state.counts, state.gradient, self.factors,
        )  # fmt: skip
        _, unmatched, passed = self._found.tolist()
        self.strays.unmatched_errors += unmatched
        self.strays.passed_errors += passed
        self._found[:] = 0
        return stale

    def _forward(self, call: StepCall, step: int) -> None:
        rows = call.rows
        if step == 0:
            reset_rows(self.state, rows)
        position, line = self.spikes_in.take(call.inbox, self.parity, self.strays)
        count_strays(self.astray, rows, call.inbox.row, position)
        ptr = pointers(position, len(rows))
        out_ptr, out, _ = forward_rows(
            self.state, self.factors, step, rows, ptr, line, ops=call.counts
        )
        self._send_spikes(call, step, out_ptr, out)

    def _send_spikes(
        self, call: StepCall, step: int, out_ptr: NDArray[np.int64], out: NDArray[np.int32]
    ) -> None:
        """Send what the neurons fired."""
        if not len(out) or self.spikes_out is None:
            return
        sender, tag = senders(out_ptr, call.rows, self.sample)
        neuron = out + self.block.first if self.block.first else out
        if self.spike_log is not None:
            self.spike_log.append((step, call.rows[sender], neuron))
        offset = self.key_out.encode(self.parity, neuron)
        self.spikes_out.send(call, sender, neuron, offset, tag)

    def _send_values(self, call: StepCall, readout: ReadoutState) -> None:
        """Send what a read-out's neurons have read."""
        if self.spikes_out is None:
            return
        rows = call.rows
        size = self.block.stop - self.block.first
        sender = np.repeat(np.arange(len(rows), dtype=np.int32), size)
        sender = sender[self.sample[rows[sender]] >= 0]
        neuron = np.tile(np.arange(self.block.first, self.block.stop), len(sender) // size)
        value = np.ascontiguousarray(readout.value[rows[sender], neuron - self.block.first])
        self.spikes_out.send(
            call,
            sender,
            neuron,
            self.key_out.encode(self.parity, neuron),
            self.sample[rows[sender]],
            value.view(np.uint32).reshape(-1, self.model.word_count),
        )

    def _regularise(self, call: StepCall) -> None:
        """Add the layer's regulariser to its spikes' errors, before any error from above."""
        scalars = self._regulariser_scalars()
        if scalars is None:
            return
        busy = np.flatnonzero(self.sample[call.rows] >= 0)
        self.shares[call.rows] = 0
        call.counts[busy, : len(OPERATIONS)] += regularise_rows(
            self.state, scalars, self.model.steps, call.rows[busy], self.shares
        )

    def _regulariser_scalars(self) -> NDArray[Any] | None:
        """Return what the layer's regulariser computes with; None where it does not act."""
        model, job, regulariser = self.model, self.job, self.model.regularisers[self.layer]
        if job is None or not job.backward or regulariser is None or not regulariser.acts:
            return None
        dt_s = model.factors[self.layer].dt_s
        return regulariser.scalars(model.steps, job.batch, dt_s, model.dtype)

    def _backward(self, call: StepCall, step: int) -> None:
        rows = call.rows
        position, err_step, neuron, value = self.errors_in.take(
            call.inbox, self.parity, self.model.dtype, self.strays
        )
        count_strays(self.astray, rows, call.inbox.row, position)
        self._store_errors(call, position, err_step, neuron, value, step)
        first_line = 0 if self.errors_below is not None else self.lines_below
        wanted = self.errors_below is not None or self.errors_own is not None
        ptr, index, at_step, error, _ = backward_rows(
            self.state, self.factors, step, rows, want_errors=wanted, first_line=first_line,
            ops=call.counts,
        )  # fmt: skip
        self._send_errors(call, ptr, index, at_step, error)

    def _store_errors(
        self,
        call: StepCall,
        position: NDArray[np.int32],
        err_step: NDArray[Any],
        neuron: NDArray[Any],
        value: NDArray[Any],
        step: int,
    ) -> None:
        """Add errors to the spikes that they answer, and count those that answer none."""
        if not len(position):
            return
        ptr = pointers(position, len(call.rows))
        found, ops = store_errors(self.state, call.rows, ptr, neuron, err_step, value, step)
        self.astray[call.rows] += found[:, 1] + found[:, 2]
        self.strays.unmatched_errors += int(found[:, 1].sum())
        self.strays.passed_errors += int(found[:, 2].sum())
        call.counts[:, : len(OPERATIONS)] += ops

    def _send_errors(
        self,
        call: StepCall,
        ptr: NDArray[np.int64],
        index: NDArray[np.int32],
        at_step: NDArray[np.int32],
        error: NDArray[Any],
    ) -> None:
        """Answer the spikes of the layer below, and those of the layer itself."""
        if not len(index):
            return
        sender, tag = senders(ptr, call.rows, self.sample)
        if self.errors_own is None:
            assert self.errors_below is not None
            self.errors_below.send(call, self.parity, sender, at_step, index, error, tag)
            return
        own = index >= self.lines_below
        self.errors_own.send(
            call, self.parity, sender[own], at_step[own], index[own] - self.lines_below,
            error[own], tag[own],
        )  # fmt: skip
        if self.errors_below is not None:
            self.errors_below.send(
                call, self.parity, sender[~own], at_step[~own], index[~own], error[~own],
                tag[~own],
            )  # fmt: skip

    def check_records(self) -> None:
        """Refuse a result whose spike records overflowed (the gradient would be incomplete)."""
        lost = int(self.state.spikes_lost.sum()) + int(self.state.inputs_lost.sum())
        if lost:
            raise ProgramError(
                f"layer {self.layer}: {lost} spikes found no room in a PE's spike record; "
                "raise model.spike_records or use fewer neurons per PE"
            )
