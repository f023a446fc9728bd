"""A layer split by inputs: what its neurons do, whose currents the slices sum.

Forward they add what the slices have sent (`eventprop_apps.kernels.slices`) and fire, or are read;
backward they go through their adjoint and return its jumps, which the slices need. States, records
and arithmetic are those of a layer on one PE.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from chipsim.compiled import compiled
from eventprop_apps.kernels.factors import DECAY_I, ZERO
from eventprop_apps.kernels.operations import (
    ADJOINT_JUMP,
    ADJOINT_UPDATE,
    NEURON_UPDATE,
    SPIKE_RECORD,
)
from eventprop_apps.kernels.readout import ReadoutState, has_source, read_row, source_of
from eventprop_apps.kernels.rows import (
    Floats,
    Ints,
    Longs,
    decay_adjoint,
    fire_row,
    take_jumps,
)
from eventprop_apps.kernels.state import (
    ACTIVE,
    CURRENT,
    LAMBDA_V,
    SPIKE_JUMP,
    SPIKE_NEURON,
    LayerState,
)


@compiled
def _add_parts(
    neuron: Floats, factors: Floats, rows: Longs, ptr: Longs, group: Longs, value: Floats
) -> None:
    n_out, width = neuron.shape[2], value.shape[1]
    acc = np.empty(n_out, neuron.dtype)
    a = factors[DECAY_I]
    for r in range(rows.size):
        acc[:] = factors[ZERO]
        for e in range(ptr[r], ptr[r + 1]):
            first = group[e] * width
            for w in range(min(width, n_out - first)):
                acc[first + w] += value[e, w]
        current = neuron[rows[r], CURRENT]
        for n in range(n_out):
            current[n] = a * current[n] + acc[n]


@compiled
def _fire(
    neuron: Floats,
    spikes: Ints,
    values: Floats,
    counts: Longs,
    factors: Floats,
    step: int,
    rows: Longs,
    ops: Longs,
) -> tuple[Longs, Ints]:
    n_out = neuron.shape[2]
    out = np.empty(rows.size * n_out, np.int32)
    out_ptr = np.zeros(rows.size + 1, np.int64)
    for r in range(rows.size):
        at = out_ptr[r]
        fired = fire_row(neuron, spikes, values, counts, factors, rows[r], step, out, at)
        out_ptr[r + 1] = at + fired
        ops[r, NEURON_UPDATE] += n_out
        ops[r, SPIKE_RECORD] += fired
    return out_ptr, out[: out_ptr[rows.size]]


@compiled
def _read(
    neuron: Floats,
    factors: Floats,
    value: Floats,
    best: Ints,
    step_weights: Floats,
    step: int,
    rows: Longs,
    ops: Longs,
) -> None:
    for r in range(rows.size):
        read_row(neuron, factors, value, best, step_weights, rows[r], step)
        ops[r, NEURON_UPDATE] += neuron.shape[2]


def add_currents(
    state: LayerState,
    factors: NDArray[Any],
    rows: ArrayLike,
    ptr: NDArray[np.int64],
    group: NDArray[np.int64],
    value: NDArray[Any],
) -> None:
    """Add the slices' sums to the neurons' currents: ``I = a I + acc``, acc in the order given.

    Parameters
    ----------
    state : LayerState
        The neurons'; changed in place.
    factors : ndarray, shape (9,)
    rows : array_like of int
    ptr, group, value
        What each row drained, as CSR, slices ascending: group of neurons, sums (n, width).
    """
    at = np.ascontiguousarray(rows, np.int64)
    _add_parts(state.neuron, factors, at, ptr, group, value)


def fire_rows(
    state: LayerState,
    factors: NDArray[Any],
    step: int,
    rows: ArrayLike,
    ops: NDArray[np.int64],
) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Do step ``step`` of neurons whose currents are there; returns as `forward_rows`."""
    return _fire(
        state.neuron, state.spikes, state.spike_values, state.counts, factors, step,
        np.ascontiguousarray(rows, np.int64), ops,
    )  # fmt: skip


def read_rows(
    state: LayerState,
    readout: ReadoutState,
    factors: NDArray[Any],
    step: int,
    rows: ArrayLike,
    ops: NDArray[np.int64],
) -> None:
    """Do step ``step`` of a read-out whose currents are there."""
    _read(
        state.neuron, factors, readout.value, readout.best, readout.weights, step,
        np.ascontiguousarray(rows, np.int64), ops,
    )  # fmt: skip


@compiled
def _jumps(
    neuron: Floats,
    spikes: Ints,
    values: Floats,
    counts: Longs,
    factors: Floats,
    i: int,
    rows: Longs,
    ops: Longs,
) -> tuple[Longs, Ints, Floats]:
    n_out = neuron.shape[2]
    ptr = np.zeros(rows.size + 1, np.int64)
    where = np.empty(rows.size * n_out, np.int32)
    value = np.empty(rows.size * n_out, neuron.dtype)
    for r in range(rows.size):
        row = rows[r]
        lo, hi = take_jumps(neuron, spikes, values, counts, factors, row, i)
        if counts[row, ACTIVE] != 0:
            decay_adjoint(neuron, factors, row)
        count = ptr[r]
        for k in range(lo, hi):
            jump = values[row, SPIKE_JUMP, k]
            if jump != 0:
                neuron[row, LAMBDA_V, spikes[row, SPIKE_NEURON, k]] += jump
                where[count] = spikes[row, SPIKE_NEURON, k]
                value[count] = jump
                count += 1
        ptr[r + 1] = count
        ops[r, ADJOINT_UPDATE] += n_out
        ops[r, ADJOINT_JUMP] += hi - lo
    return ptr, where[: ptr[rows.size]], value[: ptr[rows.size]]


@compiled
def _sources(
    neuron: Floats,
    counts: Longs,
    factors: Floats,
    error: Floats,
    best: Ints,
    step_weights: Floats,
    i: int,
    rows: Longs,
    ops: Longs,
) -> tuple[Longs, Ints, Floats]:
    n_out = neuron.shape[2]
    ptr = np.zeros(rows.size + 1, np.int64)
    where = np.empty(rows.size * n_out, np.int32)
    value = np.empty(rows.size * n_out, neuron.dtype)
    for r in range(rows.size):
        row = rows[r]
        count = ptr[r]
        for n in range(n_out):
            if has_source(factors, error, best, step_weights, row, n, i):
                where[count] = n
                value[count] = source_of(factors, error, step_weights, row, n, i)
                neuron[row, LAMBDA_V, n] += value[count]
                counts[row, ACTIVE] = 1
                count += 1
        if counts[row, ACTIVE] != 0:
            decay_adjoint(neuron, factors, row)
        ptr[r + 1] = count
        ops[r, ADJOINT_UPDATE] += n_out
        ops[r, ADJOINT_JUMP] += count - ptr[r]
    return ptr, where[: ptr[rows.size]], value[: ptr[rows.size]]


def adjoint_jumps(
    state: LayerState, factors: NDArray[Any], i: int, rows: ArrayLike, ops: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[Any]]:
    """Do adjoint step ``i`` of the neurons; return the jumps of lambda_V[i] as CSR.

    Jumps of zero are left out. Every neuron jumps at most once a step, so their order is free.
    """
    return _jumps(
        state.neuron, state.spikes, state.spike_values, state.counts, factors, i,
        np.ascontiguousarray(rows, np.int64), ops,
    )  # fmt: skip


def adjoint_sources(
    state: LayerState,
    readout: ReadoutState,
    factors: NDArray[Any],
    i: int,
    rows: ArrayLike,
    ops: NDArray[np.int64],
) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[Any]]:
    """Do adjoint step ``i`` of a read-out; return the sources of lambda_V[i + 1] as CSR."""
    return _sources(
        state.neuron, state.counts, factors, readout.error, readout.best, readout.weights, i,
        np.ascontiguousarray(rows, np.int64), ops,
    )  # fmt: skip
