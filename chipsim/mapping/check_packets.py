"""The independent check of nets whose packets are core to core, nearest neighbour or fixed route.

It shares no code with :mod:`chipsim.machine.typed_routes`: it counts links and compares chips.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from chipsim.machine.chips import Chips
from chipsim.machine.model import Machine
from chipsim.mapping.application import Application, Name, Net
from chipsim.mapping.walk import Leaf, Walk


def packet_problems(machine: Machine, net: Net, walks: list[Walk]) -> Iterator[str]:
    """Yield why the routes of a net are none for packets of its type."""
    chips = machine.chips
    if chips is None:
        yield f"sends {net.packet} packets; {machine.name} has no packet routers to take them"
        return
    pools = set(chips.pool.tolist())
    between = set(chips.link[chips.link >= 0].tolist())
    for number, walk in enumerate(walks):
        where = f"has route {number}"
        if net.packet != "fr" and len(walk.leaves) > 1:
            yield f"{where} to {len(walk.leaves)} PEs; a {net.packet} packet reaches one"
        for leaf in walk.leaves:
            label = machine.endpoint_label(leaf.endpoint)
            if pools.isdisjoint(machine.channel_node[list(leaf.channels)].tolist()):
                yield f"{where} to {label} past the packet router, which sends {net.packet} packets"
            links = len(between.intersection(leaf.channels))
            if net.packet == "nn" and links != 1:
                yield f"{where} to {label} over {links} links; a nearest neighbour is one away"
            if net.packet == "fr" and not _at_ethernet(machine, chips, leaf):
                yield f"{where} to {label}, which is not on the board's Ethernet chip"


def fixed_problems(
    application: Application, machine: Machine, placement: Mapping[Name, int]
) -> Iterator[str]:
    """Yield which fixed-route nets of one board want different sinks: there is one register."""
    chips = machine.chips
    if chips is None:
        return
    first: dict[int, Net] = {}
    for net in application.nets:
        if net.packet != "fr":
            continue
        ethernet = int(chips.ethernet[int(machine.endpoint_chip[placement[net.source]])])
        known = first.setdefault(ethernet, net)
        if set(known.sinks) != set(net.sinks):
            yield (
                f"net {net.name!r} has other sinks than net {known.name!r}; the fixed-route "
                f"register of {chips.label(ethernet)} sends all fixed-route packets of the board "
                "to the same PEs: give the nets the same sinks"
            )


def _at_ethernet(machine: Machine, chips: Chips, leaf: Leaf) -> bool:
    start = int(machine.node_chip[machine.channel_node[leaf.channels[0]]])
    return int(machine.endpoint_chip[leaf.endpoint]) == int(chips.ethernet[start])
