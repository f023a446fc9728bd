"""Dead parts: marked, gone round, drawn alike from one seed, and named where they bar the way."""

from __future__ import annotations

import random
from itertools import pairwise

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chipsim.errors import DescriptionError, RouteError
from chipsim.machine import routes
from chipsim.machine.faults import Faults
from chipsim.machine.library import load_machine
from chipsim.machine.model import Machine
from chipsim.machine.route import Route
from chipsim.machine.wounds import counts, stuck
from chipsim.mapping.walk import Walker
from chipsim.network.deadlock import check_routes


def check(machine: Machine, route: Route) -> None:
    routes.validate(machine, route)
    walk = Walker(machine).walk(route)
    assert walk.problems == ()
    assert machine.channel_alive[list(walk.channels)].all(), "over dead channels"


def all_pairs(machine: Machine) -> list[Route]:
    """Every pair of live tiles, and a broadcast through the packet router from each."""
    places = {
        (int(machine.endpoint_x[e]), int(machine.endpoint_y[e])): int(e)
        for e in machine.pes()[::-1].tolist()
    }
    ends = list(places.values())
    every = [routes.unicast(machine, a, b) for a in ends for b in ends]
    pes = machine.pes().tolist()
    return every + [routes.router_multicast(machine, a, pes) for a in ends[::3]]


def test_nothing_is_dead_by_default() -> None:
    for name in ("spinnaker2", "spinnaker2-48", "spinnaker1-48", "mesh-4x4", "hex-torus-4x4"):
        machine = load_machine(name)
        assert (machine.faults, machine.endpoint_dead, machine.channel_dead) == (None, None, None)
        assert machine.endpoint_alive.all()


def test_dead_pes() -> None:
    machine = load_machine("spinnaker2", {"faults.pes": [[7, 6, 3], [1, 1, 0]]})
    assert machine.pes().tolist() == list(range(1, 151))
    with pytest.raises(
        RouteError, match=r"spinnaker2: PE\(1,1,0\) does not work: named dead \(faults.pes\); place"
    ):
        routes.unicast(machine, 5, 0)
    board = load_machine("spinnaker2-48", {"faults.pes": [[7, 7, 1, 1, 2]]})
    assert board.chips is not None
    dead = board.endpoint_at(1, 1, 2, chip=board.chips.at(7, 7))
    assert set(range(7296)) - {dead} >= set(board.pes()[:10].tolist())
    assert np.flatnonzero(board.endpoint_dead).tolist() == [dead]


def test_a_dead_qpe_is_gone_round() -> None:
    machine = load_machine("spinnaker2", {"faults.qpes": "[[2, 3]]"})
    assert len(machine.pes()) == 148
    every = all_pairs(machine)
    for route in every[::5] + every[-3:]:
        check(machine, route)
    check_routes(machine, every)
    with pytest.raises(RouteError, match=r"PE\(2,3,1\) does not work: its QPE is dead"):
        routes.unicast(machine, 0, machine.endpoint_at(2, 3, 1))


def test_a_dead_port_of_the_packet_router() -> None:
    machine = load_machine("spinnaker2", {"faults.qpes": "[[3, 3], [5, 4]]"})
    every = all_pairs(machine)
    for route in every[::5] + every[-3:]:
        check(machine, route)
    check_routes(machine, every)


def test_memory_is_reached_by_its_other_tile() -> None:
    machine = load_machine("spinnaker2", {"faults.qpes": "[[1, 5]]"})
    memory = machine.extras["endpoint_dram_a"]
    for a, b in ((0, memory), (memory, 0)):
        route = routes.unicast(machine, a, b, 128, memory=True)
        check(machine, route)
        labels = [machine.channel_label(stage[0].channel) for stage in route.stages]
        assert any("router(1,6)" in label and "DRAM" in label for label in labels)


def test_dead_noc_links() -> None:
    machine = load_machine("spinnaker2", {"faults.links": '[[1, 1, "E"], [2, 3, "S"]]'})
    assert machine.channel_dead is not None
    assert int(machine.channel_dead.sum()) == 4, "both ways"
    every = all_pairs(machine)
    for route in every[::5] + every[-3:]:
        check(machine, route)
    check_routes(machine, every)
    assert machine.faults is not None
    assert machine.faults.noc == ((0, 1, 1, 0), (0, 2, 2, 2)), "named by the end that leads N or E"


def test_a_mesh_that_falls_apart_says_why() -> None:
    machine = load_machine("mesh-3x3", {"faults.links": '[[0, 0, "E"], [0, 0, "N"]]'})
    with pytest.raises(
        RouteError, match=r"has no way towards tile \(2, 2\): dead parts are in the"
    ):
        routes.unicast(machine, 0, 8)


def test_stuck_programs_stand_on_live_pes() -> None:
    machine = load_machine("spinnaker2", {"faults.stuck_pes": "[[2, 3, 1]]"})
    assert stuck(machine) == [machine.endpoint_at(2, 3, 1)]
    assert len(machine.pes()) == 152
    assert (machine.endpoint_dead, machine.channel_dead) == (None, None)
    asked = {"faults.random_stuck_pes": 5, "faults.random_pes": 100, "faults.seed": 8}
    board = load_machine("spinnaker1-48", asked)
    assert len(stuck(board)) == 5
    assert board.endpoint_alive[stuck(board)].all()
    assert stuck(board) == stuck(load_machine("spinnaker1-48", dict(asked)))


def test_what_dead_qpes_cut_off_is_dead_too() -> None:
    machine = load_machine("spinnaker2", {"faults.qpes": "[[6, 6], [7, 5]]"})
    assert machine.faults is not None
    assert machine.faults.cut_off == ((0, 7, 6),)
    assert len(machine.pes()) == 152 - 12
    assert counts(machine) == {"chips": 0, "QPEs": 3, "links": 0, "PEs": 12}
    with pytest.raises(RouteError, match=r"PE\(7,6,0\) does not work: dead QPEs and links cut it"):
        routes.unicast(machine, 0, machine.endpoint_at(7, 6))


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 6), st.integers(0, 6), st.integers(0, 2**40))
def test_drawn_faults_on_a_chip_leave_ways_without_deadlock(
    qpes: int, links: int, seed: int
) -> None:
    asked = {"faults.random_qpes": qpes, "faults.random_links": links, "faults.seed": seed}
    machine = load_machine("spinnaker2", asked)
    live = machine.pes()[:: max(1, len(machine.pes()) // 12)].tolist()
    every = [routes.unicast(machine, a, b) for a in live for b in live]
    every += [routes.router_multicast(machine, a, machine.pes().tolist()) for a in live[:3]]
    for route in every[::5] + every[-3:]:
        check(machine, route)
    check_routes(machine, every)


BOARD = {
    "faults.random_chips": 4,
    "faults.random_links": 15,
    "faults.random_qpes": 9,
    "faults.random_pes": 7,
    "faults.seed": 3,
}


def test_drawn_faults_on_a_board() -> None:
    machine = load_machine("spinnaker2-48", BOARD)
    faults, chips = machine.faults, machine.chips
    assert faults is not None
    assert chips is not None
    found = [len(part) for part in (faults.chips, faults.links, faults.qpes, faults.pes)]
    assert found == [4, 15, 9, 7]
    assert 0 not in faults.chips, "chips with an Ethernet port are spared"
    assert not {row[0] for row in faults.qpes} & set(faults.chips), "none dies twice"
    expected = 7296 - 4 * 152 - 4 * (9 + len(faults.cut_off)) - 7
    assert len(machine.pes()) == expected
    draw, pes = random.Random(5), machine.pes().tolist()
    for _ in range(60):
        check(machine, routes.unicast(machine, *draw.sample(pes, 2)))
    check(machine, routes.router_multicast(machine, pes[0], draw.sample(pes, 200)))


def test_live_ways_are_shortest() -> None:
    asked = {"faults.random_chips": 10, "faults.random_links": 30, "faults.seed": 2}
    machine = load_machine("spinnaker1-torus-12x12", asked)
    chips = machine.chips
    assert chips is not None
    graph = nx.Graph()
    for chip, direction in np.argwhere(chips.link >= 0).tolist():
        graph.add_edge(chip, int(chips.neighbour[chip, direction]))
    live = sorted(graph)
    for a in live[::7]:
        lengths = nx.single_source_shortest_path_length(graph, a)
        for b in live[::5]:
            way = chips.path(a, b)
            visited = chips.walk(a, way)
            assert visited[-1] == b
            assert all(graph.has_edge(*pair) for pair in pairwise(visited))
            assert len(way) == lengths[b]


def test_the_same_seed_draws_the_same() -> None:
    one, same = (load_machine("spinnaker2-48", dict(BOARD)) for _ in range(2))
    assert one.faults == same.faults
    other = load_machine("spinnaker2-48", {**BOARD, "faults.seed": 4})
    assert one.faults != other.faults
    # A kind more or less does not shift the others.
    fewer = load_machine("spinnaker2-48", {**BOARD, "faults.random_pes": 0})
    assert one.faults is not None
    assert fewer.faults is not None
    assert (fewer.faults.chips, fewer.faults.links) == (one.faults.chips, one.faults.links)


def test_an_island_names_what_is_in_the_way() -> None:
    machine = load_machine(
        "spinnaker2-48",
        {"faults.links": '[[0, 0, "E"], [0, 0, "N"]]', "faults.chips": "[[1, 1]]"},
    )
    with pytest.raises(
        RouteError,
        match=r"spinnaker2-48: no way from chip\(0,0\) to chip\(7,7\): in the way: "
        r"dead link chip\(0,0\) E, dead chip\(1,1\), dead link chip\(0,0\) N \(faults.\*\)",
    ):
        routes.unicast(machine, 0, machine.pes().tolist()[-1])
    assert machine.chips is not None
    with pytest.raises(RouteError, match=r"spinnaker2-48: chip\(1,1\) is dead \(faults.chips\)"):
        routes.chip_path(machine, 0, machine.chips.at(1, 1))


def test_a_dead_ethernet_chip_takes_the_host_with_it() -> None:
    machine = load_machine("spinnaker1-48", {"faults.chips": "[[0, 0]]"})
    assert machine.chips is not None
    assert (machine.chips.host == -1).all()
    assert not machine.chips.alive[0]
    for end, name in ((18, "DRAM"), (19, "HOST")):
        with pytest.raises(RouteError, match=f"{name} does not work: its chip is dead"):
            routes.unicast(machine, end, 25)


@pytest.mark.parametrize("name", ["mesh-5x5", "torus-5x5", "hex-torus-5x5"])
def test_synthetic_machines(name: str) -> None:
    machine = load_machine(name, {"faults.random_links": 5, "faults.pes": "[[2, 2, 0]]"})
    assert machine.faults is not None
    assert len(machine.faults.noc) == 5
    assert len(machine.pes()) == 24
    for a in machine.pes().tolist():
        for b in machine.pes().tolist():
            check(machine, routes.unicast(machine, a, b))


@pytest.mark.parametrize(
    ("name", "key", "value", "said"),
    [
        ("spinnaker2", "pes", "[[4, 3, 0]]", r"faults.pes: got \[4, 3, 0\], expected \[x, y, numb"),
        ("spinnaker2", "pes", "[[1, 1]]", r"got \[1, 1\], expected \[x, y, number\]"),
        ("spinnaker2", "qpes", "[[7, 3]]", r"got \[7, 3\], expected \[x, y\] of one"),
        ("spinnaker2", "chips", "[[0, 0]]", "expected a machine of several chips"),
        ("spinnaker2", "links", '[[1, 1, "W"]]', r"got \[1, 1, W\], expected \[x, y, direction\]"),
        ("spinnaker2", "links", '[[1, 1, "NE"]]', r"got \[1, 1, NE\]"),
        ("spinnaker2-48", "chips", "[[7, 0]]", r"got \[7, 0\], expected \[chip x, chip y\]"),
        ("spinnaker2-48", "links", '[[0, 0, "SW"]]', r"expected \[chip x, chip y, direction\]"),
        ("spinnaker2-48", "pes", "[[1, 1, 0]]", r"expected \[chip x, chip y, x, y, number\]"),
        ("spinnaker1", "pes", "[[18]]", r"got \[18\], expected \[core\]"),
        ("spinnaker2-48", "random_chips", "48", "got 48, expected at most the 47 that live"),
        ("mesh-3x3", "random_links", "13", "got 13, expected at most the 12 that live"),
    ],
)
def test_places_that_do_not_exist(name: str, key: str, value: str, said: str) -> None:
    with pytest.raises(DescriptionError, match=said):
        load_machine(name, {f"faults.{key}": value})


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(["spinnaker2", "spinnaker2-48", "spinnaker1-torus-4x4", "hex-torus-3x3"]),
    st.sampled_from(["pes", "qpes", "links", "chips", "stuck_pes"]),
    st.lists(
        st.lists(
            st.one_of(st.integers(-2, 12), st.sampled_from(["E", "NE", "S", "X"])), max_size=6
        ),
        max_size=3,
    ),
)
def test_any_list_is_a_machine_or_one_clear_error(name: str, key: str, value: list[object]) -> None:
    try:
        machine = load_machine(name, {f"faults.{key}": value})
    except DescriptionError as error:
        assert all(f"faults.{key}" in problem for problem in error.problems)
        return
    assert (machine.faults is None) == (value == [])
    assert machine.faults != Faults()
