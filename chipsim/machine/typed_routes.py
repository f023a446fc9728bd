"""Routes of packets that are not multicast: core to core, nearest neighbour, fixed route.

Packet routers send these without looking at a key (hardware.md §2): core-to-core packets (on
SpiNNaker1: point to point) by a table with one direction for each destination chip, nearest
neighbours over one link, fixed-route packets by one register a router.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from chipsim.errors import RouteError
from chipsim.machine.chip_routes import chip_path, chips_of
from chipsim.machine.model import Machine
from chipsim.machine.route import Branch, Route
from chipsim.machine.routes import router_multicast
from chipsim.machine.spinnaker2 import engines
from chipsim.machine.topology import topology


def core_to_core(machine: Machine, source: int, dest: int, payload_bits: int = 0) -> Route:
    """Return the route of a core-to-core packet, by the routers' tables of chips.

    Parameters
    ----------
    machine : Machine
    source, dest : int
        PEs, on one chip or on two.
    payload_bits : int
        Payload size [bit], one the machine knows.

    Raises
    ------
    RouteError
        If the machine has no packet routers, or there is no way.

    Notes
    -----
    The tables hold a shortest way round all faults, as the system software fills them: the default
    way of :meth:`chipsim.machine.chips.Chips.path`, whose next step depends on the chip and the
    destination alone. SpiNNaker1's table ends at a chip's monitor, which passes packets on; here
    they end at the core itself.
    """
    chips_of(machine)
    return typed(machine, router_multicast(machine, source, [dest], payload_bits), "c2c")


def nearest_neighbour(machine: Machine, source: int, dest: int, payload_bits: int = 0) -> Route:
    """Return the route of a nearest-neighbour packet to a PE of a chip next to the source's.

    Parameters
    ----------
    machine, source, dest, payload_bits
        As for :func:`core_to_core`.

    Raises
    ------
    RouteError
        If no link that works joins the two chips.

    Notes
    -----
    The hardware hands the packet to the chip's monitor; here any PE of the chip can take it.
    """
    chips = chips_of(machine)
    here, there = (int(machine.endpoint_chip[end]) for end in (source, dest))
    if here == there or len(chip_path(machine, here, there)) != 1:
        raise RouteError(
            f"{machine.name}: a nearest-neighbour packet from {machine.endpoint_label(source)} "
            f"goes over one link, and none that works joins {chips.label(here)} and "
            f"{chips.label(there)}, where {machine.endpoint_label(dest)} is; "
            'send it core to core (packet="c2c")'
        )
    return typed(machine, router_multicast(machine, source, [dest], payload_bits), "nn")


def fixed_route(
    machine: Machine, source: int, dests: Sequence[int], payload_bits: int = 0
) -> Route:
    """Return the route of a fixed-route packet to PEs of the board's Ethernet chip.

    Parameters
    ----------
    machine, source, payload_bits
        As for :func:`core_to_core`.
    dests : sequence of int
        All on the Ethernet chip that serves the source's chip.

    Raises
    ------
    RouteError
        If one is on another chip, or there is no way.

    Notes
    -----
    Every router has one register for all fixed-route packets. They are set to the default way to
    the Ethernet chip, which may pass by a neighbouring board where that is as short.
    """
    chips = chips_of(machine)
    here = int(machine.endpoint_chip[source])
    ethernet = int(chips.ethernet[here])
    for dest in dests:
        there = int(machine.endpoint_chip[dest])
        if there != ethernet:
            raise RouteError(
                f"{machine.name}: a fixed-route packet from {machine.endpoint_label(source)} ends "
                f"at its board's Ethernet chip, {chips.label(ethernet)}; "
                f"{machine.endpoint_label(dest)} is on {chips.label(there)}: place it there, or "
                'send core to core (packet="c2c")'
            )
    return replace(router_multicast(machine, source, dests, payload_bits), packet="fr")


def typed(machine: Machine, route: Route, packet: str) -> Route:
    """Return a multicast packet's route for another type, through that type's look-ups.

    Parameters
    ----------
    machine : Machine
    route : Route
    packet : str
        ``c2c`` or ``nn``.
    """
    name = f"router.{packet}_latency_cycles"
    if name not in machine.description:  # SpiNNaker1: all types pass one pipeline
        return replace(route, packet=packet)
    machine.description.integer(name)  # the route rests on it, whether or not it is the usual one
    found = engines(machine.description)
    if packet not in found:
        return replace(route, packet=packet)
    known, entries = topology(machine), set(chips_of(machine).entry.tolist())

    def own(branch: Branch) -> Branch:
        entry = known.source[branch.channel]
        if entry not in entries:
            return branch
        return Branch(known.out[entry][found.index(packet)], branch.next)

    stages = tuple(tuple(own(branch) for branch in stage) for stage in route.stages)
    return replace(route, stages=stages, packet=packet)
