"""All steps of a layer that is recurrent, regularised or in slices: as `passes`, at more cost.

A recurrent layer's own spikes are input lines after those from below, so its weights are one
array ``[W | R]``; its answers to itself are added after the errors from above, as on the chip.

The slices of a layer that is split by inputs need a step of their own for their shares of the
currents, so step i takes the spikes of step i - 2, below and own ones. They are recorded with step
i - 1, in which the slices sum: with that the backward pass is that of other layers.
"""

from __future__ import annotations

import numpy as np

from chipsim.compiled import compiled, inlined
from eventprop_apps.kernels.rows import (
    Floats,
    Ints,
    Longs,
    add_slices,
    backward_row,
    find_spike,
    fire_row,
    keep_input,
    reset_row,
)
from eventprop_apps.kernels.state import (
    CURRENT,
    INPUT_CURSOR,
    INPUT_INDEX,
    INPUTS,
    SPIKE_ERROR,
    SPIKES,
)
from eventprop_apps.losses.regularisers import drive_row, regularise_row
from eventprop_apps.offchip.passes import add_sample, begin_sample


@inlined
def longest_sample(start: Longs, stop: Longs) -> int:
    """Return the most input events of a row."""
    longest = 0
    for row in range(start.size):
        longest = max(longest, stop[row] - start[row])
    return longest


@compiled
def general_forward_pass(
    weights: Floats,
    neuron: Floats,
    spikes: Ints,
    values: Floats,
    inputs: Ints,
    counts: Longs,
    factors: Floats,
    ends: Longs,
    delay: int,
    steps: int,
    below: int,
    in_index: Ints,
    in_step: Ints,
    start: Longs,
    stop: Longs,
) -> None:
    """Run steps 1 .. T-1 of a layer that may be recurrent or in slices.

    As `passes.forward_pass`; ``ends`` are the slices' ends, if there are slices, and ``delay`` is
    after how many steps a spike acts: 2 in a layer in slices, else 1. Spikes are recorded with the
    step before the one in which they act. A recurrent layer has more lines than ``below``.
    """
    n_out = weights.shape[1]
    again = weights.shape[2] > below
    newer, older = np.empty(n_out, np.int32), np.empty(n_out, np.int32)
    line = np.empty(longest_sample(start, stop) + n_out, np.int32)
    for row in range(start.size):
        reset_row(neuron, counts, row)
        current = neuron[row, CURRENT]
        hi = start[row]
        before, fired = 0, 0
        for i in range(1, steps):
            count = 0
            while hi < stop[row] and in_step[hi] == i - delay:
                line[count] = in_index[hi]
                count += 1
                hi += 1
            if again:
                own = newer if delay == 1 else older
                for k in range(fired if delay == 1 else before):
                    line[count] = below + own[k]
                    count += 1
            for k in range(count):
                keep_input(inputs, counts, row, line[k], i - 1)
            add_slices(weights[0], current, factors, ends, line, 0, count)
            newer, older = older, newer
            before = fired
            fired = fire_row(neuron, spikes, values, counts, factors, row, i, newer, 0)


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
    """Run adjoint steps T-2 .. 0 of a layer that may be recurrent, regularised or in slices.

    As `passes.backward_pass`; ``drive`` holds the regulariser's scalars, or nothing; ``delay`` as
    in `general_forward_pass`.
    """
    total[:] = 0
    number = np.empty(total.shape[0], total.dtype)
    for row in range(rows):
        begin_sample(scratch, input_errors, counts, row)
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
        add_sample(total, scratch)


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
        shares[row] = regularise_row(spikes, values, counts, scalars, row, steps, number, first)
