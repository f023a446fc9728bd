"""Machines of many chips: links, zero-load times added up by hand, routes that hold."""

from __future__ import annotations

import random

import networkx as nx
import numpy as np
import pytest

from chipsim.errors import MachineError, RouteError
from chipsim.machine import routes
from chipsim.machine.library import load_machine
from chipsim.machine.model import DeadlockWarning, EndpointKind, Machine, PortKind
from chipsim.machine.route import SINK
from chipsim.mapping.walk import Walker
from chipsim.network.deadlock import check_routes, dependency_graph, find_cycle
from tests.machine.test_zero_load import measured

HOP, LOOKUP = 16_667, 10_000  # 5 cycles at 300 MHz; 4 at 400 MHz
SHORT, LONG = 60_000 + 16_000, 250_000 + 60_000  # assumed fixed part, and one frame
FRAME, LONG_FRAME = 16_000, 60_000


@pytest.fixture(scope="session")
def board() -> Machine:
    return load_machine("spinnaker2-48")


@pytest.fixture(scope="session")
def triad() -> Machine:
    return load_machine("spinnaker2-triads-1x1")


@pytest.fixture(scope="session")
def old_board() -> Machine:
    return load_machine("spinnaker1-48")


def chip_at(machine: Machine, x: int, y: int) -> int:
    assert machine.chips is not None
    return machine.chips.at(x, y)


def pe(machine: Machine, chip: tuple[int, int], *place: int) -> int:
    return machine.endpoint_at(*place, chip=chip_at(machine, *chip))


def test_every_chip_is_the_single_chip(board: Machine) -> None:
    """Cut out of the board, each chip has the arrays of ``spinnaker2``, numbers shifted."""
    one, chips = load_machine("spinnaker2"), board.chips
    assert chips is not None
    for chip in (0, 17, 47):
        last = one.channels - (0 if chip == 0 else 4)  # no host: in and out at two tiles
        first = int(chips.first_channel[chip])
        mine = slice(first, first + last)
        shift = int(chips.first_node[chip])
        np.testing.assert_array_equal(board.channel_node[mine] - shift, one.channel_node[:last])
        np.testing.assert_array_equal(board.channel_latency_ps[mine], one.channel_latency_ps[:last])
        ports = board.channel_port[mine]
        alone = one.channel_port[:last]
        np.testing.assert_array_equal(board.port_capacity[ports], one.port_capacity[alone])
        np.testing.assert_array_equal(board.port_kind[ports], one.port_kind[alone])
        far = board.port_node[ports]
        np.testing.assert_array_equal(np.where(far >= 0, far - shift, far), one.port_node[alone])


def test_links_join_neighbours(board: Machine) -> None:
    chips = board.chips
    assert chips is not None
    for chip in range(48):
        for direction in range(6):
            link, there = int(chips.link[chip, direction]), int(chips.neighbour[chip, direction])
            assert (link < 0) == (there < 0)
            if link >= 0:
                port = int(board.channel_port[link])
                assert board.channel_node[link] == chips.pool[chip]
                assert board.port_node[port] == chips.entry[there]
                assert board.port_kind[port] == PortKind.LINK
                assert board.channel_direction is not None
                assert board.channel_direction[link] == direction
    assert (np.asarray(board.channel_direction) >= 0).sum() == 240


def test_an_input_node_takes_noc_ports_first_then_links_by_direction(board: Machine) -> None:
    chips = board.chips
    assert chips is not None
    middle = chips.at(3, 3)
    ports = np.flatnonzero(board.port_node == chips.entry[middle]).tolist()
    feeder = {int(port): c for c, port in enumerate(board.channel_port.tolist())}
    links = [feeder[port] for port in ports[6:]]
    came_from = [int(board.node_chip[board.channel_node[link]]) for link in links]
    assert came_from == chips.neighbour[middle].tolist()


def test_a_host_only_at_ethernet_chips(board: Machine, triad: Machine) -> None:
    for machine, chips in ((board, [0]), (triad, [0, 48, 96])):
        hosts = np.flatnonzero(machine.endpoint_kind == EndpointKind.HOST)
        assert machine.endpoint_chip[hosts].tolist() == chips
        assert machine.chips is not None
        assert machine.chips.host[chips].tolist() == hosts.tolist()
        assert (np.delete(machine.chips.host, chips) == -1).all()


@pytest.mark.parametrize(
    ("bits", "from_", "to", "expected"),
    [
        # PE, router(4,2), packet router, link, packet router, router(4,2), PE.
        (0, ((0, 0), (4, 2, 0)), ((1, 0), (4, 2, 0)), 4 * HOP + 2 * LOOKUP + SHORT),
        (64, ((0, 0), (4, 2, 0)), ((1, 0), (4, 2, 0)), 4 * HOP + 2 * LOOKUP + SHORT + FRAME),
        (0, ((0, 0), (4, 2, 0)), ((2, 2), (4, 2, 0)), 4 * HOP + 3 * LOOKUP + 2 * SHORT),
        (0, ((0, 0), (4, 2, 0)), ((4, 7), (4, 2, 0)), 4 * HOP + 8 * LOOKUP + 7 * SHORT),
    ],
)
def test_zero_load_over_links(
    board: Machine,
    bits: int,
    from_: tuple[tuple[int, int], tuple[int, int, int]],
    to: tuple[tuple[int, int], tuple[int, int, int]],
    expected: int,
) -> None:
    source, dest = (pe(board, chip, *place) for chip, place in (from_, to))
    route = routes.unicast(board, source, dest, bits)
    routes.validate(board, route)
    assert routes.zero_load_ps(board, route) == {dest: expected}


def test_links_between_boards_are_slower(triad: Machine) -> None:
    source = pe(triad, (4, 0), 4, 2, 0)
    for to, expected in (((3, 0), SHORT), ((5, 0), LONG)):  # (5, 0) belongs to another board
        dest = pe(triad, to, 4, 2, 0)
        route = routes.unicast(triad, source, dest)
        assert routes.zero_load_ps(triad, route) == {dest: 4 * HOP + 2 * LOOKUP + expected}
        wide = routes.zero_load_ps(triad, routes.unicast(triad, source, dest, 128))
        frame = FRAME if expected == SHORT else LONG_FRAME
        assert wide[dest] == 4 * HOP + 2 * LOOKUP + expected + frame


@pytest.mark.parametrize("name", ["spinnaker2-48", "spinnaker1-48"])
def test_zero_load_is_what_the_network_takes(name: str) -> None:
    machine = load_machine(name)
    pes = machine.pes().tolist()
    draw = random.Random(4)
    bits = max(machine.classes[0].flits)
    every = [routes.unicast(machine, *draw.sample(pes, 2), bits) for _ in range(12)]
    every.append(routes.router_multicast(machine, pes[7], draw.sample(pes, 40)))
    expected = [routes.zero_load_ps(machine, route) for route in every]
    got = measured(machine, every)
    assert got[:12] == expected[:12]
    # Copies of the multicast may meet at a QPE router or a link that two branches share.
    late = [got[12][end] - time for end, time in expected[12].items()]
    assert len(late) == 40
    assert min(late) == 0


def test_the_default_way_is_diagonal_then_x_then_y(triad: Machine) -> None:
    def way(from_: tuple[int, int], to: tuple[int, int]) -> list[int]:
        return routes.chip_path(triad, chip_at(triad, *from_), chip_at(triad, *to))

    assert way((0, 0), (3, 5)) == [1, 1, 1, 2, 2]
    assert way((0, 0), (5, 3)) == [1, 1, 1, 0, 0]
    assert way((3, 0), (0, 2)) == [3, 3, 3, 2, 2]
    assert way((0, 0), (11, 11)) == [4]
    assert way((11, 5), (0, 5)) == [0]
    assert way((0, 0), (6, 0)) == [0] * 6, "of two equal ways that to the east"
    assert way((2, 2), (2, 2)) == []


def test_default_ways_are_shortest_and_stay_on_the_board(board: Machine) -> None:
    chips = board.chips
    assert chips is not None
    graph = nx.Graph()
    for chip, direction in np.argwhere(chips.neighbour >= 0).tolist():
        graph.add_edge(chip, int(chips.neighbour[chip, direction]))
    lengths = dict(nx.all_pairs_shortest_path_length(graph))
    for a in range(48):
        for b in range(48):
            assert len(routes.chip_path(board, a, b)) == lengths[a][b]


@pytest.mark.parametrize("name", ["spinnaker2-48", "spinnaker1-torus-12x12"])
def test_multicast_trees_enter_each_chip_once(name: str) -> None:
    machine = load_machine(name)
    draw = random.Random(2)
    pes = machine.pes().tolist()
    for _ in range(10):
        source, *dests = draw.sample(pes, 60)
        route = routes.router_multicast(machine, source, dests)
        routes.validate(machine, route)
        walk = Walker(machine).walk(route)
        assert walk.problems == ()
        assert sorted(leaf.endpoint for leaf in walk.leaves) == sorted(dests)
        assert machine.channel_direction is not None
        links = [c for c in walk.channels if machine.channel_direction[c] >= 0]
        entered = [
            int(machine.node_chip[machine.port_node[machine.channel_port[c]]]) for c in links
        ]
        assert len(set(entered)) == len(entered), "no chip is entered twice"


def test_branches_stand_at_packet_routers_alone(board: Machine) -> None:
    assert board.chips is not None
    dests = board.pes()[::50].tolist()
    route = routes.router_multicast(board, 5, dests)
    for stage in route.stages:
        nodes = {int(board.channel_node[branch.channel]) for branch in stage}
        if len(stage) > 1 and any(branch.next != SINK for branch in stage):
            assert nodes <= set(board.chips.pool.tolist())


def test_shipped_routes_do_not_deadlock(board: Machine, old_board: Machine) -> None:
    """Neither for all pairs of chips at once: link FIFOs are unbounded, or their packets drop."""
    triad = load_machine("spinnaker2-triads-1x1")
    torus = load_machine("spinnaker1-torus-5x4")
    for machine in (board, old_board, triad, torus):
        firsts = machine.pes()[:: max(1, len(machine.pes()) // 60)].tolist()
        every = [routes.unicast(machine, a, b) for a in firsts for b in firsts if a != b]
        check_routes(machine, every)
        # The circles that unbounded FIFOs and drops keep open are there:
        assert find_cycle(dependency_graph(machine, every), all_edges=True)


def test_finite_link_fifos_warn_and_can_deadlock() -> None:
    with pytest.warns(DeadlockWarning, match=r"spinnaker2-48: finite links.\*.fifo_packets"):
        board = load_machine("spinnaker2-48", {"links.short.fifo_packets": 9})
    there, back = pe(board, (0, 0), 4, 2, 0), pe(board, (1, 0), 4, 2, 0)
    every = [routes.unicast(board, there, back), routes.unicast(board, back, there)]
    assert len(find_cycle(dependency_graph(board, every))) == 4, "two look-ups and two links"


def test_throughput_of_links_on_paper() -> None:
    """Frames of 16 and 60 ns; packets of two frames at 64 bit and more (CHIP26)."""
    machine = load_machine("spinnaker2-triads-1x1")
    for name, frame_ps in (("link_short", 16_000), ("link_long", 60_000)):
        number = [cls.name for cls in machine.classes].index(name)
        times = machine.channel_flit_ps[machine.channel_class == number]
        assert set(times.tolist()) == {frame_ps}
        assert machine.classes[number].flits == {0: 1, 32: 1, 64: 2, 128: 2}
    assert 1e12 / 16_000 == 62.5e6


def test_a_route_over_a_board_that_is_none() -> None:
    with pytest.raises(MachineError, match=r"no chip at \(7, 0\); 48 chips"):
        chip_at(load_machine("spinnaker2-48"), 7, 0)
    mesh = load_machine("mesh-4x4")
    with pytest.raises(RouteError, match="mesh-4x4: has no packet router"):
        routes.chip_path(mesh, 0, 0)


def test_labels_name_the_chip(board: Machine) -> None:
    end = pe(board, (3, 4), 1, 6, 2)
    assert board.endpoint_label(end) == "chip(3,4) PE(1,6,2)"
    node = int(board.port_node[board.endpoint_port[end]])
    assert board.node_labels[node] == "chip(3,4) PE(1,6,2)"
    assert len(board.node_labels) == board.nodes
    assert board.node_labels.index("chip(0,0) router(2,1)") == 1
    with pytest.raises(IndexError):
        board.node_labels[board.nodes]
    assert board.node_labels[0:2] == ("chip(0,0) router(1,1)", "chip(0,0) router(2,1)")


def test_reserved_pes() -> None:
    """py-spinnaker2 keeps 4 of a chip's 152: 148, and 7,104 on a board."""
    assert len(load_machine("spinnaker2", {"floor.reserved_pes": 4}).pes()) == 148
    board = load_machine("spinnaker2-48", {"floor.reserved_pes": 4})
    assert len(board.pes()) == 7104
    assert load_machine("spinnaker2").pes().tolist() == list(range(152))
