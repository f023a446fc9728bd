"""As few parts as ``sequential``, with the greatest load of a part as small as its cuts allow."""

from __future__ import annotations

import numpy as np

from chipsim.mapping.partition import Limits, Neurons, Parts
from chipsim.mapping.partition.kernels import fill

_STEPS = 40
"""Halvings of the interval in which the least possible load lies."""


def partition(neurons: Neurons, limits: Limits, rng: np.random.Generator) -> Parts:
    """Cut the order of the neurons into parts of even load.

    Parameters
    ----------
    neurons : Neurons
    limits : Limits
    rng : numpy.random.Generator
        Not used: the result is the same for every seed.

    Returns
    -------
    ndarray of int64, shape (neurons,)
        The part of every neuron.

    Notes
    -----
    O(40 × (neurons + synapses)). The load is the cycles per tick. A cap on it is lowered by
    bisection as long as filling along the order needs no more parts than without a cap.
    """
    order = np.arange(len(neurons), dtype=np.int64)
    numbers = limits.numbers()
    arguments = (order, neurons.first, neurons.source, neurons.events)
    best = fill(*arguments, numbers)
    most = int(best.max(initial=0)) + 1
    load = numbers[6] + neurons.events * numbers[7]
    low = max(float(load.max(initial=0.0)), float(load.sum()) / most)
    high = float(np.bincount(best, load).max()) if len(best) else 0.0
    for _ in range(_STEPS):
        cap = (low + high) / 2
        tried = fill(*arguments, np.concatenate((numbers[:3], [cap], numbers[4:])))
        if int(tried.max(initial=0)) + 1 <= most:
            best, high = tried, cap
        else:
            low = cap
    return best
