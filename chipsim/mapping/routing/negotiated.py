"""Negotiated routing: nets are rerouted in turn until the hottest links have cooled.

References
----------
McMurchie, Ebeling, "PathFinder: A negotiation-based performance-driven router for FPGAs", FPGA
(1995). doi:10.1145/201310.201328
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from chipsim.machine.model import Machine
from chipsim.mapping.application import Application, Name
from chipsim.mapping.fabric import Fabric, fabric
from chipsim.mapping.routing.negotiate_kernel import priced_tree
from chipsim.mapping.routing.trees import Builder, Step, grown, route_by
from chipsim.mapping.strategies import NetRoutes
from chipsim.mapping.tree_kernels import NEAREST

ROUNDS = 8
STEEP = 4.0
"""How the price of a link grows with its load over the hottest load: 1 + share**4 + history."""

HISTORY = 0.05
"""What a link that was among the hottest costs more in all later rounds."""

MORE_HOPS = 1.01
"""Weighted hops that a cooler solution may have over the shortest one met."""


def route(
    application: Application,
    placement: Mapping[Name, int],
    machine: Machine,
    rng: np.random.Generator,
) -> dict[Name, NetRoutes]:
    """Reroute nets by prices of links that follow their load; keep the coolest short solution.

    A :class:`~chipsim.mapping.strategies.Router`, which says what goes in and comes out.

    Notes
    -----
    O(rounds x nets x terminals x sites**2), with eight rounds, heaviest nets first. The first
    solution is that of ``ner``; of all rounds the one with the least hottest link is kept among
    those whose weighted hops are at most 1 % above the fewest met.
    """
    known = fabric(machine)
    asked = _Asked(known, grown(known, NEAREST))
    first = route_by(application, placement, machine, asked.ask)
    if not asked.nets:
        return first
    trees = iter(asked.negotiate())
    return route_by(application, placement, machine, lambda source, ends, weight: next(trees))


@dataclass
class _Asked:
    """What trees are asked for, in order; asking is answered by ``ner`` trees.

    Attributes
    ----------
    nets : list of (source, terminals, weight)
    trees : list of list of Step
    """

    known: Fabric
    ner: Builder
    nets: list[tuple[int, NDArray[np.int32], float]] = field(default_factory=list)
    trees: list[list[Step]] = field(default_factory=list)

    def ask(self, source: int, terminals: NDArray[np.int32], weight: float) -> list[Step]:
        """Note a net and return its ``ner`` tree."""
        self.nets.append((source, terminals.copy(), weight))
        self.trees.append(self.ner(source, terminals, weight))
        return self.trees[-1]

    def negotiate(self) -> list[list[Step]]:
        """Return trees with little load on the hottest link and hardly more hops."""
        degree = self.known.far.shape[1]
        load = np.zeros(self.known.far.size, dtype=np.float64)
        links = [self._links(tree, degree) for tree in self.trees]
        for tree, (_, _, weight) in zip(links, self.nets, strict=True):
            load[tree] += weight
        met = [(float(load.sum()), float(load.max(initial=0.0)), list(self.trees))]
        order = sorted(range(len(self.nets)), key=lambda i: (-self.nets[i][2], i))
        history = np.zeros_like(load)
        for _ in range(ROUNDS):
            hottest = max(float(load.max(initial=0.0)), 1e-12)
            for number in order:
                source, terminals, weight = self.nets[number]
                load[links[number]] -= weight
                price = 1.0 + (np.maximum(load + weight, 0.0) / hottest) ** STEEP + history
                self.trees[number] = self._tree(price, source, terminals)
                links[number] = self._links(self.trees[number], degree)
                load[links[number]] += weight
            history += HISTORY * (load >= 0.95 * load.max(initial=0.0))
            met.append((float(load.sum()), float(load.max(initial=0.0)), list(self.trees)))
        fewest = min(hops for hops, _, _ in met)
        short = [item for item in met if item[0] <= MORE_HOPS * fewest]
        return min(short, key=lambda item: item[1])[2]

    def _links(self, tree: list[Step], degree: int) -> NDArray[np.int64]:
        return np.array([parent * degree + slot for parent, slot, _ in tree], dtype=np.int64)

    def _tree(
        self, price: NDArray[np.float64], source: int, terminals: NDArray[np.int32]
    ) -> list[Step]:
        sites = self.known.sites
        parent, slots, nodes = (np.empty(sites, dtype=np.int32) for _ in range(3))
        size = priced_tree(self.known.far, price, source, terminals, parent, slots, nodes)
        return [(int(parent[s]), int(slots[s]), s) for s in nodes[1:size].tolist()]
