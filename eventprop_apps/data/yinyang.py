"""The Yin-Yang data set and its encoding in spike times.

References
----------
Kriener, Göltz, Petrovici 2022, doi 10.1145/3517343.3517380.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from chipsim.errors import DataError
from eventprop_apps.data.dataset import Dataset, SpikeEvents

R_BIG = 0.5
R_SMALL = 0.1
SEEDS = {"train": 42, "validation": 41, "test": 40}
"""Seeds of the published splits."""
SIZES = {"train": 5000, "validation": 1000, "test": 1000}
"""Sizes of the published splits."""

YANG, YIN, DOT = 0, 1, 2


def which_class(x: float, y: float) -> int:
    """Return the class of a point: 0 yang, 1 yin, 2 dot."""
    right = math.sqrt((x - 1.5 * R_BIG) ** 2 + (y - R_BIG) ** 2)
    left = math.sqrt((x - 0.5 * R_BIG) ** 2 + (y - R_BIG) ** 2)
    if right < R_SMALL or left < R_SMALL:
        return DOT
    if right <= R_SMALL or R_SMALL < left <= 0.5 * R_BIG or (y > R_BIG and right > 0.5 * R_BIG):
        return YIN
    return YANG


def points(samples: int, seed: int) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return points of Yin-Yang and their classes, with the original's sequence of draws.

    Parameters
    ----------
    samples : int
        Number of points, at least 1.
    seed : int
        Seed of NumPy's `RandomState`; 42, 41, 40 are the published splits.

    Returns
    -------
    x : ndarray, shape (samples, 4), float64
        ``(x, y, 1 - x, 1 - y)``.
    label : ndarray, shape (samples,), int64
        0 yang, 1 yin, 2 dot; all three about equally often.
    """
    if samples < 1:
        raise DataError(f"yinyang: got {samples} samples, expected at least 1")
    draws = np.random.RandomState(seed)
    xy = np.zeros((samples, 2))
    label = np.zeros(samples, np.int64)
    for k in range(samples):
        goal = draws.randint(3)
        while True:
            x, y = (draws.rand(2) * 2.0 * R_BIG).tolist()
            inside = math.sqrt((x - R_BIG) ** 2 + (y - R_BIG) ** 2) <= R_BIG
            if inside and which_class(x, y) == goal:
                break
        xy[k] = x, y
        label[k] = goal
    return np.concatenate([xy, 1.0 - xy], axis=1), label


def encode_latency(
    x: ArrayLike, *, steps: int = 27, t_min: int = 2, bias: bool = True
) -> NDArray[np.int32]:
    """Return one spike step per value, early for large values.

    Parameters
    ----------
    x : array_like, shape (samples, features)
        Values in [0, 1]; those below 0.01 count as 0.01.
    steps : int
        Number of time steps T.
    t_min : int
        Step of the value 1.
    bias : bool
        Add a line that spikes at step 0.

    Returns
    -------
    ndarray, shape (samples, features + bias), int32
        ``t_min + (T - 1 - t_min) (1 - max(x, 0.01))``, rounded half to even.

    Notes
    -----
    With T = 27 all points of Yin-Yang fall onto 495 patterns (60,000 points of seed 42 reach all
    of them, the 5,000 training points 487), so that no classifier can pass about 97.0 to 97.4 %
    test accuracy. A value below 0.04 spikes in the last step, which the next layer never sees.
    """
    values = np.asarray(x, np.float64)
    if values.ndim != 2 or values.size == 0 or not ((values >= 0) & (values <= 1)).all():
        raise DataError("encode_latency: expected an array (samples, features) of values in [0, 1]")
    if not 0 <= t_min < steps - 1:
        raise DataError(
            f"encode_latency: got t_min = {t_min} with {steps} steps, expected 0 <= t_min < T - 1"
        )
    late = t_min + (steps - 1 - t_min) * (1.0 - np.maximum(values, 0.01))
    times = np.rint(late).astype(np.int32)
    if bias:
        times = np.concatenate([times, np.zeros((times.shape[0], 1), np.int32)], axis=1)
    return times


def yinyang(
    samples: int = 5000,
    seed: int = SEEDS["train"],
    *,
    steps: int = 27,
    t_min: int = 2,
    **encoding: Any,
) -> Dataset:
    """Return Yin-Yang as a data set of five input lines: x, y, 1-x, 1-y and the bias.

    Parameters
    ----------
    samples, seed : int
        As in `points`.
    steps, t_min : int
        As in `encode_latency`.
    **encoding
        Further settings of `encode_latency`.
    """
    x, label = points(samples, seed)
    times = encode_latency(x, steps=steps, t_min=t_min, **encoding)
    return Dataset("yinyang", x, label, 3, SpikeEvents.from_times(times, steps))
