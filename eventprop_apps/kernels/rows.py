"""One step of a LIF layer and of its adjoint, for one row: the arithmetic of every back end.

The order of operations below is a contract (DESIGN §7). Inputs are added in ascending index,
errors over ascending neurons; no sum is re-associated, no multiply-add is fused. Whoever calls
these functions, for however many rows, gets the same bits. Work is left out only where it cannot
change a bit: a term of exactly zero, an adjoint that has not left zero yet.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from chipsim.compiled import inlined
from eventprop_apps.kernels.factors import (
    DECAY_I,
    DECAY_V,
    GAIN_I,
    GAIN_V,
    TAU_S,
    THRESHOLD,
    TINY,
    ZERO,
)
from eventprop_apps.kernels.state import (
    ACTIVE,
    CURRENT,
    INPUT_CURSOR,
    INPUT_INDEX,
    INPUT_STEP,
    INPUTS,
    INPUTS_LOST,
    LAMBDA_I,
    LAMBDA_V,
    SPIKE_CURSOR,
    SPIKE_ERROR,
    SPIKE_JUMP,
    SPIKE_MATCHED,
    SPIKE_NEURON,
    SPIKE_STEP,
    SPIKE_VDOT,
    SPIKES,
    SPIKES_LOST,
    VOLTAGE,
)

Floats = NDArray[Any]
Ints = NDArray[np.int32]
Longs = NDArray[np.int64]


@inlined
def reset_row(neuron: Floats, counts: Longs, row: int) -> None:
    """Set the states of ``row`` to zero and forget its records."""
    neuron[row] = 0
    counts[row] = 0


@inlined
def keep_input(inputs: Ints, counts: Longs, row: int, index: int, step: int) -> None:
    """Record one input spike, or count it where the record is full."""
    k = counts[row, INPUTS]
    if k >= inputs.shape[2]:
        counts[row, INPUTS_LOST] += 1
        return
    inputs[row, INPUT_INDEX, k] = index
    inputs[row, INPUT_STEP, k] = step
    counts[row, INPUTS] = k + 1
    counts[row, INPUT_CURSOR] = k + 1


@inlined
def keep_spike(
    spikes: Ints, values: Floats, counts: Longs, row: int, neuron: int, step: int, vdot: Any
) -> None:
    """Record one own spike with its Vdot, or count it where the record is full."""
    k = counts[row, SPIKES]
    if k >= spikes.shape[2]:
        counts[row, SPIKES_LOST] += 1
        return
    spikes[row, SPIKE_NEURON, k] = neuron
    spikes[row, SPIKE_STEP, k] = step
    spikes[row, SPIKE_MATCHED, k] = 0
    values[row, SPIKE_VDOT, k] = vdot
    values[row, SPIKE_ERROR, k] = 0
    counts[row, SPIKES] = k + 1
    counts[row, SPIKE_CURSOR] = k + 1


@inlined
def add_inputs(
    weights: Floats, current: Floats, factors: Floats, in_index: Ints, lo: int, hi: int
) -> None:
    """``I = a*I + acc`` with ``acc = sum of W[n, j]`` over the inputs ``in_index[lo:hi]``."""
    a = factors[DECAY_I]
    for n in range(current.size):
        acc = factors[ZERO]
        for k in range(lo, hi):
            acc += weights[n, in_index[k]]
        current[n] = a * current[n] + acc


@inlined
def add_slices(
    weights: Floats,
    current: Floats,
    factors: Floats,
    ends: Longs,
    in_index: Ints,
    lo: int,
    hi: int,
) -> None:
    """As `add_inputs`, slice by slice: ``acc`` adds up, ascending, what each slice sums on its own.

    Slice s are the input lines below ``ends[s]`` that no slice before it has. A layer that is not
    in slices has no ``ends``.
    """
    if ends.size == 0:
        add_inputs(weights, current, factors, in_index, lo, hi)
        return
    a = factors[DECAY_I]
    for n in range(current.size):
        acc = factors[ZERO]
        k = lo
        for s in range(ends.size):
            part = factors[ZERO]
            while k < hi and in_index[k] < ends[s]:
                part += weights[n, in_index[k]]
                k += 1
            acc += part
        current[n] = a * current[n] + acc


@inlined
def forward_row(
    weights: Floats,
    neuron: Floats,
    spikes: Ints,
    values: Floats,
    inputs: Ints,
    counts: Longs,
    factors: Floats,
    row: int,
    step: int,
    in_index: Ints,
    lo: int,
    hi: int,
    out: Ints,
    at: int,
) -> int:
    """Do forward step ``step`` of one row; return the number of spikes written to ``out[at:]``."""
    for k in range(lo, hi):
        keep_input(inputs, counts, row, in_index[k], step - 1)
    current = neuron[row, CURRENT]
    add_inputs(weights[0 if weights.shape[0] == 1 else row], current, factors, in_index, lo, hi)
    return fire_row(neuron, spikes, values, counts, factors, row, step, out, at)


@inlined
def fire_row(
    neuron: Floats,
    spikes: Ints,
    values: Floats,
    counts: Longs,
    factors: Floats,
    row: int,
    step: int,
    out: Ints,
    at: int,
) -> int:
    """Do what step ``step`` does of one row once its currents are there; see `forward_row`."""
    current = neuron[row, CURRENT]
    voltage = neuron[row, VOLTAGE]
    b = factors[DECAY_V]
    gain = factors[GAIN_V]
    threshold = factors[THRESHOLD]
    fired = 0
    for n in range(current.size):
        before = b * voltage[n] + gain * current[n]
        voltage[n] = before
        fired += before > threshold
    if fired == 0:
        return 0
    fired = 0
    for n in range(current.size):
        if voltage[n] > threshold:
            vdot = current[n] - voltage[n] + factors[TINY]
            keep_spike(spikes, values, counts, row, n, step, vdot)
            voltage[n] = 0
            out[at + fired] = n
            fired += 1
    return fired


@inlined
def find_spike(spikes: Ints, count: int, row: int, neuron: int, step: int) -> int:
    """Return the place of a recorded spike (they are ordered by step, then neuron), or -1."""
    lo = 0
    hi = count
    while lo < hi:
        mid = (lo + hi) // 2
        at = spikes[row, SPIKE_STEP, mid]
        if at < step or (at == step and spikes[row, SPIKE_NEURON, mid] < neuron):
            lo = mid + 1
        else:
            hi = mid
    if (
        lo < count
        and spikes[row, SPIKE_STEP, lo] == step
        and spikes[row, SPIKE_NEURON, lo] == neuron
    ):
        return lo
    return -1


@inlined
def take_jumps(
    neuron: Floats,
    spikes: Ints,
    values: Floats,
    counts: Longs,
    factors: Floats,
    row: int,
    step: int,
) -> tuple[int, int]:
    """Compute ``(threshold*lambda_V[i+1] + G[i+1]) / Vdot[i+1]`` of the spikes at ``step + 1``.

    Returns the range of these spikes in the record. Spikes of still later steps, which a caller
    that leaves out steps would leave behind, are passed over.
    """
    threshold = factors[THRESHOLD]  # 1 by default, which changes no bit below
    hi = int(counts[row, SPIKE_CURSOR])
    while hi > 0 and spikes[row, SPIKE_STEP, hi - 1] > step + 1:
        hi -= 1
    lo = hi
    while lo > 0 and spikes[row, SPIKE_STEP, lo - 1] == step + 1:
        lo -= 1
        n = spikes[row, SPIKE_NEURON, lo]
        kept = threshold * neuron[row, LAMBDA_V, n]
        jump = (kept + values[row, SPIKE_ERROR, lo]) / values[row, SPIKE_VDOT, lo]
        values[row, SPIKE_JUMP, lo] = jump
        if jump != 0:
            counts[row, ACTIVE] = 1
    counts[row, SPIKE_CURSOR] = lo
    return lo, hi


@inlined
def decay_adjoint(neuron: Floats, factors: Floats, row: int) -> None:
    """``lambda_I = a*lambda_I + (1-a)*lambda_V`` with the old lambda_V; ``lambda_V *= b``."""
    a = factors[DECAY_I]
    gain = factors[GAIN_I]
    b = factors[DECAY_V]
    lambda_i = neuron[row, LAMBDA_I]
    lambda_v = neuron[row, LAMBDA_V]
    for n in range(lambda_i.size):
        before = lambda_v[n]
        lambda_i[n] = a * lambda_i[n] + gain * before
        lambda_v[n] = b * before


@inlined
def subtract_gradient(
    neuron: Floats, inputs: Ints, counts: Longs, gradient: Floats, factors: Floats, row: int, i: int
) -> int:
    """``dW[:, j] -= tau_s * lambda_I[i]`` for the inputs recorded with step ``i``; their number."""
    lambda_i = neuron[row, LAMBDA_I]
    tau = factors[TAU_S]
    hi = int(counts[row, INPUT_CURSOR])
    while hi > 0 and inputs[row, INPUT_STEP, hi - 1] > i:
        hi -= 1
    k = hi
    while k > 0 and inputs[row, INPUT_STEP, k - 1] == i:
        k -= 1
        if counts[row, ACTIVE] != 0:
            j = inputs[row, INPUT_INDEX, k]
            for n in range(lambda_i.size):
                gradient[n, j] -= tau * lambda_i[n]
    counts[row, INPUT_CURSOR] = k
    return hi - k


@inlined
def answer_inputs(
    weights: Floats,
    neuron: Floats,
    inputs: Ints,
    input_errors: Floats,
    counts: Longs,
    factors: Floats,
    row: int,
    i: int,
) -> int:
    """Write ``E_below[i-1] = W^T (lambda_V[i] - lambda_I[i])`` of the inputs of step ``i - 1``.

    Returns the first place of these inputs in the record; the last is the input cursor.
    """
    lambda_i = neuron[row, LAMBDA_I]
    lambda_v = neuron[row, LAMBDA_V]
    k = int(counts[row, INPUT_CURSOR])
    while k > 0 and inputs[row, INPUT_STEP, k - 1] == i - 1:
        k -= 1
        acc = factors[ZERO]
        if counts[row, ACTIVE] != 0:
            j = inputs[row, INPUT_INDEX, k]
            for n in range(lambda_i.size):
                acc += weights[n, j] * (lambda_v[n] - lambda_i[n])
        input_errors[row, k] = acc
    return k


@inlined
def backward_row(
    weights: Floats,
    neuron: Floats,
    spikes: Ints,
    values: Floats,
    inputs: Ints,
    input_errors: Floats,
    counts: Longs,
    gradient: Floats,
    factors: Floats,
    row: int,
    i: int,
    want_errors: bool,
) -> tuple[int, int, int]:
    """Do adjoint step ``i`` of one row.

    Returns the number of jumps, the number of inputs whose gradient moved, and the first place
    of the answered inputs in the record (the last is the input cursor).
    """
    lo, hi = take_jumps(neuron, spikes, values, counts, factors, row, i)
    if counts[row, ACTIVE] != 0:
        decay_adjoint(neuron, factors, row)
        for k in range(lo, hi):
            neuron[row, LAMBDA_V, spikes[row, SPIKE_NEURON, k]] += values[row, SPIKE_JUMP, k]
    own = gradient[0 if gradient.shape[0] == 1 else row]
    moved = subtract_gradient(neuron, inputs, counts, own, factors, row, i)
    first = int(counts[row, INPUT_CURSOR])
    if want_errors:
        shared = weights[0 if weights.shape[0] == 1 else row]
        first = answer_inputs(shared, neuron, inputs, input_errors, counts, factors, row, i)
    return hi - lo, moved, first
