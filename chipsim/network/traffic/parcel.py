"""What all packets of a run have in common, and the way that a machine has for them."""

from __future__ import annotations

from dataclasses import dataclass

from chipsim.machine import routes
from chipsim.machine.model import Branching, EndpointKind, Machine
from chipsim.machine.route import Route

TRANSPORTS = ("auto", "router")
"""How packets travel: by the shortest way that can carry them, or all through the packet router."""


TABLES = ("fit", "short", "trees")
"""Whose decisions routers make: of tables with an entry per flow, made shorter only where a router
has no room; of tables made as short as can be; or, without tables, of the planned trees."""


@dataclass(frozen=True)
class Parcel:
    """What all packets of a run have in common.

    Attributes
    ----------
    payload_bits : int
    transport : str
        One of :data:`TRANSPORTS`.
    tables : str
        One of :data:`TABLES`; on machines with packet routers.
    """

    payload_bits: int = 0
    transport: str = "auto"
    tables: str = "fit"


def make_route(machine: Machine, source: int, dests: tuple[int, ...], parcel: Parcel) -> Route:
    """Return the route from an endpoint to one or several others, as the machine can carry it.

    Notes
    -----
    With transport ``auto``: one NoC packet where it can split as needed, else through the packet
    router. ``router`` sends packets to a single PE through it, too.

    Raises
    ------
    RouteError
        If there is no way, or the machine cannot carry a packet to all of ``dests``.
    """
    payload_bits = parcel.payload_bits
    if parcel.transport == "router":
        return routes.router_multicast(machine, source, dests, payload_bits)
    if len(dests) == 1:
        memory = machine.endpoint_kind[dests[0]] != EndpointKind.PE
        return routes.unicast(machine, source, dests[0], payload_bits, memory=bool(memory))
    if (machine.node_branching == Branching.ANY).all():
        return routes.tree(machine, source, dests, payload_bits)
    columns = (machine.endpoint_chip, machine.endpoint_x, machine.endpoint_y)
    tiles = {tuple(int(column[dest]) for column in columns) for dest in dests}
    # A SpiNNaker1 chip is one tile, but its cores are reached through the router alone.
    if len(tiles) == 1 and (machine.chips is None or machine.lut is not None):
        return routes.direct(machine, source, dests, payload_bits)
    return routes.router_multicast(machine, source, dests, payload_bits)
