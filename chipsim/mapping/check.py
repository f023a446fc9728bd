"""The independent check of a mapping: every promise of a strategy is looked up in the machine.

It shares no code with placers and routers, takes nothing for granted that a plug-in returns, and
reports all problems at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from chipsim.errors import MappingError
from chipsim.machine.model import EndpointKind, Machine
from chipsim.machine.route import Route
from chipsim.machine.wounds import reason
from chipsim.mapping.application import KEY_BITS, Application, Name, Net, Vertex
from chipsim.mapping.budget import sram_problems
from chipsim.mapping.check_packets import fixed_problems, packet_problems
from chipsim.mapping.constraints import violations
from chipsim.mapping.sound import sound_nets
from chipsim.mapping.walk import Walk, Walker


def check(
    application: Application,
    machine: Machine,
    placement: Mapping[Name, int],
    routes: Mapping[Name, tuple[Route, ...]] | None,
    keys: Mapping[Name, tuple[int, int]],
    *,
    by: str = "",
    constraints: bool = True,
) -> None:
    """Raise if the mapping does not fit the machine or the application.

    Parameters
    ----------
    application, machine, placement, routes, keys
        What is checked; routes are None before they are made, and are looked at only where the
        placement is sound.
    by : str
        Who made it, for the message.
    constraints : bool
        Whether vertices must be together and apart already; false before they are made so.

    Raises
    ------
    MappingError
        With every problem: vertices without a place, shared or missing endpoints, moved fixed
        vertices, dead PEs, vertices not kept together or apart, SRAM, broken, missing or
        unrealisable routes, sinks missed or reached twice, key blocks that overlap or have the
        wrong size.

    Notes
    -----
    O(vertices + branches of all routes + nets log nets).
    """
    problems = list(placement_problems(application, machine, placement))
    if not problems:
        problems += sram_problems(application, machine, placement)
        if constraints:
            problems += violations(application, machine, placement)
        if routes is not None:
            problems += route_problems(application, machine, placement, routes)
            problems += fixed_problems(application, machine, placement)
    problems += key_problems(application, keys)
    if problems:
        maker = f" ({by})" if by else ""
        raise MappingError(
            f"mapping of application {application.name!r} on {machine.name}{maker}", problems
        )


def placement_problems(
    application: Application, machine: Machine, placement: Mapping[Name, int]
) -> Iterator[str]:
    """Yield what is wrong with a placement: an endpoint per vertex, at most a vertex on each."""
    given: object = placement  # a plug-in may return anything
    if not isinstance(given, Mapping):
        yield f"the placement is {placement!r:.60}; expected a dict of vertex name to endpoint"
        return
    for name in placement:
        if name not in application.vertex_by_name:
            yield f"{name!r} is placed but is no vertex"
    holder: dict[int, Name] = {}
    for vertex in application.vertices:
        if vertex.name not in placement:
            yield f"vertex {vertex.name!r} is not placed"
            continue
        endpoint: Any = placement[vertex.name]
        if not isinstance(endpoint, int | np.integer) or not 0 <= endpoint < machine.endpoints:
            yield (
                f"vertex {vertex.name!r} is placed on {endpoint!r}; expected an endpoint of "
                f"0 to {machine.endpoints - 1}"
            )
            continue
        where = int(endpoint)
        if where in holder:
            yield (
                f"{machine.endpoint_label(where)} holds both {holder[where]!r} and "
                f"{vertex.name!r}; it has room for one"
            )
        holder.setdefault(where, vertex.name)
        if (why := _misplaced(machine, vertex, where)) is not None:
            yield f"vertex {vertex.name!r} is on {machine.endpoint_label(where)}{why}"


def _misplaced(machine: Machine, vertex: Vertex, endpoint: int) -> str | None:
    """Return why a vertex cannot be on an endpoint, None if it can."""
    if vertex.place is not None and endpoint != machine.endpoint_at(*vertex.place):
        return f" but is fixed at {vertex.place}"
    if why := reason(machine, endpoint):
        return f", which is dead: {why}; place it elsewhere"
    if vertex.place is None and machine.endpoint_kind[endpoint] != EndpointKind.PE:
        return ", which is no PE; fix it there or move it"
    return None


def route_problems(
    application: Application,
    machine: Machine,
    placement: Mapping[Name, int],
    routes: Mapping[Name, tuple[Route, ...]],
) -> Iterator[str]:
    """Yield what is wrong with the routes: each sink of each net is to be reached exactly once.

    Nets that are not sound by the arrays of all are walked one by one, for what to say.
    """
    returned: object = routes
    if not isinstance(returned, Mapping):
        yield f"the routes are {routes!r:.60}; expected a dict of net name to a tuple of Route"
        return
    for name in routes:
        if name not in application.net_by_name:
            yield f"{name!r} is routed but is no net"
    walker = Walker(machine)
    vertex_at = {int(endpoint): name for name, endpoint in placement.items()}
    sound = sound_nets(application, machine, placement, routes)
    for net in application.nets:
        if net.name in sound:
            continue
        if net.name not in routes:
            yield f"net {net.name!r} is not routed"
            continue
        given: Any = routes[net.name]
        if not isinstance(given, tuple) or not all(isinstance(route, Route) for route in given):
            yield f"net {net.name!r} has routes {given!r:.60}; expected a tuple of Route"
            continue
        walks = []
        for number, route in enumerate(given):
            walk = walker.walk(route)
            walks.append(walk)
            for problem in (*_form(application, machine, placement, net, route), *walk.problems):
                yield f"net {net.name!r}, route {number} {problem}"
        for problem in (
            *_ends(machine, placement, vertex_at, net, walks),
            *_transport(application, machine, net, walks),
        ):
            yield f"net {net.name!r} {problem}"


def key_problems(application: Application, keys: Mapping[Name, tuple[int, int]]) -> Iterator[str]:
    """Yield what is wrong with the keys: aligned blocks of the wanted size that do not overlap."""
    for name in keys:
        if name not in application.net_by_name:
            yield f"{name!r} has keys but is no net"
    spans: list[tuple[int, int, Name]] = []
    for net in application.nets:
        if net.name not in keys:
            yield f"net {net.name!r} has no keys"
            continue
        base, mask = keys[net.name]
        size = 1 << net.key_bits
        wanted = (1 << KEY_BITS) - size
        if mask != wanted:
            yield f"net {net.name!r} has mask {mask:#010x}; {size} keys want {wanted:#010x}"
        elif base % size or not 0 <= base < 1 << KEY_BITS:
            yield f"net {net.name!r} has base {base:#010x}; expected a 32-bit multiple of {size}"
        else:
            spans.append((base, base + size, net.name))
    spans.sort(key=lambda span: span[:2])
    end, last = 0, None
    for start, stop, name in spans:
        if start < end:
            yield f"nets {last!r} and {name!r} share key {start:#010x}"
        if stop > end:
            end, last = stop, name


def _form(
    application: Application,
    machine: Machine,
    placement: Mapping[Name, int],
    net: Net,
    route: Route,
) -> Iterator[str]:
    source = int(placement[net.source])
    ports = machine.endpoint_dma_port if net.dma else machine.endpoint_port
    if route.port != int(ports[source]):
        yield (
            f"starts at port {route.port}; {'DMA' if net.dma else 'packets'} of "
            f"{machine.endpoint_label(source)} start at port {int(ports[source])}"
        )
    if route.payload_bits != net.payload_bits:
        yield f"has a payload of {route.payload_bits} bits; the net has {net.payload_bits}"
    if route.memory != net.dma:
        yield f"has memory {route.memory}; the net has dma {net.dma}"
    if route.packet != net.packet:
        yield f"is of packet type {route.packet!r}; the net has {net.packet!r}"


def _ends(
    machine: Machine,
    placement: Mapping[Name, int],
    vertex_at: Mapping[int, Name],
    net: Net,
    walks: list[Walk],
) -> Iterator[str]:
    reached: dict[int, int] = {}
    for walk in walks:
        for leaf in walk.leaves:
            reached[leaf.endpoint] = reached.get(leaf.endpoint, 0) + 1
    for sink in net.sinks:
        endpoint = int(placement[sink])
        count = reached.pop(endpoint, 0)
        if count != 1:
            how = "does not reach" if count == 0 else f"reaches {count} times"
            yield f"{how} its sink {sink!r} at {machine.endpoint_label(endpoint)}"
    for endpoint in sorted(reached):
        who = f"vertex {vertex_at[endpoint]!r}" if endpoint in vertex_at else "no vertex"
        yield f"reaches {machine.endpoint_label(endpoint)} ({who}), which is none of its sinks"


def _transport(
    application: Application, machine: Machine, net: Net, walks: list[Walk]
) -> Iterator[str]:
    if net.packet != "mc":
        yield from packet_problems(machine, net, walks)
        return
    if not net.dma and application.transport_of(net) == "router_multicast":
        if len(walks) != 1:
            yield f"has {len(walks)} routes; router_multicast has one, which the routers branch"
        return
    for number, walk in enumerate(walks):
        found = {
            (
                int(machine.endpoint_chip[leaf.endpoint]),
                int(machine.endpoint_x[leaf.endpoint]),
                int(machine.endpoint_y[leaf.endpoint]),
            )
            for leaf in walk.leaves
        }
        if len(found) > 1:
            yield f"has route {number} to {len(found)} tiles; noc_direct sends one packet per tile"
