"""Simulated annealing on the load of links instead of the length of trees."""

from __future__ import annotations

import numpy as np

from chipsim.machine.model import Machine
from chipsim.mapping.application import Application, Name
from chipsim.mapping.placement import annealing
from chipsim.mapping.placement.swaps import Goal


def place(application: Application, machine: Machine, rng: np.random.Generator) -> dict[Name, int]:
    """Swap places by simulated annealing of link load, with weighted tree hops at a tenth of it.

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
    O(V**1.33 x temperatures x nets of a vertex x tree size), as ``annealing``. Load is the 8-norm
    over all links of the loads that ``ner`` gives: it follows the hottest link, and still sees
    what happens on the others.
    """
    return annealing.place_for(application, machine, rng, Goal(0.1, 1.0))
