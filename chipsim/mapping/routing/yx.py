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

    A :class:`~chipsim.mapping.strategies.Router`, which says what goes in and comes out.

    Notes
    -----
    O(sites of all trees). Around holes a path takes a shortest way, in y where that is one; on
    hexagonal machines diagonal steps come last.
    """
    return route_by(application, placement, machine, grown(fabric(machine), Y_FIRST))
