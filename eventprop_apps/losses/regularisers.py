"""Regularisers of a LIF layer: silent and over-active neurons, late first spikes.

They act on the layer's own PE, before a sample's first adjoint step (i = T - 2): `regularise_row`
adds a term to the error G of recorded spikes, `drive_row` one to the weight gradient of neurons
that spike too little. docs/losses.md derives the terms.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from chipsim.compiled import inlined
from chipsim.errors import DataError
from eventprop_apps.kernels.state import (
    INPUT_INDEX,
    INPUTS,
    SPIKE_ERROR,
    SPIKE_NEURON,
    SPIKE_STEP,
    SPIKES,
)

LOW, HIGH, PULL, PUSH, DRIVE, LATE, INV_STEPS, HALF, NOTHING, ONE = range(10)
"""Places of the scalars in the array that the kernel gets."""

NO_LIMIT = 2.0**24
"""A count that no neuron reaches: the largest below which float32 counts exactly."""


@dataclass(frozen=True)
class Regulariser:
    """Terms of the loss that depend on a LIF layer's own spikes; n_j is neuron j's spike count.

    ``L = mean_B sum_j [ under/2 max(0, low - n_j)^2 + over/2 max(0, n_j - high)^2
    + late t_j / T - silent max(0, low - n_j) D_j ]``

    Parameters
    ----------
    low, high : float
        A neuron should spike at least ``low`` and at most ``high`` times in a sample.
    under, over : float
        Strength of the pull of the spikes there are towards more or fewer. A count has no
        derivative in time; ``dn_j/dt = -1/T`` is put for it: earlier spikes make more of them.
    silent : float
        Strength of the drive term, the only one that reaches neurons without any spike:
        ``D_j = sum over the sample's input spikes of W[j, input]`` is the neuron's total drive,
        and its factor ``max(0, low - n_j)`` is taken as constant. So each weight from an active
        input grows by ``silent (low - n_j)`` for each of its spikes in steps 0 .. T - 2.
    late : float
        Strength of first-spike-time regularisation: ``late t_j / T`` for neurons that spiked.

    Raises
    ------
    DataError
        For a value out of its range.
    """

    low: float = 0.0
    high: float = NO_LIMIT
    under: float = 0.0
    over: float = 0.0
    silent: float = 0.0
    late: float = 0.0

    def __post_init__(self) -> None:
        names = ("low", "high", "under", "over", "silent", "late")
        problems = [
            f"{name} = {getattr(self, name)!r}, expected a finite number of at least 0"
            for name in names
            if not (math.isfinite(getattr(self, name)) and getattr(self, name) >= 0)
        ]
        if not problems and self.low > self.high:
            problems = [f"low = {self.low} and high = {self.high}, expected low <= high"]
        if problems:
            raise DataError("Regulariser: got " + "; got ".join(problems))

    @property
    def acts(self) -> bool:
        """Whether any term has a strength."""
        return max(self.under, self.over, self.silent, self.late) > 0

    def scalars(self, steps: int, batch: int, dt_s: float, dtype: DTypeLike) -> NDArray[Any]:
        """Return the kernel's scalars, computed in float64 and cast once to ``dtype``.

        Parameters
        ----------
        steps : int
            Number of time steps T.
        batch : int
            Samples that the loss is the mean of.
        dt_s : float
            Length of a step [s]. The kernels' gradients are dt times dL/dW (errors are per step,
            tau_s is in seconds), and so is the drive term.
        dtype : {float32, float64}
        """
        values = np.zeros(10, np.float64)
        values[LOW], values[HIGH] = self.low, self.high
        values[PULL], values[PUSH] = self.under / batch, self.over / batch
        values[DRIVE] = self.silent * dt_s / batch
        values[LATE], values[INV_STEPS] = self.late / batch, 1 / steps
        values[HALF], values[ONE] = 0.5, 1.0
        return values.astype(dtype)


@inlined
def regularise_row(
    spikes: NDArray[np.int32],
    values: NDArray[Any],
    counts: NDArray[np.int64],
    scalars: NDArray[Any],
    row: int,
    steps: int,
    number: NDArray[Any],
    first: NDArray[Any],
) -> Any:
    """Add a row's terms to its recorded spikes' errors; return its share of the loss.

    To be called once after the forward pass, before any error from above is added.

    Parameters
    ----------
    spikes, values, counts
        As in `eventprop_apps.kernels.state.LayerState`.
    scalars : ndarray, shape (10,)
        ``Regulariser.scalars(...)``, of the kernel's dtype.
    row, steps : int
    number, first : ndarray, shape (n_out,), of the kernel's dtype
        Overwritten: each neuron's spike count, and the step of its first spike.

    Notes
    -----
    The drive term is no part of the share: its factor is taken as constant, so it has a gradient
    but no value that could be compared.
    """
    zero = scalars[NOTHING]
    number[:] = zero
    first[:] = zero
    total = int(counts[row, SPIKES])
    for k in range(total - 1, -1, -1):
        n = spikes[row, SPIKE_NEURON, k]
        first[n] = spikes[row, SPIKE_STEP, k]
        number[n] += scalars[ONE]
    share = zero
    for n in range(number.size):
        gap = scalars[LOW] - number[n]
        excess = number[n] - scalars[HIGH]
        if gap > zero:
            share += scalars[PULL] * scalars[HALF] * gap * gap
        if excess > zero:
            share += scalars[PUSH] * scalars[HALF] * excess * excess
        if number[n] > zero:
            share += scalars[LATE] * first[n] * scalars[INV_STEPS]
    for k in range(total):
        n = spikes[row, SPIKE_NEURON, k]
        step = spikes[row, SPIKE_STEP, k]
        gap = scalars[LOW] - number[n]
        excess = number[n] - scalars[HIGH]
        term = zero
        if gap > zero:
            term += scalars[PULL] * gap * scalars[INV_STEPS]
        if excess > zero:
            term -= scalars[PUSH] * excess * scalars[INV_STEPS]
        if first[n] == step:
            term += scalars[LATE] * scalars[INV_STEPS]
        if step < steps - 1:
            values[row, SPIKE_ERROR, k] += term
    return share


@inlined
def drive_row(
    spikes: NDArray[np.int32],
    inputs: NDArray[np.int32],
    counts: NDArray[np.int64],
    gradient: NDArray[Any],
    scalars: NDArray[Any],
    row: int,
    number: NDArray[Any],
) -> int:
    """Add a row's drive terms to its gradient (n_out, n_in); return the weights that it changed.

    To be called once after the forward pass, before the first adjoint step, on a gradient that is
    otherwise still zero. Parameters as in `regularise_row`; all recorded inputs count.
    """
    zero = scalars[NOTHING]
    if not scalars[DRIVE] > zero:
        return 0
    number[:] = zero
    for k in range(counts[row, SPIKES]):
        number[spikes[row, SPIKE_NEURON, k]] += scalars[ONE]
    moved = 0
    total = int(counts[row, INPUTS])
    for n in range(number.size):
        gap = scalars[LOW] - number[n]
        if gap > zero:
            for k in range(total):
                gradient[n, inputs[row, INPUT_INDEX, k]] -= scalars[DRIVE] * gap
            moved += total
    return moved
