"""Initial weights, from named streams of the run's seed."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from chipsim.errors import DataError
from chipsim.seeds import rng

YINYANG_SCALES = ((3.2, 3.2), (5.2, 2.8))
"""(s_mu, s_sigma) of the hidden and the output layer in the authors' off-chip code."""


def initial_weights(
    seed: int,
    sizes: Sequence[int],
    scales: Sequence[tuple[float, float]] = YINYANG_SCALES,
    *,
    recurrent: Sequence[bool] = (),
    recurrent_scales: tuple[float, float] = (0.0, 1.0),
) -> list[NDArray[np.float64]]:
    """Return normally distributed weights, N(s_mu/sqrt(fan_in), s_sigma/sqrt(fan_in)).

    Parameters
    ----------
    seed : int
        The run's seed; layer l draws from the stream ``("init", "weights", l)``.
    sizes : sequence of int
        Input lines, then neurons of each layer; (5, 120, 3) has two layers.
    scales : sequence of (float, float)
        s_mu and s_sigma of each layer, s_sigma at least 0.
    recurrent : sequence of bool, optional
        Layers that also get weights R from themselves, from the stream ``("init", "recurrent",
        l)``; W does not depend on it.
    recurrent_scales : (float, float)
        s_mu and s_sigma of R, over the root of the layer's own size.

    Returns
    -------
    list of ndarray, shape (n_out, n_in), float64
        One array a layer; of a recurrent one ``[W | R]``, shape (n_out, n_in + n_out).

    Raises
    ------
    DataError
        For sizes and scales that do not fit.
    """
    if len(sizes) < 2 or min(sizes) < 1 or len(scales) != len(sizes) - 1:
        raise DataError(
            f"initial_weights: got sizes {list(sizes)} and {len(scales)} pairs of scales, "
            "expected at least two positive sizes and one pair for each layer after the input"
        )
    every = [*scales, recurrent_scales]
    if not all(math.isfinite(mu) and math.isfinite(s) and s >= 0 for mu, s in every):
        raise DataError(
            f"initial_weights: got scales {every}, expected finite pairs (s_mu, s_sigma) "
            "with s_sigma of at least 0"
        )
    weights = []
    for layer, (mu, sigma) in enumerate(scales):
        n_in, n_out = sizes[layer], sizes[layer + 1]
        root = math.sqrt(n_in)
        stream = rng(seed, "init", "weights", layer)
        own = stream.normal(mu / root, sigma / root, (n_out, n_in))
        if layer < len(recurrent) and recurrent[layer]:
            mean, deviation = (scale / math.sqrt(n_out) for scale in recurrent_scales)
            back = rng(seed, "init", "recurrent", layer).normal(mean, deviation, (n_out, n_out))
            own = np.concatenate([own, back], axis=1)
        weights.append(own)
    return weights
