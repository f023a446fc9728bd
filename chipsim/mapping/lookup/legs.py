"""The legs of routes over a chip's NoC: what its look-up tables have to carry."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from chipsim.machine.floor import Tile
from chipsim.machine.model import Machine, Routing
from chipsim.machine.route import SINK, Route
from chipsim.machine.topology import Topology, topology
from chipsim.mapping.application import Application, Name
from chipsim.mapping.strategies import NetRoutes

LUT = int(Routing.LUT)
Legs = dict[int, dict[tuple[Tile | None, Tile | None], float]]
"""By chip: flits per tick from tile to tile; None stands for the packet router on either side."""


class _Leg(NamedTuple):
    """One leg: chip, and the tiles of its first and last router (None: the packet router)."""

    chip: int
    start: Tile | None
    end: Tile | None


def legs_of(application: Application, machine: Machine, routes: Mapping[Name, NetRoutes]) -> Legs:
    """Return the traffic of all legs on routers with look-up tables.

    Notes
    -----
    O(stages of all routes). A net that states no traffic counts as one packet per tick. A packet
    for several PEs of a QPE is sent once; requests of DMA transfers are not counted.
    """
    found: Legs = {}
    known = topology(machine)
    for net in application.nets:
        weight = net.weight() if net.packets_per_tick else 1.0
        flits = machine.classes[0].flits.get(net.payload_bits, 1)
        for route in routes[net.name]:
            for leg in _legs(machine, known, route):
                chip = found.setdefault(leg.chip, {})
                ends = (leg.start, leg.end)
                chip[ends] = chip.get(ends, 0.0) + weight * flits
    return found


def _legs(machine: Machine, known: Topology, route: Route) -> Iterator[_Leg]:
    """Yield the legs of a route; one from a port of the packet router begins with None."""

    def tile(node: int) -> Tile:
        return known.x[node], known.y[node]

    def by_table(node: int) -> bool:
        return known.routing[node] == LUT

    # Each visit: stage, its node, and the tile at which the leg under way began.
    todo: list[tuple[int, int, Tile | None]] = [(0, int(machine.port_node[route.port]), None)]
    while todo:
        stage, node, start = todo.pop()
        here = by_table(node)
        branches = route.stages[stage]
        if here and any(following == SINK for _, following in branches):
            yield _Leg(int(machine.node_chip[node]), start, tile(node))
        for channel, following in branches:
            if following == SINK:
                continue
            far = known.far[channel]
            if here and not by_table(far):
                yield _Leg(int(machine.node_chip[node]), start, None)
            # From a PE's node a leg begins at the router; from the packet router it begins there.
            begins = tile(far) if not here and not _branches(machine, node) else None
            todo.append((following, far, start if here else begins))


def _branches(machine: Machine, node: int) -> bool:
    """Return whether a node is a packet router's output node."""
    return int(machine.node_routing[node]) == Routing.TABLE
