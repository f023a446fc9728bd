"""Walking routes over the machine's arrays: where they end, over which channels, how long it takes.

Nothing here is shared with the code that makes routes, so that a walk checks it.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from chipsim.machine.model import Branching, Machine, PortKind, Routing
from chipsim.machine.route import SINK, Branch, Route

_ANY, _NONE = int(Branching.ANY), int(Branching.NONE)


@dataclass(frozen=True, slots=True)
class Leaf:
    """One copy that a packet ends in.

    Attributes
    ----------
    endpoint : int
        Where it ends.
    channels : tuple of int
        Its path.
    latency_ps : int
        Time from acceptance into the source port to the arrival of the last flit, with no other
        packet about [ps]. Branches of one stage on one output go one after another, in order.
    hops : int
        Nodes with ``node_hop`` on the path.
    """

    endpoint: int
    channels: tuple[int, ...]
    latency_ps: int
    hops: int


@dataclass(frozen=True)
class Walk:
    """What a walk along one route found.

    Attributes
    ----------
    leaves : tuple of Leaf
        In the order of a depth-first walk.
    channels : tuple of int
        The channel of every branch, as often as it is used.
    problems : tuple of str
        Why the machine cannot realise the route; empty for a good one.
    """

    leaves: tuple[Leaf, ...]
    channels: tuple[int, ...]
    problems: tuple[str, ...]


class _Visit(NamedTuple):
    """A copy on its way: the stage it is at, the node that must be there, and its past."""

    stage: int
    node: int
    path: tuple[int, ...]
    time_ps: int
    hops: int


def _view(column: NDArray[Any]) -> Any:
    """Return an array as plain integers, without copying what lies in one piece."""
    return np.ascontiguousarray(column).data


class Walker:
    """Walks routes of one machine.

    Parameters
    ----------
    machine : Machine
    check : bool
        Whether to look for problems of legs that go by destination tile; without, such a walk
        finds fewer.
    """

    def __init__(self, machine: Machine, check: bool = True) -> None:
        self.machine = machine
        self._check = check
        endpoint_of_sink: NDArray[np.int64] = np.full(machine.ports, -1, dtype=np.int64)
        endpoint_of_sink[machine.endpoint_sink] = np.arange(machine.endpoints)
        # Looked at once a branch: views give plain integers in a fifth of an array's time.
        self._endpoint_of_sink = _view(endpoint_of_sink)
        self._node = _view(machine.channel_node)
        self._port = _view(machine.channel_port)
        self._latency_ps = _view(machine.channel_latency_ps)
        self._flit_ps = _view(machine.channel_flit_ps)
        self._class = _view(machine.channel_class)
        self._port_node = _view(machine.port_node)
        self._is_sink = _view(machine.port_kind == int(PortKind.SINK))
        self._dead = _view(~machine.channel_alive)
        self._hop = _view(machine.node_hop)
        self._kind = _view(machine.node_branching)
        by_tile = np.isin(machine.node_routing, (int(Routing.XY), int(Routing.LUT)))
        self._by_tile = _view(by_tile[machine.channel_node])
        self._known_legs: dict[tuple[int, ...], tuple[str, ...]] = {}

    def walk(self, route: Route) -> Walk:
        """Walk along ``route`` from its source port to every sink."""
        machine = self.machine
        problems: list[str] = []
        if not 0 <= route.port < machine.ports:
            return Walk((), (), (f"starts at port {route.port}, which does not exist",))
        if machine.port_kind[route.port] != PortKind.SOURCE:
            return Walk((), (), (f"starts at port {route.port}, which is no source port",))
        leaves: list[Leaf] = []
        used: list[int] = []
        reached: set[int] = set()
        todo = [_Visit(0, self._port_node[route.port], (), 0, 0)]
        while todo:
            visit = todo.pop()
            if not 0 <= visit.stage < len(route.stages):
                problems.append(f"leads to stage {visit.stage}, which it does not have")
                continue
            if visit.stage in reached:
                problems.append(f"reaches stage {visit.stage} twice: it is no tree")
                continue
            reached.add(visit.stage)
            todo += self._step(route, visit, leaves, used, problems)
        if len(reached) < len(route.stages) and not problems:
            lost = sorted(set(range(len(route.stages))) - reached)
            problems.append(f"never reaches stage {', '.join(map(str, lost))}")
        for leaf in leaves if self._check else ():
            problems += self._against_tables(leaf)
        return Walk(tuple(leaves), tuple(used), tuple(dict.fromkeys(problems)))

    def flits(self, channel: int, payload_bits: int) -> int:
        """Return the flits of one packet on ``channel``, 0 for a payload it cannot carry."""
        cls: int = self._class[channel]
        return self.machine.classes[cls].flits.get(payload_bits, 0)

    def _step(
        self,
        route: Route,
        visit: _Visit,
        leaves: list[Leaf],
        used: list[int],
        problems: list[str],
    ) -> list[_Visit]:
        """Take all branches of one stage; return the visits they lead to, last one first."""
        machine = self.machine
        branches = route.stages[visit.stage]
        problems += self._branching(visit.node, branches)
        hops = visit.hops + self._hop[visit.node]
        output_free: dict[int, int] = {}
        onward: list[_Visit] = []
        for channel, following in branches:
            if not 0 <= channel < machine.channels:
                problems.append(f"uses channel {channel}, which does not exist")
                continue
            if self._node[channel] != visit.node:
                problems.append(
                    f"is at {machine.node_labels[visit.node]} but takes "
                    f"{machine.channel_label(channel)}"
                )
                continue
            if self._dead[channel]:
                problems.append(f"takes {machine.channel_label(channel)}, which is dead")
            flits = self.flits(channel, route.payload_bits)
            if not flits:
                problems.append(
                    f"has a payload of {route.payload_bits} bits, which "
                    f"{machine.channel_label(channel)} cannot carry"
                )
            flit_ps = self._flit_ps[channel]
            start = output_free.get(channel, visit.time_ps)
            output_free[channel] = start + flits * flit_ps
            end = start + self._latency_ps[channel] + (flits - 1) * flit_ps
            used.append(channel)
            path = (*visit.path, channel)
            far = self._port[channel]
            if self._is_sink[far] != (following == SINK):
                problems.append(f"has a wrong end at {machine.channel_label(channel)}")
            elif following == SINK:
                leaves.append(Leaf(self._endpoint_of_sink[far], path, end, hops))
            else:
                onward.append(_Visit(following, self._port_node[far], path, end, hops))
        return onward[::-1]

    def _branching(self, node: int, branches: tuple[Branch, ...]) -> list[str]:
        """Check that ``node`` can make these copies."""
        kind = self._kind[node]
        if len(branches) == 1 or (branches and kind == _ANY):
            return []
        label = self.machine.node_labels[node]
        if not branches:
            return [f"ends at {label}, which is no endpoint"]
        if kind == _NONE:
            return [f"branches at {label}, which cannot branch"]
        if any(following != SINK for _, following in branches):
            return [f"branches at {label} to other nodes; it branches only to its own PEs"]
        if len({channel for channel, _ in branches}) < len(branches):
            return [f"names a PE of {label} twice; its mask has one bit per PE"]
        return []

    def _against_tables(self, leaf: Leaf) -> list[str]:
        """Check a path against the nodes that choose outputs by destination tile (XY, LUT).

        A run of such nodes is one leg. There must be one destination tile for which each of them
        takes just these channels; at that tile itself a packet's PE mask picks the output.
        """
        problems: list[str] = []
        leg: tuple[int, ...] = ()
        for channel in leaf.channels:
            if self._by_tile[channel]:
                leg += (channel,)
            elif leg:
                problems += self._known_leg(leg)
                leg = ()
        return problems + list(self._known_leg(leg)) if leg else problems

    def _known_leg(self, channels: tuple[int, ...]) -> tuple[str, ...]:
        """Return :meth:`_leg`'s answer: many routes of a machine share their legs."""
        if channels not in self._known_legs:
            self._known_legs[channels] = tuple(self._leg(list(channels)))
        return self._known_legs[channels]

    def _leg(self, channels: list[int]) -> list[str]:
        machine = self.machine
        if machine.lut is None:
            return self._x_first(channels)
        nodes = machine.channel_node[channels]
        rows = machine.lut_rows(nodes)
        fits = rows == np.array(channels)[:, None]
        last = int(nodes[-1])
        here = int(machine.node_y[last]) * machine.grid_width + int(machine.node_x[last])
        if machine.port_kind[machine.channel_port[channels[-1]]] == PortKind.SINK:
            fits[-1, here] |= rows[-1, here] < 0
        if fits.all(axis=0).any():
            return []
        wrong = int(np.argmin(fits[:, here]))
        wanted = int(rows[wrong, here])
        label = machine.node_labels[int(nodes[wrong])]
        does = f"goes by {machine.channel_label(wanted)}" if wanted >= 0 else "has no such way"
        return [
            f"takes {machine.channel_label(channels[wrong])} towards tile "
            f"({int(machine.node_x[last])},{int(machine.node_y[last])}), where {label} {does}"
        ]

    def _x_first(self, channels: list[int]) -> list[str]:
        """Check a leg over nodes without tables: no step in x after a step in y."""
        machine = self.machine
        turned = False
        for before, channel in pairwise(channels):
            a, b = (int(machine.channel_node[c]) for c in (before, channel))
            if machine.node_y[a] != machine.node_y[b]:
                turned = True
            elif turned:
                return [
                    f"goes from {machine.node_labels[a]} to {machine.node_labels[b]} after a step "
                    "in y; these routers go x first"
                ]
        return []
