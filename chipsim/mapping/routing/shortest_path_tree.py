"""Shortest-path trees: every sink at its least distance, with as few links as a greedy cover needs.

Of the many shortest-path trees of a mesh, one with few links is grown from the farthest sinks back:
level by level, the routers that can be the parent of most of what still needs one come first.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from chipsim.machine.model import Machine
from chipsim.mapping.application import Application, Name
from chipsim.mapping.fabric import Fabric, fabric
from chipsim.mapping.routing.trees import Builder, Step, no_way, route_by
from chipsim.mapping.strategies import NetRoutes
from chipsim.mapping.tree_kernels import FAR


def route(
    application: Application,
    placement: Mapping[Name, int],
    machine: Machine,
    rng: np.random.Generator,
) -> dict[Name, NetRoutes]:
    """Route every net by a shortest-path tree that shares links greedily.

    A :class:`~chipsim.mapping.strategies.Router`, which says what goes in and comes out.

    Notes
    -----
    O(sites of a tree x links of a router x log) per net.
    """
    return route_by(application, placement, machine, _builder(fabric(machine)))


def _builder(known: Fabric) -> Builder:
    before: list[list[tuple[int, int]]] = [[] for _ in range(known.sites)]
    for site, row in enumerate(known.far.tolist()):
        for slot, there in enumerate(row):
            if there >= 0:
                before[there].append((site, slot))

    def build(source: int, terminals: NDArray[np.int32], weight: float) -> list[Step]:
        away = known.distance[source].tolist()
        levels: dict[int, set[int]] = {}
        for site in terminals.tolist():
            if away[site] == FAR:
                raise no_way(known, source)
            levels.setdefault(away[site], set()).add(site)
        steps: list[Step] = []
        for level in range(max(levels, default=0), 0, -1):
            above = levels.setdefault(level - 1, set())
            found = _cover(levels[level], above, before, away)
            above.update(parent for parent, _, _ in found)
            steps += found
        return steps[::-1]

    return build


def _cover(
    needy: set[int], tree: set[int], before: list[list[tuple[int, int]]], away: list[int]
) -> list[Step]:
    """Give every site of a level a parent one link nearer: first from the tree, then by cover."""
    offers: dict[int, list[tuple[int, int]]] = {}
    for site in sorted(needy):
        for parent, slot in before[site]:
            if away[parent] == away[site] - 1:
                offers.setdefault(parent, []).append((site, slot))
    steps: list[Step] = []
    left = set(needy)
    while left:
        # Parents that the tree has anyway cost nothing; then the one with most children.
        parent = min(
            offers,
            key=lambda p: (p not in tree, -len({s for s, _ in offers[p]} & left), p),
        )
        for site, slot in offers.pop(parent):
            if site in left:
                left.remove(site)
                steps.append((parent, slot, site))
    return steps
