"""All steps of one plain layer, for all samples of a batch, in one call.

Layers of a feed-forward network meet only through spikes and errors, so a layer can do its whole
forward pass before the next one begins: the steps, their order and their arithmetic are those of
`eventprop_apps.kernels.rows`, and the bits those of the chip. For layers that are recurrent,
regularised or in slices see `eventprop_apps.offchip.general`, for read-outs
`eventprop_apps.offchip.readout`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from chipsim.compiled import compiled, inlined
from eventprop_apps.kernels.rows import Floats, Ints, Longs, backward_row, forward_row, reset_row
from eventprop_apps.kernels.state import (
    INPUTS,
    SPIKE_ERROR,
    SPIKE_NEURON,
    SPIKE_STEP,
    SPIKES,
)


@compiled
def forward_pass(
    weights: Floats,
    neuron: Floats,
    spikes: Ints,
    values: Floats,
    inputs: Ints,
    counts: Longs,
    factors: Floats,
    steps: int,
    in_index: Ints,
    in_step: Ints,
    start: Longs,
    stop: Longs,
) -> None:
    """Run steps 1 .. T-1 of a layer for rows 0 .. len(start) - 1 on their input events.

    The events of row r are ``start[r]:stop[r]``, sorted by step, then index.
    """
    out = np.empty(weights.shape[1], np.int32)
    for row in range(start.size):
        reset_row(neuron, counts, row)
        hi = start[row]
        for i in range(1, steps):
            lo = hi
            while hi < stop[row] and in_step[hi] == i - 1:
                hi += 1
            forward_row(
                weights, neuron, spikes, values, inputs, counts, factors, row, i,
                in_index, lo, hi, out, 0,
            )  # fmt: skip


@compiled
def events_of(
    spikes: Ints, counts: Longs, rows: int, index: Ints, step: Ints, start: Longs, stop: Longs
) -> None:
    """Copy the recorded spikes of each row into the event arrays that the next layer reads."""
    at = 0
    for row in range(rows):
        start[row] = at
        for k in range(counts[row, SPIKES]):
            index[at] = spikes[row, SPIKE_NEURON, k]
            step[at] = spikes[row, SPIKE_STEP, k]
            at += 1
        stop[row] = at


@compiled
def first_spikes(spikes: Ints, counts: Longs, first: Ints, steps: int) -> None:
    """Write the step of every neuron's first spike, T where silent."""
    for row in range(first.shape[0]):
        first[row] = steps
        for k in range(counts[row, SPIKES] - 1, -1, -1):
            first[row, spikes[row, SPIKE_NEURON, k]] = spikes[row, SPIKE_STEP, k]


@compiled
def take_output_errors(
    spikes: Ints, values: Floats, counts: Longs, first: Ints, dldt: Floats
) -> None:
    """Add dL/dt to each output neuron's first spike."""
    for row in range(first.shape[0]):
        for k in range(counts[row, SPIKES]):
            n = spikes[row, SPIKE_NEURON, k]
            if spikes[row, SPIKE_STEP, k] == first[row, n]:
                values[row, SPIKE_ERROR, k] += dldt[row, n]


@compiled
def take_errors(values: Floats, input_errors: Floats, upper_counts: Longs, rows: int) -> None:
    """Add the errors of the layer above to the spikes they answer.

    The layer above recorded the spikes of this one in this one's order and without the last
    step's, so the k-th answer belongs to the k-th spike.
    """
    for row in range(rows):
        for k in range(upper_counts[row, INPUTS]):
            values[row, SPIKE_ERROR, k] += input_errors[row, k]


@inlined
def begin_sample(scratch: Floats, input_errors: Floats, counts: Longs, row: int) -> None:
    """Begin the adjoint pass of a row: no gradient yet, no answers yet."""
    scratch[:] = 0
    input_errors[row, : counts[row, INPUTS]] = 0


@inlined
def add_sample(total: Floats, scratch: Floats) -> None:
    """End it: add its gradient to the batch's."""
    for n in range(total.shape[0]):
        for j in range(total.shape[1]):
            total[n, j] += scratch[0, n, j]


@compiled
def backward_pass(
    weights: Floats,
    neuron: Floats,
    spikes: Ints,
    values: Floats,
    inputs: Ints,
    input_errors: Floats,
    counts: Longs,
    scratch: Floats,
    factors: Floats,
    steps: int,
    rows: int,
    want_errors: bool,
    total: Floats,
) -> None:
    """Run adjoint steps T-2 .. 0 of a layer; ``total = sum over rows, ascending, of dW``.

    A row's dW is built in ``scratch`` (1, n_out, n_in) and then added: the order in which the
    chip's optimiser adds replicas.
    """
    total[:] = 0
    for row in range(rows):
        begin_sample(scratch, input_errors, counts, row)
        for i in range(steps - 2, -1, -1):
            backward_row(
                weights, neuron, spikes, values, inputs, input_errors, counts, scratch, factors,
                row, i, want_errors,
            )  # fmt: skip
        add_sample(total, scratch)


def dense_spikes(spikes: Ints, counts: Longs, rows: int, steps: int, n: int) -> NDArray[Any]:
    """Return recorded spikes as an array of 0 and 1, shape (steps, rows, n), uint8."""
    array = np.zeros((steps, rows, n), np.uint8)
    for row in range(rows):
        count = int(counts[row, SPIKES])
        array[spikes[row, SPIKE_STEP, :count], row, spikes[row, SPIKE_NEURON, :count]] = 1
    return array
