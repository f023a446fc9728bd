"""Dimension order: y first, then x, on tori the shorter way round."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from chipsim.machine.model import Machine
from chipsim.mapping.application import Application, Name
from chipsim.mapping.fabric import fabric
from chipsim.mapping.routing.trees import grown, route_by
from chipsim.mapping.strategies import NetRoutes
from chipsim.mapping.tree_kernels import Y_FIRST


def route(
    application: Application,
    placement: Mapping[Name, int],
    machine: Machine,
    rng: np.random.Generator,
) -> dict[Name, NetRoutes]:
    """Route every net by the union of its sinks' y-first paths.

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
    O(sites of all trees). Around holes a path takes a shortest way, in y where that is one; on
    hexagonal machines diagonal steps come last.
    Where the machine leaves no choice the routes are the default router's.
    """
    return route_by(application, placement, machine, grown(fabric(machine), Y_FIRST))
