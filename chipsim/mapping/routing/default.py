"""The default router: each net by its transport, along the machine's own ways.

``noc_direct`` is what today's single-chip software does: the sender writes one NoC packet per
destination tile. ``router_multicast`` writes one packet, which the routers branch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from chipsim.errors import MachineError, MappingError, RouteError
from chipsim.machine import routes, typed_routes
from chipsim.machine.model import EndpointKind, Machine
from chipsim.machine.route import Route
from chipsim.mapping.application import Application, Name, Net
from chipsim.mapping.strategies import NetRoutes


def route(
    application: Application,
    placement: Mapping[Name, int],
    machine: Machine,
    rng: np.random.Generator,
) -> dict[Name, NetRoutes]:
    """Route every net by its transport.

    A :class:`~chipsim.mapping.strategies.Router`, which says what goes in.

    Returns
    -------
    dict of net name to tuple of Route
        With ``noc_direct`` one route per destination tile, by (chip, y, x), with all of the net's
        PEs there; with ``router_multicast`` one route; for DMA one route per sink, by (chip, y,
        x, number).

    Notes
    -----
    O(length of all routes). On SpiNNaker2 legs go x first or by look-up table, and a multicast
    goes through the packet router; synthetic machines branch anywhere.
    """
    found: dict[Name, NetRoutes] = {}
    problems = []
    for net in application.nets:
        try:
            found[net.name] = route_net(application, placement, machine, net)
        except (RouteError, MachineError) as error:
            problems.append(f"net {net.name!r} cannot be routed: {error}")
    if problems:
        raise MappingError(f"routing of application {application.name!r}", problems)
    return found


def route_net(
    application: Application, placement: Mapping[Name, int], machine: Machine, net: Net
) -> NetRoutes:
    """Return the routes of one net."""
    source = placement[net.source]
    sinks = sinks_in_order(machine, [placement[sink] for sink in net.sinks])
    if net.dma:
        return tuple(
            routes.unicast(machine, source, sink, net.payload_bits, memory=True, dma=True)
            for sink in sinks
        )
    if net.packet != "mc":
        return _typed(machine, source, sinks, net)
    if application.transport_of(net) == "router_multicast":
        return (_multicast(machine, source, sinks, net.payload_bits),)
    return tuple(
        _direct(machine, source, ends, net.payload_bits) for ends in _by_tile(machine, sinks)
    )


def sinks_in_order(machine: Machine, sinks: Sequence[int]) -> list[int]:
    """Return a net's sinks in the order in which packets to each of them are sent."""
    return sorted(sinks, key=lambda end: _where(machine, end))


def _typed(machine: Machine, source: int, sinks: list[int], net: Net) -> NetRoutes:
    """Return the routes of packets that are not multicast."""
    if net.packet == "fr":
        return (typed_routes.fixed_route(machine, source, sinks, net.payload_bits),)
    one = typed_routes.nearest_neighbour if net.packet == "nn" else typed_routes.core_to_core
    return tuple(one(machine, source, sink, net.payload_bits) for sink in sinks)


def _multicast(machine: Machine, source: int, sinks: list[int], payload_bits: int) -> Route:
    """Return one route to all sinks: through the packet router where there is one."""
    if "packet_router" in machine.extras:
        return routes.router_multicast(machine, source, sinks, payload_bits)
    return routes.tree(machine, source, sinks, payload_bits)


def _where(machine: Machine, endpoint: int) -> tuple[int, int, int, int]:
    return (
        int(machine.endpoint_chip[endpoint]),
        int(machine.endpoint_y[endpoint]),
        int(machine.endpoint_x[endpoint]),
        int(machine.endpoint_index[endpoint]),
    )


def _by_tile(machine: Machine, endpoints: list[int]) -> list[list[int]]:
    """Group endpoints by tile, keeping their order."""
    found: dict[tuple[int, int, int], list[int]] = {}
    for endpoint in endpoints:
        found.setdefault(_where(machine, endpoint)[:3], []).append(endpoint)
    return list(found.values())


def _direct(machine: Machine, source: int, ends: list[int], payload_bits: int) -> Route:
    """Return the route to the endpoints of one tile: PEs by mask, an interface on its own."""
    if len(ends) == 1 and machine.endpoint_kind[ends[0]] != EndpointKind.PE:
        return routes.unicast(machine, source, ends[0], payload_bits)
    return routes.direct(machine, source, ends, payload_bits)
