"""Together, apart and fixed places, with faults: every placer keeps them, or says why it cannot."""

import json
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chipsim.errors import MappingError
from chipsim.machine.library import load_machine
from chipsim.machine.model import Machine
from chipsim.mapping import strategies
from chipsim.mapping.application import Application, Net, Vertex
from chipsim.mapping.check import check
from chipsim.mapping.files import read
from chipsim.mapping.graph_files import read_graph
from chipsim.mapping.keys import allocate_keys
from chipsim.mapping.mapping import map_application
from chipsim.mapping.placement.repair import repaired
from tests.mapping.helpers import machine


def tile(where: Machine, end: int) -> tuple[int, int, int]:
    return (
        int(where.endpoint_chip[end]),
        int(where.endpoint_x[end]),
        int(where.endpoint_y[end]),
    )


def graph(count: int = 20, **constraints: object) -> Application:
    vertices = tuple(Vertex(i, group=i // 4) for i in range(count))
    ends = [tuple(dict.fromkeys(((i + 1) % count, (i + 7) % count))) for i in range(count)]
    nets = tuple(Net(i, i, sinks) for i, sinks in enumerate(ends))
    return Application("ring", vertices, nets, "router_multicast", **constraints)  # type: ignore[arg-type]


def keeps(application: Application, where: Machine, placement: dict[object, int]) -> None:
    for row in application.together:
        assert len({tile(where, placement[name]) for name in row}) == 1
    for row in application.apart:
        assert len({tile(where, placement[name]) for name in row}) == len(row)
    assert len(set(placement.values())) == len(placement)


@cache
def wounded() -> Machine:
    return load_machine("spinnaker2", {"faults.qpes": [[2, 3]], "faults.pes": [[3, 2, 0]]})


@pytest.mark.parametrize(
    "placer",
    [
        pytest.param(name, marks=pytest.mark.nightly) if name == "in_the_loop" else name
        for name in strategies.names("placer")
    ],
)
def test_every_placer_keeps_constraints(placer: str) -> None:
    application = graph(together=((0, 9, 17), (17, 4)), apart=((0, 1, 2, 3), (5, 9)))
    application = replace(
        application,
        vertices=(Vertex(0, fixed=(2, 2, 1)), *application.vertices[1:]),
    )
    where = wounded()
    mapping = map_application(application, where, placer)
    keeps(application, where, mapping.placement)
    assert where.endpoint_label(mapping.placement[0]) == "PE(2,2,1)"


@st.composite
def constrained(draw: st.DrawFn) -> Application:
    """Lists that can be kept: vertices of a list apart come from different blocks together."""
    count = draw(st.integers(2, 40))
    order = draw(st.permutations(range(count)))
    together, at = [], 0
    while at < count:
        size = draw(st.integers(1, 4))
        together.append(tuple(order[at : at + size]))
        at += size
    apart = []
    for _ in range(draw(st.integers(0, 3))):
        rows = draw(st.lists(st.sampled_from(together), max_size=6, unique=True))
        if len(rows) > 1:
            apart.append(tuple(draw(st.sampled_from(row)) for row in rows))
    kept = [row for row in together if len(row) > 1 and draw(st.booleans())]
    return graph(count, together=tuple(kept), apart=tuple(apart))


@given(application=constrained(), seed=st.integers(0, 9))
@settings(max_examples=20)
def test_what_can_be_kept_is_kept(application: Application, seed: int) -> None:
    where = machine("spinnaker2")
    keeps(application, where, map_application(application, where, "random", seed=seed).placement)


def test_what_is_kept_already_stays() -> None:
    where = machine("spinnaker2")
    plain = map_application(graph(), where, "sequential").placement
    assert repaired(graph(together=((0, 1),)), where, plain) == plain
    moved = repaired(graph(together=((0, 4),)), where, plain)
    assert sum(moved[name] != plain[name] for name in plain) <= 4


@pytest.mark.parametrize(
    ("constraints", "words"),
    [
        ({"together": ((0, "21"),)}, r"together\[0\]: '21' is no vertex"),
        ({"apart": ((0,),)}, r"apart\[0\]: names 1 vertices; expected at least 2"),
        ({"together": ((1, 1),)}, "named 2 times"),
        (
            {"together": ((0, 1), (1, 2)), "apart": ((3, 4), (0, 2))},
            r"apart\[1\]: 0 and 2 are to be kept together as well \(together\[0, 1\]\)",
        ),
    ],
)
def test_bad_lists_are_named(constraints: dict[str, object], words: str) -> None:
    with pytest.raises(MappingError, match=words):
        graph(**constraints)


def test_a_near_name_is_suggested() -> None:
    with pytest.raises(MappingError, match="'layer_2' is no vertex; did you mean 'layer2'"):
        Application("a", (Vertex("layer1"), Vertex("layer2")), together=(("layer1", "layer_2"),))


@pytest.mark.parametrize(
    ("constraints", "faults", "fixed", "words"),
    [
        ({"together": ((0, 1, 2, 3, 4),)}, {}, {}, "5 vertices on one tile, .* more than 4 free"),
        (
            {"together": ((0, 1, 2, 3),)},
            {"faults.pes": [[2, 2, 3]]},
            {0: (2, 2, 0)},
            r"binds it to tile \(2,2\).* has 2 free PEs for 3 .*PE\(2,2,3\) is dead: .*faults.pes",
        ),
        (
            {"together": ((0, 1),)},
            {},
            {0: (2, 2, 0), 1: (3, 2, 0)},
            r"1 is fixed on tile \(3,2\) of chip 0, others of 0 on tile \(2,2\)",
        ),
        (
            {"apart": ((0, 5, 1),)},
            {},
            {0: (2, 2, 0), 1: (2, 2, 3)},
            r"apart\[0\]: 0 and 1 are both bound to tile \(2,2\) of chip 0 by fixed places",
        ),
        (
            {"together": ((0, 1, 2),)},
            {},
            {0: (2, 2, 0), 5: (2, 2, 1), 6: (2, 2, 2)},
            r"1 free PEs for 2 vertices .*PE\(2,2,1\) holds fixed vertex 5",
        ),
        (
            {"apart": (tuple(range(39)),)},
            {"faults.qpes": [[2, 2]]},
            {},
            "39 vertices, each on a tile of its own, but spinnaker2 has 37 tiles .*4 PEs are dead",
        ),
    ],
)
def test_what_cannot_be_kept_is_named(
    constraints: dict[str, object],
    faults: dict[str, object],
    fixed: dict[int, tuple[int, ...]],
    words: str,
) -> None:
    application = graph(40, **constraints)
    vertices = tuple(replace(v, fixed=fixed.get(i)) for i, v in enumerate(application.vertices))
    with pytest.raises(MappingError, match=words):
        map_application(
            replace(application, vertices=vertices), load_machine("spinnaker2", faults), "hilbert"
        )


def test_a_search_that_must_fail_says_so() -> None:
    """37 pairs on 37 tiles, all apart, and one vertex more that is apart from them all."""
    pairs = tuple((2 * i, 2 * i + 1) for i in range(37))
    rows = (*((36 * 2, 2 * i) for i in range(36)), (0, 74), (74, 2))
    application = graph(76, together=pairs, apart=(tuple(range(0, 74, 2)), *rows))
    where = wounded()
    keeps(application, where, map_application(application, where, "hilbert").placement)
    more = replace(application, apart=(*application.apart, tuple(range(0, 76, 2))))
    with pytest.raises(MappingError, match=r"38 vertices, each on a tile of its own, .* 37 tiles"):
        map_application(more, where, "hilbert")


def test_the_check_names_what_is_broken() -> None:
    where = machine("spinnaker2")
    plain = map_application(graph(), where, "sequential").placement
    application = graph(together=((0, 4),), apart=((1, 2),))
    with pytest.raises(MappingError) as caught:
        check(application, where, plain, None, allocate_keys(application))
    assert list(caught.value.problems) == [
        "together[0]: vertex 4 is on tile (2,1) of chip 0, 0 on tile (1,1) of chip 0",
        "apart[0]: vertices 1 and 2 are both on tile (1,1) of chip 0",
    ]


def test_a_vertex_on_a_dead_pe_is_named() -> None:
    where = load_machine("spinnaker2", {"faults.pes": [[2, 2, 3]]})
    dead = where.endpoint_at(2, 2, 3)
    with pytest.raises(MappingError, match=r"PE\(2,2,3\), which is dead: .*faults.pes"):
        map_application(
            Application("one", (Vertex(0),)), where, lambda application, machine, rng: {0: dead}
        )


def test_files_state_and_keep_constraints(tmp_path: Path) -> None:
    path = tmp_path / "graph.json"
    document = {
        "vertices": [0, 1, 2, "x"],
        "nets": [{"source": 0, "sinks": [1, 2, "x"]}],
        "together": [[0, "x"]],
        "apart": [[1, 2]],
        "fixed": [{"vertex": 1, "place": [3, 2, 1]}],
    }
    path.write_text(json.dumps(document))
    application = read_graph(path)
    assert application.together == ((0, "x"),) and application.apart == ((1, 2),)
    assert application.vertex_by_name[1].place == (3, 2, 1, 0)
    mapping = map_application(application, machine("spinnaker2"), "random")
    mapping.write(tmp_path / "mapping.json")
    assert read(tmp_path / "mapping.json", machine("spinnaker2")) == mapping
    bad = document | {
        "apart": [[1, 3]],
        "together": [7],
        "fixed": [{"vertex": 5, "place": [1, 1]}, {"vertex": 0, "place": "here"}, 3],
        "togther": [],
    }
    path.write_text(json.dumps(bad))
    with pytest.raises(MappingError) as caught:
        read_graph(path)
    assert len(caught.value.problems) == 5
