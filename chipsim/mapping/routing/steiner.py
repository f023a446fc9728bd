"""Steiner trees by Mehlhorn's approximation: short, but deep and with hot links.

References
----------
Mehlhorn, "A faster approximation algorithm for the Steiner problem in graphs", Information
Processing Letters 27 (1988). doi:10.1016/0020-0190(88)90066-X
"""

from __future__ import annotations

from collections.abc import Mapping

import networkx as nx
import numpy as np
from numpy.typing import NDArray

from chipsim.machine.model import Machine
from chipsim.mapping.application import Application, Name
from chipsim.mapping.fabric import Fabric, fabric
from chipsim.mapping.routing.trees import Builder, Step, no_way, route_by
from chipsim.mapping.strategies import NetRoutes


def route(
    application: Application,
    placement: Mapping[Name, int],
    machine: Machine,
    rng: np.random.Generator,
) -> dict[Name, NetRoutes]:
    """Route every net by networkx's Steiner tree (``method="mehlhorn"``).

    A :class:`~chipsim.mapping.strategies.Router`, which says what goes in and comes out.

    Notes
    -----
    O(links log sites) per net, at most twice the shortest tree.
    """
    return route_by(application, placement, machine, _builder(fabric(machine)))


def _builder(known: Fabric) -> Builder:
    graph = nx.Graph()
    graph.add_nodes_from(range(known.sites))
    slot_of: dict[tuple[int, int], int] = {}
    for site, row in enumerate(known.far.tolist()):
        for slot, there in enumerate(row):
            if there >= 0:
                slot_of.setdefault((site, there), slot)
    # A link of one direction only cannot carry a tree that networkx takes for undirected.
    graph.add_edges_from(pair for pair in slot_of if pair[::-1] in slot_of)
    pieces = {
        site: number
        for number, piece in enumerate(nx.connected_components(graph))
        for site in piece
    }

    def build(source: int, terminals: NDArray[np.int32], weight: float) -> list[Step]:
        wanted = list(dict.fromkeys([source, *terminals.tolist()]))
        if any(pieces[site] != pieces[source] for site in wanted):
            raise no_way(known, source)
        if len(wanted) == 1:
            return []
        tree = nx.algorithms.approximation.steiner_tree(graph, wanted, method="mehlhorn")
        steps: list[Step] = []
        seen = {source: None}
        for at in (todo := [source]):
            for there in sorted(tree[at]):
                if there not in seen:
                    seen[there] = None
                    todo.append(there)
                    steps.append((at, slot_of[at, there], there))
        return steps

    return build
