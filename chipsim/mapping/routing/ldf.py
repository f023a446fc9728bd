"""Longest dimension first: each sink's path runs along its longer dimension first.

Trees are longer than those of ``ner`` but spread load over more links.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from chipsim.machine.model import Machine
from chipsim.mapping.application import Application, Name
from chipsim.mapping.fabric import fabric
from chipsim.mapping.routing.trees import grown, route_by
from chipsim.mapping.strategies import NetRoutes
from chipsim.mapping.tree_kernels import LONGEST


def route(
    application: Application,
    placement: Mapping[Name, int],
    machine: Machine,
    rng: np.random.Generator,
) -> dict[Name, NetRoutes]:
    """Route every net by the union of its sinks' longest-dimension-first paths.

    A :class:`~chipsim.mapping.strategies.Router`, which says what goes in and comes out.

    Notes
    -----
    O(sites of all trees); x first where both dimensions are as long.
    """
    return route_by(application, placement, machine, grown(fabric(machine), LONGEST))
