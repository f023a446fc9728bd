"""Circles of waiting in what routers give: found where they are, named, and none elsewhere."""

import networkx as nx
import pytest

from chipsim.machine.library import load_machine
from chipsim.mapping.application import Application, Net, Vertex
from chipsim.mapping.generators import generate
from chipsim.mapping.mapping import Mapping, map_application
from chipsim.mapping.waiting import waiting


def ring(fifo: int | str) -> Mapping:
    """Four packets, each two steps on round a ring of four: the textbook's deadlock."""
    where = load_machine("torus-4x1", {"noc.fifo_packets": fifo})
    vertices = tuple(Vertex(i, fixed=(i, 0)) for i in range(4))
    nets = tuple(Net(i, i, ((i + 2) % 4,)) for i in range(4))
    return map_application(Application("ring", vertices, nets, "router_multicast"), where)


@pytest.mark.filterwarnings("ignore:torus-4x1. noc.fifo_packets")
def test_a_ring_is_named_and_holds_only_where_fifos_are_finite() -> None:
    found = waiting(ring(2))
    assert found.held == found.cycle and found.cycle.count("=>") == 4
    row = found.as_dict()
    assert row == {"channel_cycle": found.held, "can_deadlock": True}
    free = waiting(ring("unbounded"))
    assert free.cycle == found.cycle and not free.held
    assert free.as_dict()["can_deadlock"] is False


@pytest.mark.parametrize("router", ["default", "xy"])
def test_dimension_order_on_a_mesh_has_no_circle(router: str) -> None:
    where = load_machine("mesh-6x6")
    found = waiting(map_application(generate("rgg:n=36"), where, "random", router))
    assert found.as_dict() == {"channel_cycle": "none", "can_deadlock": False}


@pytest.mark.parametrize("router", ["ner", "steiner", "xy"])
def test_circles_are_there_exactly_if_a_plain_graph_has_one(router: str) -> None:
    mapping = map_application(generate("rgg:n=36"), load_machine("mesh-6x6"), "random", router)
    graph = nx.DiGraph()
    for routes in mapping.routes.values():
        for route in routes:
            for stage in route.stages:
                for channel, following in stage:
                    if following >= 0:
                        graph.add_edges_from((channel, b.channel) for b in route.stages[following])
    acyclic = nx.is_directed_acyclic_graph(graph)
    assert (not waiting(mapping).cycle) == acyclic
