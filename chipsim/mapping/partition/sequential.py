"""Neurons in their own order, as many to a part as its limits allow."""

from __future__ import annotations

import numpy as np

from chipsim.mapping.partition import Limits, Neurons, Parts
from chipsim.mapping.partition.kernels import fill


def partition(neurons: Neurons, limits: Limits, rng: np.random.Generator) -> Parts:
    """Fill parts in the order of the neurons, each up to a limit.

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
    O(neurons + synapses).
    """
    order = np.arange(len(neurons), dtype=np.int64)
    return fill(order, neurons.first, neurons.source, neurons.events, limits.numbers())
