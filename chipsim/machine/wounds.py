"""Marks what is dead in a machine's arrays, and says which fault stands in the way."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from chipsim.machine.faults import Faults
from chipsim.machine.layout import VECTORS
from chipsim.machine.model import Machine
from chipsim.machine.parts import EndpointKind

I32 = NDArray[np.int32]
Bools = NDArray[np.bool_]


def apply(machine: Machine, faults: Faults) -> Machine:
    """Return the machine with its dead parts marked.

    Notes
    -----
    Marks endpoints and channels, and takes dead links and chips out of ``chips``; look-up tables
    are the builder's. O(arrays) once, O(chip) for each dead QPE.
    """
    if replace(faults, stuck=()) == Faults():
        return replace(machine, faults=faults) if faults.stuck else machine
    nodes = _dead_nodes(machine, faults)
    ends = np.zeros(machine.endpoints, dtype=np.bool_)
    ends[np.isin(machine.endpoint_chip, faults.chips)] = True
    for place in (*faults.qpes, *faults.cut_off):
        ends |= _of_tile(machine.endpoint_chip, machine.endpoint_x, machine.endpoint_y, place)
    for chip, x, y, number in faults.pes:
        ends[machine.endpoint_at(x, y, number, chip)] = True
    far = machine.port_node[machine.channel_port]
    channels = nodes[machine.channel_node] | (nodes[far] & (far >= 0))
    for chip, x, y, direction in faults.noc:
        channels[_noc_channels(machine, chip, x, y, direction)] = True
    marked = replace(machine, endpoint_dead=ends, channel_dead=channels, faults=faults)
    return _without_links(marked, faults) if machine.chips is not None else marked


def _of_tile(chips: I32, xs: I32, ys: I32, place: tuple[int, int, int]) -> Bools:
    chip, x, y = place
    found: Bools = (chips == chip) & (xs == x) & (ys == y)
    return found


def _dead_nodes(machine: Machine, faults: Faults) -> Bools:
    dead = np.isin(machine.node_chip, faults.chips)
    for place in (*faults.qpes, *faults.cut_off):
        dead |= _of_tile(machine.node_chip, machine.node_x, machine.node_y, place)
    return dead


def _noc_channels(machine: Machine, chip: int, x: int, y: int, direction: int) -> list[int]:
    """Return the channels of a link between two routers, both ways."""
    dx, dy = VECTORS[direction]
    u, v = x + dx, y + dy
    if machine.chips is None:  # rows and columns of a torus are closed
        u, v = u % machine.grid_width, v % machine.grid_height
    far = machine.port_node[machine.channel_port]
    ends = [
        _of_tile(machine.node_chip, machine.node_x, machine.node_y, (chip, *tile))
        for tile in ((x, y), (u, v))
    ]
    one, other = (end[machine.channel_node] for end in ends)
    to_one, to_other = (end[far] & (far >= 0) for end in ends)
    found = (one & to_other) | (other & to_one)
    return [int(channel) for channel in np.flatnonzero(found)]


def _without_links(machine: Machine, faults: Faults) -> Machine:
    """Take dead links, and links of dead chips, out of ``chips``, and mark their channels."""
    chips = machine.chips
    assert chips is not None
    link, neighbour = chips.link.copy(), chips.neighbour.copy()
    alive = chips.alive.copy()
    alive[list(faults.chips)] = False
    dead = np.zeros(link.shape, dtype=np.bool_)
    for chip, direction in faults.links:
        there = int(neighbour[chip, direction])
        dead[chip, direction] = dead[there, (direction + 3) % 6] = True
    dead |= (~alive)[:, None] | (~alive[neighbour] & (neighbour >= 0))
    dead &= link >= 0
    channels = np.array(machine.channel_dead)
    channels[link[dead]] = True
    link[dead] = neighbour[dead] = -1
    host = np.where(alive, chips.host, np.int32(-1)).astype(np.int32)
    pruned = replace(chips, link=link, neighbour=neighbour, alive=alive, host=host)
    return replace(machine, channel_dead=channels, chips=pruned)


def reason(machine: Machine, endpoint: int) -> str:
    """Return which fault killed an endpoint, in words; empty for a live one."""
    if machine.endpoint_dead is None or not machine.endpoint_dead[endpoint]:
        return ""
    faults = machine.faults or Faults()
    chip = int(machine.endpoint_chip[endpoint])
    place = (chip, int(machine.endpoint_x[endpoint]), int(machine.endpoint_y[endpoint]))
    if chip in faults.chips:
        return "its chip is dead (faults.chips)"
    if place in faults.qpes:
        return "its QPE is dead (faults.qpes)"
    if place in faults.cut_off:
        return "dead QPEs and links cut it off from the packet router (faults.qpes, faults.links)"
    return "named dead (faults.pes)"


def stuck(machine: Machine) -> list[int]:
    """Return the endpoints whose programs hang (``faults.stuck_pes``), ascending."""
    places = (machine.faults or Faults()).stuck
    return sorted(machine.endpoint_at(x, y, number, chip) for chip, x, y, number in places)


def counts(machine: Machine) -> dict[str, int]:
    """Return how many parts are dead by kind, for summaries; PEs include those of dead parts."""
    faults = machine.faults or Faults()
    pes = machine.endpoint_kind == EndpointKind.PE
    dead = 0 if machine.endpoint_dead is None else int((pes & machine.endpoint_dead).sum())
    found = {
        "chips": len(faults.chips),
        "QPEs": len(faults.qpes) + len(faults.cut_off),
        "links": len(faults.links) + len(faults.noc),
        "PEs": dead,
    }
    return found | ({"stuck PEs": len(faults.stuck)} if faults.stuck else {})
