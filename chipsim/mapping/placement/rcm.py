"""Reverse Cuthill–McKee placement: both graphs in an order of small bandwidth.

References
----------
Cuthill, McKee, "Reducing the bandwidth of sparse symmetric matrices", Proc. 24th ACM National
Conference (1969). doi:10.1145/800195.805928
"""

from __future__ import annotations

import numpy as np

from chipsim.machine.model import Machine
from chipsim.mapping.application import Application, Name
from chipsim.mapping.placement.common import fill
from chipsim.mapping.placement.graph import (
    neighbours,
    nets_of,
    pes_by_site,
    reverse_cuthill_mckee,
    site_rows,
)


def place(application: Application, machine: Machine, rng: np.random.Generator) -> dict[Name, int]:
    """Put vertices onto tiles, both in reverse Cuthill–McKee order.

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
    O(edges of the 2-pin graph, sorted by degree). Ties by ascending number.
    """
    start, far, _ = neighbours(nets_of(application), len(application.vertices))
    vertices = reverse_cuthill_mckee(start, far)
    sites = reverse_cuthill_mckee(*site_rows(machine))
    return fill(application, machine, pes_by_site(machine, sites), vertices)
