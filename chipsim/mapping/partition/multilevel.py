"""Multilevel partitioning: coarsen by heavy edges, fill along the clusters, move neurons.

The scheme of hMETIS and SNEAP (Li et al., "SNEAP: a fast and efficient toolchain for mapping
large-scale spiking neural network onto NoC-based neuromorphic platform", arXiv 2004.01639), with
own code: levels of heavy-edge matching, an initial partition along the tree of clusters, and moves
on the finest level under the exact limits.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from chipsim.mapping.partition import Limits, Neurons, Parts
from chipsim.mapping.partition.kernels import fill, match, refine

_PASSES = 12
_MOST_CELLS = 400_000_000
"""Parts × neurons up to which neurons are moved (a count of 4 bytes for each: 1.6 GB)."""

I64 = NDArray[np.int64]
F64 = NDArray[np.float64]


def partition(neurons: Neurons, limits: Limits, rng: np.random.Generator) -> Parts:
    """Join what is densely wired; every synapse counts alike.

    Parameters
    ----------
    neurons : Neurons
    limits : Limits
    rng : numpy.random.Generator
        Decides in which order neurons are matched and moved.

    Returns
    -------
    ndarray of int64, shape (neurons,)
        The part of every neuron.

    Notes
    -----
    O(levels × synapses), and the moves: O(passes × synapses × parts of the neighbours).
    """
    return multilevel(neurons, limits, rng, np.ones(len(neurons)))


def multilevel(neurons: Neurons, limits: Limits, rng: np.random.Generator, rate: F64) -> Parts:
    """Return the best of three partitions after moves: along two trees of clusters, and in order.

    ``rate`` weighs each neuron's connections; one tree weighs them so, one counts them alike. No
    worse than ``sequential`` under that weight.
    """
    if not len(neurons):
        return np.empty(0, dtype=np.int64)
    begin, target = neurons.by_source
    numbers = limits.numbers()
    moves = rng.permutation(len(neurons)).astype(np.int64)
    best, least = None, np.inf
    orders = (
        cluster_order(neurons, rng, np.ones(len(neurons))),
        cluster_order(neurons, rng, rate),
        np.arange(len(neurons), dtype=np.int64),
    )
    for order in orders:
        part = fill(order, neurons.first, neurons.source, neurons.events, numbers)
        parts = int(part.max()) + 1
        if parts * len(neurons) <= _MOST_CELLS:
            part = refine(
                part, parts, neurons.first, neurons.source, begin, target, rate,
                neurons.events, numbers, moves, _PASSES,
            )  # fmt: skip
        cost = _crossing(neurons, part, rate)
        if cost < least:
            best, least = part, cost
    assert best is not None
    return best


def cluster_order(neurons: Neurons, rng: np.random.Generator, rate: F64) -> I64:
    """Return the neurons so that those of a cluster, at every level, stand side by side."""
    count = len(neurons)
    members: list[list[int]] = [[i] for i in range(count)]
    a = np.concatenate((neurons.source, neurons.target))
    b = np.concatenate((neurons.target, neurons.source))
    weight = np.tile(rate[neurons.source], 2)
    size: F64 = np.ones(count)
    while len(members) > 1:
        first, neighbour, joined = _graph(a, b, weight, len(members))
        order = rng.permutation(len(members)).astype(np.int64)
        partner = match(first, neighbour, joined, size, float(count), order)
        pairs = np.flatnonzero(partner >= np.arange(len(partner)))
        if len(pairs) == len(members):
            break
        number = np.empty(len(members), dtype=np.int64)
        number[pairs] = np.arange(len(pairs))
        number[partner[pairs]] = np.arange(len(pairs))
        members = [
            members[i] + (members[j] if j != i else [])
            for i, j in zip(pairs.tolist(), partner[pairs].tolist(), strict=True)
        ]
        size = np.bincount(number, size).astype(np.float64)
        a, b = number[a], number[b]
        keep = a != b
        a, b, weight = a[keep], b[keep], weight[keep]
    return np.array([neuron for cluster in members for neuron in cluster], dtype=np.int64)


def _graph(a: I64, b: I64, weight: F64, count: int) -> tuple[I64, I64, F64]:
    """Return (first edge of each node, neighbours, weights), parallel edges added up."""
    edge, inverse = np.unique(a * count + b, return_inverse=True)
    joined = np.bincount(inverse, weight, minlength=len(edge)).astype(np.float64)
    first = np.searchsorted(edge, np.arange(count + 1) * count).astype(np.int64)
    return first, (edge % count).astype(np.int64), joined


def _crossing(neurons: Neurons, part: Parts, rate: F64) -> float:
    pairs = np.unique(neurons.source * (int(part.max()) + 1) + part[neurons.target])
    source, there = np.divmod(pairs, int(part.max()) + 1)
    return float(rate[source[part[source] != there]].sum())
