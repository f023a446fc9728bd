"""All routes of a mapping as columns: what they use and where they end, for figures over many nets.

The walk is that of :class:`chipsim.mapping.walk.Walker`; a route that was checked is not checked
again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from chipsim.mapping.walk import Walker

if TYPE_CHECKING:
    from chipsim.mapping.mapping import Mapping

I64 = NDArray[np.int64]


@dataclass(frozen=True)
class Walked:
    """Branches and copies of all routes, net by net.

    Attributes
    ----------
    channel, net : ndarray of int64, shape (branches,)
        The channel of every branch, as often as it is used, and the number of its net.
    flits : ndarray of int64, shape (branches,)
        Flits of one packet there.
    leaf_net, leaf_endpoint, leaf_links, leaf_ps : ndarray of int64, shape (copies,)
        Net, end, links on the way (all 0 without ``is_link``), zero-load latency [ps].
    routes : ndarray of int64, shape (nets,)
        Routes of each net.
    """

    channel: I64
    net: I64
    flits: I64
    leaf_net: I64
    leaf_endpoint: I64
    leaf_links: I64
    leaf_ps: I64
    routes: I64


def walked(mapping: Mapping, is_link: NDArray[np.bool_] | None = None) -> Walked:
    """Walk all routes of a mapping.

    Parameters
    ----------
    mapping : Mapping
    is_link : ndarray of bool, shape (channels,), optional
        The channels to count on the way of each copy.

    Notes
    -----
    O(branches of all routes), and with ``is_link`` the lengths of all ways.
    """
    machine, nets = mapping.machine, mapping.application.nets
    walker = Walker(machine, check=False)
    counted = None if is_link is None else np.ascontiguousarray(is_link).data
    channel: list[int] = []
    branches: list[int] = []
    leaves: list[tuple[int, int, int, int]] = []
    for number, net in enumerate(nets):
        before = len(channel)
        for route in mapping.routes[net.name]:
            walk = walker.walk(route)
            channel += walk.channels
            for leaf in walk.leaves:
                links = 0 if counted is None else sum([counted[c] for c in leaf.channels])
                leaves.append((number, leaf.endpoint, links, leaf.latency_ps))
        branches.append(len(channel) - before)
    used = np.array(channel, dtype=np.int64)
    net_of = np.repeat(np.arange(len(nets)), branches)
    payload = np.array([net.payload_bits for net in nets], dtype=np.int64)
    sizes, size_of = np.unique(payload, return_inverse=True)
    flits = np.array(
        [[cls.flits.get(size, 0) for size in sizes.tolist()] for cls in machine.classes],
        dtype=np.int64,
    ).reshape(len(machine.classes), len(sizes))
    leaf_net, end, links, arrives = np.ascontiguousarray(
        np.array(leaves, dtype=np.int64).reshape(-1, 4).T
    )
    return Walked(
        used,
        net_of,
        flits[machine.channel_class[used], size_of[net_of]],
        leaf_net,
        end,
        links,
        arrives,
        np.array([len(mapping.routes[net.name]) for net in nets], dtype=np.int64),
    )
