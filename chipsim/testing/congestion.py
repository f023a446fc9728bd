"""A SpiNNaker1 board with one link that too many want: late, dropped, reinjected, sent round.

Twelve cores of chip (2, 2) and four of each of its neighbours (1, 2), (1, 1), (2, 1) and (2, 3)
send to four cores of chip (3, 2): all through the one link between, which carries 4.5 M packets a
second without payload and 2.6 M with. The neighbours' links into (2, 2) share its router's input
with its cores, stay blocked longer than wait1, and their routers give packets up.

Run it: ``python -m chipsim.testing.congestion --set router.reinjection=true``.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from typing import Any

from chipsim.cli.settings import parse_settings
from chipsim.machine.library import load_machine
from chipsim.mapping.application import Application, Net, Vertex
from chipsim.mapping.mapping import map_application
from chipsim.sim.account import account
from chipsim.sim.simulation import Simulation
from chipsim.testing.scripted import Scripted

EMERGENCY = {"router.emergency": True, "router.wait2_cycles": 240}
REINJECTION = {"router.reinjection": True}

_MIDDLE, _EAST = (2, 2), (3, 2)
_BESIDE = ((1, 2), (1, 1), (2, 1), (2, 3))
_SINKS = 4
_DRAIN_TICKS = 12


def congestion(
    settings: Mapping[str, object] | None = None,
    *,
    network: str = "compiled",
    packets: int = 40,
    payload_bits: int = 0,
    tick_us: float = 100.0,
    ticks: int = 2,
) -> Simulation:
    """Return the scenario, run to its end.

    Parameters
    ----------
    settings : mapping, optional
        Figures of the machine; without any, the board as SCAMP starts it: packets are dropped after
        wait1.
    network : str
    packets : int
        Packets of each of the 28 senders in a tick.
    payload_bits : int
        0 or 32.
    tick_us : float
        Tick length [us].
    ticks : int
        Ticks in which they send.
    """
    machine = load_machine("spinnaker1-48", settings)
    assert machine.chips is not None
    spots = zip(machine.chips.x.tolist(), machine.chips.y.tolist(), strict=True)
    chip_at = {spot: chip for chip, spot in enumerate(spots)}
    places = {f"near{core}": (0, 0, core, chip_at[_MIDDLE]) for core in range(1, 13)}
    for x, y in _BESIDE:
        places |= {f"far{x}{y}{core}": (0, 0, core, chip_at[x, y]) for core in range(1, 5)}
    senders = tuple(places)
    places |= {f"sink{n}": (0, 0, 1 + n, chip_at[_EAST]) for n in range(_SINKS)}
    nets = tuple(
        Net(f"from {name}", name, (f"sink{n % _SINKS}",), payload_bits=payload_bits)
        for n, name in enumerate(senders)
    )
    vertices = tuple(Vertex(name, fixed=place) for name, place in places.items())
    application = Application("congestion", vertices, nets, "router_multicast")
    mapping = map_application(application, machine, "sequential").with_tables("best")
    programs = {name: _sender(f"from {name}", packets, ticks) for name in senders}
    programs |= {f"sink{n}": Scripted(_listen(ticks + _DRAIN_TICKS)) for n in range(_SINKS)}
    simulation = Simulation(mapping, programs, network=network, tick_us=tick_us)
    simulation.run()
    return simulation


def _sender(net: str, packets: int, ticks: int) -> Scripted:
    def body(pe: Any) -> Any:
        for _ in range(ticks):
            yield pe.next_tick()
            pe.send(net, [0] * packets)

    return Scripted(body)


def _listen(ticks: int) -> Any:
    def body(pe: Any) -> Any:
        for _ in range(ticks):
            yield pe.next_tick()
            pe.take_packets()

    return body


def result(simulation: Simulation) -> dict[str, int]:
    """Return what became of the packets; the first is the sum of the next four."""
    counts = simulation.network.counters()
    totals: dict[str, int] = {}
    for row in simulation.provenance():
        if row.table == "router":
            totals[row.name] = totals.get(row.name, 0) + row.value
    return {
        "sent": counts.expected,
        "delivered": counts.delivered,
        "lost": counts.dropped,
        "overwritten": counts.overwritten,
        "in_flight": counts.in_flight,
        "late": int(account(simulation)["late_spikes"]),
        "given_up": int(counts.given_up_at.sum()),
        "emergency_routed": totals["Emergency_routed_Packets"],
        "read_by_monitors": totals["Received_For_Reinjection"],
        "register_full": totals["Missed_For_Reinjection"],
        "monitor_full": totals["Reinjection_Overflows"],
        "reinjected": totals["Reinjected"],
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the scenario and print what became of the packets."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--set", action="append", default=[], metavar="FIGURE=VALUE")
    parser.add_argument("--network", default="compiled", choices=("compiled", "simpy"))
    parser.add_argument("--packets", type=int, default=40, help="of each sender in a tick")
    parser.add_argument("--payload-bits", type=int, default=0, choices=(0, 32))
    parser.add_argument("--tick-us", type=float, default=100.0)
    given = parser.parse_args(arguments)
    simulation = congestion(
        parse_settings(given.set),
        network=given.network,
        packets=given.packets,
        payload_bits=given.payload_bits,
        tick_us=given.tick_us,
    )
    for name, value in result(simulation).items():
        print(f"{name:18s} {value:6d}")


if __name__ == "__main__":
    main()
