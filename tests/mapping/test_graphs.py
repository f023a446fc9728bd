"""Graphs from files and generators: what they hold, and every problem of a wrong one at once."""

import json
import random
from pathlib import Path
from typing import Any

import networkx as nx
import pytest

from chipsim.errors import MappingError
from chipsim.mapping.application import Application
from chipsim.mapping.generators import ff, generate, replicas, rgg, ws
from chipsim.mapping.graph_files import Edges, read_graph


def nets(application: Application) -> list[tuple[object, tuple[object, ...], float]]:
    return [(net.source, net.sinks, net.weight()) for net in application.nets]


def written(tmp_path: Path, document: Any) -> Path:
    path = tmp_path / "graph.json"
    path.write_text(document if isinstance(document, str) else json.dumps(document))
    return path


def problems(path: Path, edges: Edges | None = None) -> list[str]:
    with pytest.raises(MappingError) as caught:
        read_graph(path, edges)
    assert caught.value.subject == f"graph {path}"
    return list(caught.value.problems)


def test_layers_take_the_remainder_first_and_weights_in_id_order() -> None:
    draw = random.Random(1)
    weights = [draw.randint(5, 15) for _ in range(5)]
    forward = [
        (0, (2, 3), weights[0]),
        (1, (2, 3), weights[1]),
        (2, (4,), weights[2]),
        (3, (4,), weights[3]),
    ]
    back = [(2, (0, 1), weights[2]), (3, (0, 1), weights[3]), (4, (2, 3), weights[4])]
    assert nets(ff(5, 3)) == forward
    assert nets(ff(5, 3, True)) == forward + back


def test_replicas_are_copies_and_send_gradients_to_the_first() -> None:
    one, three = ff(4, 2, True), replicas(4, 2, 3)
    assert len(three.vertices) == 12
    assert nets(three)[: len(one.nets)] == nets(one)
    assert nets(three)[-8:] == [(i, (i % 4,), 1.0) for i in range(4, 12)]
    assert [vertex.group for vertex in three.vertices] == [0] * 4 + [1] * 4 + [2] * 4


def test_graphs_are_networkx_s() -> None:
    draw = random.Random(7)
    weights = [draw.randint(1, 16) for _ in range(64)]
    world = nx.watts_strogatz_graph(64, 8, 0.1, seed=42)
    assert nets(ws(64)) == [(v, tuple(sorted(world[v])), weights[v]) for v in range(64)]
    geometric = rgg(256)
    degree = sum(len(net.sinks) for net in geometric.nets) / 256
    assert 6 < degree < 8  # 8 inside the square, fewer at its edges
    assert nets(rgg(256)) == nets(geometric)


def test_a_word_makes_a_graph() -> None:
    assert generate("ff:n=5,layers=3,reverse=1") == ff(5, 3, True)
    assert generate("rgg:n=20") == rgg(20)
    with pytest.raises(MappingError) as caught:
        generate("ff:layer=3,reverse=yes,seed=1,seed=2")
    assert list(caught.value.problems) == [
        "unknown parameter 'layer'; did you mean 'layers'?",
        "parameter 'reverse' is 'yes'; expected an integer",
        "parameter 'seed' is given twice; give it once",
        "parameter 'n' is missing; for example ff:n=4",
        "parameter 'layers' is missing; for example ff:layers=4",
    ]
    with pytest.raises(MappingError, match="unknown generator 'rg'; did you mean 'rgg'"):
        generate("rg:n=3")
    with pytest.raises(MappingError, match="n is 3; expected at least 4"):
        generate("ff:n=3,layers=4")


def test_vertices_and_nets(tmp_path: Path) -> None:
    document = {
        "vertices": [0, 1, "x"],
        "nets": [{"source": 0, "sinks": [1, "x"], "weight": 7}, {"source": 1, "sinks": [0]}],
    }
    application = read_graph(written(tmp_path, document))
    assert (application.name, application.transport) == ("graph", "router_multicast")
    assert nets(application) == [(0, (1, "x"), 7.0), (1, (0,), 1.0)]


def test_what_is_wrong_with_nets(tmp_path: Path) -> None:
    path = written(tmp_path, {"vertices": [0, 1], "nets": [{"source": 0, "sinks": [1, 5]}]})
    assert problems(path) == ["net 0: sink 5 is no vertex"]
    path = written(
        tmp_path,
        {
            "vertices": [0, [1]],
            "nets": [{"source": 0, "sink": [1]}, 4, {"source": 0, "sinks": 1, "weight": -2}],
        },
    )
    assert problems(path) == [
        "vertices[1] is [1]; expected a text or an integer",
        "nets[0]: unknown key 'sink'; did you mean 'sinks'?",
        "nets[0]: has no sinks",
        "nets[1] is 4; expected an object with source and sinks",
        "nets[2]: sinks is 1; expected a list of vertices",
        "nets[2]: weight is -2; expected a number of at least 0",
    ]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{", "is no JSON: Expecting property name"),
        ("[]", "has neither nets nor nodes; expected"),
        ('{"nets": []}', "has nets but no vertices"),
        ('{"vertices": 3, "nets": []}', "vertices is 3; expected a list"),
    ],
)
def test_what_is_no_graph(tmp_path: Path, text: str, problem: str) -> None:
    assert problems(written(tmp_path, text))[0].startswith(problem)


def test_no_file(tmp_path: Path) -> None:
    assert problems(tmp_path / "none")[0].startswith("cannot be read: No such file")


def test_node_link(tmp_path: Path) -> None:
    graph = nx.Graph()
    graph.add_edge("a", "b", weight=3)
    graph.add_edge("a", "c", weight=3)
    path = written(tmp_path, nx.node_link_data(graph, edges="edges"))
    assert nets(read_graph(path)) == [("a", ("b", "c"), 3), ("b", ("a",), 3), ("c", ("a",), 3)]
    graph["a"]["c"]["weight"] = 5
    path = written(tmp_path, nx.node_link_data(graph, edges="links"))
    assert problems(path) == [
        "1 vertices have out-edges of several weights, 'a' first; say --edges multicast-max (one "
        "net per vertex, the greatest weight) or --edges 2pin (one net per edge)"
    ]
    assert nets(read_graph(path, "multicast-max"))[0] == ("a", ("b", "c"), 5)
    assert nets(read_graph(path, "2pin"))[:2] == [("a", ("b",), 3), ("a", ("c",), 5)]
    directed = nx.DiGraph([("a", "b")])
    path = written(tmp_path, nx.node_link_data(directed, edges="edges"))
    assert nets(read_graph(path)) == [("a", ("b",), 1)]


def test_what_is_wrong_with_edges(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        {
            "nodes": [{"id": 0}, {"id": 0}, {"name": 1}],
            "edges": [{"source": 0, "target": 9, "weight": "much"}, {"source": 0}, 3],
        },
    )
    assert problems(path) == [
        "nodes[1]: id 0 is given twice; name each node once",
        "nodes[2] is {'name': 1}; expected {\"id\": text or integer}",
        "edges[0]: target 9 is no node",
        "edges[0]: weight is 'much'; expected a number of at least 0",
        "edges[1]: has no target",
        "edges[2] is 3; expected an object with source and target",
    ]
