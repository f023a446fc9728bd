"""Routes through packet routers, on one chip or over many.

A packet goes from its source to its chip's packet router, from chip to chip over links, and from
the packet router of each destination chip to the endpoints there: on SpiNNaker2 one NoC flit per
destination QPE, on SpiNNaker1 one copy per core. It branches at packet routers alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from chipsim.errors import RouteError
from chipsim.machine.chips import Chips
from chipsim.machine.model import Machine
from chipsim.machine.route import SINK, Branch
from chipsim.machine.topology import NOWHERE, Topology, topology
from chipsim.machine.wounds import counts as fault_counts

Stages = tuple[tuple[Branch, ...], ...]

_MOST_STEPS = 1_000_000


def chips_of(machine: Machine) -> Chips:
    """Return the machine's chips.

    Raises
    ------
    RouteError
        If it has no packet routers.
    """
    if machine.chips is None:
        raise RouteError(
            f"{machine.name}: has no packet router; use unicast, or tree where it may split"
        )
    return machine.chips


def chip_path(machine: Machine, source: int, dest: int) -> list[int]:
    """Return the directions (0..5 = E, NE, N, W, SW, S) of the default way between two chips.

    Raises
    ------
    RouteError
        If the machine has no packet routers, or dead links and chips leave no way.
    """
    try:
        return chips_of(machine).path(source, dest)
    except RouteError as error:
        raise RouteError(f"{machine.name}: {error}") from None


@dataclass
class ChipTree:
    """A tree of chips.

    Attributes
    ----------
    root : int
    children : dict of int to dict of int to int
        By chip: the chip behind each link that the tree uses, by direction.
    """

    root: int
    children: dict[int, dict[int, int]] = field(default_factory=dict)


def chip_tree(machine: Machine, source: int, dests: Sequence[int]) -> ChipTree:
    """Return the default tree from a chip to others: the union of the default ways.

    Notes
    -----
    Chips are joined in the order given; where a way meets the tree it begins at the last chip that
    both share, so that every chip is entered by one link.
    """
    chips = chips_of(machine)
    tree = ChipTree(source, {source: {}})
    for dest in dests:
        if dest in tree.children:
            continue
        way = chip_path(machine, source, dest)
        visited = chips.walk(source, way)
        begin = max(i for i, chip in enumerate(visited) if chip in tree.children)
        for i in range(begin, len(way)):
            tree.children[visited[i]][way[i]] = visited[i + 1]
            tree.children[visited[i + 1]] = {}
    return tree


def stages_through_routers(machine: Machine, source: int, dests: Sequence[int]) -> Stages:
    """Return the stages of a route through the packet routers to endpoints on any chips.

    Notes
    -----
    A packet router sends to its links first, by direction, then to its own chip: by row, then
    column of the destination QPE, each by the port that its table row names (fewest hops, evenly
    loaded over a broadcast). O(length of the route).
    """
    chips, known = chips_of(machine), topology(machine)
    here = int(machine.endpoint_chip[source])
    members: dict[int, list[int]] = {}
    for dest in sorted(dests):
        members.setdefault(int(machine.endpoint_chip[dest]), []).append(dest)
    tree = chip_tree(machine, here, list(members))
    path = path_to_router(machine, source)
    stages: list[list[Branch]] = [[Branch(c, i + 1)] for i, c in enumerate(path)]
    stages.append([])
    todo = [(here, len(path))]
    while todo:
        chip, at_pool = todo.pop()
        onward = []
        for direction, there in sorted(tree.children[chip].items()):
            link = int(chips.link[chip, direction])
            stages[at_pool].append(Branch(link, len(stages)))
            entry = known.far[link]
            stages.append([Branch(_lookup(known, entry), len(stages) + 1)])
            stages.append([])
            onward.append((there, len(stages) - 1))
        todo += onward[::-1]
        fan_out(machine, chip, at_pool, members.get(chip, ()), stages)
    return tuple(tuple(stage) for stage in stages)


def _lookup(known: Topology, entry: int) -> int:
    return known.out[entry][0]


def fan_out(
    machine: Machine, chip: int, at_pool: int, dests: Sequence[int], stages: list[list[Branch]]
) -> None:
    """Add the legs from a chip's packet router to endpoints on the chip."""
    known = topology(machine)
    pool = int(chips_of(machine).pool[chip])
    if machine.lut is None:
        stages[at_pool] += [Branch(known.into[dest][0], SINK) for dest in dests]
        return
    for _, members in sorted(_by_tile(machine, dests).items()):
        leg = _leg(known, pool, members[0])
        stages[at_pool].append(Branch(leg[0], len(stages)))
        for channel in leg[1:-1]:
            stages.append([Branch(channel, len(stages) + 1)])
        stages.append([Branch(known.into[dest][0], SINK) for dest in members])


def _by_tile(machine: Machine, dests: Sequence[int]) -> dict[tuple[int, int], list[int]]:
    groups: dict[tuple[int, int], list[int]] = {}
    for dest in dests:
        tile = int(machine.endpoint_y[dest]), int(machine.endpoint_x[dest])
        groups.setdefault(tile, []).append(dest)
    return groups


def path_to_router(machine: Machine, source: int) -> list[int]:
    """Return the channels from an endpoint's node to its packet router's output node."""
    chips, known = chips_of(machine), topology(machine)
    entry_node = int(chips.entry[int(machine.endpoint_chip[source])])
    x, y = known.x[entry_node], known.y[entry_node]
    start = int(machine.port_node[int(machine.endpoint_port[source])])
    found = []
    failed: RouteError | None = None
    for entry in known.out[start]:
        if entry in known.dead:
            continue
        try:
            found.append([entry, *walk(known, known.far[entry], x, y, entry_node)])
        except RouteError as error:  # a dead part; an interface has another way in
            failed = error
    if not found:
        raise failed or RouteError(
            f"{machine.name}: {machine.endpoint_label(source)} has no way to its packet router"
            f"{_because(machine)}"
        )
    best = min(found, key=lambda path: (len(path), path))
    return [*best, _lookup(known, entry_node)]


def _leg(known: Topology, pool: int, dest: int) -> list[int]:
    """Return the channels from the packet router's output node to one destination's sink."""
    failed: RouteError | None = None
    for eject in known.into[dest]:
        last = known.source[eject]
        x, y = known.x[last], known.y[last]
        try:
            out = _next(known, pool, x, y)
            return [out, *walk(known, known.far[out], x, y, last), eject]
        except RouteError as error:
            failed = error
    raise failed or RouteError(
        f"{known.machine.name}: no way to {known.machine.endpoint_label(dest)}"
        f"{_because(known.machine)}"
    )


def _next(known: Topology, node: int, x: int, y: int) -> int:
    channel = known.towards(node, x, y)
    if channel == NOWHERE:
        raise RouteError(
            f"{known.machine.name}: {known.machine.node_labels[node]} has no way towards tile "
            f"({x}, {y}){_because(known.machine)}"
        )
    return channel


def _because(machine: Machine) -> str:
    """Return the likely reason for a missing way."""
    if machine.channel_dead is None:
        return "; its look-up table has a hole there"
    dead = fault_counts(machine)
    return (
        f": dead parts are in the way ({dead['links']} links, {dead['QPEs']} QPEs, "
        f"{dead['chips']} chips; faults.*); place the vertices elsewhere"
    )


def walk(known: Topology, node: int, x: int, y: int, last: int) -> list[int]:
    """Return the channels from a router to the node ``last`` at tile (x, y) of the same chip.

    Raises
    ------
    RouteError
        If there is no way.
    """
    path: list[int] = []
    while node != last:
        if len(path) > _MOST_STEPS:
            raise RouteError(
                f"{known.machine.name}: the look-up tables go in a circle on the way to tile "
                f"({x}, {y}); mend them"
            )
        path.append(_next(known, node, x, y))
        node = known.far[path[-1]]
    return path
