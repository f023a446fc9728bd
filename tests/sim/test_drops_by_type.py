"""What waits too long at a packet router is counted under the type of the packet."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest

from chipsim.machine.library import load_machine
from chipsim.machine.route import PACKETS
from chipsim.mapping.application import Net
from chipsim.sim.simulation import Simulation
from chipsim.testing.scripted import scripted_simulation

COUNTERS = {"mc": "Multicast", "c2c": "P2P", "nn": "NN", "fr": "FR"}
DROPPING = {
    "spinnaker1-48": {"router.wait1_cycles": 30},
    "spinnaker2-48": {
        "router.blocked_policy": "drop",
        "router.wait1_cycles": 40,
        "links.short.fifo_packets": 1,
        "pe.cycles.send_per_qpe": 1,
    },
}
DEADLOCK = "ignore:.*can deadlock:chipsim.machine.parts.DeadlockWarning"
SENDERS, SENT = 12, 60


def jammed(name: str, network: str, types: tuple[str, ...]) -> Simulation:
    """Let cores of (1, 1), and of three chips behind it, send through its link to (0, 0).

    A net's type goes by turns. Nearest-neighbour packets come from the three chips to (1, 1), over
    links that stay blocked because the others fill its router.
    """
    machine = load_machine(name, DROPPING[name])
    chips = machine.chips
    assert chips is not None
    pes = machine.pes()

    def place(x: int, y: int, number: int) -> tuple[int, ...]:
        chip = chips.at(x, y)
        end = int(pes[machine.endpoint_chip[pes] == chip][number])
        columns = (machine.endpoint_x, machine.endpoint_y, machine.endpoint_index)
        return (*(int(column[end]) for column in columns), chip)

    places, nets = {"sink": place(0, 0, 0), "near": place(1, 1, SENDERS)}, []
    for x, y in ((1, 1), (2, 1), (2, 2), (1, 2)):
        for number in range(SENDERS):
            kind = types[number % len(types)]
            if kind == "nn" and (x, y) == (1, 1):
                continue
            sender = f"{kind} {x}{y}{number}"
            places[sender] = place(x, y, number)
            end = "near" if kind == "nn" else "sink"
            nets.append(Net(f"from {sender}", sender, (end,), packet=kind))  # type: ignore[arg-type]

    def talk(net: str) -> Any:
        def body(pe: Any) -> Any:
            yield pe.next_tick()
            pe.send(net, [0] * SENT)

        return body

    def listen(pe: Any) -> Any:
        for _ in range(120):
            yield pe.next_tick()
            pe.record("nets", pe.take_packets().net)

    bodies = {net.source: talk(str(net.name)) for net in nets}
    simulation = scripted_simulation(
        {**bodies, "sink": listen, "near": listen}, nets, machine=machine, places=places,
        transport="router_multicast", network=network, tick_us=10,
        sram={name: {"recording": 30_000} for name in ("sink", "near")},
    )  # fmt: skip
    simulation.run()
    return simulation


def dropped(simulation: Simulation) -> dict[str, int]:
    """Return the routers' ``Dropped_`` counters, summed over the chips, by type."""
    rows = [row for row in simulation.provenance() if row.table == "router"]
    return {
        kind: sum(row.value for row in rows if row.name == f"Dropped_{name}_Packets")
        for kind, name in COUNTERS.items()
    }


def lost(simulation: Simulation) -> dict[str, int]:
    """Return the packets that were sent and never taken by a sink, by the type of their net."""
    nets = simulation.mapping.application.nets
    assert simulation.network.counters().in_flight == 0
    sent = Counter({kind: SENT * sum(net.packet == kind for net in nets) for kind in COUNTERS})
    for pe in simulation.pe_list:
        for _, taken in pe.recordings.get("nets", []):
            sent.subtract(nets[net].packet for net in taken.tolist())
    return dict(sent)


@pytest.mark.filterwarnings(DEADLOCK)
@pytest.mark.parametrize("name", list(DROPPING))
@pytest.mark.parametrize("types", [("mc",), ("c2c",), ("fr",), ("mc", "nn")], ids="+".join)
def test_only_types_that_are_sent_count(name: str, network: str, types: tuple[str, ...]) -> None:
    simulation = jammed(name, network, types)
    found = dropped(simulation)
    assert found == lost(simulation)
    assert {kind for kind, count in found.items() if count} == set(types)


@pytest.mark.filterwarnings(DEADLOCK)
@pytest.mark.parametrize("name", list(DROPPING))
def test_types_that_share_a_link_count_apart(name: str) -> None:
    both = [jammed(name, network, PACKETS) for network in ("compiled", "simpy")]
    np.testing.assert_array_equal(*(s.network.counters().given_up_at for s in both))
    found = [dropped(simulation) for simulation in both]
    assert found[0] == found[1] == lost(both[0]) == lost(both[1])
    assert min(found[0].values()) > 0
    assert sum(found[0].values()) == both[0].network.counters().dropped
