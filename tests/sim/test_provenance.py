"""Router, link and core counters: filters, names, and the file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from chipsim.errors import MachineError, TraceError
from chipsim.machine.library import load_machine
from chipsim.mapping.application import Application, Net, Vertex
from chipsim.mapping.mapping import map_application
from chipsim.sim.router_counters import MOST, RouterFilter, count
from chipsim.sim.simulation import Simulation
from chipsim.testing.scripted import Scripted
from chipsim.trace import provenance

SENT = 6


@pytest.fixture(scope="module")
def simulation() -> Simulation:
    """Core 1 of chip (0, 0) sends to itself, to its neighbour on the chip, and two chips east."""
    places = {"a": (0, 0, 1, 0), "near": (0, 0, 2, 0), "far": (0, 0, 5, 2)}
    machine = load_machine("spinnaker1-48")
    assert machine.chips is not None
    assert (int(machine.chips.x[2]), int(machine.chips.y[2])) == (2, 0)
    nets = (Net("net", "a", ("near", "far"), payload_bits=32),)
    application = Application(
        "pair", tuple(Vertex(n, fixed=p) for n, p in places.items()), nets, "router_multicast"
    )

    def talk(pe: Any) -> Any:
        yield pe.next_tick()
        pe.send("net", [0] * SENT, [7] * SENT)

    def listen(pe: Any) -> Any:
        for _ in range(3):
            yield pe.next_tick()
        pe.take_packets()

    mapping = map_application(application, machine, "sequential").with_tables("best")
    programs = {"a": Scripted(talk), "near": Scripted(listen), "far": Scripted(listen)}
    made = Simulation(mapping, programs)
    made.run()
    return made


def values(simulation: Simulation, table: str, x: int, y: int, part: str = "") -> dict[str, int]:
    return {
        row.name: row.value
        for row in simulation.provenance()
        if (row.table, row.x, row.y) == (table, x, y) and row.part.startswith(part)
    }


def test_routers_say_what_came_from_where(simulation: Simulation) -> None:
    home = values(simulation, "router", 0, 0)
    assert (home["Local_Multicast_Packets"], home["External_Multicast_Packets"]) == (SENT, 0)
    between = values(simulation, "router", 1, 0)
    assert (between["Local_Multicast_Packets"], between["External_Multicast_Packets"]) == (0, SENT)
    assert between["default_routed_external_multicast_packets"] == SENT  # the best table is empty
    assert (between["Entries"], between["Unique_Routes"]) == (0, 0)
    last = values(simulation, "router", 2, 0)
    assert last["default_routed_external_multicast_packets"] == 0
    assert (last["Entries"], last["Unique_Routes"]) == (1, 1)
    assert all(row.value == 0 for row in simulation.provenance() if row.name.startswith("Dropped"))


def test_links_and_cores(simulation: Simulation) -> None:
    east = values(simulation, "link", 0, 0, "E ")
    assert (east["Packets"], east["Frames"]) == (SENT, SENT * 19)  # 72 bits are 19 symbols
    assert east["Busy_ps"] == SENT * 380_000
    assert east["Occupancy_ppm"] == SENT * 380_000 * 10**6 // int(simulation.env.now)
    assert values(simulation, "link", 2, 0, "E ")["Packets"] == 0
    sender = values(simulation, "core", 0, 0, "chip(0,0) core(1) a")
    assert sender["Packets_sent"] == SENT and sender["Times_the_input_buffer_lost_packets"] == 0


def test_filters_combine(simulation: Simulation) -> None:
    machine, visits = simulation.machine, simulation.network.visits()
    filters = [
        RouterFilter(),
        RouterFilter(source="link"),
        RouterFilter(destinations=("E",)),
        RouterFilter(destinations=("E", "local")),
        RouterFilter(destinations=("local",)),
        RouterFilter(destinations=("W", "monitor", "dump")),
        RouterFilter(payload=False),
        RouterFilter(("mc",), payload=True, emergency=False, defaulted=False),
        RouterFilter(("nn", "c2c", "fr")),
    ]
    counts = count(machine, visits, filters)
    assert counts.shape == (48, len(filters))
    assert counts[0].tolist() == [SENT, 0, SENT, SENT, SENT, 0, 0, SENT, 0]  # once a packet
    assert counts[1].tolist() == [SENT, SENT, SENT, SENT, 0, 0, 0, 0, 0]
    assert counts[2].tolist() == [SENT, SENT, 0, SENT, SENT, 0, 0, SENT, 0]
    assert counts[3:].sum() == 0


def test_a_router_has_sixteen_counters(simulation: Simulation) -> None:
    with pytest.raises(MachineError, match="got 17 filters, a router has 16 counters"):
        count(simulation.machine, {}, [RouterFilter()] * (MOST + 1))
    with pytest.raises(MachineError, match="has no packet routers"):
        count(load_machine("mesh-2x2"), {}, [RouterFilter()])


def test_unknown_names_are_refused() -> None:
    with pytest.raises(MachineError, match=r"packet type 'mcc'.*did you mean 'mc'"):
        RouterFilter(("mcc",))
    with pytest.raises(MachineError, match="destination 'EN', expected one of E, NE"):
        RouterFilter(destinations=("EN",))


def test_the_file_holds_the_rows(simulation: Simulation, tmp_path: Path) -> None:
    rows = simulation.provenance()
    missed = provenance.Missed(2, 0, "a core", 17, 18_500_000, 500_000)
    provenance.write(tmp_path, rows)
    provenance.write(tmp_path, rows, [missed])  # in place of the first
    assert provenance.read_missed(tmp_path) == [missed]
    assert sorted(provenance.read(tmp_path)) == sorted(rows)
    assert {row.table for row in provenance.read(tmp_path, "core")} == {"core"}
    assert [path.name for path in tmp_path.iterdir()] == [provenance.FILE]


def test_a_missing_or_damaged_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(TraceError, match=r"has no provenance\.sqlite3"):
        provenance.read(tmp_path)
    (tmp_path / provenance.FILE).write_bytes(b"not a database, whatever its name says" * 9)
    with pytest.raises(TraceError, match="cannot be read"):
        provenance.read(tmp_path)
