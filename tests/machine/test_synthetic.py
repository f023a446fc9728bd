from __future__ import annotations

from pathlib import Path

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chipsim.errors import MachineError, RouteError, UnknownFigureError
from chipsim.machine import routes
from chipsim.machine.library import load_machine
from chipsim.machine.model import FullPolicy, Machine, PortKind
from chipsim.machine.synthetic import DeadlockWarning
from chipsim.machine.topology import router_graph, topology


@pytest.mark.parametrize(("width", "height"), [(1, 1), (1, 5), (2, 2), (8, 8), (7, 3)])
def test_a_mesh_has_the_links_it_should(width: int, height: int) -> None:
    machine = load_machine(f"mesh-{width}x{height}")
    links = 2 * ((width - 1) * height + width * (height - 1))
    assert machine.nodes == machine.endpoints == width * height
    assert machine.channels == links + width * height
    graph = router_graph(machine)
    reference = nx.grid_2d_graph(width, height).to_directed()
    places = {n: (graph.nodes[n]["x"], graph.nodes[n]["y"]) for n in graph}
    assert {(places[a], places[b]) for a, b in graph.edges} == set(reference.edges)


@pytest.mark.parametrize(("width", "height"), [(3, 3), (8, 8), (4, 5)])
def test_a_torus_closes_rows_and_columns(width: int, height: int) -> None:
    machine = load_machine(f"torus-{width}x{height}")
    assert machine.channels == 4 * width * height + width * height
    reference = nx.grid_2d_graph(width, height, periodic=True).to_directed()
    graph = router_graph(machine)
    places = {n: (graph.nodes[n]["x"], graph.nodes[n]["y"]) for n in graph}
    assert {(places[a], places[b]) for a, b in graph.edges} == set(reference.edges)


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 6), st.integers(1, 6), st.booleans(), st.integers(1, 9))
def test_zero_load_is_hop_cycles_times_routers_visited(
    width: int, height: int, torus: bool, hop_cycles: int
) -> None:
    """Every pair, against distances that networkx finds."""
    name = f"{'torus' if torus else 'mesh'}-{width}x{height}"
    machine = load_machine(name, {"noc.hop_cycles": hop_cycles})
    lengths = dict(nx.all_pairs_shortest_path_length(router_graph(machine)))
    for a in range(machine.endpoints):
        for b in range(machine.endpoints):
            route = routes.unicast(machine, a, b)
            visited = lengths[a][b] + 1
            assert routes.zero_load_ps(machine, route) == {b: hop_cycles * visited * 1000}
            assert routes.hops(machine, route) == visited


def test_ports_of_a_router_stand_together(mesh: Machine) -> None:
    """The source port first, then the link FIFOs in the order of their channels."""
    inner = mesh.endpoint_at(3, 3)
    ports = np.flatnonzero(mesh.port_node == inner)
    assert ports.tolist() == list(range(ports[0], ports[0] + 5))
    assert mesh.port_kind[ports].tolist() == [PortKind.SOURCE] + [PortKind.LINK] * 4
    assert mesh.endpoint_port[inner] == ports[0]
    feeders = [int(np.flatnonzero(mesh.channel_port == port)[0]) for port in ports[1:]]
    assert feeders == sorted(feeders)
    assert mesh.port_capacity[ports].tolist() == [0, 4, 4, 4, 4]


def test_channels_of_a_router_run_east_west_north_south_endpoint(mesh: Machine) -> None:
    known = topology(mesh)
    inner = mesh.endpoint_at(3, 3)
    far = [known.far[channel] for channel in known.out[inner]]
    ends = [mesh.endpoint_at(x, y) for x, y in ((4, 3), (2, 3), (3, 4), (3, 2))]
    assert far == [*ends, -1]


def test_sinks_are_unbounded(mesh: Machine) -> None:
    sinks = mesh.endpoint_sink
    assert set(mesh.port_capacity[sinks].tolist()) == {0}
    assert set(mesh.port_full[sinks].tolist()) == {FullPolicy.DROP}
    assert set(mesh.endpoint_dma_port.tolist()) == {-1}


def test_each_port_has_one_feeder(mesh: Machine) -> None:
    assert np.bincount(mesh.channel_port).max() == 1
    fed = set(mesh.channel_port.tolist()) | set(mesh.endpoint_port.tolist())
    assert fed == set(range(mesh.ports))


def test_torus_fifos_are_unbounded_and_finite_ones_warn() -> None:
    machine = load_machine("torus-4x4")
    assert set(machine.port_capacity.tolist()) == {0}
    for _ in range(2):  # the second comes from the cache
        with pytest.warns(DeadlockWarning, match=r"torus-4x4: noc.fifo_packets = 4 on a torus can"):
            finite = load_machine("torus-4x4", {"noc.fifo_packets": "4"})
    assert set(finite.port_capacity.tolist()) == {0, 4}


def test_ties_on_a_torus_go_the_positive_way() -> None:
    machine = load_machine("torus-4x4")
    route = routes.unicast(machine, 0, machine.endpoint_at(2, 0))
    known = topology(machine)
    assert [known.source[s[0].channel] for s in route.stages] == [0, 1, 2]


def test_settings() -> None:
    machine = load_machine(
        "mesh-3x3",
        {
            "noc.hop_cycles": "7",
            "noc.credit_cycles": 3,
            "noc.flits_per_cycle": "0.5",
            "noc.fifo_packets": "unbounded",
            "noc.clock_mhz": "500",
        },
    )
    assert set(machine.channel_latency_ps.tolist()) == {14_000}
    assert set(machine.channel_credit_ps.tolist()) == {6_000}
    assert set(machine.channel_flit_ps.tolist()) == {4_000}
    assert set(machine.port_capacity.tolist()) == {0}


def test_large_machines_are_built_as_arrays() -> None:
    machine = load_machine("mesh-256x256")
    assert machine.nodes == 65_536
    assert machine.channels == 5 * 65_536 - 4 * 256
    corner = routes.unicast(machine, 0, 65_535)
    assert routes.zero_load_ps(machine, corner) == {65_535: 511_000}


HOLES = "[[3, 2], [3, 3], [6, 2], [6, 3]]"


def test_holes_leave_routers_out() -> None:
    """The mesh of SpiNNaker2's 38 QPEs, with one endpoint each: 118 links."""
    machine = load_machine("mesh-7x6", {"floor.holes": HOLES})
    assert (machine.nodes, machine.channels) == (38, 118 + 38)
    assert machine.node_labels[machine.endpoint_at(4, 2)] == "router(4,2)"
    with pytest.raises(MachineError, match=r"no endpoint 0 at tile \(3, 2\)"):
        machine.endpoint_at(3, 2)


@pytest.mark.parametrize("kind", ["mesh", "torus"])
def test_ways_round_holes_are_shortest(kind: str) -> None:
    machine = load_machine(f"{kind}-7x6", {"floor.holes": HOLES})
    lengths = dict(nx.all_pairs_shortest_path_length(router_graph(machine)))
    for a in range(machine.endpoints):
        for b in range(machine.endpoints):
            route = routes.unicast(machine, a, b)
            routes.validate(machine, route)
            assert len(route.stages) == lengths[a][b] + 1


def test_open_pairs_beside_holes_stay_x_first() -> None:
    machine = load_machine("mesh-7x6", {"floor.holes": HOLES})
    route = routes.unicast(machine, machine.endpoint_at(0, 0), machine.endpoint_at(2, 2))
    known = topology(machine)
    assert [known.source[s[0].channel] for s in route.stages] == [
        machine.endpoint_at(*tile) for tile in ((0, 0), (1, 0), (2, 0), (2, 1), (2, 2))
    ]


@pytest.mark.parametrize(
    ("holes", "message"),
    [
        ("[[7, 0]]", r"floor.holes names tile \[7, 0\]; tiles run over x 0\.\.1, y 0\.\.0"),
        ("[[0, 0], [1, 0]]", "floor.holes leaves no router; name fewer tiles"),
    ],
)
def test_holes_that_cannot_be(holes: str, message: str) -> None:
    with pytest.raises(MachineError, match=message):
        load_machine("mesh-2x1", {"floor.holes": holes})


def test_an_island_cannot_be_reached() -> None:
    machine = load_machine("mesh-3x1", {"floor.holes": "[[1, 0]]"})
    with pytest.raises(RouteError, match=r"router\(0,0\) has no way towards tile \(2, 0\)"):
        routes.unicast(machine, 0, 1)


def test_a_mesh_of_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "small.toml"
    text = 'name = "small"\nbase = "mesh"\n[floor]\n'
    text += 'width = { value = 3, kind = "D", source = "mine" }\n'
    path.write_text(text)
    with pytest.raises(UnknownFigureError, match=r"^small: .* no figure 'floor.height'"):
        load_machine(path)
    path.write_text(text + 'height = { value = 8, kind = "D", source = "mine" }\n')
    machine = load_machine(path)
    assert (machine.name, machine.grid_width, machine.grid_height) == ("small", 3, 8)
