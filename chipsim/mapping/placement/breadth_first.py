"""Breadth-first placement: vertices and tiles each in breadth-first order."""

from __future__ import annotations

import numpy as np

from chipsim.machine.model import Machine
from chipsim.mapping.application import Application, Name
from chipsim.mapping.placement.common import fill
from chipsim.mapping.placement.graph import (
    breadth_first,
    neighbours,
    nets_of,
    pes_by_site,
    site_rows,
)


def place(application: Application, machine: Machine, rng: np.random.Generator) -> dict[Name, int]:
    """Put vertices in breadth-first order of the nets onto tiles in breadth-first order.

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
    O(edges of the 2-pin graph, sorted). Roots and neighbours by ascending number. Replicas that are
    joined by weak nets get shuffled together, at 4 to 13 times the hops.
    """
    count = len(application.vertices)
    start, far, _ = neighbours(nets_of(application), count)
    vertices = breadth_first(start, far, range(count), range(count))
    rows, links = site_rows(machine)
    sites = breadth_first(rows, links, range(len(rows) - 1), range(len(rows) - 1))
    return fill(application, machine, pes_by_site(machine, sites), vertices)
