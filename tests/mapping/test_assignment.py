"""Places by traffic times distance: what the tabu search finds, against every order of a few."""

from itertools import pairwise, permutations

import numpy as np
import pytest

from chipsim.mapping.crowd import with_pes_per_tile
from chipsim.mapping.fabric import fabric
from chipsim.mapping.generators import generate
from chipsim.mapping.placement.assignment import assigned
from chipsim.mapping.placement.groups import groups_of
from tests.mapping.helpers import machine


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("pinned", [False, True])
def test_six_vertices_on_six_routers_lie_as_well_as_can_be(seed: int, pinned: bool) -> None:
    known = with_pes_per_tile(machine("mesh-3x2"), 1)
    application = generate(f"rgg:n=6,seed={seed}")
    groups = groups_of(application, known)
    distance = fabric(known).distance
    fixed = np.full(6, -1, dtype=np.int32)
    sites = np.arange(6, dtype=np.int32)
    holder = np.arange(6, dtype=np.int32)
    if pinned:  # vertex 0 stays on router 5
        fixed[0], sites, holder = 5, sites[:5], holder[1:]

    def cost(order: tuple[int, ...]) -> float:
        at = fixed.copy()
        at[list(order)] = sites
        return sum(
            net.weight() * int(distance[at[int(str(net.source))], at[int(str(sink))]])
            for net in application.nets
            for sink in net.sinks
        )

    found = assigned(groups, holder, sites, distance, fixed)
    assert sorted(found.tolist()) == sorted(holder.tolist())
    least = min(map(cost, permutations(holder.tolist())))
    assert cost(tuple(found.tolist())) == pytest.approx(least)


def test_free_places_are_used() -> None:
    known = machine("mesh-8x8")
    application = generate("ff:n=8,layers=8")  # a chain
    groups, distance = groups_of(application, known), fabric(known).distance
    holder = np.full(64, -1, dtype=np.int32)
    holder[::9] = [0, 4, 1, 5, 2, 6, 3, 7]  # on the diagonal
    sites = np.arange(64, dtype=np.int32)
    found = assigned(groups, holder, sites, distance, np.full(8, -1, dtype=np.int32))
    where = {int(thing): slot for slot, thing in enumerate(found) if thing >= 0}
    assert sorted(where) == list(range(8))
    length = sum(int(distance[where[i], where[i + 1]]) for i in range(7))
    begun = sum(int(distance[9 * a, 9 * b]) for a, b in pairwise([0, 2, 4, 6, 1, 3, 5, 7]))
    assert 7 <= length <= begun / 2
