"""Whole passes of recurrent, regularised and read-out layers: as `passes`, one layer at a time.

A recurrent layer's own spikes are input lines after those from below, so its weights are one
array ``[W | R]``; its answers to itself are added after the errors from above, as on the chip.
"""

from __future__ import annotations

import numpy as np

from chipsim.compiled import compiled
from eventprop_apps.kernels.readout import readout_back_row, readout_row
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
    INPUT_INDEX,
    INPUTS,
    SPIKE_ERROR,
    SPIKES,
)
from eventprop_apps.losses.regularisers import drive_row, regularise_row


@compiled
def recurrent_forward_pass(
    weights: Floats,
    neuron: Floats,
    spikes: Ints,
    values: Floats,
    inputs: Ints,
    counts: Longs,
    factors: Floats,
    steps: int,
    below: int,
    in_index: Ints,
    in_step: Ints,
    start: Longs,
    stop: Longs,
) -> None:
    """Run steps 1 .. T-1 of a recurrent layer; own spikes act one step later, as ``below + n``."""
    n_out = weights.shape[1]
    out = np.empty(n_out, np.int32)
    longest = 0
    for row in range(start.size):
        longest = max(longest, stop[row] - start[row])
    line = np.empty(longest + n_out, np.int32)
    for row in range(start.size):
        reset_row(neuron, counts, row)
        hi = start[row]
        fired = 0
        for i in range(1, steps):
            count = 0
            while hi < stop[row] and in_step[hi] == i - 1:
                line[count] = in_index[hi]
                count += 1
                hi += 1
            for k in range(fired):
                line[count] = below + out[k]
                count += 1
            fired = forward_row(
                weights, neuron, spikes, values, inputs, counts, factors, row, i, line, 0, count,
                out, 0,
            )  # fmt: skip


@compiled
def general_backward_pass(
    weights: Floats,
    neuron: Floats,
    spikes: Ints,
    values: Floats,
    inputs: Ints,
    input_errors: Floats,
    counts: Longs,
    scratch: Floats,
    factors: Floats,
    drive: Floats,
    steps: int,
    rows: int,
    below: int,
    want_errors: bool,
    delay: int,
    total: Floats,
) -> None:
    """Run adjoint steps T-2 .. 0 of a layer that may be recurrent or regularised.

    As `passes.backward_pass`; ``drive`` holds the regulariser's scalars, or nothing. ``delay`` is
    after how many steps a spike acts: 2 in a layer that is split by inputs.
    """
    total[:] = 0
    number = np.empty(total.shape[0], total.dtype)
    for row in range(rows):
        scratch[:] = 0
        input_errors[row, : counts[row, INPUTS]] = 0
        if drive.size > 0:
            drive_row(spikes, inputs, counts, scratch[0], drive, row, number)
        for i in range(steps - 2, -1, -1):
            _, _, first = backward_row(
                weights, neuron, spikes, values, inputs, input_errors, counts, scratch, factors,
                row, i, want_errors,
            )  # fmt: skip
            for k in range(first, counts[row, INPUT_CURSOR]):
                own = inputs[row, INPUT_INDEX, k] - below
                if own >= 0:
                    at = find_spike(spikes, counts[row, SPIKES], row, own, i - delay)
                    values[row, SPIKE_ERROR, at] += input_errors[row, k]
        for n in range(total.shape[0]):
            for j in range(total.shape[1]):
                total[n, j] += scratch[0, n, j]


@compiled
def take_errors_below(
    values: Floats, input_errors: Floats, inputs: Ints, counts: Longs, rows: int, below: int
) -> None:
    """As `passes.take_errors`, from a layer that also recorded its own spikes."""
    for row in range(rows):
        at = 0
        for k in range(counts[row, INPUTS]):
            if inputs[row, INPUT_INDEX, k] < below:
                values[row, SPIKE_ERROR, at] += input_errors[row, k]
                at += 1


@compiled
def take_spike_errors(values: Floats, counts: Longs, start: Longs, errors: Floats) -> None:
    """Add a loss's errors, one a spike in recorded order, to the output spikes."""
    for row in range(start.size):
        for k in range(counts[row, SPIKES]):
            values[row, SPIKE_ERROR, k] += errors[start[row] + k]


@compiled
def regularise_pass(
    spikes: Ints, values: Floats, counts: Longs, scalars: Floats, steps: int, shares: Floats, n: int
) -> None:
    """Add a layer's regulariser to its spikes' errors, for rows 0 .. len(shares) - 1."""
    number = np.empty(n, values.dtype)
    first = np.empty(n, values.dtype)
    for row in range(shares.size):
        shares[row] = regularise_row(
            spikes, values, counts, scalars, row, steps, number, first
        )  # fmt: skip


@compiled
def readout_forward_pass(
    weights: Floats,
    neuron: Floats,
    inputs: Ints,
    counts: Longs,
    factors: Floats,
    value: Floats,
    best: Ints,
    step_weights: Floats,
    steps: int,
    in_index: Ints,
    in_step: Ints,
    start: Longs,
    stop: Longs,
) -> None:
    """Run steps 1 .. T-1 of a leaky read-out; ``value`` is then its y."""
    for row in range(start.size):
        reset_row(neuron, counts, row)
        value[row] = 0
        hi = start[row]
        for i in range(1, steps):
            lo = hi
            while hi < stop[row] and in_step[hi] == i - 1:
                hi += 1
            readout_row(
                weights, neuron, inputs, counts, factors, value, best, step_weights, row, i,
                in_index, lo, hi,
            )  # fmt: skip


@compiled
def readout_backward_pass(
    weights: Floats,
    neuron: Floats,
    inputs: Ints,
    input_errors: Floats,
    counts: Longs,
    scratch: Floats,
    factors: Floats,
    error: Floats,
    best: Ints,
    step_weights: Floats,
    steps: int,
    rows: int,
    want_errors: bool,
    total: Floats,
) -> None:
    """Run adjoint steps T-2 .. 0 of a leaky read-out, from dL/dy in ``error``."""
    total[:] = 0
    for row in range(rows):
        scratch[:] = 0
        input_errors[row, : counts[row, INPUTS]] = 0
        for i in range(steps - 2, -1, -1):
            readout_back_row(
                weights, neuron, inputs, input_errors, counts, scratch, factors, error, best,
                step_weights, row, i, want_errors,
            )  # fmt: skip
        for n in range(total.shape[0]):
            for j in range(total.shape[1]):
                total[n, j] += scratch[0, n, j]
