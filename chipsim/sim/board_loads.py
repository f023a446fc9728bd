"""Links between chips and packet routers: what a run has put on them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from chipsim.machine.layout import DIRECTIONS
from chipsim.machine.model import Machine

if TYPE_CHECKING:
    from chipsim.sim.simulation import Simulation


def board_loads(simulation: Simulation) -> dict[str, Any]:
    """Return the summary's ``links`` and ``routers`` of a machine with several chips, so far.

    Returns
    -------
    dict of str
        Empty on one chip. ``links``: ``alive`` links (each direction one), ``used``, ``packets``
        over all of them, ``busy_max`` and ``busy_mean`` (share of the run's time in which a link
        sends; the mean over all live links), ``busiest`` (chip, direction). ``routers``: packets
        looked up: ``packets`` by all, ``packets_max``, ``packets_mean`` over live chips,
        ``busiest``, ``rate_max_mps`` (millions per second of the run), and ``table_entries_max``,
        the entries of the longest table.

    Notes
    -----
    Link time = flits sent, repeats included, times the flit's time of the link's class.
    O(channels).
    """
    machine = simulation.machine
    chips = machine.chips
    if chips is None or len(chips) < 2:
        return {}
    counters = simulation.network.counters()
    now = max(1, int(simulation.env.now))
    return {
        "links": _links(machine, counters.channel_packets, counters.channel_flits, now),
        "routers": {
            **_routers(machine, counters.channel_packets, now),
            "table_entries_max": max(map(len, simulation.by_tables.tables.values()), default=0),
        },
    }


def _links(machine: Machine, packets: Any, flits: Any, now_ps: int) -> dict[str, Any]:
    chips = machine.chips
    assert chips is not None
    alive = np.argwhere(chips.link >= 0)
    channels = chips.link[alive[:, 0], alive[:, 1]]
    busy = flits[channels] * machine.channel_flit_ps[channels] / now_ps
    most = int(busy.argmax())
    chip, direction = alive[most].tolist()
    return {
        "alive": len(channels),
        "used": int((packets[channels] > 0).sum()),
        "packets": int(packets[channels].sum()),
        "busy_max": float(busy[most]),
        "busy_mean": float(busy.mean()),
        "busiest": f"{chips.label(chip)} {DIRECTIONS[direction]}",
    }


def _routers(machine: Machine, packets: Any, now_ps: int) -> dict[str, Any]:
    chips = machine.chips
    assert chips is not None
    classes = [number for number, each in enumerate(machine.classes) if each.name == "lookup"]
    lookups = np.flatnonzero(np.isin(machine.channel_class, classes))
    looked = np.zeros(len(chips), dtype=np.int64)
    np.add.at(looked, machine.node_chip[machine.channel_node[lookups]], packets[lookups])
    most = int(looked.argmax())
    alive = int(chips.alive.sum())
    return {
        "packets": int(looked.sum()),
        "packets_max": int(looked[most]),
        "packets_mean": float(looked.sum() / alive),
        "busiest": chips.label(most),
        "rate_max_mps": float(looked[most] / now_ps * 1e6),
    }
