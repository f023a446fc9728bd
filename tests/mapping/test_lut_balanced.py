"""Look-up tables written for an application: never hotter than the shipped ones, never in a circle,
checked by code of its own, kept in files, and run by both networks."""

import json
from dataclasses import replace
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import networkx as nx
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from chipsim.errors import MachineError, MappingError
from chipsim.machine import routes
from chipsim.machine.floor import Floor, Tile
from chipsim.machine.library import load_machine
from chipsim.machine.lut import LOOKUP, Plan, channel_chains, synthesise
from chipsim.machine.model import Machine
from chipsim.machine.programmed import as_text, floor_on, from_text, program, shipped
from chipsim.mapping.application import Application
from chipsim.mapping.check_lookup import check_lookup
from chipsim.mapping.files import read
from chipsim.mapping.generators import generate
from chipsim.mapping.lookup.mesh import Mesh
from chipsim.mapping.lookup.search import balanced
from chipsim.mapping.lookup.waits import Waits
from chipsim.mapping.mapping import Mapping, map_application
from chipsim.mapping.metrics import channel_load, links
from chipsim.network.deadlock import check_routes
from chipsim.sweep.replay import replay

FAULTS: dict[str, object] = {
    "faults.qpes": [[2, 2], [6, 5], [3, 3]],
    "faults.pes": [[1, 1, 3]],
    "faults.links": [[1, 4, "E"], [5, 1, "N"]],
}


@cache
def chip(wounded: bool) -> Machine:
    return load_machine("spinnaker2", FAULTS if wounded else {})


@cache
def mapped(graph: str, wounded: bool, router: str, transport: Any = None) -> Mapping:
    application = generate(graph)
    if transport is not None:
        application = replace(application, transport=transport)
    return map_application(application, chip(wounded), "random", router, seed=3)


def chains(plan: Plan, floor: Floor) -> nx.DiGraph:
    graph = nx.DiGraph()
    for chain in channel_chains(plan, floor):
        nx.add_path(graph, chain)
    return graph


def hottest(plan: Plan, floor: Floor, demand: dict[tuple[int, int], float]) -> float:
    """Add the load up by following the plan tile by tile."""
    mesh = Mesh(floor)
    load: dict[Any, float] = {}
    for (start, end), weight in demand.items():
        if start == mesh.hub:
            there = mesh.tiles[end]
            port = plan.port[there]
            way, kind = plan.path(port, there), ("out", port)
        elif end == mesh.hub:
            way = plan.path_in(mesh.tiles[start])
            kind = ("in", way[-1])
        else:
            way, kind = plan.path(mesh.tiles[start], mesh.tiles[end]), None
        for step in [*pairwise(way), *([kind] if kind else [])]:
            load[step] = load.get(step, 0.0) + weight
    return max(load.values(), default=0.0)


@st.composite
def floors(draw: st.DrawFn) -> Floor:
    """A grid of up to 5 x 5 QPEs with holes and cut links, its packet router at the west."""
    width, height = draw(st.integers(1, 5)), draw(st.integers(1, 5))
    holes = draw(st.sets(st.tuples(st.integers(1, 5), st.integers(0, 4)), max_size=5))
    ports = sorted({(1, draw(st.integers(0, height - 1))) for _ in range(2)})
    grid = [(x, y) for y in range(height) for x in range(1, width + 1)]
    links = [frozenset((a, b)) for a in grid for b in ((a[0] + 1, a[1]), (a[0], a[1] + 1))]
    plan = Floor(
        width=width + 1,
        height=height,
        qpes=tuple(tile for tile in grid if tile not in holes - set(ports)),
        router=tuple((0, y) for _, y in ports),
        ports=tuple(ports),
        transit=False,
        mem_a=(),
        mem_b=(),
        host=(),
    )
    return plan.without((), draw(st.sets(st.sampled_from(links), max_size=3)))[0]


@settings(max_examples=40)
@given(floor=floors(), data=st.data(), seed=st.integers(0, 99))
def test_any_plan_is_served_in_full_without_circles_and_no_hotter(
    floor: Floor, data: st.DataObject, seed: int
) -> None:
    mesh = Mesh(floor)
    ends = st.sampled_from([*mesh.ends, mesh.hub])
    pairs = st.tuples(ends, ends).filter(lambda pair: pair[0] != pair[1])
    assume(len(mesh.ends) > 1)
    demand = data.draw(st.dictionaries(pairs, st.floats(0.0, 50.0, width=16), max_size=30))
    given_plan = synthesise(floor)
    plan = balanced(floor, demand, given_plan, np.random.default_rng(seed), starts=2)
    for here in floor.qpes:
        for there in floor.qpes:
            path = plan.path(here, there)
            assert len(path) == len(set(path))
        assert plan.path_in(here)[-1] in floor.ports
    graph = chains(plan, floor)
    assert LOOKUP in graph
    assert nx.is_directed_acyclic_graph(graph)
    assert hottest(plan, floor, demand) <= hottest(given_plan, floor, demand) * (1 + 1e-9)
    again = balanced(floor, demand, given_plan, np.random.default_rng(seed), starts=2)
    assert again == plan
    assert from_text(floor, as_text(floor, plan)) == replace(plan, method="written")


@pytest.mark.parametrize(
    ("graph", "transport", "wounded"),
    [("rgg:n=90", "router_multicast", False), ("rgg:n=90", "noc_direct", True)],
)
def test_a_chip_is_cooler_and_no_traffic_at_all_can_deadlock(
    graph: str, transport: str, wounded: bool
) -> None:
    before = mapped(graph, wounded, "default", transport)
    after = mapped(graph, wounded, "lut_balanced", transport)
    assert after.placement == before.placement
    assert after.metrics().total.max_link_load < before.metrics().total.max_link_load
    machine = after.machine
    assert machine is not before.machine and after.plans
    ends = np.flatnonzero(machine.endpoint_alive).tolist()
    pes = machine.pes().tolist()
    every = [routes.unicast(machine, a, b) for a in ends for b in ends]
    every += [routes.router_multicast(machine, a, pes) for a in ends]
    check_routes(machine, every)
    for route in every[:: len(every) // 50]:
        routes.validate(machine, route)


def test_the_same_seed_gives_the_same_tables() -> None:
    one = mapped("rgg:n=90", False, "lut_balanced", "router_multicast")
    again = mapped.__wrapped__("rgg:n=90", False, "lut_balanced", "router_multicast")
    assert again == one and again.plans == one.plans


@pytest.mark.parametrize("transport", ["router_multicast", "noc_direct"])
def test_both_networks_run_it_alike_and_otherwise_than_before(transport: str) -> None:
    wounded = transport == "noc_direct"
    mapping = mapped("rgg:n=90", wounded, "lut_balanced", transport)
    runs = [replay(mapping, ticks=1, network=network) for network in ("compiled", "simpy")]
    assert runs[0] == runs[1]
    old = replay(mapped("rgg:n=90", wounded, "default", transport), ticks=1)
    assert runs[0].total.delivered == old.total.delivered > 0
    assert runs[0].total.hot_channels[0][1] < old.total.hot_channels[0][1]


def test_a_file_keeps_the_tables(tmp_path: Path) -> None:
    mapping = mapped("rgg:n=90", True, "lut_balanced", "noc_direct")
    mapping.write(tmp_path / "mapping.json")
    again = read(tmp_path / "mapping.json", chip(True))
    assert again == mapping
    assert np.array_equal(again.machine.lut, mapping.machine.lut)  # type: ignore[arg-type]
    again.write(tmp_path / "again.json")
    assert (tmp_path / "again.json").read_bytes() == (tmp_path / "mapping.json").read_bytes()


def damaged(tmp_path: Path, change: Any) -> Path:
    mapping = mapped("rgg:n=90", False, "lut_balanced", "router_multicast")
    path = tmp_path / "mapping.json"
    mapping.write(path)
    document = json.loads(path.read_text())
    change(document["lookup"][0])
    path.write_text(json.dumps(document))
    return path


@pytest.mark.parametrize(
    ("router", "tile", "letter", "message"),
    [
        ("1,1", (7, 1), "W", r"router\(1,1\), tile \(7, 1\): got 'W', expected one of E, N"),
        ("1,1", (7, 1), "R", r"router\(1,1\), tile \(7, 1\): got 'R', expected one of E, N"),
        ("3,3", (4, 3), "x", r"router\(3,3\), tile \(4, 3\): got 'x', expected one of W, N, S, R"),
    ],
)
def test_a_damaged_table_is_named(
    tmp_path: Path, router: str, tile: Tile, letter: str, message: str
) -> None:
    def change(row: dict[str, Any]) -> None:
        at = tile[1] * 8 + tile[0]
        old = row["routers"][router]
        row["routers"][router] = old[:at] + letter + old[at + 1 :]

    with pytest.raises(MappingError, match=message):
        read(damaged(tmp_path, change), chip(False))


def test_a_missing_router_and_a_wrong_port_are_named(tmp_path: Path) -> None:
    with pytest.raises(MappingError, match=r"lacks the table of router\(2,1\), which works"):
        read(damaged(tmp_path, lambda row: row["routers"].pop("2,1")), chip(False))
    with pytest.raises(MappingError, match=r"packet router, tile .*: got '9', expected a po"):
        read(
            damaged(tmp_path, lambda row: row.update(ports=row["ports"].replace("0", "9"))),
            chip(False),
        )
    with pytest.raises(MappingError, match="got 'EE', expected 64 letters"):
        read(damaged(tmp_path, lambda row: row["routers"].update({"1,1": "EE"})), chip(False))


def changed(machine: Machine, label: str, tile: Tile, to: str) -> Machine:
    """The machine with one entry of one router led to another neighbour."""
    assert machine.lut is not None
    lut = machine.lut.copy()
    node = machine.node_labels.index(label)
    found = [
        c
        for c in range(machine.channels)
        if machine.channel_label(c).startswith(f"noc {label} ")
        and machine.channel_label(c).endswith(f" {to}")
    ]
    lut[node, tile[1] * machine.grid_width + tile[0]] = found[0]
    return replace(machine, lut=lut)


def test_the_checker_walks_every_entry() -> None:
    whole = chip(False)
    check_lookup(whole, [0])
    with pytest.raises(MappingError, match=r"towards tile \(7,1\): the entries go in a circle at"):
        check_lookup(changed(whole, "router(2,1)", (7, 1), "router(1,1)"), [0], by="me")
    assert whole.lut is not None
    lut = whole.lut.copy()
    lut[whole.node_labels.index("router(2,1)"), 8 + 7] = -1
    with pytest.raises(
        MappingError, match=r"router\(1,1\) towards tile \(7,1\): router\(2,1\) has"
    ):
        check_lookup(replace(whole, lut=lut), [0])
    lut = whole.lut.copy()
    lut[whole.extras["packet_router"], 8 + 7] = -1
    with pytest.raises(MappingError, match=r"packet router's entry for tile \(7,1\) is -1"):
        check_lookup(replace(whole, lut=lut), [0])
    wounded = chip(True)
    with pytest.raises(MappingError, match="is dead"):
        check_lookup(replace(wounded, lut=whole.lut), [0])


def test_tables_that_can_deadlock_are_refused() -> None:
    """With the avoided turn taken back, the ring round the packet router closes."""
    machine = chip(False)
    floor = floor_on(machine, 0)
    plan = shipped(machine, 0)
    step = dict(plan.step)
    for x in (1, 2, 3, 4):
        step[(4, 5), (5, x)] = (5, 5)
        step[(5, 5), (5, x)] = (5, 4)
    ring = replace(plan, step=step)
    assert not nx.is_directed_acyclic_graph(chains(ring, floor))
    with pytest.raises(MappingError, match="channels wait for each other in a circle: noc router"):
        check_lookup(program(machine, {0: ring}), [0])


def test_machines_without_tables_are_refused_by_name() -> None:
    with pytest.raises(MachineError, match="mesh-4x4: its routers have no look-up tables"):
        program(load_machine("mesh-4x4"), {})
    with pytest.raises(MachineError, match=r"no chip 3 to program; chips are 0..0"):
        program(chip(False), {3: shipped(chip(False), 0)})


def test_chips_of_a_board_have_tables_of_their_own() -> None:
    settings = {"faults.qpes": [[0, 1, 2, 2]], "faults.chips": [[7, 7]]}
    board = load_machine("spinnaker2-48", settings)
    application = generate("rgg:n=200")
    before, after = (
        map_application(application, board, "hilbert", router) for router in ("ner", "lut_balanced")
    )
    assert len(after.plans) > 1
    assert (after.placement, after.keys) == (before.placement, before.keys)
    on_chip = ~links(board)
    for chip_number in after.plans:
        own = on_chip & (board.node_chip[board.channel_node] == chip_number)
        load = [channel_load(mapping)[own].max() for mapping in (before, after)]
        assert load[1] <= load[0]
    assert after.metrics().total == replace(
        before.metrics().total,
        energy_nj=after.metrics().total.energy_nj,
        mean_latency_ns=after.metrics().total.mean_latency_ns,
        max_latency_ns=after.metrics().total.max_latency_ns,
    )


def test_other_machines_get_the_trees_of_ner() -> None:
    application: Application = generate("rgg:n=30")
    for name in ("mesh-8x8", "hex-torus-6x6"):
        one, two = (
            map_application(application, load_machine(name), "hilbert", router)
            for router in ("ner", "lut_balanced")
        )
        assert one.routes == two.routes and not two.plans


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9), st.booleans()), max_size=60))
def test_waits_refuse_exactly_what_closes_a_circle(moves: list[tuple[int, int, bool]]) -> None:
    waits, reference = Waits(10), nx.MultiDiGraph()
    reference.add_nodes_from(range(10))
    for a, b, takes in moves:
        if takes and reference.has_edge(a, b):
            waits.remove([(a, b)])
            reference.remove_edge(a, b)
            continue
        trial = reference.copy()
        trial.add_edge(a, b)
        fits = nx.is_directed_acyclic_graph(trial)
        assert waits.admit([(a, b)]) == fits
        if fits:
            reference = trial
