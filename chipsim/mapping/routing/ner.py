"""Neighbour exploring routing: each sink joins the nearest router of the tree so far.

References
----------
Navaridas, Luján, Plana, Temple, Furber, "SpiNNaker: Enhanced multicast routing", Parallel
Computing 45 (2015). doi:10.1016/j.parco.2015.01.002

Longest-dimension-first segments; the whole tree is short and shallow.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from chipsim.machine.model import Machine
from chipsim.mapping.application import Application, Name
from chipsim.mapping.fabric import fabric
from chipsim.mapping.routing.trees import grown, route_by
from chipsim.mapping.strategies import NetRoutes
from chipsim.mapping.tree_kernels import NEAREST


def route(
    application: Application,
    placement: Mapping[Name, int],
    machine: Machine,
    rng: np.random.Generator,
) -> dict[Name, NetRoutes]:
    """Route every net by a tree that grows sink by sink, nearest to the source first.

    Parameters
    ----------
    application : Application
    placement : mapping of vertex name to endpoint
    machine : Machine
    rng : numpy.random.Generator
        Not used: the result is the same for every seed.

    Returns
    -------
    dict of net name to tuple of Route

    Raises
    ------
    MappingError
        Naming every net that cannot be routed, or for a machine too large for its distances.

    Notes
    -----
    O(sinks × sites) per net. The nearest router within 20 links, the one that joined first of
    several, else the source.
    Where the machine leaves no choice the routes are the default router's.
    """
    return route_by(application, placement, machine, grown(fabric(machine), NEAREST))
