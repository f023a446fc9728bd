"""Forward passes of layers that are split by inputs: a spike acts two steps later.

A slice's share of the currents needs a step of its own, so step i takes the spikes of step i - 2,
below and, in a recurrent layer, own ones. They are recorded with step i - 1, in which the slices
sum: with that the backward passes are those of other layers.
"""

from __future__ import annotations

import numpy as np

from chipsim.compiled import compiled
from eventprop_apps.kernels.readout import read_row
from eventprop_apps.kernels.rows import (
    Floats,
    Ints,
    Longs,
    add_slices,
    fire_row,
    keep_input,
    reset_row,
)
from eventprop_apps.kernels.state import CURRENT


@compiled
def delayed_forward_pass(
    weights: Floats,
    neuron: Floats,
    spikes: Ints,
    values: Floats,
    inputs: Ints,
    counts: Longs,
    factors: Floats,
    ends: Longs,
    steps: int,
    below: int,
    in_index: Ints,
    in_step: Ints,
    start: Longs,
    stop: Longs,
) -> None:
    """Run steps 1 .. T-1 of a LIF layer in slices; a recurrent one has more lines than ``below``.

    As `eventprop_apps.offchip.general.recurrent_forward_pass`; ``ends`` are the slices' ends.
    """
    n_out = weights.shape[1]
    again = weights.shape[2] > below
    newer, older = np.empty(n_out, np.int32), np.empty(n_out, np.int32)
    longest = 0
    for row in range(start.size):
        longest = max(longest, stop[row] - start[row])
    line = np.empty(longest + n_out, np.int32)
    for row in range(start.size):
        reset_row(neuron, counts, row)
        hi = start[row]
        before, fired = 0, 0
        for i in range(1, steps):
            count = 0
            while hi < stop[row] and in_step[hi] == i - 2:
                line[count] = in_index[hi]
                count += 1
                hi += 1
            if again:
                for k in range(before):
                    line[count] = below + older[k]
                    count += 1
            for k in range(count):
                keep_input(inputs, counts, row, line[k], i - 1)
            current = neuron[row, CURRENT]
            add_slices(weights[0], current, factors, ends, line, 0, count)
            newer, older = older, newer
            before = fired
            fired = fire_row(neuron, spikes, values, counts, factors, row, i, newer, 0)


@compiled
def delayed_readout_pass(
    weights: Floats,
    neuron: Floats,
    inputs: Ints,
    counts: Longs,
    factors: Floats,
    value: Floats,
    best: Ints,
    step_weights: Floats,
    ends: Longs,
    steps: int,
    in_index: Ints,
    in_step: Ints,
    start: Longs,
    stop: Longs,
) -> None:
    """Run steps 1 .. T-1 of a leaky read-out in slices."""
    for row in range(start.size):
        reset_row(neuron, counts, row)
        value[row] = 0
        hi = start[row]
        for i in range(1, steps):
            lo = hi
            while hi < stop[row] and in_step[hi] == i - 2:
                keep_input(inputs, counts, row, in_index[hi], i - 1)
                hi += 1
            current = neuron[row, CURRENT]
            add_slices(weights[0], current, factors, ends, in_index, lo, hi)
            read_row(neuron, factors, value, best, step_weights, row, i)
