"""Spectral placement: vertices in the order of the graph's Fiedler vector, along a Hilbert curve.

References
----------
Fiedler, "Algebraic connectivity of graphs", Czechoslovak Mathematical Journal 23 (1973).
doi:10.21136/CMJ.1973.101168
Hall, "An r-dimensional quadratic placement algorithm", Management Science 17 (1970).
doi:10.1287/mnsc.17.3.219
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from chipsim.machine.model import Machine
from chipsim.mapping.application import Application, Name
from chipsim.mapping.placement.clusters import joined
from chipsim.mapping.placement.common import fill
from chipsim.mapping.placement.curve import hilbert_sites
from chipsim.mapping.placement.graph import breadth_first, pes_by_site, reverse_cuthill_mckee
from chipsim.mapping.placement.groups import groups_of

I32 = NDArray[np.int32]
F64 = NDArray[np.float64]

MOST_DENSE = 400
"""Vertices (helpers included) of a component whose eigenvectors are found all at once."""

LANCZOS = 80
RESTARTS = 4
NEAR = 1e-9
"""Eigenvalues that differ by less count as one."""


def place(application: Application, machine: Machine, rng: np.random.Generator) -> dict[Name, int]:
    """Put vertices in spectral order of the nets onto tiles along a Hilbert curve.

    Parameters
    ----------
    application : Application
    machine : Machine
    rng : numpy.random.Generator
        Not used: the result is the same for every seed.

    Returns
    -------
    dict of vertex name to endpoint

    Raises
    ------
    MappingError
        If the machine has too few PEs or a fixed place does not exist.

    Notes
    -----
    O(edges x iterations + vertices x iterations**2); at most 320 iterations, O(vertices**3) for
    parts of up to 400 vertices. The order is that of the second eigenvector of the normalised
    Laplacian, for each connected part of the graph on its own. Of several such eigenvectors (a
    symmetric graph has many) the one next to the reverse Cuthill-McKee order is taken.
    """
    order = spectral_order(application, machine)
    return fill(application, machine, pes_by_site(machine, hilbert_sites(machine)), order)


def spectral_order(application: Application, machine: Machine) -> list[int]:
    """Return all vertices by number: part after part, each by its Fiedler vector."""
    vertices = len(application.vertices)
    start, far, weight, helpers = joined(groups_of(application, machine), vertices)
    begun = np.empty(vertices + helpers)
    begun[reverse_cuthill_mckee(start, far)] = np.arange(vertices + helpers)
    order: list[int] = []
    done = np.zeros(vertices + helpers, dtype=bool)
    for root in range(vertices):
        if done[root]:
            continue
        part = np.array(sorted(breadth_first(start, far, range(len(start) - 1), [root])))
        done[part] = True
        value = _fiedler(*_inside(part, start, far, weight), begun[part])
        ranked = np.lexsort((part, np.round(value, 9)))
        order += [v for v in part[ranked].tolist() if v < vertices]
    return order


def _inside(part: NDArray[np.int64], start: I32, far: I32, weight: F64) -> tuple[I32, I32, F64]:
    """Return the edges of a connected part as (row, column, weight) by numbers within it."""
    number = np.full(len(start) - 1, -1, dtype=np.int32)
    number[part] = np.arange(len(part))
    row = np.repeat(np.arange(len(start) - 1), np.diff(start))
    inside = number[row] >= 0
    return number[row[inside]], number[far[inside]], weight[inside]


def _fiedler(row: I32, column: I32, weight: F64, begun: F64) -> F64:
    """Return the second eigenvector of the normalised Laplacian, scaled back to vertices."""
    count = len(begun)
    if count < 3:
        return begun
    degree = np.sqrt(np.bincount(row, weight, count))
    level = degree / np.linalg.norm(degree)  # eigenvector of the eigenvalue 1
    normal = weight / (degree[row] * degree[column])
    first = (begun - begun.mean()) * degree
    first -= level * (level @ first)
    if count <= MOST_DENSE:
        dense = np.zeros((count, count))
        dense[row, column] = normal
        found = _dense(dense, level, first)
    else:
        found = _lanczos(row, column, normal, level, first)
    value: F64 = found / degree
    scaled: F64 = value / np.abs(value).max(initial=1e-300)
    return scaled


def _dense(matrix: F64, level: F64, first: F64) -> F64:
    values, vectors = np.linalg.eigh(matrix - 2 * np.outer(level, level))
    space = vectors[:, values > values[-1] - NEAR]
    found: F64 = space @ (space.T @ first)
    return found if np.linalg.norm(found) > NEAR * np.linalg.norm(first) else space[:, -1]


def _lanczos(row: I32, column: I32, normal: F64, level: F64, first: F64) -> F64:
    """Return the vector of the greatest eigenvalue beside ``level``, restarted from the best."""
    count = len(level)
    vector: F64 = first
    for _ in range(RESTARTS):
        basis = np.zeros((min(LANCZOS, count - 1), count))
        small = np.zeros((len(basis), len(basis)))
        size = 0
        for k in range(len(basis)):
            length = np.linalg.norm(vector)
            if length < 1e-10:
                break
            basis[k], size = vector / length, k + 1
            if k:
                small[k, k - 1] = small[k - 1, k] = length
            vector = np.bincount(row, normal * basis[k][column], count).astype(np.float64)
            small[k, k] = basis[k] @ vector
            for _ in range(2):  # against everything so far: rounding brings it back otherwise
                vector -= level * (level @ vector)
                vector -= basis[:size].T @ (basis[:size] @ vector)
        _, vectors = np.linalg.eigh(small[:size, :size])
        best = vectors[:, -1] @ basis[:size]
        vector = best if best @ first >= 0 else -best
    return vector
