"""Spike-traffic-aware partitioning: as ``multilevel``, but what counts is who spikes how often."""

from __future__ import annotations

import numpy as np

from chipsim.mapping.partition import Limits, Neurons, Parts
from chipsim.mapping.partition.multilevel import multilevel


def partition(neurons: Neurons, limits: Limits, rng: np.random.Generator) -> Parts:
    """Join what sends each other most spikes.

    Parameters
    ----------
    neurons : Neurons
        Their rates decide; neurons without a rate count for nothing.
    limits : Limits
    rng : numpy.random.Generator
        Decides in which order neurons are matched and moved.

    Returns
    -------
    ndarray of int64, shape (neurons,)
        The part of every neuron.

    Notes
    -----
    O(levels × synapses), and the moves as for ``multilevel``.
    """
    return multilevel(neurons, limits, rng, neurons.rate)
