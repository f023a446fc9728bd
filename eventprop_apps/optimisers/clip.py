"""Gradient clipping by the norm over all weights of all layers."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chipsim.errors import DataError


def add_squares(gradient: NDArray[Any], total: float = 0.0) -> float:
    """Return ``total`` plus the squares of ``gradient``, added one after another in float64.

    Parameters
    ----------
    gradient : ndarray, shape (words,)
        All words, or a chunk of them; chunks in ascending order give the bits of the whole.
    total : float
        What the chunks before have summed to.
    """
    values = np.asarray(gradient, np.float64)
    # accumulate, not sum: NumPy's sum adds in pairs, an order that depends on the chunk's length.
    return float(np.add.accumulate(np.concatenate(([total], values * values)))[-1])


def clip_factor(squares: float, limit: float) -> float:
    """Return the factor that brings a gradient's norm down to ``limit``; 1 if it is below.

    Parameters
    ----------
    squares : float
        Sum of the squares, from `add_squares`.
    limit : float
        Largest norm, above 0.

    Notes
    -----
    A norm that is not finite gives 1: an overflow is to be seen, not to be clipped away.
    """
    if not (limit > 0 and math.isfinite(limit)):
        raise DataError(f"clip: got a limit of {limit}, expected a finite number above 0")
    norm = math.sqrt(squares) if squares >= 0 else math.nan
    return limit / norm if limit < norm < math.inf else 1.0


def clip_gradient(gradient: NDArray[Any], limit: float) -> float:
    """Scale ``gradient`` (flat, all layers) in place to a norm of at most ``limit``.

    Returns
    -------
    float
        Its norm before.
    """
    squares = add_squares(gradient)
    factor = clip_factor(squares, limit)
    if factor != 1.0:
        gradient *= gradient.dtype.type(factor)
    return math.sqrt(squares)
