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

    A :class:`~chipsim.mapping.strategies.Router`, which says what goes in and comes out.

    Notes
    -----
    O(sinks × sites) per net. The nearest router within 20 links, the one that joined first of
    several, else the source.
    """
    return route_by(application, placement, machine, grown(fabric(machine), NEAREST))
