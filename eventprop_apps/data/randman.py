"""Synthetic spike data: spike times that lie on smooth random manifolds, one a class.

In the manner of Zenke & Vogels 2021 (doi 10.1162/neco_a_01367): a sample is a random point of its
class's manifold, every coordinate of the space around it is an input line's spike time.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from chipsim.errors import DataError
from chipsim.seeds import rng
from eventprop_apps.data.dataset import Dataset, SpikeEvents


def randman(
    samples: int,
    seed: int = 0,
    *,
    classes: int = 3,
    lines: int = 20,
    dimensions: int = 1,
    smoothness: float = 2.0,
    harmonics: int = 20,
    steps: int = 27,
    split: str = "train",
) -> Dataset:
    """Return samples of random manifolds as one spike per line.

    Parameters
    ----------
    samples : int
        Number of samples; classes take turns, so that all are equally frequent.
    seed : int
        Decides the manifolds, from the streams ``("data", "randman", "manifold", class)``.
    classes, lines, dimensions : int
        Number of manifolds, of input lines, and of a manifold's own dimensions.
    smoothness : float
        Exponent alpha of the spectrum ``k**-alpha``, at least 0: larger is smoother and easier.
    harmonics : int
        Number of harmonics k = 1..harmonics.
    steps : int
        Number of time steps T.
    split : str
        Names the stream of the points, ``("data", "randman", split)``: another one gives other
        points of the same manifolds.

    Returns
    -------
    Dataset
        ``x`` holds the coordinates in [0, 1]; a line spikes in step ``floor(x (T - 1))``, at
        T - 2 at the latest, because a spike in the last step is never seen.

    Notes
    -----
    Coordinate j of a point u in [0, 1]^d is the product over its d dimensions of
    ``sum_k k**-alpha a_k sin(2 pi (k b_k u + c_k))`` with a, b, c uniform in [0, 1), scaled to
    [0, 1] over the samples by bounds that 1,000 points of the manifold give (values are cut).
    """
    counts = (samples, classes, lines, dimensions, harmonics)
    if min(counts) < 1 or steps < 3 or not (math.isfinite(smoothness) and smoothness >= 0):
        raise DataError(
            f"randman: got samples, classes, lines, dimensions, harmonics = {counts}, steps = "
            f"{steps}, smoothness = {smoothness}; expected counts of at least 1, at least 3 steps "
            "and a smoothness of at least 0"
        )
    label = np.arange(samples, dtype=np.int64) % classes
    points = rng(seed, "data", "randman", split).random((samples, dimensions))
    x = np.zeros((samples, lines))
    for c in range(classes):
        own = rng(seed, "data", "randman", "manifold", c)
        shape = own.random((3, lines, dimensions, harmonics))
        probe = _manifold(own.random((1000, dimensions)), shape, smoothness)
        low, high = probe.min(axis=0), probe.max(axis=0)
        found = _manifold(points[label == c], shape, smoothness)
        x[label == c] = np.clip((found - low) / np.maximum(high - low, 1e-12), 0.0, 1.0)
    times = np.minimum(np.floor(x * (steps - 1)), steps - 2).astype(np.int32)
    return Dataset(f"randman ({split})", x, label, classes, SpikeEvents.from_times(times, steps))


def _manifold(
    u: NDArray[np.float64], shape: NDArray[np.float64], smoothness: float
) -> NDArray[np.float64]:
    """Return the coordinates (points, lines) of the points ``u`` (points, dimensions)."""
    amplitude, stretch, phase = shape
    result = np.ones((u.shape[0], shape.shape[1]))
    for d in range(u.shape[1]):
        total = np.zeros_like(result)
        for k in range(shape.shape[3]):
            turn = (k + 1) * stretch[:, d, k] * u[:, d, None] + phase[:, d, k]
            total += (k + 1) ** -smoothness * amplitude[:, d, k] * np.sin(2 * np.pi * turn)
        result *= total
    return result
