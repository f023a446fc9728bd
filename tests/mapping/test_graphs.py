"""Graphs from files and generators: what they hold, and every problem of a wrong one at once."""

import json
import random
import tempfile
from pathlib import Path
from typing import Any

import networkx as nx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chipsim.errors import MappingError
from chipsim.mapping.application import Application
from chipsim.mapping.edge_files import read_metis
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
        "1 vertex has out-edges of several weights, 'a' first; say --edges multicast-max (one "
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


def test_convolutional_layers_by_hand() -> None:
    graph = generate("conv:size=3,layers=2")
    assert (len(graph.vertices), len(graph.nets)) == (18, 9)
    assert graph.nets[0].sinks == (9, 10, 12, 13)  # a corner's window is cut
    assert graph.nets[4].sinks == tuple(range(9, 18))
    both = generate("conv:size=3,layers=2,kernel=1,reverse=1")
    assert [(net.source, net.sinks) for net in both.nets][8:10] == [(8, (17,)), (9, (0,))]
    with pytest.raises(MappingError, match="kernel is 4; expected an odd number"):
        generate("conv:size=3,layers=2,kernel=4")


def file_of(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_metis(tmp_path: Path) -> None:
    """Weights of edges; then sizes and weights of vertices; then a vertex without edges."""
    text = "% comment\n4 4 001\n2 5 3 5\n1 5 3 5 4 5\n\n1 5 2 5\n2 5\n".replace("\n\n", "\n")
    application = read_graph(file_of(tmp_path, "a.metis", text))
    assert nets(application) == [
        (0, (1, 2), 5.0), (1, (0, 2, 3), 5.0), (2, (0, 1), 5.0), (3, (1,), 5.0)
    ]  # fmt: skip
    sizes = read_graph(file_of(tmp_path, "b.graph", "2 1 110\n7 9 2\n3 4 1\n"))
    assert nets(sizes) == [(0, (1,), 7.0), (1, (0,), 3.0)]
    assert [vertex.cycles_per_tick for vertex in sizes.vertices] == [9.0, 4.0]
    alone = read_graph(file_of(tmp_path, "c.graph", "3 1\n2\n1\n\n"))
    assert (len(alone.vertices), len(alone.nets)) == (3, 2)


@given(st.integers(1, 12), st.integers(0, 2**32), st.booleans())
@settings(max_examples=30, deadline=None)
def test_metis_as_networkx_has_it(count: int, seed: int, weighted: bool) -> None:
    graph = nx.gnp_random_graph(count, 0.4, seed=seed)
    lines = [f"{count} {graph.number_of_edges()}" + (" 1" if weighted else "")]
    for vertex in range(count):
        row = [f"{v + 1}" + (" 3" if weighted else "") for v in graph[vertex]]
        lines.append(" ".join(row))
    wrong: list[str] = []
    found = read_metis("\n".join(lines) + "\n", wrong)
    assert wrong == []
    weight = 3.0 if weighted else 1.0
    assert found.out == {v: dict.fromkeys(graph[v], weight) for v in range(count)}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ["is empty; expected a header of vertices and edges"]),
        ("3\n", ["header is '3'; expected VERTICES EDGES [FORMAT [1]]"]),
        ("2 1 7\n2\n1\n", ["format is '7'; expected three digits 0 or 1, such as 011"]),
        ("3 1\n2\n1\n", ["has 2 lines of vertices, its header says 3"]),
        ("2 1\n2 9 x\n1\n", ["line 2: 'x' is no whole number of at least 0"]),
        (
            "2 1\n1 5\n1 1\n",
            [
                "line 2: vertex 1 is its own neighbour",
                "line 2: neighbour 5 is no vertex; they are numbered 1 to 2",
                "line 3: names neighbour 1 twice",
            ],
        ),
        ("2 1\n2\n\n", ["vertex 1 names 2, which does not name 1"]),
        (
            "2 1 1\n2 4\n1 5\n",
            ["the edge of vertices 1 and 2 has weights 4 and 5; expected the same twice"],
        ),
        ("2 2\n2\n1\n", ["has 1 edges, its header says 2"]),
        ("2 1 1\n2\n1 1\n", ["line 2: its last neighbour has no weight"]),
    ],
)
def test_what_is_wrong_with_metis(tmp_path: Path, text: str, expected: list[str]) -> None:
    assert problems(file_of(tmp_path, "a.metis", text)) == expected


@pytest.mark.parametrize(
    "text",
    [
        "source,target,weight\n0,1,4\n0,2,4\n3,,\n",
        "weight;to;from\n4;1;0\n4;2;0\n;;3\n",
        "# a comment\n0 1 4\n0 2 4\n3\n",
        "0\t1\t2\n0\t2\t4\n0\t1\t2\n3\n",
    ],
)
def test_edge_lists(tmp_path: Path, text: str) -> None:
    application = read_graph(file_of(tmp_path, "g.csv", text))
    assert [vertex.name for vertex in application.vertices] == [0, 1, 2, 3]
    assert nets(application) == [(0, (1, 2), 4.0)]


def test_what_is_wrong_with_edge_lists(tmp_path: Path) -> None:
    text = "source,target,weight\n,b,1\na,b,-2\na,b,much\na,b,inf\n"
    assert problems(file_of(tmp_path, "g.csv", text)) == [
        "line 2: has no source",
        "line 3: weight is '-2'; expected a number of at least 0",
        "line 4: weight is 'much'; expected a number of at least 0",
        "line 5: weight is 'inf'; expected a number of at least 0",
    ]
    path = file_of(tmp_path, "h.csv", "a,b,1\na,c,2\n")
    assert problems(path)[0].startswith("1 vertex has out-edges of several weights, 'a' first")
    assert nets(read_graph(path, "2pin")) == [("a", ("b",), 1), ("a", ("c",), 2)]


_BITS = st.sampled_from(
    ["0", "1", "2", "3", "10", " ", " ", "\n", "\n", ",", ";", "\t", "%", "#", "-1", "1e400", "x",
     "source", "target", "weight", '"', "{", "}", "[", "]", ":", '"nodes"', '"edges"', '"id"',
     '"nets"', '"vertices"', '"source"', '"sinks"', '"target"', "null", "9" * 30, "é", "²"]
)  # fmt: skip


@given(
    st.sampled_from([".json", ".metis", ".csv"]),
    st.lists(_BITS, max_size=40).map("".join) | st.text(max_size=60),
)
@settings(max_examples=300, deadline=None)
def test_any_text_is_a_graph_or_a_named_problem(suffix: str, text: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"fuzz{suffix}"
        path.write_bytes(text.encode("utf-8", "surrogatepass"))
        try:
            assert isinstance(read_graph(path), Application)
        except MappingError as error:
            assert error.problems
            assert all(error.problems)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 4) | st.floats() | st.sampled_from(["a", "b", ""]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["nodes", "edges", "links", "directed", "id", "source", "target",
                             "weight", "vertices", "nets", "sinks", "name"]),
            inner,
            max_size=5,
        )
    ),
    max_leaves=20,
)  # fmt: skip


@given(_JSON)
@settings(max_examples=300, deadline=None)
def test_any_json_is_a_graph_or_a_named_problem(document: object) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "fuzz.json"
        path.write_text(json.dumps(document), encoding="utf-8")
        try:
            assert isinstance(read_graph(path), Application)
        except MappingError as error:
            assert error.problems
