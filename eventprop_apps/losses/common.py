"""What several losses share: checks of their settings, and two kernels over rows of numbers."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chipsim.compiled import compiled
from chipsim.errors import DataError
from eventprop_apps.losses.api import Outputs

INV_SCALE, INV_BATCH, ONE, HALF = range(4)
"""Places of the scalars that both kernels get."""


def scalars(scale: float, batch: int, dtype: np.dtype[Any]) -> NDArray[Any]:
    """Return the kernels' scalars, computed in float64 and cast once to ``dtype``."""
    return np.array([1 / scale, 1 / batch, 1.0, 0.5], np.float64).astype(dtype)


def positive(where: str, **values: float) -> None:
    """Refuse values that are not finite and above 0; all at once.

    Raises
    ------
    DataError
        Naming the loss and its settings.
    """
    problems = [
        f"{name} = {value!r}, expected a finite number above 0"
        for name, value in values.items()
        if not (math.isfinite(value) and value > 0)
    ]
    if problems:
        raise DataError(f"{where}: got " + "; got ".join(problems))


def softmax_rows(
    values: NDArray[Any], labels: NDArray[np.int64], scale: float, batch: int
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return each row's share of ``mean_B -log softmax(values / scale)_label``, and its gradient.

    Parameters
    ----------
    values : ndarray, shape (rows, n)
    labels : ndarray, shape (rows,), int64
    scale : float
    batch : int
        Samples that the loss is the mean of.

    Returns
    -------
    shares : ndarray, shape (rows,)
    gradient : ndarray, shape (rows, n)
        ``dL/dv_k = (1/B) (p_k - 1{k = label}) / scale``, p the softmax.
    """
    shares = np.zeros(values.shape[0], values.dtype)
    gradient = np.zeros(values.shape, values.dtype)
    _softmax(
        np.ascontiguousarray(values), np.ascontiguousarray(labels, np.int64),
        scalars(scale, batch, values.dtype), shares, gradient,
    )  # fmt: skip
    return shares, gradient


def square_rows(
    values: NDArray[Any], wanted: NDArray[Any], scale: float, batch: int
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return each row's share of ``mean_B sum_k ((v_k - w_k) / scale)^2 / 2``, and its gradient.

    Parameters and results as in `softmax_rows`; ``dL/dv_k = (1/B) (v_k - w_k) / scale^2``.
    """
    shares = np.zeros(values.shape[0], values.dtype)
    gradient = np.zeros(values.shape, values.dtype)
    _square(
        np.ascontiguousarray(values), np.ascontiguousarray(wanted, values.dtype),
        scalars(scale, batch, values.dtype), shares, gradient,
    )  # fmt: skip
    return shares, gradient


def spike_counts(outputs: Outputs) -> NDArray[Any]:
    """Return how often each output spiked, shape (rows, n_out), in the outputs' dtype."""
    assert outputs.ptr is not None and outputs.neuron is not None
    rows = np.repeat(np.arange(len(outputs)), np.diff(outputs.ptr))
    counts = np.zeros(outputs.first.shape, np.int64)
    np.add.at(counts, (rows, outputs.neuron), 1)
    return counts.astype(outputs.dtype)


def best(values: NDArray[Any]) -> NDArray[np.int64]:
    """Return the place of each row's largest value, the lowest on ties, shape (rows, 1)."""
    found: NDArray[np.int64] = np.argmax(values, axis=1).astype(np.int64)[:, None]
    return found


@compiled
def _softmax(
    values: NDArray[Any],
    labels: NDArray[np.int64],
    scalars: NDArray[Any],
    shares: NDArray[Any],
    gradient: NDArray[Any],
) -> None:
    one = scalars[ONE]
    zero = one - one
    for r in range(values.shape[0]):
        largest = values[r].max()
        total = zero
        for k in range(values.shape[1]):
            gradient[r, k] = np.exp((values[r, k] - largest) * scalars[INV_SCALE])
            total += gradient[r, k]
        label = labels[r]
        entropy = (largest - values[r, label]) * scalars[INV_SCALE] + np.log(total)
        shares[r] = entropy * scalars[INV_BATCH]
        for k in range(values.shape[1]):
            p = gradient[r, k] / total
            if k == label:
                p -= one
            gradient[r, k] = p * scalars[INV_SCALE] * scalars[INV_BATCH]


@compiled
def _square(
    values: NDArray[Any],
    wanted: NDArray[Any],
    scalars: NDArray[Any],
    shares: NDArray[Any],
    gradient: NDArray[Any],
) -> None:
    one = scalars[ONE]
    zero = one - one
    for r in range(values.shape[0]):
        total = zero
        for k in range(values.shape[1]):
            gap = (values[r, k] - wanted[r, k]) * scalars[INV_SCALE]
            total += gap * gap
            gradient[r, k] = gap * scalars[INV_SCALE] * scalars[INV_BATCH]
        shares[r] = scalars[HALF] * total * scalars[INV_BATCH]
