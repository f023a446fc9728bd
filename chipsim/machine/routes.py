"""Makes routes on a machine, and says how long an empty network takes for them.

On SpiNNaker2 a packet goes from QPE to QPE by the routers' look-up tables and splits only among the
PEs of its last QPE; to reach several QPEs at once it goes through the packet router, which sends
one NoC flit per destination QPE. On synthetic meshes it may split at every router.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from chipsim.errors import RouteError
from chipsim.machine.chip_routes import chip_path, chip_tree, stages_through_routers, walk
from chipsim.machine.model import EndpointKind, Machine
from chipsim.machine.route import SINK, Branch, Route
from chipsim.machine.topology import NOWHERE, Topology, topology
from chipsim.machine.validity import validate
from chipsim.machine.wounds import reason

__all__ = [
    "chip_path",
    "chip_tree",
    "direct",
    "flits_on",
    "from_paths",
    "hops",
    "router_multicast",
    "tree",
    "unicast",
    "validate",
    "zero_load_ps",
]


def unicast(
    machine: Machine,
    source: int,
    dest: int,
    payload_bits: int = 0,
    memory: bool = False,
    dma: bool = False,
) -> Route:
    """Return the route from one endpoint to another.

    Parameters
    ----------
    machine : Machine
    source, dest : int
        Endpoints; they may be equal.
    payload_bits : int
        Payload size [bit], one the machine knows.
    memory : bool
        Whether the packet ends in the endpoint's memory inbox.
    dma : bool
        Whether it starts in the endpoint's DMA port instead of its transmit port.

    Raises
    ------
    RouteError
        If the endpoint has no such port, or there is no way.

    Notes
    -----
    Where an endpoint has several channels to or from the mesh (memory and host interfaces), the
    pair with the fewest channels in total is taken, the lowest channel numbers of several equals.
    """
    if dma and machine.endpoint_memory_sink is not None:
        return _by_system_noc(machine, source, dest, payload_bits)
    if _goes_by_router(machine, source, [dest]):
        return _by_router(machine, source, [dest], payload_bits, memory, dma)
    path = _path(machine, source, dest)
    stages = [(Branch(channel, i + 1),) for i, channel in enumerate(path[:-1])]
    stages.append((Branch(path[-1], SINK),))
    return Route(_start(machine, source, dma), tuple(stages), payload_bits, memory)


def direct(
    machine: Machine,
    source: int,
    dests: Sequence[int],
    payload_bits: int = 0,
    memory: bool = False,
    dma: bool = False,
) -> Route:
    """Return the route of one NoC packet to PEs of one QPE (the header's PE mask).

    Raises
    ------
    RouteError
        If ``dests`` is empty or not all of one tile, or names one endpoint twice.
    """
    _check_dests(machine, dests)
    if len({_tile(machine, dest) for dest in dests}) > 1:
        shown = ", ".join(machine.endpoint_label(dest) for dest in dests)
        raise RouteError(
            f"{machine.name}: one NoC packet reaches PEs of one QPE, got {shown}; send one packet "
            "per QPE, or route through the packet router (router_multicast)"
        )
    ordered = sorted(dests)
    if _goes_by_router(machine, source, ordered):
        return router_multicast(machine, source, ordered, payload_bits, memory, dma)
    first = unicast(machine, source, ordered[0], payload_bits, memory, dma)
    last = tuple(Branch(_eject(machine, dest), SINK) for dest in ordered)
    return Route(first.port, (*first.stages[:-1], last), payload_bits, memory)


def router_multicast(
    machine: Machine,
    source: int,
    dests: Sequence[int],
    payload_bits: int = 0,
    memory: bool = False,
    dma: bool = False,
) -> Route:
    """Return the route through the packet routers to endpoints on any chips.

    On SpiNNaker2 one NoC flit goes to each destination QPE; between chips the packet takes the
    default tree of links (:func:`chipsim.machine.chip_routes.chip_tree`).

    Raises
    ------
    RouteError
        If the machine has no packet router, ``dests`` is empty or names one twice, or dead parts
        leave no way.
    """
    _check_dests(machine, dests)
    for dest in dests:
        if machine.endpoint_kind[dest] != EndpointKind.PE:
            raise RouteError(
                f"{machine.name}: the packet router delivers to PEs, got "
                f"{machine.endpoint_label(dest)}; use unicast"
            )
    return _by_router(machine, source, dests, payload_bits, memory, dma)


def _by_router(
    machine: Machine,
    source: int,
    dests: Sequence[int],
    payload_bits: int,
    memory: bool,
    dma: bool,
) -> Route:
    _check_endpoint(machine, source)
    stages = stages_through_routers(machine, source, dests)
    return Route(_start(machine, source, dma), stages, payload_bits, memory)


def _by_system_noc(machine: Machine, source: int, dest: int, payload_bits: int) -> Route:
    """Return the way between a core's DMA engine and its chip's SDRAM, apart from the packets."""
    _check_endpoint(machine, source)
    _check_endpoint(machine, dest)
    known, port = topology(machine), _start(machine, source, True)
    kinds = {int(machine.endpoint_kind[end]) for end in (source, dest)}
    for first in known.out[int(machine.port_node[port])]:
        for last in known.memory_into[dest]:
            if known.far[first] == known.source[last] and EndpointKind.DRAM in kinds:
                stages = ((Branch(first, 1),), (Branch(last, SINK),))
                return Route(port, stages, payload_bits, memory=True)
    raise RouteError(
        f"{machine.name}: no DMA between {machine.endpoint_label(source)} and "
        f"{machine.endpoint_label(dest)}: the System NoC joins cores to the SDRAM of their own "
        "chip alone; use that, or send packets"
    )


def tree(
    machine: Machine,
    source: int,
    dests: Iterable[int],
    payload_bits: int = 0,
    memory: bool = False,
) -> Route:
    """Return the union of the unicast routes to ``dests``, which splits where they part.

    On a mesh that is the x-first multicast tree. On one SpiNNaker2 chip it is valid for PEs of one
    QPE only; to other chips it goes through the packet routers.

    Raises
    ------
    RouteError
        If ``dests`` is empty or names one twice, or there is no way.
    """
    wanted = sorted(dests)
    _check_dests(machine, wanted)
    if _goes_by_router(machine, source, wanted):
        return router_multicast(machine, source, wanted, payload_bits, memory)
    return from_paths(
        machine, source, [_path(machine, source, dest) for dest in wanted], payload_bits, memory
    )


def from_paths(
    machine: Machine,
    source: int,
    paths: Sequence[Sequence[int]],
    payload_bits: int = 0,
    memory: bool = False,
) -> Route:
    """Return the union of paths, each a list of channels from the source's node to a sink.

    Common beginnings are joined; branches of a stage are in the order of the paths.
    """
    stages: list[list[Branch]] = [[]]
    index: dict[tuple[int, int], int] = {}
    for path in paths:
        at = 0
        for channel in path[:-1]:
            following = index.get((at, channel))
            if following is None:
                following = len(stages)
                index[at, channel] = following
                stages[at].append(Branch(channel, following))
                stages.append([])
            at = following
        stages[at].append(Branch(path[-1], SINK))
    frozen = tuple(tuple(stage) for stage in stages)
    return Route(_start(machine, source, False), frozen, payload_bits, memory)


def zero_load_ps(machine: Machine, route: Route) -> dict[int, int]:
    """Return when each copy arrives in an empty network [ps after acceptance], by endpoint.

    Notes
    -----
    Sum over the channels of latency + (flits - 1) x flit time. Branches of one stage that share an
    output go one after another, so a later one starts when the earlier ones' flits have passed.
    """
    known = topology(machine)
    arrivals: dict[int, int] = {}
    stack = [(0, 0)]
    while stack:
        at, now = stack.pop()
        free: dict[int, int] = {}
        for channel, following in route.stages[at]:
            flits = flits_on(machine, channel, route.payload_bits)
            flit_ps = int(machine.channel_flit_ps[channel])
            start = max(now, free.get(channel, now))
            free[channel] = start + flits * flit_ps
            there = start + int(machine.channel_latency_ps[channel]) + (flits - 1) * flit_ps
            if following == SINK:
                arrivals[known.sink_of[known.port[channel]]] = there
            else:
                stack.append((following, there))
    return dict(sorted(arrivals.items()))


def flits_on(machine: Machine, channel: int, payload_bits: int) -> int:
    """Return the flits (or link frames) of a packet on a channel.

    Raises
    ------
    RouteError
        If the machine does not know the payload size.
    """
    cls = machine.classes[int(machine.channel_class[channel])]
    if payload_bits not in cls.flits:
        raise RouteError(
            f"{machine.name}: got a payload of {payload_bits} bit, expected one of "
            f"{', '.join(map(str, sorted(cls.flits)))} bit (packet.payload_bits)"
        )
    return cls.flits[payload_bits]


def hops(machine: Machine, route: Route) -> int:
    """Return the visits of routers that count as packet-hops, over the whole tree."""
    known = topology(machine)
    nodes = [known.source[stage[0].channel] for stage in route.stages if stage]
    return sum(int(machine.node_hop[node]) for node in nodes)


def _start(machine: Machine, source: int, dma: bool) -> int:
    ports = machine.endpoint_dma_port if dma else machine.endpoint_port
    port = int(ports[source])
    if port < 0:
        raise RouteError(
            f"{machine.name}: {machine.endpoint_label(source)} has no "
            f"{'DMA' if dma else 'transmit'} port; use the other one"
        )
    return port


def _tile(machine: Machine, endpoint: int) -> tuple[int, int, int]:
    """Return (chip, y, x): the order in which destinations are served."""
    chip, y, x = machine.endpoint_chip, machine.endpoint_y, machine.endpoint_x
    return int(chip[endpoint]), int(y[endpoint]), int(x[endpoint])


def _goes_by_router(machine: Machine, source: int, dests: Sequence[int]) -> bool:
    """Return whether packets from ``source`` go through packet routers whatever they carry."""
    _check_endpoint(machine, source)
    for dest in dests:
        _check_endpoint(machine, dest)
    if machine.chips is None:
        return False
    here = machine.endpoint_chip[source]
    return machine.lut is None or bool((machine.endpoint_chip[list(dests)] != here).any())


def _eject(machine: Machine, dest: int) -> int:
    return topology(machine).into[dest][0]


def _check_dests(machine: Machine, dests: Sequence[int]) -> None:
    if len(dests) == 0:
        raise RouteError(f"{machine.name}: a route needs at least one destination, got none")
    for dest in dests:
        _check_endpoint(machine, dest)
    if len(set(dests)) != len(dests):
        twice = next(dest for dest in dests if list(dests).count(dest) > 1)
        raise RouteError(
            f"{machine.name}: destination {machine.endpoint_label(twice)} is given twice; name "
            "each once"
        )


def _check_endpoint(machine: Machine, endpoint: int) -> None:
    if not 0 <= endpoint < machine.endpoints:
        raise RouteError(
            f"{machine.name}: no endpoint {endpoint}; endpoints are 0..{machine.endpoints - 1}"
        )
    if machine.endpoint_dead is not None and machine.endpoint_dead[endpoint]:
        raise RouteError(
            f"{machine.name}: {machine.endpoint_label(endpoint)} does not work: "
            f"{reason(machine, endpoint)}; place the vertex elsewhere"
        )


def _path(machine: Machine, source: int, dest: int) -> list[int]:
    """Return the channels from an endpoint's source node to another's sink."""
    _check_endpoint(machine, source)
    _check_endpoint(machine, dest)
    known = topology(machine)
    start = int(machine.port_node[int(machine.endpoint_port[source])])
    found = []
    failed: RouteError | None = None
    for entry in _entries(known, start):
        for eject in known.into[dest]:
            last = known.source[eject]
            first = known.far[entry] if entry != NOWHERE else start
            try:
                middle = walk(known, first, known.x[last], known.y[last], last)
            except RouteError as error:  # a dead part; another way in or out may be whole
                failed = error
                continue
            found.append([entry] * (entry != NOWHERE) + middle + [eject])
    if found:
        return min(found, key=lambda path: (len(path), path))
    raise failed or RouteError(
        f"{machine.name}: no way to {machine.endpoint_label(dest)} is left (faults.*)"
    )


def _entries(known: Topology, node: int) -> list[int]:
    """Return the channels into the mesh from a source port's node (-1: it is itself a router)."""
    if known.is_router(node):
        return [NOWHERE]
    return [channel for channel in known.out[node] if channel not in known.dead]
