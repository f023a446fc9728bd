"""What a run's routers, links and cores have counted, under the names SpiNNaker users know.

The names follow the SpiNNaker tool chain's provenance (SpiNNFrontEndCommon, sPyNNaker). *Local*
packets come from the chip's own cores, *external* ones by a link.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from chipsim.machine.layout import DIRECTIONS
from chipsim.machine.model import Machine
from chipsim.machine.route import PACKETS
from chipsim.mapping.tables import RouterTable
from chipsim.network.api import Counters
from chipsim.network.rules import class_name
from chipsim.sim import core_counters
from chipsim.sim.router_counters import RouterFilter, tally
from chipsim.trace.provenance import Row

if TYPE_CHECKING:
    from chipsim.sim.simulation import Simulation

_MESH = ("noc", "router_in", "router_out")
"""Classes of channels that are a NoC's, beside those of its endpoints."""
_TYPES = {"Multicast": "mc", "P2P": "c2c", "NN": "nn", "FR": "fr"}

FILTERS: dict[str, RouterFilter] = {
    **{
        f"{'Local' if source == 'local' else 'External'}_{name}_Packets": RouterFilter(
            (packet,), source=source
        )
        for name, packet in _TYPES.items()
        for source in ("local", "link")
    },
    "default_routed_external_multicast_packets": RouterFilter(
        ("mc",), source="link", defaulted=True
    ),
    **{
        f"Dropped_{name}_Packets": RouterFilter((packet,), destinations=("dump",))
        for name, packet in _TYPES.items()
    },
    "Dropped_Multicast_Packets_via_local_transmission": RouterFilter(
        ("mc",), source="local", destinations=("dump",)
    ),
}
"""The counters of a router, by name. Packets that waited too long are added to the ``Dropped_``
counter of their type."""


def rows(simulation: Simulation) -> list[Row]:
    """Return the counters of a simulation so far: routers, links, channels of NoCs, cores."""
    counts = simulation.network.counters()
    found = [*_mesh(simulation, counts), *core_counters.rows(simulation, counts)]
    if simulation.machine.chips is not None:
        found = [*_routers(simulation, counts), *_links(simulation, counts), *found]
    return found


def _routers(simulation: Simulation, counts: Counters) -> Iterator[Row]:
    machine, chips = simulation.machine, simulation.machine.chips
    assert chips is not None
    seen = tally(machine, simulation.network.visits(), FILTERS.values())
    given_up = _by_node(machine, counts.given_up_at)
    from_link, from_core = _blocked(machine, counts)
    emergency = _of_channels(machine, counts.channel_emergency)
    for chip in np.flatnonzero(chips.alive).tolist():
        node = int(chips.pool[chip])
        values = dict(zip(FILTERS, seen[chip].tolist(), strict=True))
        for name, packet in _TYPES.items():
            values[f"Dropped_{name}_Packets"] += int(given_up[node, PACKETS.index(packet)])
        table = simulation.by_tables.tables.get(node)
        values |= {
            "Emergency_routed_Packets": int(emergency[node]),
            "Dumped_from_a_Link": int(from_link[node]),
            "Dumped_from_a_processor": int(from_core[node]),
            "Received_For_Reinjection": int(counts.reinject_received[node]),
            "Missed_For_Reinjection": int(counts.reinject_missed[node]),
            "Reinjection_Overflows": int(counts.reinject_overflowed[node]),
            "Reinjected": int(counts.reinjected[node]),
            "Entries": 0 if table is None else len(table),
            "Unique_Routes": unique_routes(table),
        }
        for name, value in values.items():
            yield Row("router", int(chips.x[chip]), int(chips.y[chip]), "", name, value)


def unique_routes(table: RouterTable | None) -> int:
    """Return how many different routes the entries of a table name."""
    return 0 if table is None else len(np.unique(table.route, axis=0))


def _by_node(machine: Machine, ports: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the sums over each node's ports, of counts by port and packet type."""
    inside = machine.port_node >= 0
    sums = np.zeros((machine.nodes, *ports.shape[1:]), dtype=np.int64)
    np.add.at(sums, machine.port_node[inside], ports[inside])
    return sums


def _of_channels(machine: Machine, channels: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the sums over each node's outgoing channels."""
    sums = np.zeros(machine.nodes, dtype=np.int64)
    np.add.at(sums, machine.channel_node, channels)
    return sums


def _blocked(machine: Machine, counts: Counters) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return, by node, the branches given up that asked for a link, and for anything else."""
    is_link = np.array([cls.name.startswith("link") for cls in machine.classes])
    link = is_link[machine.channel_class]
    given_up = counts.channel_given_up
    return _of_channels(machine, given_up * link), _of_channels(machine, given_up * ~link)


def _links(simulation: Simulation, counts: Counters) -> Iterator[Row]:
    machine, chips = simulation.machine, simulation.machine.chips
    assert chips is not None
    for chip in np.flatnonzero(chips.alive).tolist():
        for direction, channel in enumerate(chips.link[chip].tolist()):
            if channel < 0:
                continue
            values = {
                "Packets": counts.channel_packets[channel],
                "Frames": counts.channel_flits[channel],
                "Frames_sent_again": counts.channel_resent[channel],
                "Emergency_routed_Packets": counts.channel_emergency[channel],
                "Packets_given_up": counts.channel_given_up[channel],
                **_occupancy(simulation, counts, channel),
            }
            part = f"{DIRECTIONS[direction]} {class_name(machine, channel)}"
            for name, value in values.items():
                yield Row("link", int(chips.x[chip]), int(chips.y[chip]), part, name, int(value))


def _mesh(simulation: Simulation, counts: Counters) -> Iterator[Row]:
    """Yield the counters of the channels between NoC routers that have carried anything."""
    machine = simulation.machine
    in_mesh = np.array([cls.name in _MESH for cls in machine.classes])[machine.channel_class]
    for channel in np.flatnonzero(in_mesh & (counts.channel_packets > 0)).tolist():
        chip = int(machine.node_chip[machine.channel_node[channel]])
        x, y = (chip, 0)
        if machine.chips is not None:
            x, y = int(machine.chips.x[chip]), int(machine.chips.y[chip])
        values = {
            "Packets": counts.channel_packets[channel],
            "Flits": counts.channel_flits[channel],
            **_occupancy(simulation, counts, channel),
        }
        part = machine.channel_label(channel)
        for name, value in values.items():
            yield Row("noc", x, y, part, name, int(value))


def _occupancy(simulation: Simulation, counts: Counters, channel: int) -> dict[str, int]:
    """Return how long a channel has been transmitting, and that as a part of the run."""
    busy = int(counts.channel_flits[channel]) * int(simulation.machine.channel_flit_ps[channel])
    return {"Busy_ps": busy, "Occupancy_ppm": busy * 10**6 // max(1, int(simulation.env.now))}
