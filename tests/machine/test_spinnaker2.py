from __future__ import annotations

from collections import Counter

import networkx as nx
import pytest

from chipsim.errors import MachineError
from chipsim.machine import routes
from chipsim.machine.floor import Floor, xy_open
from chipsim.machine.library import load_machine
from chipsim.machine.lut import synthesise
from chipsim.machine.model import (
    Branching,
    EndpointKind,
    FullPolicy,
    Machine,
    NodeKind,
    PortKind,
    Routing,
)
from chipsim.machine.route import Route
from chipsim.machine.spinnaker2 import floor_of, turns_of
from chipsim.machine.topology import router_graph, topology


def test_counts(chip: Machine) -> None:
    """38 QPEs of 4 PEs, two memories, one host; 59 neighbouring pairs of QPEs."""
    assert Counter(chip.endpoint_kind.tolist()) == {0: 152, 1: 2, 2: 1}
    names = [cls.name for cls in chip.classes]
    per_class = {names[k]: n for k, n in Counter(chip.channel_class.tolist()).items()}
    edges = 3 * 2  # memory A, memory B and host have two tiles each
    assert per_class == {
        "inject": 152 + edges,
        "eject": 152 + edges,
        "noc": 118,
        "router_in": 6,
        "router_out": 6,
        "lookup": 1,
    }
    assert int(chip.node_hop.sum()) == 38 + 1, "QPE routers and the pool count as hops"


def test_node_kinds(chip: Machine) -> None:
    router = chip.node_labels.index("router(1,1)")
    assert chip.node_kind[router] == NodeKind.FIFO
    assert chip.node_branching[router] == Branching.LOCAL
    assert chip.node_routing[router] == Routing.LUT
    pool = chip.extras["packet_router"]
    assert chip.node_kind[pool] == NodeKind.POOL
    assert chip.node_branching[pool] == Branching.ANY
    assert chip.node_routing[pool] == Routing.TABLE
    entry = chip.extras["packet_router_input"]
    assert chip.node_hop[entry] == 0
    assert (chip.port_node == entry).sum() == 6, "one input FIFO per NoC port"


def test_times_are_rounded_once(chip: Machine) -> None:
    for channel in range(chip.channels):
        times = (
            int(chip.channel_latency_ps[channel]),
            int(chip.channel_flit_ps[channel]),
            int(chip.channel_credit_ps[channel]),
        )
        if chip.classes[int(chip.channel_class[channel])].name == "lookup":
            assert times == (10_000, 2_500, 2_500)
        else:
            assert times == (16_667, 3_333, 3_333)


def test_energies(chip: Machine) -> None:
    classes = {cls.name: cls for cls in chip.classes}
    assert classes["noc"].pj_per_flit == pytest.approx(192 * 0.17)
    assert classes["lookup"].pj_per_flit == 200
    parts = {name: cls.energy_part for name, cls in classes.items()}
    assert parts.pop("lookup") == "router"
    assert set(parts.values()) == {"noc"}


def test_ports_of_a_pe(chip: Machine) -> None:
    pe = chip.endpoint_at(1, 6, 0)
    tx, dma, sink = (
        int(array[pe]) for array in (chip.endpoint_port, chip.endpoint_dma_port, chip.endpoint_sink)
    )
    assert chip.port_kind[[tx, dma, sink]].tolist() == [1, 1, PortKind.SINK]
    assert chip.port_capacity[[tx, dma, sink]].tolist() == [4, 0, 1024]
    assert chip.port_full[sink] == FullPolicy.DROP
    assert chip.port_node[tx] == chip.port_node[dma]
    assert chip.port_node[sink] == -1


def test_receive_policies_follow_the_description() -> None:
    for text, policy in (("stall", FullPolicy.STALL), ("overwrite", FullPolicy.OVERWRITE)):
        machine = load_machine("spinnaker2", {"pe.rx_full": text, "pe.rx_fifo_packets": 3})
        sink = int(machine.endpoint_sink[0])
        assert (machine.port_full[sink], machine.port_capacity[sink]) == (policy, 3)


def test_settings_reach_the_machine(chip: Machine) -> None:
    slow = load_machine(
        "spinnaker2", {"noc.hop_cycles": "10", "noc.fifo_packets": "unbounded", "pe.tx_sets": "1"}
    )
    names = [cls.name for cls in slow.classes]
    noc = slow.channel_class == names.index("noc")
    assert set(slow.channel_latency_ps[noc].tolist()) == {33_333}
    assert set(slow.port_capacity[slow.channel_port[noc]].tolist()) == {0}
    assert slow.port_capacity[slow.endpoint_port[0]] == 1
    assert chip.channel_latency_ps[0] == 16_667, "the cached machine is untouched"


def test_equal_arguments_share_arrays() -> None:
    first, second = load_machine("spinnaker2"), load_machine("spinnaker2")
    assert first.channel_node is second.channel_node
    assert first.description is not second.description


def test_endpoints_are_numbered_by_qpe(chip: Machine) -> None:
    assert chip.endpoint_label(0) == "PE(1,1,0)"
    assert chip.endpoint_label(151) == "PE(7,6,3)"
    assert chip.endpoint_label(chip.extras["endpoint_dram_a"]) == "DRAM(0,5)"
    assert chip.endpoint_label(chip.extras["endpoint_dram_b"]) == "DRAM(0,1)"
    assert chip.endpoint_label(chip.extras["endpoint_host"]) == "HOST(5,7)"
    with pytest.raises(MachineError, match=r"no endpoint 0 at tile \(4, 3\)"):
        chip.endpoint_at(4, 3)


def test_xy_meets_holes_on_a_quarter_of_the_pairs(chip: Machine) -> None:
    floor = floor_of(chip.description.fresh())
    qpes = frozenset(floor.qpes)
    blocked = sum(a != b and not xy_open(qpes, a, b) for a in qpes for b in qpes)
    assert (blocked, len(qpes) * (len(qpes) - 1)) == (336, 1406)


def _dependencies(routes_: list[Route]) -> nx.DiGraph:
    """Which channel follows which, on any of the routes."""
    graph = nx.DiGraph()
    for route in routes_:
        for stage in route.stages:
            for channel, following in stage:
                graph.add_node(channel)
                if following >= 0:
                    graph.add_edges_from(
                        (channel, branch.channel) for branch in route.stages[following]
                    )
    return graph


def _all_routes(machine: Machine) -> list[Route]:
    ends = range(machine.endpoints)
    direct = [routes.unicast(machine, a, b) for a in ends for b in ends]
    pes = machine.pes().tolist()
    routed = [routes.router_multicast(machine, pe, pes) for pe in ends]
    return direct + routed


def test_all_pairs_connect_without_deadlock(chip: Machine) -> None:
    """Over all endpoint pairs, and broadcasts through the packet router from every endpoint."""
    every = _all_routes(chip)
    assert len(every) == 155 * 155 + 155
    graph = _dependencies(every)
    assert nx.is_directed_acyclic_graph(graph)
    assert graph.number_of_nodes() == chip.channels, "every channel is used by some route"


def test_shortest_detours_alone_would_deadlock() -> None:
    """The same mesh with shortest ways round its holes: the test above can fail."""
    plain = load_machine("mesh-7x6", {"floor.holes": "[[3, 2], [3, 3], [6, 2], [6, 3]]"})
    ends = range(plain.endpoints)
    every = [routes.unicast(plain, a, b) for a in ends for b in ends]
    assert not nx.is_directed_acyclic_graph(_dependencies(every))


def test_the_avoided_turn_is_what_keeps_it_acyclic() -> None:
    """With the XY turn back, the named detours do not serve: up*/down* routing takes over."""
    machine = load_machine("spinnaker2", {"noc.avoided_turns": "[]"})
    figures = machine.description.fresh()
    assert synthesise(floor_of(figures), turns_of(figures)).method == "up_down"
    assert nx.is_directed_acyclic_graph(_dependencies(_all_routes(machine)))


def test_xy_pairs_are_xy_but_for_the_avoided_turn(chip: Machine) -> None:
    """1,054 of the 1,070 pairs that XY can serve go by XY; the others would turn at (5,5)."""
    floor = floor_of(chip.description.fresh())
    qpes, known = frozenset(floor.qpes), topology(chip)
    deviating = []
    for a in floor.qpes:
        for b in floor.qpes:
            if a != b and xy_open(qpes, a, b):
                route = routes.unicast(chip, chip.endpoint_at(*a), chip.endpoint_at(*b))
                nodes = [known.source[stage[0].channel] for stage in route.stages[1:]]
                tiles = [(known.x[node], known.y[node]) for node in nodes]
                if tiles != _xy_tiles(a, b):
                    deviating.append((a, b))
    assert deviating == [((x, 5), (5, y)) for x in (1, 2, 3, 4) for y in (1, 2, 3, 4)]


def _xy_tiles(a: tuple[int, int], b: tuple[int, int]) -> list[tuple[int, int]]:
    (x, y), (u, v) = a, b
    row = [(i, y) for i in range(x, u, 1 if u > x else -1)]
    return row + [(u, j) for j in range(y, v, 1 if v > y else -1)] + [b]


def test_detours_cost_three_percent(chip: Machine) -> None:
    """Mean path 4.63 channels between QPEs against 4.50 on shortest paths."""
    figures = chip.description.fresh()
    floor = floor_of(figures)
    plan = synthesise(floor, turns_of(figures))
    got = sum(len(plan.path(a, b)) - 1 for a in floor.qpes for b in floor.qpes)
    lengths = dict(nx.all_pairs_shortest_path_length(router_graph(chip)))
    shortest = sum(n for row in lengths.values() for n in row.values())
    assert (got, shortest) == (6512, 6326)


def test_legs_through_the_packet_router_are_shortest(chip: Machine) -> None:
    """In and out together, 70 channels each over the 38 QPEs; no port serves more than 9."""
    figures = chip.description.fresh()
    floor = floor_of(figures)
    plan = synthesise(floor, turns_of(figures))
    lengths = dict(nx.all_pairs_shortest_path_length(nx.Graph(_mesh(floor))))
    nearest = sum(min(lengths[port][q] for port in floor.ports) for q in floor.qpes)
    assert sum(len(plan.path_in(q)) - 1 for q in floor.qpes) == nearest
    assert sum(len(plan.path(plan.port[q], q)) - 1 for q in floor.qpes) == nearest
    assert max(Counter(plan.port.values()).values()) <= 9


def _mesh(floor: Floor) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    tiles = set(floor.qpes)
    pairs = [((x, y), (x + dx, y + dy)) for x, y in tiles for dx, dy in ((1, 0), (0, 1))]
    return [(a, b) for a, b in pairs if b in tiles]


@pytest.mark.parametrize(("avoided", "method"), [("[]", "turns"), ('[[5, 5, "ES"]]', "up_down")])
def test_transit_through_the_router_block_is_an_option(
    chip: Machine, avoided: str, method: str
) -> None:
    """The other reading of the published bisection; it needs no XY turn given up."""
    chosen = {"floor.router_transit": "true", "noc.avoided_turns": avoided}
    open_block = load_machine("spinnaker2", chosen)
    figures = open_block.description.fresh()
    assert synthesise(floor_of(figures), turns_of(figures)).method == method
    west, east = ((m.endpoint_at(3, 3), m.endpoint_at(5, 3)) for m in (chip, open_block))
    round_it = routes.unicast(chip, *west)
    through = routes.unicast(open_block, *east)
    assert (len(round_it.stages), len(through.stages)) == (6, 4)
    assert nx.is_directed_acyclic_graph(_dependencies(_all_routes(open_block)))


def test_memories_are_reached_by_the_nearer_tile(chip: Machine) -> None:
    memory = chip.extras["endpoint_dram_a"]
    for y, tile in ((6, "router(1,6)"), (5, "router(1,5)"), (1, "router(1,5)")):
        route = routes.unicast(chip, chip.endpoint_at(1, y), memory)
        assert chip.channel_label(route.stages[-1][0].channel) == f"eject {tile} -> DRAM(0,5)"
    assert chip.endpoint_kind[memory] == EndpointKind.DRAM
