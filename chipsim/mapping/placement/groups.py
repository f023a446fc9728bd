"""Nets with the same sinks as groups, with weights in flits per tick."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from chipsim.machine.model import Machine
from chipsim.mapping.application import Application, Net
from chipsim.mapping.fabric import Fabric, fabric
from chipsim.mapping.placement.traffic_kernel import HUB, STAR, TREE, Groups


def groups_of(application: Application, machine: Machine) -> Groups:
    """Return the groups of an application's nets.

    Notes
    -----
    O(pins). A net that states no traffic weighs 1; weights count the flits of the payload on the
    machine's links. Nets without traffic (0) are left out.
    """
    known = fabric(machine)
    number = {vertex.name: i for i, vertex in enumerate(application.vertices)}
    found: dict[tuple[int, tuple[int, ...]], dict[int, float]] = {}
    for net in application.nets:
        weight = (net.weight() if net.packets_per_tick else 1.0) * flits(known, net)
        if weight > 0:
            sinks = tuple(sorted(number[sink] for sink in net.sinks))
            senders = found.setdefault((_way(application, known, net), sinks), {})
            source = number[net.source]
            senders[source] = senders.get(source, 0.0) + weight
    vertices = len(application.vertices)
    ins: list[list[int]] = [[] for _ in range(vertices)]
    outs: list[list[tuple[int, float]]] = [[] for _ in range(vertices)]
    for group, ((_, sinks), senders) in enumerate(found.items()):
        for sink in sinks:
            ins[sink].append(group)
        for source, weight in senders.items():
            outs[source].append((group, weight))
    return Groups(
        *rows([sinks for _, sinks in found]),
        *rows([list(senders) for senders in found.values()]),
        *rows(ins),
        *rows([[group for group, _ in row] for row in outs]),
        np.array([weight for row in outs for _, weight in row], dtype=np.float64),
        np.array([way for way, _ in found], dtype=np.int8),
        known.step,
        np.array([known.hub], dtype=np.int32),
    )


def rows(
    lists: list[list[int]] | list[tuple[int, ...]],
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Return lists in compressed rows: (start, items)."""
    start = np.cumsum([0, *map(len, lists)]).astype(np.int32)
    return start, np.array([item for row in lists for item in row], dtype=np.int32)


def flits(known: Fabric, net: Net) -> float:
    """Return a net's packet on the links of a fabric, in packets without payload."""
    if not known.links:
        return 1.0
    machine = known.machine
    cls = machine.classes[int(machine.channel_class[known.first_link])]
    shortest = cls.flits[min(cls.flits)]
    return cls.flits.get(net.payload_bits, shortest) / shortest


def _way(application: Application, known: Fabric, net: Net) -> int:
    if net.dma or application.transport_of(net) == "noc_direct":
        return STAR
    return HUB if known.hub >= 0 else TREE
