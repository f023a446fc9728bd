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
from chipsim.mapping.placement.swaps import swaps

STARTS = (hilbert.place, hilbert_bfs.place, rcm.place, sequential.place)
HOT, WARM = 1.0, (0.1, 0.05, 0.02)
"""First temperatures over the spread of changes: one that forgets the start, some that mend it."""

HOT_EFFORT, WARM_EFFORT = 5.0, 2.0
BUDGET = 40_000_000
"""Most work of each of the seven runs [visited sinks]: some ten seconds."""


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
    O(V**1.33 x temperatures x nets of a vertex x tree size), at most 280 million visited sinks. A
    hot run starts from the cheapest of the four orders, at the standard deviation of 256 sampled
    changes; warm ones at 0.1, 0.05 and 0.02 of that start from the two cheapest, and keep what is
    good in an order that suits the graph. A step makes 5 (warm: 2) V**1.33 moves and cools by 0.9;
    a run ends three steps below 1/1000 of the spread without improvement. Where the machine falls
    apart the Hilbert placement is returned.
    """
    starts = [start(application, machine, rng) for start in STARTS]
    if unreachable(fabric(machine).distance):
        return starts[0]
    found = swaps(application, machine)
    starts.sort(key=found.cost)
    runs = [found.anneal(starts[0], rng, HOT, BUDGET, HOT_EFFORT)]
    runs += [
        found.anneal(begun, rng, heat, BUDGET, WARM_EFFORT) for begun in starts[:2] for heat in WARM
    ]
    return min(runs, key=found.cost)
