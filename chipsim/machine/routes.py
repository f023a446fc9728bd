"""Makes routes on a machine, and says how long an empty network takes for them.

On SpiNNaker2 a packet goes from QPE to QPE by the routers' look-up tables and splits only among the
PEs of its last QPE; to reach several QPEs at once it goes through the packet router, which sends
one NoC flit per destination QPE. On synthetic meshes it may split at every router.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from chipsim.errors import RouteError
from chipsim.machine.model import EndpointKind, Machine
from chipsim.machine.route import SINK, Branch, Route
from chipsim.machine.topology import NOWHERE, Topology, topology
from chipsim.machine.validity import validate

__all__ = [
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

_MOST_STEPS = 1_000_000


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
    first = unicast(machine, source, ordered[0], payload_bits, memory, dma)
    last = tuple(Branch(_eject(machine, dest), SINK) for dest in ordered)
    return Route(first.port, (*first.stages[:-1], last), payload_bits, memory)


def router_multicast(
    machine: Machine, source: int, dests: Sequence[int], payload_bits: int = 0
) -> Route:
    """Return the route through the packet router: one NoC flit per destination QPE.

    Raises
    ------
    RouteError
        If the machine has no packet router, or ``dests`` is empty or names one twice.

    Notes
    -----
    The packet router sends its flits by row, then column of the destination QPE, each by the port
    that its table row names (fewest hops, evenly loaded over a broadcast).
    """
    _check_dests(machine, dests)
    known = topology(machine)
    pool = _packet_router(machine)
    path = _path_to_router(machine, source)
    stages: list[tuple[Branch, ...]] = [(Branch(c, i + 1),) for i, c in enumerate(path)]
    at_pool = len(stages)
    stages.append(())
    fan: list[Branch] = []
    for tile, members in sorted(_by_tile(machine, dests).items()):
        y, x = tile
        leg = _leg(known, pool, x, y, members[0])
        fan.append(Branch(leg[0], len(stages)))
        for channel in leg[1:-1]:
            stages.append((Branch(channel, len(stages) + 1),))
        stages.append(tuple(Branch(_eject(machine, dest), SINK) for dest in members))
    stages[at_pool] = tuple(fan)
    return Route(_start(machine, source, False), tuple(stages), payload_bits)


def tree(
    machine: Machine,
    source: int,
    dests: Iterable[int],
    payload_bits: int = 0,
    memory: bool = False,
) -> Route:
    """Return the union of the unicast routes to ``dests``, which splits where they part.

    On a mesh that is the x-first multicast tree. On SpiNNaker2 it is valid for PEs of one QPE only.

    Raises
    ------
    RouteError
        If ``dests`` is empty or names one twice, or there is no way.
    """
    wanted = sorted(dests)
    _check_dests(machine, wanted)
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


def _by_tile(machine: Machine, dests: Sequence[int]) -> dict[tuple[int, int], list[int]]:
    groups: dict[tuple[int, int], list[int]] = {}
    for dest in sorted(dests):
        groups.setdefault(_tile(machine, dest)[1:], []).append(dest)
        if machine.endpoint_kind[dest] != EndpointKind.PE:
            raise RouteError(
                f"{machine.name}: the packet router delivers to PEs, got "
                f"{machine.endpoint_label(dest)}; use unicast"
            )
    return groups


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


def _path(machine: Machine, source: int, dest: int) -> list[int]:
    """Return the channels from an endpoint's source node to another's sink."""
    _check_endpoint(machine, source)
    _check_endpoint(machine, dest)
    known = topology(machine)
    start = int(machine.port_node[int(machine.endpoint_port[source])])
    found = []
    for entry in _entries(known, start):
        for eject in known.into[dest]:
            last = known.source[eject]
            first = known.far[entry] if entry != NOWHERE else start
            middle = _walk(known, first, known.x[last], known.y[last], last)
            found.append([entry] * (entry != NOWHERE) + middle + [eject])
    return min(found, key=lambda path: (len(path), path))


def _entries(known: Topology, node: int) -> list[int]:
    """Return the channels into the mesh from a source port's node (-1: it is itself a router)."""
    return [NOWHERE] if known.is_router(node) else known.out[node]


def _walk(known: Topology, node: int, x: int, y: int, last: int) -> list[int]:
    """Return the channels from a router to the router ``last`` at tile (x, y)."""
    path: list[int] = []
    while node != last:
        channel = known.towards(node, x, y)
        if channel == NOWHERE or len(path) > _MOST_STEPS:
            raise RouteError(
                f"{known.machine.name}: {known.machine.node_labels[node]} has no way towards tile "
                f"({x}, {y}); its look-up table has a hole there"
            )
        path.append(channel)
        node = known.far[channel]
    return path


def _packet_router(machine: Machine) -> int:
    pool = machine.extras.get("packet_router")
    if pool is None:
        raise RouteError(
            f"{machine.name}: has no packet router; use unicast, or tree where it may split"
        )
    return pool


def _path_to_router(machine: Machine, source: int) -> list[int]:
    """Return the channels from an endpoint's node to the packet router's pool."""
    _check_endpoint(machine, source)
    known = topology(machine)
    entry_node = machine.extras["packet_router_input"]
    x, y = known.x[entry_node], known.y[entry_node]
    start = int(machine.port_node[int(machine.endpoint_port[source])])
    found = []
    for entry in _entries(known, start):
        middle = _walk(known, known.far[entry], x, y, entry_node)
        found.append([entry, *middle])
    best = min(found, key=lambda path: (len(path), path))
    return [*best, known.out[entry_node][0]]


def _leg(known: Topology, pool: int, x: int, y: int, dest: int) -> list[int]:
    """Return the channels from the packet router's pool to one destination's sink."""
    eject = known.into[dest][0]
    last = known.source[eject]
    out = known.towards(pool, x, y)
    return [out, *_walk(known, known.far[out], x, y, last), eject]
