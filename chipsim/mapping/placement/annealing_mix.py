"""Simulated annealing on the length of trees and the load of links together."""

from __future__ import annotations

import numpy as np

from chipsim.machine.model import Machine
from chipsim.mapping.application import Application, Name
from chipsim.mapping.placement import annealing
from chipsim.mapping.placement.swaps import Goal


def place(application: Application, machine: Machine, rng: np.random.Generator) -> dict[Name, int]:
    """Swap places by simulated annealing of weighted tree hops times link load.

    Parameters
    ----------
    application : Application
    machine : Machine
    rng : numpy.random.Generator
        Seeds the moves.

    Returns
    -------
    dict of vertex name to endpoint

    Raises
    ------
    MappingError
        If the machine has too few PEs, or a fixed place does not exist.

    Notes
    -----
    O(V**1.33 x temperatures x nets of a vertex x tree size), as ``annealing``. The cost is the sum
    of the logarithms of weighted hops and of the 8-norm of link loads.
    """
    return annealing.place_for(application, machine, rng, Goal(1.0, 1.0))
