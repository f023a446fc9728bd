"""All steps of a leaky read-out, in slices or not: as `passes` for the last layer."""

from __future__ import annotations

from chipsim.compiled import compiled
from eventprop_apps.kernels.readout import read_row, readout_back_row
from eventprop_apps.kernels.rows import Floats, Ints, Longs, add_slices, keep_input, reset_row
from eventprop_apps.kernels.state import CURRENT
from eventprop_apps.offchip.passes import add_sample, begin_sample


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
    ends: Longs,
    delay: int,
    steps: int,
    in_index: Ints,
    in_step: Ints,
    start: Longs,
    stop: Longs,
) -> None:
    """Run steps 1 .. T-1 of a leaky read-out; ``value`` is then its y.

    ``ends`` and ``delay`` as in `eventprop_apps.offchip.general.general_forward_pass`.
    """
    for row in range(start.size):
        reset_row(neuron, counts, row)
        value[row] = 0
        current = neuron[row, CURRENT]
        hi = start[row]
        for i in range(1, steps):
            lo = hi
            while hi < stop[row] and in_step[hi] == i - delay:
                keep_input(inputs, counts, row, in_index[hi], i - 1)
                hi += 1
            add_slices(weights[0], current, factors, ends, in_index, lo, hi)
            read_row(neuron, factors, value, best, step_weights, row, i)


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
        begin_sample(scratch, input_errors, counts, row)
        for i in range(steps - 2, -1, -1):
            readout_back_row(
                weights, neuron, inputs, input_errors, counts, scratch, factors, error, best,
                step_weights, row, i, want_errors,
            )  # fmt: skip
        add_sample(total, scratch)
