"""Routing tables, their minimisation, and the checker that walks every key through them."""

import random
import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chipsim.errors import MappingError
from chipsim.machine.model import Machine
from chipsim.mapping.application import Application, Net, Vertex
from chipsim.mapping.check_tables import check_tables
from chipsim.mapping.crowd import with_pes_per_tile
from chipsim.mapping.generators import generate
from chipsim.mapping.mapping import Mapping, map_application
from chipsim.mapping.minimise import METHODS, minimise, minimise_tables, remove_defaults
from chipsim.mapping.outlets import Outlets, outlets
from chipsim.mapping.tables import RouterTable, Tables, as_int, as_words, make_tables
from tests.mapping.helpers import machine


def mapped(graph: str, name: str, placer: str = "hilbert", router: str = "ner") -> Mapping:
    return map_application(generate(graph), machine(name), placer, router)


def check(mapping: Mapping, tables: Tables) -> None:
    check_tables(
        mapping.application,
        mapping.machine,
        mapping.placement,
        mapping.routes,
        mapping.keys,
        tables,
    )


# ------------------------------------------------------------------------------------- outlets
def test_links_come_by_direction_and_default_routing_goes_straight_on() -> None:
    torus = machine("torus-6x5")
    book = outlets(torus)
    assert book.nodes == tuple(range(30))
    east, north, west, south = book[0].links  # by direction: E, N, W, S
    far = [book.far[channel] for channel in (east, north, west, south)]
    assert far == [1, 6, 5, 24]
    # A packet that comes from the west neighbour leaves to the east, and so on round the ring.
    from_west = next(c for c, end in book.far.items() if end == 0 and torus.channel_node[c] == 5)
    assert book[0].links[book[0].onward[from_west]] == east


def test_a_mesh_edge_has_no_opposite_link() -> None:
    mesh = machine("mesh-8x8")
    book = outlets(mesh)
    into_corner = next(c for c, end in book.far.items() if end == 0 and mesh.channel_node[c] == 1)
    assert into_corner not in book[0].onward


def test_a_chip_has_152_local_cores_and_no_links() -> None:
    chip = machine("spinnaker2")
    known = outlets(chip)[chip.extras["packet_router"]]
    assert known.links == ()
    assert known.locals == tuple(chip.pes().tolist())


# -------------------------------------------------------------------------------------- tables
def test_tables_by_hand() -> None:
    """A line of three routers: one entry each; in the middle default routing would do."""
    application = Application(
        "line",
        (Vertex("a", fixed=(0, 0)), Vertex("b", fixed=(2, 0)), Vertex("c", fixed=(1, 1))),
        (Net("n", "a", ("b",), key_bits=3), Net("m", "c", ("b",), key_bits=1)),
        "router_multicast",
    )
    mapping = map_application(application, machine("mesh-8x8"), "sequential", "xy")
    tables = make_tables(mapping)
    assert {node: len(table) for node, table in tables.items()} == {0: 1, 1: 1, 2: 2, 9: 1, 10: 1}
    middle = tables[1]
    assert (int(middle.key[0]), int(middle.mask[0])) == (0, 0xFFFFFFF8)
    assert middle.defaulted().tolist() == [True]
    assert len(remove_defaults(middle)) == 0
    assert middle.find(7) == 0
    assert middle.find(8) == -1
    links, ends = tables[2].outputs(0)
    assert (links, ends) == ((), (2,))
    assert list(tables[10].lines()) == ["0000000000000000000000000000100X -> 0x8"]
    check(mapping, tables)
    short = minimise_tables(tables)
    assert {node: len(table) for node, table in short.items()} == {0: 1, 1: 0, 2: 1, 9: 1, 10: 1}
    check(mapping, short)


@pytest.mark.parametrize("name", ["spinnaker2", "mesh-8x8", "torus-6x5", "holes"])
@pytest.mark.parametrize("method", METHODS)
def test_minimised_tables_pass_the_checker(name: str, method: str) -> None:
    size = 64 if name == "holes" else 28
    mapping = mapped(f"ff:n={size},layers=4,reverse=1", name)
    tables = make_tables(mapping)
    check(mapping, tables)
    short = minimise_tables(tables, method=method)
    check(mapping, short)
    assert max(map(len, short.values())) < max(map(len, tables.values()))


def test_best_is_no_longer_than_either() -> None:
    mapping = map_application(
        generate("rgg:n=100"), with_pes_per_tile(machine("torus-6x5"), 4), "hilbert_bfs", "ner"
    )
    for table in make_tables(mapping).values():
        lengths = {method: len(minimise(table, method=method)) for method in METHODS}
        assert lengths["best"] == min(lengths.values())


@pytest.mark.parametrize(
    ("graph", "published"),
    [
        ("ff:n=512,layers=4", 14),
        ("ff:n=512,layers=4,reverse=1", 24),
        ("ff:n=512,layers=16,reverse=1", 11),
    ],
)
def test_ordered_covering_alone_is_as_short_as_published_on_wide_layers(
    graph: str, published: int
) -> None:
    """Several covered entries tie for the fewest bits there; all of them must have a say."""
    board = with_pes_per_tile(machine("spinnaker1-48"), 16)
    mapping = map_application(generate(graph), board, "hilbert", "ner")
    short = minimise_tables(make_tables(mapping), method="ordered_covering")
    check(mapping, short)
    assert max(map(len, short.values())) <= published


def test_minimisation_stops_at_the_target_and_says_where_it_cannot() -> None:
    mapping = mapped("ff:n=128,layers=4,reverse=1", "holes")
    tables = make_tables(mapping)
    longest = max(map(len, tables.values()))
    assert minimise_tables(tables, longest) == tables
    half = minimise_tables(tables, longest // 2)
    check(mapping, half)
    assert max(map(len, half.values())) <= longest // 2
    shortest = minimise_tables(tables)
    assert sum(map(len, half.values())) > sum(map(len, shortest.values()))
    with pytest.raises(MappingError) as caught:
        minimise_tables(tables, 2, machine=mapping.machine)
    long = [node for node, table in shortest.items() if len(table) > 2]
    assert len(caught.value.problems) == len(long)
    first = caught.value.problems[0]
    assert first.startswith(f"{mapping.machine.node_labels[long[0]]}: ")
    assert f"come down to {len(shortest[long[0]])}, the target is 2; spread" in first


def test_unknown_method_and_shared_keys_are_refused() -> None:
    mapping = mapped("ff:n=8,layers=2", "mesh-8x8")
    table = max(make_tables(mapping).values(), key=len)
    with pytest.raises(MappingError, match=r"unknown method 'pairmerge'; did you mean 'pair_me"):
        minimise(table, method="pairmerge")
    double = replace(table, key=np.zeros_like(table.key))
    with pytest.raises(MappingError, match="entries 0 and 1 share keys"):
        minimise(double)


@st.composite
def tables(draw: st.DrawFn) -> tuple[RouterTable, random.Random]:
    """Disjoint blocks of several sizes in a small key space, few routes, some default-routed."""
    rng = random.Random(draw(st.integers(0, 2**32)))
    bits = draw(st.integers(3, 6))
    rows, at = [], 0
    while at < 1 << bits:
        size = 1 << rng.randint(0, 2)
        at = -(-at // size) * size
        if at + size <= 1 << bits and rng.random() < 0.8:
            rows.append((at, (1 << 32) - size))
        at += size
    rng.shuffle(rows)
    rows = rows or [(0, (1 << 32) - 1)]
    known = Outlets(0, (10, 11, 12), (5, 6), {20: 0, 21: 1})
    routes = [rng.choice((1, 2, 4, 9, 16)) for _ in rows]
    return (
        RouterTable(
            known,
            np.array([key for key, _ in rows], dtype=np.uint32),
            np.array([mask for _, mask in rows], dtype=np.uint32),
            as_words(routes, known.bits),
            np.arange(len(rows), dtype=np.int32),
            np.array([rng.choice((-1, 20, 21)) for _ in rows], dtype=np.int32),
        ),
        rng,
    )


@settings(max_examples=150, deadline=None)
@given(tables(), st.sampled_from(sorted(METHODS)), st.none() | st.integers(0, 12))
def test_every_key_keeps_its_outputs(
    drawn: tuple[RouterTable, random.Random], method: str, target: int | None
) -> None:
    """Brute force over all keys of all entries, first match, default routing where none."""
    table, _ = drawn
    short = minimise(table, target, method)
    assert len(short) <= len(table)
    for entry in range(len(table)):
        first, size = int(table.key[entry]), (1 << 32) - int(table.mask[entry])
        for key in range(first, first + size):
            hit = next(
                (i for i in range(len(short)) if key & int(short.mask[i]) == int(short.key[i])),
                None,
            )
            came_by = int(table.came_by[entry])
            if hit is None:
                assert as_int(table.route[entry]) == 1 << table.outlets.onward[came_by]
            else:
                assert as_int(short.route[hit]) == as_int(table.route[entry])


# ------------------------------------------------------------------------------------- checker
def damaged(table: RouterTable, entry: int, **fields: int) -> RouterTable:
    columns = {}
    for name, value in fields.items():
        column = getattr(table, name).copy()
        column[entry] = value
        columns[name] = column
    return replace(table, **columns)


@pytest.fixture(scope="module")
def torus() -> Machine:
    return machine("torus-6x5")


@pytest.fixture(scope="module")
def chain(torus: Machine) -> Mapping:
    application = Application(
        "chain",
        tuple(Vertex(i, fixed=(i, 0)) for i in range(4)),
        (Net("n", 0, (2, 3), key_bits=2), Net("m", 1, (0,), key_bits=1)),
        "router_multicast",
    )
    return map_application(application, torus, "sequential", "ner")


@pytest.mark.parametrize(
    ("node", "fields", "text"),
    [
        (2, {"route": 0b000001}, r"key 0x00000000 \(one of 4\) does not reach PE\(2,0,0\)$"),
        (3, {"route": 0b000000}, r"key 0x00000000 \(one of 4\) does not reach PE\(3,0,0\)$"),
        (3, {"route": 0b010001}, r"key .* comes to router\(0,0\) a second time$"),
        (1, {"route": 0b000010}, r"key .* comes to router\(1,0\) a second time$"),
        (2, {"mask": 0xFFFFFFFE}, r"key 0x00000002 \(one of 2\) does not reach PE\(2,0,0\)$"),
        (0, {"key": 64}, r"key .* has no entry at router\(0,0\), where it is sent$"),
        (3, {"key": 64}, r"key .* comes to router\(0,0\) a second time$"),
    ],
)
def test_the_checker_names_what_a_damaged_table_does(
    chain: Mapping, node: int, fields: dict[str, int], text: str
) -> None:
    tables = make_tables(chain)
    check(chain, tables)
    broken = {**tables, node: damaged(tables[node], 0, **fields)}
    with pytest.raises(MappingError) as caught:
        check(chain, broken)
    (problem,) = caught.value.problems
    assert re.match("net 'n': " + text, problem), problem


def test_another_way_to_the_same_ends_is_seen(torus: Machine) -> None:
    corner = Application(
        "corner",
        (Vertex("a", fixed=(0, 0)), Vertex("b", fixed=(1, 2))),
        (Net("n", "a", ("b",)),),
        "router_multicast",
    )
    one, other = (map_application(corner, torus, "sequential", by) for by in ("xy", "ldf"))
    with pytest.raises(MappingError, match=r"'n': key 0x00000000 .*take .*, unlike its tree"):
        check(one, make_tables(other))


def test_a_node_has_one_entry_a_key(chain: Mapping) -> None:
    first = chain.routes["n"][0]
    longer = replace(chain, routes={**chain.routes, "n": (first, first)})
    with pytest.raises(MappingError, match="net 'n' passes router\\(0,0\\) twice"):
        make_tables(longer)


def test_tables_longer_than_a_router_are_named() -> None:
    mapping = mapped("ff:n=28,layers=4", "spinnaker2", router="default")
    tables = make_tables(mapping)
    (node,) = tables
    table = tables[node]
    times = 16384 // len(table) + 1
    long = RouterTable(
        table.outlets,
        np.tile(table.key, times),
        np.tile(table.mask, times),
        np.tile(table.route, (times, 1)),
        np.tile(table.net, times),
        np.tile(table.came_by, times),
    )
    with pytest.raises(MappingError, match=r"packet router of chip 0 has \d+ entries, its router"):
        check(mapping, {node: long})
