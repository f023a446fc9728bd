"""Multilevel placement for short, cool trees: see :mod:`chipsim.mapping.placement.joint`."""

from __future__ import annotations

import numpy as np

from chipsim.machine.model import Machine
from chipsim.mapping.application import Application, Name
from chipsim.mapping.placement.joint import place_for
from chipsim.mapping.placement.swaps import Goal

GOAL = Goal(1.0, 0.25)
"""Shares of hops and of link load. Neither is 0: a placement that is a little longer and much
cooler gives routers room, and the other figure should not run away."""


def place(application: Application, machine: Machine, rng: np.random.Generator) -> dict[Name, int]:
    """Place clusters of vertices for short trees and cool links, then single vertices.

    Parameters
    ----------
    application : Application
    machine : Machine
    rng : numpy.random.Generator
        Seeds bisection and moves.

    Returns
    -------
    dict of vertex name to endpoint

    Raises
    ------
    MappingError
        If the machine has too few PEs or is too large for annealing.

    Notes
    -----
    O(clusters**1.33 x temperatures x trees of a cluster + V**1.33 x temperatures x trees of a
    vertex); see :mod:`chipsim.mapping.placement.joint`. The cost is
    the logarithm of hops plus 0.25 times that of the 8-norm of link loads.
    """
    return place_for(application, machine, rng, GOAL)
