"""Hilbert placement: vertices in their own order along a space-filling curve."""

from __future__ import annotations

import numpy as np

from chipsim.machine.model import Machine
from chipsim.mapping.application import Application, Name
from chipsim.mapping.placement.common import fill
from chipsim.mapping.placement.curve import hilbert_sites
from chipsim.mapping.placement.graph import pes_by_site


def place(application: Application, machine: Machine, rng: np.random.Generator) -> dict[Name, int]:
    """Put vertices in the application's order onto tiles along a Hilbert curve.

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
    O(tiles log tiles). The curve runs over the least square of a power of two around the machine;
    tiles that are not there are passed over. Layered graphs whose ids run in layer order, and
    batches in replica order, do well; see also ``hilbert_bfs`` for graphs in no order.
    """
    vertices = range(len(application.vertices))
    return fill(application, machine, pes_by_site(machine, hilbert_sites(machine)), vertices)
