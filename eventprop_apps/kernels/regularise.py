"""A layer's regulariser for many rows in one call: what programs on simulated PEs use."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from chipsim.compiled import compiled
from eventprop_apps.kernels.operations import ERROR_LOOKUP, GRADIENT_UPDATE, no_operations
from eventprop_apps.kernels.rows import Floats, Ints, Longs
from eventprop_apps.kernels.state import SPIKES, LayerState
from eventprop_apps.losses.regularisers import drive_row, regularise_row


@compiled
def _regularise(
    spikes: Ints,
    values: Floats,
    inputs: Ints,
    counts: Longs,
    gradient: Floats,
    scalars: Floats,
    steps: int,
    rows: Longs,
    shares: Floats,
    ops: Longs,
) -> None:
    n_out = gradient.shape[1]
    number = np.empty(n_out, values.dtype)
    first = np.empty(n_out, values.dtype)
    for r in range(rows.size):
        row = rows[r]
        shares[row] = regularise_row(spikes, values, counts, scalars, row, steps, number, first)
        ops[r, GRADIENT_UPDATE] = drive_row(
            spikes, inputs, counts, gradient[row], scalars, row, number
        )
        ops[r, ERROR_LOOKUP] = counts[row, SPIKES]


def regularise_rows(
    state: LayerState,
    scalars: NDArray[Any],
    steps: int,
    rows: ArrayLike,
    shares: NDArray[Any],
) -> NDArray[np.int64]:
    """Add a layer's terms to its spikes' errors and its gradient, before any error from above.

    Parameters
    ----------
    state : LayerState
        Changed in place; its gradient has a row of its own for each row.
    scalars : ndarray
        ``Regulariser.scalars(...)``.
    steps : int
        Number of time steps T.
    rows : array_like of int
    shares : ndarray, shape (state.rows,)
        Gets each row's share of the loss.

    Returns
    -------
    ops : ndarray, shape (len(rows), len(OPERATIONS)), int64
        Operations counted: a lookup a spike, a gradient update a weight that the drive changes.
    """
    at = np.ascontiguousarray(rows, np.int64)
    ops = no_operations(at.size)
    _regularise(
        state.spikes, state.spike_values, state.inputs, state.counts, state.gradient, scalars,
        steps, at, shares, ops,
    )  # fmt: skip
    return ops
