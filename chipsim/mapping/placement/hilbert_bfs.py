"""Hilbert placement of the breadth-first order: for graphs whose order says nothing."""

from __future__ import annotations

import numpy as np

from chipsim.machine.model import Machine
from chipsim.mapping.application import Application, Name
from chipsim.mapping.placement.common import fill
from chipsim.mapping.placement.curve import hilbert_sites
from chipsim.mapping.placement.graph import (
    breadth_first,
    neighbours,
    nets_of,
    pes_by_site,
)


def place(application: Application, machine: Machine, rng: np.random.Generator) -> dict[Name, int]:
    """Put vertices in breadth-first order of the nets onto tiles along a Hilbert curve.

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
    O(vertices + edges of the 2-pin graph + tiles log tiles). Orders as for ``breadth_first`` and
    ``hilbert``.
    """
    count = len(application.vertices)
    start, far, _ = neighbours(nets_of(application), count)
    vertices = breadth_first(start, far, range(count), range(count))
    return fill(application, machine, pes_by_site(machine, hilbert_sites(machine)), vertices)
