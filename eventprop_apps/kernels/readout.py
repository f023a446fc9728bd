"""One step of a leaky read-out, which never spikes, and of its adjoint.

    V[i] = b V[i-1] + (1 - b) I[i]          as a LIF layer's, without threshold and reset
    y    = max over i >= 1 of V[i], the first on ties, or sum over i >= 1 of w[i] V[i]

The read-out keeps y alone, one number a neuron, and gets dL/dy back. Its adjoint has no jumps but
a source, r dL/dV[i] with r = -dt (1 - b) / (tau_s (1 - a)), that joins lambda_V[i] before step
i - 1; so ``-tau_s lambda_I[i] x S_below[i]`` sums up to dt dL/dW, exactly (docs/eventprop.md). The
factor dt [s] is that of the gradients of spike losses, whose errors are per step.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from chipsim.compiled import compiled, inlined
from eventprop_apps.kernels.answers import collect_answers
from eventprop_apps.kernels.arguments import check_events, steps_of
from eventprop_apps.kernels.factors import DECAY_V, GAIN_V, READOUT
from eventprop_apps.kernels.operations import (
    ADJOINT_JUMP,
    ADJOINT_UPDATE,
    ERROR_TERM,
    GRADIENT_UPDATE,
    INPUT_RECORD,
    NEURON_UPDATE,
    SYNAPTIC_EVENT,
    no_operations,
)
from eventprop_apps.kernels.rows import (
    Floats,
    Ints,
    Longs,
    add_inputs,
    answer_inputs,
    decay_adjoint,
    keep_input,
    subtract_gradient,
)
from eventprop_apps.kernels.state import (
    ACTIVE,
    CURRENT,
    INPUT_CURSOR,
    LAMBDA_V,
    VOLTAGE,
    LayerState,
)


@dataclass
class ReadoutState:
    """What a read-out keeps besides a layer's state.

    Attributes
    ----------
    value : ndarray, shape (rows, n_out), float
        y so far.
    best : ndarray, shape (rows, n_out), int32
        Step of the maximum so far; unused where ``weights`` are given.
    error : ndarray, shape (rows, n_out), float
        dL/dy as received.
    weights : ndarray, shape (T,) or (0,), float
        w of a weighted sum; empty for the maximum.
    """

    value: NDArray[Any]
    best: NDArray[np.int32]
    error: NDArray[Any]
    weights: NDArray[Any]

    @classmethod
    def make(cls, rows: int, n_out: int, weights: NDArray[Any] | None, dtype: Any) -> ReadoutState:
        """Return a fresh state; without weights for the maximum over time."""
        return cls(
            np.zeros((rows, n_out), dtype),
            np.zeros((rows, n_out), np.int32),
            np.zeros((rows, n_out), dtype),
            np.zeros(0, dtype) if weights is None else np.ascontiguousarray(weights, dtype),
        )

    @classmethod
    def of_loss(cls, loss: Any, rows: int, n_out: int, steps: int, dtype: Any) -> ReadoutState:
        """Return a fresh state for a loss that reads values."""
        weighted = loss.statistic == "weighted"
        return cls.make(rows, n_out, loss.step_weights(steps, dtype) if weighted else None, dtype)

    def reset(self, rows: NDArray[Any]) -> None:
        """Prepare rows for a new sample."""
        self.value[rows] = 0
        self.best[rows] = 0
        self.error[rows] = 0


@inlined
def readout_row(
    weights: Floats,
    neuron: Floats,
    inputs: Ints,
    counts: Longs,
    factors: Floats,
    value: Floats,
    best: Ints,
    step_weights: Floats,
    row: int,
    step: int,
    in_index: Ints,
    lo: int,
    hi: int,
) -> None:
    """Do forward step ``step`` of one row; step 0 leaves all at zero."""
    for k in range(lo, hi):
        keep_input(inputs, counts, row, in_index[k], step - 1)
    current = neuron[row, CURRENT]
    add_inputs(weights[0 if weights.shape[0] == 1 else row], current, factors, in_index, lo, hi)
    read_row(neuron, factors, value, best, step_weights, row, step)


@inlined
def read_row(
    neuron: Floats,
    factors: Floats,
    value: Floats,
    best: Ints,
    step_weights: Floats,
    row: int,
    step: int,
) -> None:
    """Do what step ``step`` does of one row once its currents are there."""
    current = neuron[row, CURRENT]
    voltage = neuron[row, VOLTAGE]
    b = factors[DECAY_V]
    gain = factors[GAIN_V]
    for n in range(current.size):
        voltage[n] = b * voltage[n] + gain * current[n]
    if step == 0:
        return
    y = value[row]
    if step_weights.size > 0:
        for n in range(current.size):
            y[n] += step_weights[step] * voltage[n]
        return
    for n in range(current.size):
        if step == 1 or voltage[n] > y[n]:
            y[n] = voltage[n]
            best[row, n] = step


@inlined
def has_source(
    factors: Floats, error: Floats, best: Ints, step_weights: Floats, row: int, n: int, i: int
) -> bool:
    """Return whether a neuron's lambda_V[i+1] gets a source before step ``i``."""
    return factors[READOUT] * error[row, n] != 0 and (
        step_weights.size > 0 or best[row, n] == i + 1
    )


@inlined
def source_of(
    factors: Floats, error: Floats, step_weights: Floats, row: int, n: int, i: int
) -> Any:
    """Return that source, ``r dL/dV[i+1]``."""
    source = factors[READOUT] * error[row, n]
    if step_weights.size > 0:
        source = source * step_weights[i + 1]
    return source


@inlined
def readout_back_row(
    weights: Floats,
    neuron: Floats,
    inputs: Ints,
    input_errors: Floats,
    counts: Longs,
    gradient: Floats,
    factors: Floats,
    error: Floats,
    best: Ints,
    step_weights: Floats,
    row: int,
    i: int,
    want_errors: bool,
) -> tuple[int, int, int]:
    """Do adjoint step ``i`` of one row.

    Returns the neurons that had a source, the inputs whose gradient moved, and the first place of
    the answered inputs in the record (the last is the input cursor).
    """
    lambda_v = neuron[row, LAMBDA_V]
    sources = 0
    for n in range(lambda_v.size):
        if has_source(factors, error, best, step_weights, row, n, i):
            lambda_v[n] += source_of(factors, error, step_weights, row, n, i)
            sources += 1
            counts[row, ACTIVE] = 1
    if counts[row, ACTIVE] != 0:
        decay_adjoint(neuron, factors, row)
    own = gradient[0 if gradient.shape[0] == 1 else row]
    moved = subtract_gradient(neuron, inputs, counts, own, factors, row, i)
    first = int(counts[row, INPUT_CURSOR])
    if want_errors:
        shared = weights[0 if weights.shape[0] == 1 else row]
        first = answer_inputs(shared, neuron, inputs, input_errors, counts, factors, row, i)
    return sources, moved, first


@compiled
def _forward(
    weights: Floats,
    neuron: Floats,
    inputs: Ints,
    counts: Longs,
    factors: Floats,
    value: Floats,
    best: Ints,
    step_weights: Floats,
    steps: Longs,
    rows: Longs,
    in_ptr: Longs,
    in_index: Ints,
    ops: Longs,
) -> None:
    for r in range(rows.size):
        readout_row(
            weights, neuron, inputs, counts, factors, value, best, step_weights, rows[r], steps[r],
            in_index, in_ptr[r], in_ptr[r + 1],
        )  # fmt: skip
        ops[r, SYNAPTIC_EVENT] = (in_ptr[r + 1] - in_ptr[r]) * weights.shape[1]
        ops[r, NEURON_UPDATE] = weights.shape[1]
        ops[r, INPUT_RECORD] = in_ptr[r + 1] - in_ptr[r]


@compiled
def _backward(
    weights: Floats,
    neuron: Floats,
    inputs: Ints,
    input_errors: Floats,
    counts: Longs,
    gradient: Floats,
    factors: Floats,
    error: Floats,
    best: Ints,
    step_weights: Floats,
    steps: Longs,
    rows: Longs,
    want_errors: bool,
    ops: Longs,
) -> tuple[Longs, Ints, Floats]:
    n_out = weights.shape[1]
    first = np.empty(rows.size, np.int64)
    ptr = np.zeros(rows.size + 1, np.int64)
    for r in range(rows.size):
        sources, moved, first[r] = readout_back_row(
            weights, neuron, inputs, input_errors, counts, gradient, factors, error, best,
            step_weights, rows[r], steps[r], want_errors,
        )  # fmt: skip
        ptr[r + 1] = ptr[r] + counts[rows[r], INPUT_CURSOR] - first[r]
        ops[r, ADJOINT_UPDATE] = n_out
        ops[r, ADJOINT_JUMP] = sources
        ops[r, GRADIENT_UPDATE] = moved * n_out
        ops[r, ERROR_TERM] = (ptr[r + 1] - ptr[r]) * n_out
    index, value = collect_answers(inputs, input_errors, rows, first, ptr)
    return ptr, index, value


def readout_forward_rows(
    state: LayerState,
    readout: ReadoutState,
    factors: NDArray[Any],
    step: int | NDArray[Any],
    rows: ArrayLike,
    in_ptr: ArrayLike,
    in_index: ArrayLike,
) -> NDArray[np.int64]:
    """Do forward step ``step`` of ``rows``; arguments as `forward_rows`; return the operations.

    ``readout.value`` holds y once step T - 1 is done.
    """
    at = np.ascontiguousarray(rows, np.int64)
    ptr = np.ascontiguousarray(in_ptr, np.int64)
    index = np.ascontiguousarray(in_index, np.int32)
    check_events("readout_forward_rows", ptr, at, index, state.n_in, "input lines")
    ops = no_operations(at.size)
    _forward(
        state.weights, state.neuron, state.inputs, state.counts, factors, readout.value,
        readout.best, readout.weights, steps_of(step, at), at, ptr, index, ops,
    )  # fmt: skip
    return ops


def readout_backward_rows(
    state: LayerState,
    readout: ReadoutState,
    factors: NDArray[Any],
    i: int | NDArray[Any],
    rows: ArrayLike,
    *,
    want_errors: bool = True,
) -> tuple[
    NDArray[np.int64], NDArray[np.int32], NDArray[np.int32], NDArray[Any], NDArray[np.int64]
]:
    """Do adjoint step ``i`` of ``rows`` with ``readout.error``; as `backward_rows`."""
    at = np.ascontiguousarray(rows, np.int64)
    steps = steps_of(i, at)
    ops = no_operations(at.size)
    ptr, index, value = _backward(
        state.weights, state.neuron, state.inputs, state.input_errors, state.counts,
        state.gradient, factors, readout.error, readout.best, readout.weights, steps, at,
        want_errors, ops,
    )  # fmt: skip
    step = np.repeat(steps - 1, np.diff(ptr)).astype(np.int32)
    return ptr, index, step, value, ops
