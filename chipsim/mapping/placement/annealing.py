"""Simulated annealing on the exact length of the multicast trees.

The bounding box that other annealers cost a net by does not change once nets span the board, and a
start temperature from zero changes is zero. Here a net costs the links of its tree, grown by the
``ner`` router's own builder over true distances, and changes are sampled until there are enough.

References
----------
Betz, Rose, "VPR: A new packing, placement and routing tool for FPGA research", FPL (1997).
doi:10.1007/3-540-63465-7_226
"""

from __future__ import annotations

import numpy as np

from chipsim.machine.model import Machine
from chipsim.mapping.application import Application, Name
from chipsim.mapping.fabric import fabric, unreachable
from chipsim.mapping.placement import hilbert, hilbert_bfs, rcm, sequential
from chipsim.mapping.placement.joint import score
from chipsim.mapping.placement.swaps import Goal, swaps

STARTS = (hilbert.place, hilbert_bfs.place, rcm.place, sequential.place)


def place(application: Application, machine: Machine, rng: np.random.Generator) -> dict[Name, int]:
    """Swap places by simulated annealing of weighted tree hops, from the cheapest simple order.

    Parameters
    ----------
    application : Application
    machine : Machine
    rng : numpy.random.Generator
        Seeds the moves.

    Returns
    -------
    dict of vertex name to endpoint
        The cheapest placement met, so never dearer than ``hilbert``, ``hilbert_bfs``, ``rcm`` and
        ``sequential`` with ``ner``.

    Raises
    ------
    MappingError
        If the machine has too few PEs, or a fixed place does not exist.

    Notes
    -----
    O(V**1.33 x temperatures x nets of a vertex x tree size), at most 300 million visited sites. 60
    temperatures from the standard deviation of 128 sampled changes down to a thousandth of it, with
    V**1.33 moves at each. Where the machine falls apart the Hilbert placement is returned.
    """
    return place_for(application, machine, rng, Goal())


def place_for(
    application: Application, machine: Machine, rng: np.random.Generator, goal: Goal
) -> dict[Name, int]:
    """Anneal for a goal of hops and link load; see :func:`place`."""
    starts = [start(application, machine, rng) for start in STARTS]
    if unreachable(fabric(machine).distance):
        return starts[0]
    found = swaps(application, machine)
    begun = min(starts, key=lambda start: score(found.cost(start), goal))
    return found.anneal(begun, rng, goal)
