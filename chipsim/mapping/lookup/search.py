"""Look-up tables of one chip for given traffic: many starts, each cooled, the best one refined.

Cost is the hottest channel, then the sum over all channels. Circles of waiting are excluded at
every step, over the ways between all pairs of routers and through the packet router, with traffic
or not, so that whatever a program sends cannot deadlock.

References
----------
Kinsy, Cho, Wen, Suh, van Dijk, Devadas, "Application-aware deadlock-free oblivious routing", ISCA
(2009), doi:10.1145/1555754.1555782: routes for known traffic within an acyclic dependency graph.
Domke, Hoefler, Matsuoka, "Routing on the dependency graph", HPDC (2016),
doi:10.1145/2907294.2907313: trees by destination, each under the dependencies of those before it.
"""

from __future__ import annotations

import numpy as np

from chipsim.machine.floor import Floor
from chipsim.machine.lut import Plan
from chipsim.mapping.lookup.descent import descend
from chipsim.mapping.lookup.mesh import Mesh
from chipsim.mapping.lookup.ruin import refine
from chipsim.mapping.lookup.state import Demand, State, of_plan
from chipsim.mapping.lookup.trees import from_nothing

STARTS = 32
"""Tables built from nothing; on seven loads of one chip the best of 48 was the best of the first
32 in six."""

SWEEPS = 20
REFINED = 3
"""Of all starts, how many are refined."""


def balanced(
    floor: Floor, demand: Demand, shipped: Plan, rng: np.random.Generator, starts: int = STARTS
) -> Plan:
    """Return tables with a cool hottest channel.

    Parameters
    ----------
    floor : Floor
        The chip without its dead parts.
    demand : mapping of (int, int) to float
        Flits per tick between routers, numbered as in :class:`chipsim.mapping.lookup.mesh.Mesh`.
    shipped : Plan
        Tables to start from; returned as they are where nothing beats them.
    rng : numpy.random.Generator
    starts : int
        Tables that are built from nothing beside.

    Returns
    -------
    Plan
        Its hottest channel is not hotter than that of ``shipped``.

    Notes
    -----
    O(starts x routers**2 x channels): some seconds a chip.
    """
    mesh = Mesh(floor)
    first = of_plan(mesh, demand, shipped)
    given = first.cost()
    if given[0] <= 0.0:
        return shipped
    states: list[State] = [first]
    descend(first, rng, SWEEPS)
    for _ in range(starts):
        states.append(from_nothing(mesh, demand, rng, given[0]))
        descend(states[-1], rng, SWEEPS)
    states.sort(key=State.cost)
    for state in states[:REFINED]:
        refine(state, rng)
        descend(state, rng, SWEEPS)
    plan = min(states[:REFINED], key=State.cost).plan()
    # Loads were summed move by move; who wins is decided by sums made anew.
    return plan if of_plan(mesh, demand, plan).cost() < given else shipped
