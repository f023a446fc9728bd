"""Metrics against sums made by hand on a row of routers, and against each other."""

import numpy as np
import pytest

from chipsim.mapping.application import Application, Net, Transport, Vertex
from chipsim.mapping.crowd import with_pes_per_tile
from chipsim.mapping.mapping import Mapping, map_application
from chipsim.mapping.metrics import channel_load, links
from tests.mapping.helpers import machine, replicas


def row(transport: Transport) -> Mapping:
    """Vertices 0..3 on a row of four routers; 0 sends to 2 and 3, and 3 back to 0."""
    vertices = tuple(Vertex(i, fixed=(i, 0)) for i in range(4))
    nets = (
        Net("up", 0, (2, 3), payload_bits=32, packets_per_tick={"forward": 2.0}),
        Net("down", 3, (0,), "error", packets_per_tick={"forward": 0.5, "backward": 4.0}),
        Net("quiet", 1, (2,), "host"),
    )
    application = Application("row", vertices, nets, transport)
    return map_application(application, machine("mesh-4x1"), "sequential")


def test_direct_packets_by_hand() -> None:
    metrics = row("noc_direct").metrics()
    forward, backward = metrics.by_phase["forward"], metrics.by_phase["backward"]
    assert forward.tree_hops == 2 * (2 + 3) + 0.5 * 3
    assert (forward.packets_per_tick, forward.copies_per_tick) == (4.5, 4.5)
    assert forward.max_link_load == 4.0
    assert forward.mean_link_load == pytest.approx(11.5 / 6)
    assert forward.sd_link_load == pytest.approx(np.std([4, 4, 2, 0.5, 0.5, 0.5]))
    assert "(0,0)" in forward.hottest_link and "(1,0)" in forward.hottest_link
    assert backward.tree_hops == 4 * 3
    assert backward.mean_hops == 3
    assert metrics.total.tree_hops == forward.tree_hops + backward.tree_hops
    assert list(metrics.by_kind) == ["spike", "error", "host"]
    assert metrics.by_kind["host"].packets_per_tick == 0
    assert metrics.by_kind["host"].hottest_link == ""
    assert (metrics.tree_links, metrics.max_depth) == (2 + 3 + 3 + 1, 3)
    assert (metrics.nets, metrics.routes, metrics.unstated_nets) == (3, 4, 1)
    assert (metrics.tiles_used, metrics.chips_used) == (4, 1)


def test_a_tree_shares_its_links() -> None:
    metrics = row("router_multicast").metrics()
    assert metrics.by_phase["forward"].tree_hops == 2 * 3 + 0.5 * 3
    assert metrics.by_phase["forward"].copies_per_tick == 4.5
    assert metrics.by_phase["forward"].packets_per_tick == 2.5
    assert metrics.tree_links == 3 + 3 + 1


@pytest.mark.parametrize("transport", ["noc_direct", "router_multicast"])
def test_zero_load_latency_is_a_cycle_per_router_visited(transport: Transport) -> None:
    metrics = row(transport).metrics()
    assert metrics.worst_latency_ns == 4.0
    assert metrics.by_kind["spike"].mean_latency_ns == (3 + 4) / 2
    assert metrics.by_phase["backward"].max_latency_ns == 4.0


@pytest.mark.parametrize(
    ("transport", "noc_channels", "lookup_ps"),
    [("noc_direct", 1 + 1 + 1, 0), ("router_multicast", (1 + 4 + 1) + (1 + 3 + 1), 10_000)],
)
def test_zero_load_latency_on_the_chip(
    transport: Transport, noc_channels: int, lookup_ps: int
) -> None:
    """From (1,1) to (2,1), 5 cycles at 300 MHz a channel.

    Through the packet router: x first to its port at (4,2), 10 ns of look-up, then out by (3,3),
    which is nearer to (2,1), and three hops west and south.
    """
    vertices = (Vertex("a", fixed=(1, 1)), Vertex("b", fixed=(2, 1)))
    application = Application("two", vertices, (Net("n", "a", ("b",)),), transport)
    mapping = map_application(application, machine("spinnaker2"), "sequential")
    assert mapping.metrics().worst_latency_ns == (noc_channels * 16_667 + lookup_ps) / 1000


def test_loads_by_phase_and_kind_add_up() -> None:
    mapping = row("noc_direct")
    total = channel_load(mapping)
    parts = [channel_load(mapping, phase=phase) for phase in mapping.application.phases]
    assert np.array_equal(total, sum(parts))
    kinds = [channel_load(mapping, kind=kind) for kind in ("spike", "error", "host")]
    assert np.array_equal(total, sum(kinds))
    assert channel_load(mapping, phase="forward", kind="error").max() == 0.5


def test_links_of_the_chips() -> None:
    assert int(links(machine("mesh-4x1")).sum()) == 6
    chip = machine("spinnaker2")
    labels = {chip.channel_label(int(c)).split()[0] for c in np.flatnonzero(links(chip))}
    assert labels == {"noc", "router_in", "router_out"}


def test_the_table_holds_what_each_pe_uses() -> None:
    vertices = (Vertex("v", {"code": 100, "weights": 33792}, 12.5), Vertex("w"))
    application = Application("t", vertices, (Net("n", "v", ("w",)),))
    table = map_application(application, machine("spinnaker2"), "sequential").table()
    assert {name: column[0] for name, column in table.items()} == {
        "vertex": "v",
        "place": "PE(1,1,0)",
        "code_bytes": 100,
        "code_limit": 32768,
        "data_bytes": 33792,
        "data_limit": 67584,
        "data_use": 0.5,
        "cycles_per_tick": 12.5,
        "nets_out": 1,
        "nets_in": 0,
    }
    mesh = map_application(application, machine("mesh-8x8"), "sequential").table()
    assert (mesh["data_limit"], mesh["data_use"]) == ([None, None], [None, None])


def test_as_dict_is_plain() -> None:
    def plain(value: object) -> bool:
        if isinstance(value, dict):
            return all(plain(item) for item in value.values())
        return value is None or type(value) in (str, int, float)

    assert plain(map_application(replicas(3), machine("spinnaker2")).metrics().as_dict())


def test_replica_locality_and_energy_by_hand() -> None:
    """Two replicas on a line: one on a single tile, one three links apart; 0.2 pJ a flit."""
    line = with_pes_per_tile(machine("mesh-8x8"), 2)
    places = {"a0": (0, 0, 0), "b0": (0, 0, 1), "a1": (4, 0, 0), "b1": (7, 0, 0)}
    application = Application(
        "two",
        tuple(Vertex(name, group=int(name[1]), fixed=at) for name, at in places.items()),
        (
            Net(0, "a0", ("b0",), packets_per_tick={"forward": 3}),
            Net(1, "a1", ("b1",), packets_per_tick={"forward": 1}),
            Net(2, "b0", ("a1",), packets_per_tick={"exchange": 5}),  # between replicas
        ),
        "router_multicast",
    )
    found = map_application(application, line, "sequential", "xy").metrics()
    assert found.replica_locality == 0.75
    assert found.replica_hops == 0.75
    flit_pj = line.classes[0].pj_per_flit
    # Flits a tick: 3 into the neighbour PE; 3 links and a PE; 4 links and a PE, five times.
    assert found.by_phase["forward"].energy_nj == {"noc": pytest.approx(7 * flit_pj / 1000)}
    assert found.total.energy_nj == {"noc": pytest.approx((7 + 25) * flit_pj / 1000)}
