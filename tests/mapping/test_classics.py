"""Spectral and force-directed placement, and shortest-path trees, against plain definitions."""

import itertools

import networkx as nx
import numpy as np
import pytest

from chipsim.machine.model import Machine
from chipsim.mapping.application import Application, Name, Net, Vertex
from chipsim.mapping.fabric import fabric
from chipsim.mapping.generators import generate
from chipsim.mapping.mapping import map_application
from chipsim.mapping.placement import force_directed, hilbert, spectral
from tests.mapping.helpers import machine

RNG = np.random.default_rng(0)


def chain(order: list[int]) -> Application:
    nets = tuple(Net(i, a, (b,)) for i, (a, b) in enumerate(itertools.pairwise(order)))
    return Application("chain", tuple(Vertex(i) for i in range(len(order))), nets)


@pytest.mark.parametrize("count", [2, 9, 60, 700])
def test_a_chain_is_put_in_its_order(count: int) -> None:
    """The Fiedler vector of a path is monotonic along it; 700 is beyond the dense solver."""
    order = np.random.default_rng(count).permutation(count).tolist()
    found = spectral.spectral_order(chain(order), machine("mesh-32x32"))
    if count <= spectral.MOST_DENSE:
        assert found in (order, order[::-1])
    else:
        place = {vertex: i for i, vertex in enumerate(order)}
        ranks = np.array([place[vertex] for vertex in found])
        assert abs(np.corrcoef(ranks, np.arange(count))[0, 1]) > 0.99


def test_each_part_of_a_graph_stays_together() -> None:
    one, two = [0, 2, 4, 6], [7, 5, 3, 1]
    nets = [Net(f"a{i}", a, (b,)) for i, (a, b) in enumerate(itertools.pairwise(one))]
    nets += [Net(f"b{i}", a, (b,)) for i, (a, b) in enumerate(itertools.pairwise(two))]
    app = Application("two", tuple(Vertex(i) for i in range(9)), tuple(nets))
    found = spectral.spectral_order(app, machine("mesh-8x8"))
    assert set(found[:4]) == set(one) and set(found[4:8]) == set(two) and found[8] == 8


def energy(application: Application, where: Machine, placement: dict[Name, int]) -> float:
    known, graph = fabric(where), nx.DiGraph()
    for site, row in enumerate(known.far.tolist()):
        graph.add_edges_from((site, far) for far in row if far >= 0)
    away = dict(nx.all_pairs_shortest_path_length(graph))
    site = {name: int(known.site_of[end]) for name, end in placement.items()}
    return sum(
        net.weight() * (away[site[net.source]][site[s]] ** 2 + away[site[s]][site[net.source]] ** 2)
        for net in application.nets
        for s in net.sinks
        if s != net.source
    )


@pytest.mark.parametrize("name", ["holes", "torus-6x5", "mesh-8x8"])
def test_forces_lower_the_energy(name: str) -> None:
    application = generate("ws:n=30,seed=2")
    where = machine(name)
    begun, found = (s.place(application, where, RNG) for s in (hilbert, force_directed))
    assert energy(application, where, found) < 0.9 * energy(application, where, begun)


def test_forces_end_where_no_pair_of_neighbours_gains() -> None:
    """An exhaustive look at every exchange over a link finds none that is better."""
    application, where = generate("rgg:n=20,seed=1"), machine("torus-6x5")
    found = force_directed.place(application, where, RNG)
    least = energy(application, where, found)
    known = fabric(where)
    holder = {end: name for name, end in found.items()}
    for name, end in found.items():
        for far in known.far[known.site_of[end]].tolist():
            other = int(np.flatnonzero(known.site_of == far)[0])
            swapped = found | {name: other}
            if other in holder:
                swapped[holder[other]] = end
            assert energy(application, where, swapped) >= least - 1e-6


@pytest.mark.parametrize("name", ["holes", "torus-6x5", "hex-torus-6x6", "mesh-8x8"])
def test_shortest_path_trees_are_shortest_and_not_longer_than_a_union_of_paths(name: str) -> None:
    application, where = generate("ws:n=30,seed=3"), machine(name)
    known = fabric(where)
    tree = map_application(application, where, "random", "shortest_path_tree", seed=5)
    for net in application.nets:
        (route,) = tree.routes[net.name]
        start = int(known.site_of[tree.placement[net.source]])
        depth = {0: 0}
        reached: dict[int, int] = {}
        for number, stage in enumerate(route.stages):
            for channel, following in stage:
                if following >= 0:
                    depth[following] = depth[number] + 1
                else:
                    site = int(np.flatnonzero(known.node == where.channel_node[channel])[0])
                    reached[site] = depth[number]
        assert reached == {
            site: int(known.distance[start, site])
            for site in {int(known.site_of[tree.placement[sink]]) for sink in net.sinks}
        }
    dimension = map_application(application, where, "random", "xy", seed=5)
    assert tree.metrics().total.tree_hops <= dimension.metrics().total.tree_hops
