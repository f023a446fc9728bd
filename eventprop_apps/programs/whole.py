"""EventProp's steps as whole handlers: what the kernels' ``step`` does, in one compiled call each.

Made of the functions that ``step`` calls, in its order; see :mod:`chipsim.sim.whole` for the frame.
Each returns how many of the packets taken were none of the batch's.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from chipsim.compiled import compiled, inlined
from chipsim.sim.whole import DONE, STATUS, begin, counts_of, finish, rows_of, steps_of
from eventprop_apps.kernels.arguments import outside
from eventprop_apps.kernels.layer import backward, forward, reset, store
from eventprop_apps.kernels.operations import ERROR_LOOKUP
from eventprop_apps.losses.ttfs import note_first
from eventprop_apps.programs.decode import (
    count_rows,
    count_strays,
    decode_errors,
    decode_spikes,
    due_inputs,
    row_pointers,
    senders,
)

I32 = NDArray[np.int32]
I64 = NDArray[np.int64]
U32 = NDArray[np.uint32]
Mask = NDArray[np.bool_]
Floats = NDArray[Any]

ROW, KEY, NET = 0, 2, 4
"""Columns of the packets that ``begin`` has taken."""
WORDS = 4
OUTSIDE = -1
"""Returned where a decoded line or neuron is none of the layer's."""


@inlined
def plain(count: int) -> U32:
    """Return the payload of packets that carry nothing."""
    return np.zeros((count, WORDS), np.uint32)


@compiled
def input_whole(
    form: I64, tick: int, now: int, plan: I64, steps: I64, lines: I64, sample: I32, high: int
) -> int:
    """Send the input spikes of a step; see :func:`eventprop_apps.programs.decode.due_inputs`."""
    inbox, _ = begin(form, tick, now)
    if form[STATUS] != DONE:
        return 0
    position, offset, tag, found = due_inputs(
        steps, lines, rows_of(form), steps_of(form), sample, high
    )
    counts = counts_of(form)
    for r in range(len(found)):
        counts[r, 0] = 1 + found[r]
    finish(form, plan, inbox[ROW], position, offset, plain(len(position)), tag, tick)
    return 0


@compiled
def listen_whole(
    form: I64, tick: int, now: int, plan: I64, nets: Mask, parity: int, low: int, first: I32,
    step: int, astray: I64,
) -> int:  # fmt: skip
    """Note the first spikes of the outputs, which were sent in ``step``."""
    inbox, _ = begin(form, tick, now)
    if form[STATUS] != DONE:
        return 0
    position, neuron = decode_spikes(
        inbox[ROW], inbox[NET], inbox[KEY].view(np.uint32), nets, parity, low
    )
    if outside(neuron, first.shape[1]):
        return OUTSIDE
    count_strays(astray, rows_of(form), inbox[ROW], position)
    if len(position) > 0:
        rows, counts = rows_of(form).astype(np.int64), counts_of(form)
        ptr = row_pointers(position, len(rows))
        note_first(first, rows, np.full(len(rows), step, np.int64), ptr, neuron)
        for r in range(len(rows)):
            counts[r, 0] = counts[r, 1] = ptr[r + 1] - ptr[r]
    none = np.empty(0, np.int32)
    finish(form, plan, inbox[ROW], none, np.empty(0, np.int64), plain(0), none, tick)
    return int(inbox.shape[1] - len(position))


@compiled
def forward_whole(
    form: I64, tick: int, now: int, plan: I64, nets: Mask, parity: int, low: int, step: int,
    sample: I32, first_neuron: int, high: int, decodes: int, astray: I64,
    weights: Floats, neuron: Floats, spikes: I32, values: Floats, inputs: I32, counts: I64,
    gradient: Floats, factors: Floats,
) -> int:  # fmt: skip
    """Do forward step ``step`` of a layer's rows.

    Parameters
    ----------
    form, tick, now, plan
        Of the frame.
    nets, parity, low
        As of :func:`eventprop_apps.programs.decode.decode_spikes`.
    sample : ndarray of int32, shape (rows,)
    first_neuron, high : int
        First neuron of the part, and what stands above it in the keys that it sends.
    decodes : int
        The column of operation counts that counts packets.
    astray : ndarray of int64, shape (replicas,)
        Gets the packets without effect.
    weights, neuron, spikes, values, inputs, counts, gradient, factors
        The layer's state and factors.
    """
    inbox, _ = begin(form, tick, now)
    if form[STATUS] != DONE:
        return 0
    rows, row, ops = rows_of(form).astype(np.int64), inbox[ROW], counts_of(form)
    count_rows(ops, decodes, row)
    if step == 0:
        reset(neuron, counts, gradient, rows, True)
    position, line = decode_spikes(row, inbox[NET], inbox[KEY].view(np.uint32), nets, parity, low)
    if outside(line, weights.shape[2]):
        return OUTSIDE
    count_strays(astray, rows_of(form), row, position)
    ptr = row_pointers(position, len(rows))
    steps = np.full(len(rows), step, np.int64)
    out_ptr, out = forward(
        weights, neuron, spikes, values, inputs, counts, factors, steps, rows, ptr, line, ops
    )
    sender, tag = senders(out_ptr, rows_of(form), sample)
    offset = np.empty(len(out), np.int64)
    for i in range(len(out)):
        offset[i] = (out[i] + first_neuron) | high
    finish(form, plan, row, sender, offset, plain(len(out)), tag, tick)
    return int(inbox.shape[1] - len(position))


@compiled
def backward_whole(
    form: I64, tick: int, now: int, plan: I64, nets: Mask, parity: int, low: int, mid: int,
    step: int, sample: I32, first_neuron: int, below_low: int, high: int, decodes: int,
    strays: I64, astray: I64, first_line: int,
    weights: Floats, neuron: Floats, spikes: I32, values: Floats, inputs: I32,
    input_errors: Floats, counts: I64, gradient: Floats, factors: Floats,
) -> int:  # fmt: skip
    """Do adjoint step ``step`` of a layer's rows, and answer the layer below.

    Parameters
    ----------
    form, tick, now, plan
        Of the frame.
    nets, parity, low, mid
        As of :func:`eventprop_apps.programs.decode.decode_errors`.
    sample, first_neuron, decodes, astray
        As of :func:`forward_whole`.
    below_low, high : int
        Bits of a neuron in the keys of the layer below, and what stands above its step.
    strays : ndarray of int64, shape (3,)
        Gets the errors that were added, that name no spike, and whose step has passed.
    first_line : int
        As of :func:`eventprop_apps.kernels.layer.backward_rows`.
    weights, neuron, spikes, values, inputs, input_errors, counts, gradient, factors
        The layer's state and factors.
    """
    inbox, payload = begin(form, tick, now)
    if form[STATUS] != DONE:
        return 0
    rows, row, ops = rows_of(form).astype(np.int64), inbox[ROW], counts_of(form)
    count_rows(ops, decodes, row)
    steps = np.full(len(rows), step, np.int64)
    place, err_step, err_neuron = decode_errors(
        inbox[NET], inbox[KEY].view(np.uint32), nets, parity, low, mid
    )
    count_strays(astray, rows_of(form), row, row[place])
    if len(place) > 0:
        at = np.empty(len(place), np.int32)
        which = np.empty(len(place), np.int32)
        value = np.empty(len(place), values.dtype)
        received = payload.view(values.dtype)
        for i in range(len(place)):
            at[i] = row[place[i]]
            which[i] = err_neuron[i] - first_neuron
            value[i] = received[place[i], 0]
        if outside(which, weights.shape[1]):
            return OUTSIDE
        ptr = row_pointers(at, len(rows))
        found = np.zeros((len(rows), 3), np.int64)
        store(
            spikes, values, counts, rows, steps, ptr, which, err_step.astype(np.int32), value, found
        )  # fmt: skip
        for r in range(len(rows)):
            ops[r, ERROR_LOOKUP] += ptr[r + 1] - ptr[r]
            for column in range(3):
                strays[column] += found[r, column]
            astray[rows[r]] += found[r, 1] + found[r, 2]
    ptr, index, at_step, error = backward(
        weights, neuron, spikes, values, inputs, input_errors, counts, gradient, factors, steps,
        rows, first_line, ops,
    )  # fmt: skip
    sender, tag = senders(ptr, rows_of(form), sample)
    offset = np.empty(len(index), np.int64)
    carried = plain(len(index))
    words = carried.view(values.dtype)
    for i in range(len(index)):
        offset[i] = index[i] | (np.int64(at_step[i]) << below_low) | high
        words[i, 0] = error[i]
    finish(form, plan, row, sender, offset, carried, tag, tick)
    return int(inbox.shape[1] - len(place))
