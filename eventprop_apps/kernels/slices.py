"""A layer split by inputs: what the slices of its weights do.

A slice holds the weights of all neurons from some input lines. In the step after a spike it sums
its part of the currents, which the neurons' PE (`eventprop_apps.kernels.neurons`) adds one step
later: a spike of step s acts in step s + 2. The neurons send every jump of their adjoint to the
slices, which go through the same leaky adjoint one step later and so have its bits. A slice records
an input spike with the step in which its part of the current was summed, s + 1: with that, gradient
and answers are those of `eventprop_apps.kernels.rows`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from chipsim.compiled import compiled, inlined
from eventprop_apps.kernels.answers import collect_answers, pass_lines
from eventprop_apps.kernels.factors import ZERO
from eventprop_apps.kernels.operations import (
    ADJOINT_UPDATE,
    ERROR_TERM,
    GRADIENT_UPDATE,
    INPUT_RECORD,
    SYNAPTIC_EVENT,
)
from eventprop_apps.kernels.rows import (
    Floats,
    Ints,
    Longs,
    answer_inputs,
    decay_adjoint,
    keep_input,
    subtract_gradient,
)
from eventprop_apps.kernels.state import (
    ACTIVE,
    INPUT_CURSOR,
    INPUT_INDEX,
    INPUTS,
    LAMBDA_V,
    LayerState,
)


@compiled
def _sum(
    weights: Floats,
    inputs: Ints,
    counts: Longs,
    factors: Floats,
    step: int,
    rows: Longs,
    in_ptr: Longs,
    in_index: Ints,
    width: int,
    ops: Longs,
) -> tuple[Ints, Ints, Floats]:
    n_out = weights.shape[1]
    groups = (n_out + width - 1) // width
    sender = np.empty(rows.size * groups, np.int32)
    group = np.empty(rows.size * groups, np.int32)
    value = np.zeros((rows.size * groups, width), weights.dtype)
    count = 0
    for r in range(rows.size):
        lo, hi = in_ptr[r], in_ptr[r + 1]
        row = rows[r]
        own = weights[0 if weights.shape[0] == 1 else row]
        for k in range(lo, hi):
            keep_input(inputs, counts, row, in_index[k], step)
        ops[r, SYNAPTIC_EVENT] += (hi - lo) * n_out
        ops[r, INPUT_RECORD] += hi - lo
        if hi == lo:
            continue
        for g in range(groups):
            some = False
            for n in range(g * width, min(n_out, (g + 1) * width)):
                acc = factors[ZERO]
                for k in range(lo, hi):
                    acc += own[n, in_index[k]]
                value[count, n - g * width] = acc
                some = some or acc != 0
            if some:
                sender[count] = r
                group[count] = g
                count += 1
            else:
                value[count] = 0
    return sender[:count], group[:count], value[:count]


def slice_sums(
    state: LayerState,
    factors: NDArray[Any],
    step: int,
    rows: ArrayLike,
    in_ptr: NDArray[np.int64],
    in_index: ArrayLike,
    width: int,
    ops: NDArray[np.int64],
) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[Any]]:
    """Sum a slice's part of the currents of step ``step + 1``.

    Parameters
    ----------
    state : LayerState
        The slice's; its records are changed in place.
    factors : ndarray, shape (9,)
        ``Factors.array(state.dtype)``.
    step : int
        The step that is done; the inputs were sent in the one before it.
    rows : array_like of int
        Rows of ``state``.
    in_ptr, in_index : array_like of int
        As in `eventprop_apps.kernels.layer.forward_rows`; lines of the slice.
    width : int
        Numbers that a packet carries.
    ops : ndarray, shape (len(rows), len(OPERATIONS) or more), int64
        Operations are counted here.

    Returns
    -------
    sender : ndarray, shape (n,), int32
        Positions in ``rows``, ascending.
    group : ndarray, shape (n,), int32
        Neurons ``group * width`` to ``group * width + width - 1``, ascending within a row. Groups
        whose sums are all zero are left out: adding them would change no bit.
    value : ndarray, shape (n, width), float
        Their sums; zero beyond the last neuron.
    """
    return _sum(
        state.weights, state.inputs, state.counts, factors, step,
        np.ascontiguousarray(rows, np.int64), in_ptr, np.ascontiguousarray(in_index, np.int32),
        width, ops,
    )  # fmt: skip


@compiled
def _drive(
    inputs: Ints,
    counts: Longs,
    gradient: Floats,
    rows: Longs,
    position: Ints,
    neuron: Longs,
    gap: Floats,
    strength: Any,
    ops: Longs,
) -> None:
    for e in range(position.size):
        row = rows[position[e]]
        for k in range(counts[row, INPUTS]):
            gradient[row, neuron[e], inputs[row, INPUT_INDEX, k]] -= strength * gap[e]
        ops[position[e], GRADIENT_UPDATE] += counts[row, INPUTS]


def slice_drives(
    state: LayerState,
    rows: ArrayLike,
    position: NDArray[np.int32],
    neuron: NDArray[np.int64],
    gap: NDArray[Any],
    strength: Any,
    ops: NDArray[np.int64],
) -> None:
    """Add a regulariser's drive of neurons that spiked too little to a slice's gradient.

    Parameters
    ----------
    state : LayerState
        Changed in place; its gradient has a row for each row.
    rows : array_like of int
    position, neuron : ndarray, shape (n,)
        Which row, as a position in ``rows``, and which neuron.
    gap : ndarray, shape (n,), float
        Spikes that the neuron lacks.
    strength : float of the state's dtype
        ``Regulariser.scalars(...)[DRIVE]``.
    ops : ndarray
        Operations are counted here.
    """
    _drive(
        state.inputs, state.counts, state.gradient, np.ascontiguousarray(rows, np.int64), position,
        neuron, gap, strength, ops,
    )  # fmt: skip


@inlined
def _add_jumps(
    neuron: Floats, counts: Longs, row: int, where: Longs, value: Floats, lo: int, hi: int
) -> None:
    for e in range(lo, hi):
        neuron[row, LAMBDA_V, where[e]] += value[e]
        counts[row, ACTIVE] = 1


@compiled
def _slice_backward(
    weights: Floats,
    neuron: Floats,
    inputs: Ints,
    input_errors: Floats,
    counts: Longs,
    gradient: Floats,
    factors: Floats,
    q: int,
    rows: Longs,
    ptr_in: Longs,
    where: Longs,
    jump: Floats,
    before: bool,
    first_line: int,
    ops: Longs,
) -> tuple[Longs, Ints, Floats]:
    n_out = weights.shape[1]
    first = np.empty(rows.size, np.int64)
    ptr = np.zeros(rows.size + 1, np.int64)
    for r in range(rows.size):
        row = rows[r]
        lo, hi = ptr_in[r], ptr_in[r + 1]
        if before:
            _add_jumps(neuron, counts, row, where, jump, lo, hi)
        if counts[row, ACTIVE] != 0:
            decay_adjoint(neuron, factors, row)
        if not before:
            _add_jumps(neuron, counts, row, where, jump, lo, hi)
        own = gradient[0 if gradient.shape[0] == 1 else row]
        moved = subtract_gradient(neuron, inputs, counts, own, factors, row, q)
        first[r] = counts[row, INPUT_CURSOR]
        if first_line < weights.shape[2]:
            shared = weights[0 if weights.shape[0] == 1 else row]
            first[r] = answer_inputs(shared, neuron, inputs, input_errors, counts, factors, row, q)
        first[r] = pass_lines(inputs, counts, row, first[r], first_line)
        ptr[r + 1] = ptr[r] + counts[row, INPUT_CURSOR] - first[r]
        ops[r, ADJOINT_UPDATE] += n_out
        ops[r, GRADIENT_UPDATE] += moved * n_out
        ops[r, ERROR_TERM] += (ptr[r + 1] - ptr[r]) * n_out
    index, value = collect_answers(inputs, input_errors, rows, first, ptr)
    return ptr, index, value


def slice_backward_rows(
    state: LayerState,
    factors: NDArray[Any],
    q: int,
    rows: ArrayLike,
    jump_ptr: NDArray[np.int64],
    jump_neuron: NDArray[np.int64],
    jump: NDArray[Any],
    *,
    before: bool,
    first_line: int,
    ops: NDArray[np.int64],
) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[Any]]:
    """Do adjoint step ``q`` of a slice, one tick after the neurons have done it.

    Parameters
    ----------
    state : LayerState
        Changed in place.
    factors : ndarray, shape (9,)
    q : int
        From T - 2 down to 1.
    rows : array_like of int
    jump_ptr, jump_neuron, jump
        Jumps that each row drained, as CSR: neuron and value.
    before : bool
        Whether a jump joins lambda_V before the decay (a read-out's source) or after it.
    first_line : int
        Answer input lines of the slice from this one on.
    ops : ndarray
        Operations are counted here.

    Returns
    -------
    err_ptr, err_index, err_value
        ``W^T (lambda_V[q] - lambda_I[q])`` at the lines that spiked in step ``q - 2``.
    """
    return _slice_backward(
        state.weights, state.neuron, state.inputs, state.input_errors, state.counts,
        state.gradient, factors, q, np.ascontiguousarray(rows, np.int64), jump_ptr, jump_neuron,
        jump, before, first_line, ops,
    )  # fmt: skip
