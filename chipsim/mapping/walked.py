"""All routes of a mapping as columns: what they use and where they end, for figures over many nets.

The rules are those of :class:`chipsim.mapping.walk.Walker`, on whole arrays; a route that was
checked is not checked again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from chipsim.machine.model import Machine
from chipsim.machine.route import SINK
from chipsim.machine.route_columns import RouteColumns, slices

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
    O(branches of all routes x log).
    """
    machine, nets = mapping.machine, mapping.application.nets
    many = np.array([len(mapping.routes[net.name]) for net in nets], dtype=np.int64)
    net_of = np.repeat(np.arange(len(nets)), many)
    counted = np.zeros(machine.channels, dtype=np.int64) if is_link is None else is_link
    carried = _Flits(mapping)
    parts: list[tuple[I64, ...]] = []
    done = 0
    for some in slices(route for net in nets for route in mapping.routes[net.name]):
        net = net_of[done : done + len(some.port)][some.route[some.stage]]
        done += len(some.port)
        flits = carried.on(some.channel, net)
        ends = np.flatnonzero(some.next == SINK)
        end = carried.endpoint_of[machine.channel_port[some.channel[ends]]]
        links = some.down(counted[some.channel].astype(np.int64))[ends]
        arrives = some.down(_taken(machine, some, flits))[ends]
        parts.append((some.channel, net, flits, net[ends], end, links, arrives))
    columns = [np.concatenate(column) for column in zip(*parts, strict=True)]
    if not parts:
        columns = [np.zeros(0, dtype=np.int64)] * 7
    channel, net, flits, leaf_net, end, links, arrives = columns
    return Walked(channel, net, flits, leaf_net, end, links, arrives, many)


class _Flits:
    """Looks up the flits of nets on channels, and the endpoints of sinks."""

    def __init__(self, mapping: Mapping) -> None:
        machine, nets = mapping.machine, mapping.application.nets
        payload = np.array([net.payload_bits for net in nets], dtype=np.int64)
        sizes, self._size_of = np.unique(payload, return_inverse=True)
        self._class = machine.channel_class
        self._flits = np.array(
            [[cls.flits.get(size, 0) for size in sizes.tolist()] for cls in machine.classes],
            dtype=np.int64,
        ).reshape(len(machine.classes), len(sizes))
        self.endpoint_of: I64 = np.full(machine.ports, -1, dtype=np.int64)
        self.endpoint_of[machine.endpoint_sink] = np.arange(machine.endpoints)

    def on(self, channel: I64, net: I64) -> I64:
        """Return the flits of one packet of each net on each channel."""
        return self._flits[self._class[channel], self._size_of[net]]


def _taken(machine: Machine, some: RouteColumns, flits: I64) -> I64:
    """Return the zero-load time from the node before each branch to the next [ps].

    Branches of one stage on one output go one after another, in order.
    """
    order = np.lexsort((some.channel, some.stage))
    stage, channel = some.stage[order], some.channel[order]
    fresh = np.ones(len(order), dtype=np.bool_)
    fresh[1:] = (stage[1:] != stage[:-1]) | (channel[1:] != channel[:-1])
    begun = np.flatnonzero(fresh)
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(len(order)) - np.repeat(begun, np.diff(np.append(begun, len(order))))
    flit_ps = machine.channel_flit_ps[some.channel].astype(np.int64)
    return machine.channel_latency_ps[some.channel] + ((rank + 1) * flits - 1) * flit_ps
