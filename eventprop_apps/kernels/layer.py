"""One step of a LIF layer for many rows in one call: what programs on simulated PEs use.

Rows are independent: a call with n rows and n calls with one row give the same bits.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from chipsim.compiled import compiled
from eventprop_apps.kernels.answers import collect_answers, pass_lines
from eventprop_apps.kernels.arguments import check_events, steps_of
from eventprop_apps.kernels.operations import (
    ADJOINT_JUMP,
    ADJOINT_UPDATE,
    ERROR_LOOKUP,
    ERROR_TERM,
    GRADIENT_UPDATE,
    INPUT_RECORD,
    NEURON_UPDATE,
    SPIKE_RECORD,
    SYNAPTIC_EVENT,
    no_operations,
)
from eventprop_apps.kernels.rows import (
    Floats,
    Ints,
    Longs,
    backward_row,
    find_spike,
    forward_row,
    reset_row,
)
from eventprop_apps.kernels.state import (
    INPUT_CURSOR,
    SPIKE_ERROR,
    SPIKE_MATCHED,
    SPIKES,
    LayerState,
)

MATCHED, UNMATCHED, PASSED = 0, 1, 2
"""Columns of what ``store_errors`` counts."""


@compiled
def reset(
    neuron: Floats, counts: Longs, gradient: Floats, rows: Longs, clear_gradient: bool
) -> None:
    """Do :func:`reset_rows` on a state's arrays."""
    for row in rows:
        reset_row(neuron, counts, row)
        if clear_gradient:
            gradient[0 if gradient.shape[0] == 1 else row] = 0


@compiled
def forward(
    weights: Floats,
    neuron: Floats,
    spikes: Ints,
    values: Floats,
    inputs: Ints,
    counts: Longs,
    factors: Floats,
    steps: Longs,
    rows: Longs,
    in_ptr: Longs,
    in_index: Ints,
    ops: Longs,
) -> tuple[Longs, Ints]:
    """Do :func:`forward_rows` on a state's arrays."""
    n_out = weights.shape[1]
    out = np.empty(rows.size * n_out, np.int32)
    out_ptr = np.zeros(rows.size + 1, np.int64)
    for r in range(rows.size):
        lo, hi = in_ptr[r], in_ptr[r + 1]
        at = out_ptr[r]
        fired = forward_row(
            weights, neuron, spikes, values, inputs, counts, factors, rows[r], steps[r],
            in_index, lo, hi, out, at,
        )  # fmt: skip
        out_ptr[r + 1] = at + fired
        ops[r, SYNAPTIC_EVENT] = (hi - lo) * n_out
        ops[r, NEURON_UPDATE] = n_out
        ops[r, SPIKE_RECORD] = fired
        ops[r, INPUT_RECORD] = hi - lo
    return out_ptr, out[: out_ptr[rows.size]]


@compiled
def store(
    spikes: Ints,
    values: Floats,
    counts: Longs,
    rows: Longs,
    steps: Longs,
    ptr: Longs,
    neuron: Ints,
    step: Ints,
    value: Floats,
    found: Longs,
) -> None:
    """Do :func:`store_errors` on a state's arrays, but for the operations."""
    for r in range(rows.size):
        row = rows[r]
        for e in range(ptr[r], ptr[r + 1]):
            k = find_spike(spikes, counts[row, SPIKES], row, neuron[e], step[e])
            if k < 0:
                found[r, UNMATCHED] += 1
            elif step[e] > steps[r] + 1:
                found[r, PASSED] += 1
            else:
                values[row, SPIKE_ERROR, k] += value[e]
                spikes[row, SPIKE_MATCHED, k] += 1
                found[r, MATCHED] += 1


@compiled
def backward(
    weights: Floats,
    neuron: Floats,
    spikes: Ints,
    values: Floats,
    inputs: Ints,
    input_errors: Floats,
    counts: Longs,
    gradient: Floats,
    factors: Floats,
    steps: Longs,
    rows: Longs,
    first_line: int,
    ops: Longs,
) -> tuple[Longs, Ints, Ints, Floats]:
    """Do :func:`backward_rows` on a state's arrays."""
    n_out = weights.shape[1]
    first = np.empty(rows.size, np.int64)
    ptr = np.zeros(rows.size + 1, np.int64)
    for r in range(rows.size):
        jumps, moved, first[r] = backward_row(
            weights, neuron, spikes, values, inputs, input_errors, counts, gradient, factors,
            rows[r], steps[r], first_line < weights.shape[2],
        )  # fmt: skip
        first[r] = pass_lines(inputs, counts, rows[r], first[r], first_line)
        ptr[r + 1] = ptr[r] + counts[rows[r], INPUT_CURSOR] - first[r]
        ops[r, ADJOINT_UPDATE] = n_out
        ops[r, ADJOINT_JUMP] = jumps
        ops[r, GRADIENT_UPDATE] = moved * n_out
        ops[r, ERROR_TERM] = (ptr[r + 1] - ptr[r]) * n_out
    index, value = collect_answers(inputs, input_errors, rows, first, ptr)
    step = np.empty(index.size, np.int32)
    for r in range(rows.size):
        for e in range(ptr[r], ptr[r + 1]):
            step[e] = steps[r] - 1
    return ptr, index, step, value


def reset_rows(state: LayerState, rows: ArrayLike, *, clear_gradient: bool = True) -> None:
    """Prepare ``rows`` for a new sample: states zero, records empty.

    Parameters
    ----------
    state : LayerState
        Changed in place.
    rows : array_like of int
        Rows of ``state``.
    clear_gradient : bool
        False keeps adding to the gradient of the samples before.
    """
    at = np.ascontiguousarray(rows, np.int64)
    reset(state.neuron, state.counts, state.gradient, at, clear_gradient)


def forward_rows(
    state: LayerState,
    factors: NDArray[Any],
    step: int | NDArray[Any],
    rows: ArrayLike,
    in_ptr: ArrayLike,
    in_index: ArrayLike,
    ops: NDArray[np.int64] | None = None,
) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.int64]]:
    """Do forward step ``step`` of ``rows``.

    Parameters
    ----------
    state : LayerState
        Changed in place.
    factors : ndarray, shape (9,)
        ``Factors.array(state.dtype)``.
    step : int or ndarray, shape (len(rows),)
        The step i, one for all or one a row. Step 0 has no inputs and leaves the states zero.
    rows : array_like of int
        Rows of ``state`` that do the step, each at most once.
    in_ptr : array_like of int, shape (len(rows) + 1,)
        ``in_index[in_ptr[r]:in_ptr[r + 1]]`` are the input spikes that row ``rows[r]`` drained.
    in_index : array_like of int
        Their input lines, ascending within a row. They act now, and are recorded as spikes of
        step i - 1: so a late spike counts as one of the step before the one that drains it.
    ops : ndarray, shape (len(rows), len(OPERATIONS) or more), int64, optional
        Zeros, where the operations are counted; made if None.

    Returns
    -------
    out_ptr : ndarray, shape (len(rows) + 1,), int64
        ``out_neuron[out_ptr[r]:out_ptr[r + 1]]`` fired in row ``rows[r]``.
    out_neuron : ndarray, int32
        Neurons, ascending within a row.
    ops : ndarray, shape (len(rows), len(OPERATIONS)), int64
        Operations counted, by the columns of `OPERATIONS`.

    Raises
    ------
    ProgramError
        For pointers that do not fit, or an input line that the layer does not have.
    """
    at = np.ascontiguousarray(rows, np.int64)
    ptr = np.ascontiguousarray(in_ptr, np.int64)
    index = np.ascontiguousarray(in_index, np.int32)
    check_events("forward_rows", ptr, at, index, state.n_in, "input lines")
    if ops is None:
        ops = no_operations(at.size)
    out_ptr, out = forward(
        state.weights, state.neuron, state.spikes, state.spike_values, state.inputs, state.counts,
        factors, steps_of(step, at), at, ptr, index, ops,
    )  # fmt: skip
    return out_ptr, out, ops


def store_errors(
    state: LayerState,
    rows: ArrayLike,
    err_ptr: ArrayLike,
    err_neuron: ArrayLike,
    err_step: ArrayLike,
    err_value: NDArray[Any],
    current_step: int | NDArray[Any],
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Add received errors to the spikes they answer, in the order given.

    Parameters
    ----------
    state : LayerState
        Changed in place.
    rows, err_ptr : array_like of int
        As `forward_rows`: row ``rows[r]`` drained the errors ``err_ptr[r]:err_ptr[r + 1]``.
    err_neuron, err_step : array_like of int
        Neuron and step of the spike that an error answers.
    err_value : ndarray
        The errors, of the state's dtype.
    current_step : int or ndarray, shape (len(rows),)
        The adjoint step i that is done next. It uses errors of step i + 1, so an error of a
        later step has no effect any more.

    Returns
    -------
    found : ndarray, shape (len(rows), 3), int64
        Errors that were added (MATCHED), that name no recorded spike (UNMATCHED), and whose
        step has passed (PASSED); the last two have no effect.
    ops : ndarray, shape (len(rows), len(OPERATIONS)), int64
        Operations counted.
    """
    at = np.ascontiguousarray(rows, np.int64)
    ptr = np.ascontiguousarray(err_ptr, np.int64)
    neuron = np.ascontiguousarray(err_neuron, np.int32)
    check_events("store_errors", ptr, at, neuron, state.n_out, "neurons")
    found = np.zeros((at.size, 3), np.int64)
    store(
        state.spikes, state.spike_values, state.counts, at, steps_of(current_step, at), ptr, neuron,
        np.ascontiguousarray(err_step, np.int32), np.ascontiguousarray(err_value, state.dtype),
        found,
    )  # fmt: skip
    ops = no_operations(at.size)
    ops[:, ERROR_LOOKUP] = np.diff(ptr)
    return found, ops


def backward_rows(
    state: LayerState,
    factors: NDArray[Any],
    i: int | NDArray[Any],
    rows: ArrayLike,
    *,
    want_errors: bool = True,
    first_line: int = 0,
    ops: NDArray[np.int64] | None = None,
) -> tuple[
    NDArray[np.int64], NDArray[np.int32], NDArray[np.int32], NDArray[Any], NDArray[np.int64]
]:
    """Do adjoint step ``i`` of ``rows``, and the errors for the layer below.

    Parameters
    ----------
    state : LayerState
        Changed in place.
    factors : ndarray, shape (9,)
        ``Factors.array(state.dtype)``.
    i : int or ndarray, shape (len(rows),)
        The step, from T - 2 down to 0; a row must not leave out a step.
    rows : array_like of int
        Rows of ``state`` that do the step.
    want_errors : bool
        False for the lowest layer, which nobody asks for errors.
    first_line : int
        Answer input lines from this one on; of a recurrent lowest layer only its own neurons.
    ops : ndarray, optional
        As in `forward_rows`.

    Returns
    -------
    err_ptr : ndarray, shape (len(rows) + 1,), int64
        As in `forward_rows`.
    err_index, err_step : ndarray, int32
        Input line and step, i - 1, of each recorded input spike that is answered now.
    err_value : ndarray
        ``E_below[i-1] = W^T (lambda_V[i] - lambda_I[i])`` at that line.
    ops : ndarray, shape (len(rows), len(OPERATIONS)), int64
        Operations counted.

    Notes
    -----
    In the order of the facts: ``lambda_I[i] = a lambda_I[i+1] + (1-a) lambda_V[i+1]``;
    ``lambda_V[i] = b lambda_V[i+1] + S[i+1] (threshold lambda_V[i+1] + G[i+1]) / Vdot[i+1]``;
    ``dW -= tau_s lambda_I[i] x S_below[i]``; then the errors.
    """
    at = np.ascontiguousarray(rows, np.int64)
    if ops is None:
        ops = no_operations(at.size)
    ptr, index, step, value = backward(
        state.weights, state.neuron, state.spikes, state.spike_values, state.inputs,
        state.input_errors, state.counts, state.gradient, factors, steps_of(i, at), at,
        first_line if want_errors else state.n_in, ops,
    )  # fmt: skip
    return ptr, index, step, value, ops
