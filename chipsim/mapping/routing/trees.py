"""What tree routers share: which nets they may route freely, and trees of sites as routes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from chipsim.errors import MachineError, MappingError, RouteError
from chipsim.machine.chip_routes import fan_out, path_to_router
from chipsim.machine.model import Branching, Machine, Routing
from chipsim.machine.route import SINK, Branch, Route
from chipsim.machine.topology import topology
from chipsim.mapping.application import Application, Name, Net
from chipsim.mapping.fabric import Fabric, fabric
from chipsim.mapping.placement.groups import flits
from chipsim.mapping.routing import default
from chipsim.mapping.strategies import NetRoutes
from chipsim.mapping.tree_kernels import grow

NER_RADIUS = 20
"""Links within which NER looks for the nearest site of the tree, as Navaridas et al. set it."""

Step: TypeAlias = tuple[int, int, int]
"""Parent site, slot of the link there, site; parents come before their children."""

Builder: TypeAlias = Callable[[int, NDArray[np.int32], float], list[Step]]
"""Returns the tree from a source site to terminal sites for a net of some flits per tick."""


def on_chips(machine: Machine) -> bool:
    """Return whether sites are chips, whose packet routers branch."""
    return machine.chips is not None and len(machine.chips) > 1


def free(machine: Machine) -> bool:
    """Return whether trees may take any way: all routers go by table and branch anywhere."""
    if on_chips(machine):
        return True
    known = fabric(machine)
    return bool(
        np.isin(machine.node_routing[known.node], (Routing.TABLE, Routing.SOURCE)).all()
        and (machine.node_branching[known.node] == Branching.ANY).all()
        and (machine.port_node[machine.endpoint_port] == known.node[known.site_of]).all()
    )


def route_by(
    application: Application, placement: Mapping[Name, int], machine: Machine, build: Builder
) -> dict[Name, NetRoutes]:
    """Route every net along the trees of ``build`` where the machine leaves a choice.

    DMA nets, direct packets between PEs of boards, and all nets of a machine whose routers choose
    outputs by themselves (SpiNNaker2 on the chip, ``noc.routing = "xy"``), get the default router's
    routes. ``noc_direct`` nets have one route per tile.

    Raises
    ------
    MappingError
        Naming every net that cannot be routed.
    """
    choice, chips = free(machine), on_chips(machine)
    found: dict[Name, NetRoutes] = {}
    problems = []
    for net in application.nets:
        try:
            single = (
                net.dma
                or net.packet != "mc"
                or (chips and application.transport_of(net) == "noc_direct")
            )
            if single or not choice:
                found[net.name] = default.route_net(application, placement, machine, net)
            else:
                found[net.name] = _net(application, placement, machine, net, build)
        except (RouteError, MachineError) as error:
            problems.append(f"net {net.name!r} cannot be routed: {error}")
    if problems:
        raise MappingError(f"routing of application {application.name!r}", problems)
    return found


def grown(known: Fabric, mode: int, radius: int = NER_RADIUS) -> Builder:
    """Return a builder by the compiled tree builder in one of its modes."""
    grid = known.grid
    mark = np.zeros(known.sites, dtype=np.int32)
    nodes, parent, slots = (np.empty(known.sites, dtype=np.int32) for _ in range(3))
    path = np.empty(2 * known.sites, dtype=np.int32)
    calls = 0

    def build(source: int, terminals: NDArray[np.int32], weight: float) -> list[Step]:
        nonlocal calls
        calls += 1
        size = grow(
            mode,
            radius,
            grid,
            source,
            terminals,
            len(terminals),
            calls,
            mark,
            nodes,
            parent,
            slots,
            path,
        )
        if size < 0:
            raise no_way(known, source)
        return [(int(parent[s]), int(slots[s]), s) for s in nodes[1:size].tolist()]

    return build


def no_way(known: Fabric, source: int) -> RouteError:
    """Return the error for a source from which not all sinks can be reached."""
    return RouteError(
        f"{known.machine.name}: {known.machine.node_labels[int(known.node[source])]} has no way "
        "to all sinks; the machine falls apart: name fewer holes"
    )


def _net(
    application: Application,
    placement: Mapping[Name, int],
    machine: Machine,
    net: Net,
    build: Builder,
) -> NetRoutes:
    known = fabric(machine)
    source = placement[net.source]
    by_site: dict[int, list[int]] = {}
    for end in sorted(placement[sink] for sink in net.sinks):
        by_site.setdefault(int(known.site_of[end]), []).append(end)
    sites = sorted(by_site)
    groups = [sites]
    if application.transport_of(net) == "noc_direct":
        groups = [[site] for site in sites]
    start = int(known.site_of[source])
    weight = (net.weight() if net.packets_per_tick else 1.0) * flits(known, net)
    if on_chips(machine):
        steps = build(start, np.array(sites, dtype=np.int32), weight)
        return (_chip_route(known, source, steps, by_site, net.payload_bits),)
    return tuple(
        as_route(
            known,
            int(machine.endpoint_port[source]),
            start,
            build(start, np.array(group, dtype=np.int32), weight),
            {site: by_site[site] for site in group},
            net.payload_bits,
        )
        for group in groups
    )


def _chip_route(
    known: Fabric,
    source: int,
    steps: Sequence[Step],
    ends: Mapping[int, list[int]],
    payload_bits: int,
) -> Route:
    """Return a tree of chips as a route: at each packet router links first, then its own chip."""
    machine, topo = known.machine, topology(known.machine)
    path = path_to_router(machine, source)
    stages: list[list[Branch]] = [[Branch(c, i + 1)] for i, c in enumerate(path)]
    start = int(known.site_of[source])
    at_pool = {start: len(stages)}
    stages.append([])
    for parent, slot, site in steps:
        link = int(known.channel[parent, slot])
        stages[at_pool[parent]].append(Branch(link, len(stages)))
        stages.append([Branch(topo.out[topo.far[link]][0], len(stages) + 1)])
        at_pool[site] = len(stages)
        stages.append([])
    for site, members in ends.items():
        fan_out(machine, int(known.chip[site]), at_pool[site], members, stages)
    frozen = tuple(tuple(stage) for stage in stages)
    return Route(int(machine.endpoint_port[source]), frozen, payload_bits)


def as_route(
    known: Fabric,
    port: int,
    source: int,
    steps: Sequence[Step],
    ends: Mapping[int, list[int]],
    payload_bits: int,
) -> Route:
    """Return a tree of sites as a route: at each site onward first, then to its endpoints."""
    into = topology(known.machine).into
    stage_of = {source: 0}
    stages: list[list[Branch]] = [[]]
    for parent, slot, site in steps:
        stage_of[site] = len(stages)
        stages[stage_of[parent]].append(Branch(int(known.channel[parent, slot]), len(stages)))
        stages.append([])
    for site, members in ends.items():
        stages[stage_of[site]] += [Branch(into[end][0], SINK) for end in members]
    return Route(port, tuple(tuple(stage) for stage in stages), payload_bits)
