"""Core-to-core, nearest-neighbour and fixed-route packets, from the application to the counters."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chipsim.errors import MappingError, RouteError
from chipsim.machine import typed_routes
from chipsim.machine.library import load_machine
from chipsim.machine.model import Machine
from chipsim.machine.routes import zero_load_ps
from chipsim.mapping.application import Application, Net, Vertex
from chipsim.mapping.chip_tables import NOWHERE, ChipTables
from chipsim.mapping.files import read, write
from chipsim.mapping.mapping import Mapping, map_application
from chipsim.sim.router_counters import RouterFilter, count
from chipsim.sim.simulation import Simulation
from chipsim.testing.scripted import Scripted

MACHINES = ("spinnaker1-48", "spinnaker2-48")
SENT = {"c2c": 3, "nn": 4, "fr": 5, "mc": 2}
PLACES = {"ethernet": (0, 0, 1), "source": (1, 0, 1), "next": (1, 1, 2), "far": (4, 3, 1)}


def place(machine: Machine, x: int, y: int, pe: int) -> tuple[int, int, int, int]:
    """Return where PE number ``pe`` of the chip at (x, y) is."""
    assert machine.chips is not None
    chip = machine.chips.at(x, y)
    ends = [end for end in machine.pes() if machine.endpoint_chip[end] == chip]
    end = int(ends[pe])
    columns = (machine.endpoint_x, machine.endpoint_y, machine.endpoint_index)
    return (*(int(column[end]) for column in columns), chip)


def mapped(name: str, payload_bits: int = 0, router: str = "default", **changes: Any) -> Mapping:
    machine = load_machine(name)
    vertices = [Vertex(v, fixed=place(machine, *where)) for v, where in PLACES.items()]
    sinks = {"c2c": ("far", "next"), "nn": ("next",), "fr": ("ethernet",), "mc": ("far", "next")}
    sinks |= changes
    nets = tuple(
        Net(packet, "source", ends, payload_bits=payload_bits, packet=packet)  # type: ignore[arg-type]
        for packet, ends in sinks.items()
    )
    application = Application("types", tuple(vertices), nets, "router_multicast")
    return map_application(application, machine, "sequential", router)


def run(mapping: Mapping, network: str) -> tuple[Simulation, dict[str, dict[str, int]]]:
    """Send on all nets; return what arrived by vertex and net."""
    got: dict[str, dict[str, int]] = {}

    def talk(pe: Any) -> Any:
        yield pe.next_tick()
        for packet, times in SENT.items():
            pe.send(packet, [0] * times)

    def listen(name: str) -> Any:
        def body(pe: Any) -> Any:
            for _ in range(3):
                yield pe.next_tick()
                keys = pe.take_packets().key.tolist()
                for net, block in mapping.keys.items():
                    if found := keys.count(block.base):
                        mine = got.setdefault(name, {})
                        mine[str(net)] = mine.get(str(net), 0) + found

        return body

    programs = {name: Scripted(listen(name)) for name in PLACES if name != "source"}
    simulation = Simulation(mapping, {"source": Scripted(talk), **programs}, network=network)
    simulation.run()
    return simulation, got


@pytest.mark.parametrize("name", MACHINES)
def test_packets_of_every_type_arrive_and_are_counted(name: str, network: str) -> None:
    simulation, got = run(mapped(name), network)
    assert got == {
        "ethernet": {"fr": 5},
        "next": {"c2c": 3, "nn": 4, "mc": 2},
        "far": {"c2c": 3, "mc": 2},
    }
    rows: dict[tuple[int, int], dict[str, int]] = {}
    for row in simulation.provenance():
        if row.table == "router":
            rows.setdefault((row.x, row.y), {})[row.name] = row.value
    home = rows[1, 0]
    names = {"Multicast": 2, "P2P": 2 * 3, "NN": 4, "FR": 5}
    assert {n: home[f"Local_{n}_Packets"] for n in names} == names
    assert [home[f"External_{n}_Packets"] for n in names] == [0] * 4
    beside = rows[1, 1]
    assert beside["External_NN_Packets"] == 4 and beside["External_FR_Packets"] == 0
    assert rows[0, 0]["External_FR_Packets"] == 5
    assert rows[4, 3]["External_P2P_Packets"] == 3
    # Four of the sixteen counters, one a type, see all that the source's router saw.
    machine, visits = simulation.machine, simulation.network.visits()
    filters = [RouterFilter((packet,), source="local") for packet in SENT]
    chip = simulation.mapping.machine.chips.at(1, 0)  # type: ignore[union-attr]
    assert count(machine, visits, filters)[chip].tolist() == [6, 4, 5, 2]


def test_core_to_core_packets_follow_the_tables_of_chips(network: str) -> None:
    """With one entry changed, the packets to ``far`` are dropped where they start."""
    mapping = mapped("spinnaker2-48", nn=("next",))
    chips = mapping.machine.chips
    assert chips is not None
    home, far = chips.at(1, 0), chips.at(4, 3)
    simulation, got = run(mapping, network)
    assert got["far"]["c2c"] == got["next"]["c2c"] == SENT["c2c"]
    tables = ChipTables(mapping.machine).changed(home, far, NOWHERE)
    simulation, got = run(replace(mapping, chip_tables=tables), network)
    assert "c2c" not in got["far"] and got["next"]["c2c"] == SENT["c2c"]
    counts = simulation.network.counters()
    assert (counts.dropped, counts.in_flight) == (SENT["c2c"], 0)
    assert counts.expected == counts.delivered + counts.dropped
    found = {
        (r.x, r.y): r.value for r in simulation.provenance() if r.name == "Dropped_P2P_Packets"
    }
    assert found[1, 0] == SENT["c2c"]


def test_only_multicast_is_in_the_tables() -> None:
    mapping = mapped("spinnaker1-48").with_tables(None)
    assert mapping.tables is not None
    numbers = {int(net) for table in mapping.tables.values() for net in table.net}
    assert numbers == {3}  # the fourth net


@pytest.mark.parametrize("router", ["default", "ner", "steiner", "negotiated"])
def test_all_routers_route_them_alike(router: str) -> None:
    routed = mapped("spinnaker1-48", router=router).routes
    for packet in ("c2c", "nn", "fr"):
        assert routed[packet] == mapped("spinnaker1-48").routes[packet]


@pytest.mark.parametrize("machine_name", ["spinnaker1-48", "spinnaker2-triads-1x1"])
def test_core_to_core_goes_by_a_table_of_destinations(machine_name: str) -> None:
    """The next link depends on the chip and the destination alone, with dead links as well."""
    machine = load_machine(machine_name, {"faults.random_links": 12, "faults.seed": 5})
    chips = machine.chips
    assert chips is not None
    draw = np.random.default_rng(2)
    alive = np.flatnonzero(chips.alive)
    for source, dest in draw.choice(alive, (60, 2)).tolist():
        way = chips.path(source, dest)
        visited = chips.walk(source, way)
        assert visited[-1] == dest
        for i, chip in enumerate(visited):
            assert chips.path(chip, dest) == way[i:]


def test_they_take_as_long_as_multicast_packets() -> None:
    mapping = mapped("spinnaker2-48", mc=("next",))
    machine = mapping.machine
    (neighbour,), (multicast,) = mapping.routes["nn"], mapping.routes["mc"]
    assert zero_load_ps(machine, neighbour) == zero_load_ps(machine, multicast)
    assert neighbour.stages == multicast.stages


@pytest.mark.parametrize(
    ("name", "sizes", "refused"), [("spinnaker1-48", (0, 32), 64), ("spinnaker2-48", (0, 128), 16)]
)
def test_payloads_are_those_of_the_chip(name: str, sizes: tuple[int, ...], refused: int) -> None:
    for bits in sizes:
        routes = mapped(name, bits).routes
        assert all(route.payload_bits == bits for rows in routes.values() for route in rows)
    with pytest.raises(MappingError, match=f"payload of {refused} bits"):
        mapped(name, refused)


def test_nearest_neighbours_go_one_link_and_no_further() -> None:
    with pytest.raises(MappingError, match=r"'nn' cannot be routed: .*over one link.*chip\(4,3\)"):
        mapped("spinnaker1-48", nn=("far",))
    machine = load_machine("spinnaker1-48")
    chips = machine.chips
    assert chips is not None
    here = chips.at(1, 1)
    ends = {chip: next(e for e in machine.pes().tolist() if machine.endpoint_chip[e] == chip)
            for chip in [here, *chips.neighbour[here].tolist()]}  # fmt: skip
    assert len(ends) == 7
    for direction, there in enumerate(chips.neighbour[here].tolist()):
        route = typed_routes.nearest_neighbour(machine, ends[here], ends[there])
        used = {branch.channel for stage in route.stages for branch in stage}
        assert used & set(chips.link[chips.link >= 0].tolist()) == {
            int(chips.link[here, direction])
        }
    with pytest.raises(RouteError, match="over one link"):
        typed_routes.nearest_neighbour(machine, ends[here], ends[here])


def test_a_dead_link_has_no_nearest_neighbour_behind_it() -> None:
    machine = load_machine("spinnaker1-48", {"faults.links": [[1, 0, "N"]]})
    source, dest = (machine.endpoint_at(*place(machine, *PLACES[v])) for v in ("source", "next"))
    with pytest.raises(RouteError, match="none that works joins"):
        typed_routes.nearest_neighbour(machine, source, dest)
    far = typed_routes.core_to_core(machine, source, dest)
    assert len(far.stages) > 0


def test_fixed_routes_end_at_the_ethernet_chip_at_the_same_cores() -> None:
    with pytest.raises(MappingError, match=r"ends at its board's Ethernet chip, chip\(0,0\)"):
        mapped("spinnaker2-48", fr=("far",))
    machine = load_machine("spinnaker1-48")
    vertices = [Vertex(v, fixed=place(machine, *where)) for v, where in PLACES.items()]
    vertices.append(Vertex("other", fixed=place(machine, 0, 0, 4)))
    nets = (
        Net("a", "source", ("ethernet",), packet="fr"),
        Net("b", "far", ("other",), packet="fr"),
    )
    with pytest.raises(
        MappingError, match=r"'b' has other sinks than net 'a'.*fixed-route register"
    ):
        map_application(Application("two", tuple(vertices), nets), machine, "sequential")


def test_every_board_has_its_own_ethernet_chip() -> None:
    machine = load_machine("spinnaker2-triads-1x1")
    chips = machine.chips
    assert chips is not None and len(np.unique(chips.ethernet)) == 3
    pes = machine.pes()
    chip_of, at = np.unique(machine.endpoint_chip[pes], return_index=True)
    first = dict(zip(chip_of.tolist(), pes[at].tolist(), strict=True))
    for chip in range(0, len(chips), 7):
        own = [int(e) for e in np.unique(chips.ethernet) if chips.board[e] == chips.board[chip]]
        route = typed_routes.fixed_route(machine, first[chip], [first[own[0]]])
        assert len(own) == 1 and route.packet == "fr" and route.leaves == 1


def test_bad_nets_are_named() -> None:
    with pytest.raises(MappingError, match="packet is 'p2p'; expected one of mc, c2c, nn, fr"):
        Application("a", (Vertex("v"),), (Net("n", "v", ("v",), packet="p2p"),))  # type: ignore[arg-type]
    with pytest.raises(MappingError, match="packet 'c2c' and transport 'noc_direct'"):
        net = Net("n", "v", ("v",), packet="c2c", transport="noc_direct")
        Application("a", (Vertex("v"),), (net,))
    application = Application(
        "a", (Vertex("v"), Vertex("w")), (Net("n", "v", ("w",), packet="c2c"),)
    )
    with pytest.raises(MappingError, match="has no packet router"):
        map_application(application, load_machine("mesh-4x4"), "sequential")


def test_the_check_sees_through_wrong_routes() -> None:
    from chipsim.mapping.check import check

    mapping = mapped("spinnaker1-48")
    given = (mapping.application, mapping.machine, mapping.placement)
    for net, other, text in (
        ("nn", "mc", "of packet type 'mc'; the net has 'nn'"),
        ("fr", "nn", "not on the board's Ethernet chip"),
    ):
        routes = {**mapping.routes, net: mapping.routes[other]}
        with pytest.raises(MappingError, match=text):
            check(*given, routes, mapping.keys)
    far = tuple(replace(route, packet="nn") for route in mapping.routes["c2c"])
    with pytest.raises(MappingError, match="over 3 links; a nearest neighbour is one away"):
        check(*given, {**mapping.routes, "nn": far}, mapping.keys)


def test_a_mapping_file_keeps_the_types(tmp_path: Path) -> None:
    mapping = mapped("spinnaker1-48").with_tables("best")
    write(mapping, tmp_path / "mapping.json")
    again = read(tmp_path / "mapping.json", mapping.machine)
    assert again.application == mapping.application and again.routes == mapping.routes
