"""Which nets have sound routes, asked of whole arrays: most of a check, at a fraction of its time.

The rules are those of :class:`chipsim.mapping.walk.Walker` and of the check's, and like them they
share no code with routers. A net is called sound only where every rule holds. Whatever else there
may be, a plug-in's odd answers too, is left to the walker, which says what is wrong: so this can
cost time, but not hide a problem.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chipsim.machine.model import Branching, Machine, PortKind, Routing
from chipsim.machine.route import SINK, Route
from chipsim.mapping.application import Application, Name, Net

Bools = NDArray[np.bool_]
I64 = NDArray[np.int64]

SLICE = 4096
"""Nets that are looked at together: some tens of megabytes."""


def sound_nets(
    application: Application,
    machine: Machine,
    placement: Mapping[Name, int],
    routes: Mapping[Name, tuple[Route, ...]],
) -> set[Name]:
    """Return the names of nets whose routes are certainly good.

    Parameters
    ----------
    application, machine, placement, routes
        As for :func:`chipsim.mapping.check.route_problems`; the placement is sound.

    Notes
    -----
    O(branches of all routes, in as many steps as trees are deep).
    """
    rules = _Rules(application, machine, placement)
    found: set[Name] = set()
    left = (net for net in application.nets if net.packet == "mc" and net.name in routes)
    while nets := list(islice(left, SLICE)):
        good = rules.of(nets, [routes[net.name] for net in nets])
        found.update(net.name for net, fine in zip(nets, good.tolist(), strict=True) if fine)
    return found


@dataclass(frozen=True)
class _Flat:
    """Branches of some nets, net by net, route by route, stage by stage.

    Attributes
    ----------
    net, port : ndarray of int64, shape (routes,)
        Number of each route's net, and its source port.
    route : ndarray of int64, shape (stages,)
    root : ndarray of int64, shape (routes,)
        First stage of each route.
    width : ndarray of int64, shape (stages,)
        Branches of each stage.
    stage, channel, next : ndarray of int64, shape (branches,)
        ``next`` counts within the branch's route, as it was given.
    """

    net: I64
    port: I64
    route: I64
    root: I64
    width: I64
    stage: I64
    channel: I64
    next: I64


def _flat(routes: Sequence[tuple[Route, ...]]) -> _Flat | None:
    """Return routes as columns; None where something in them is not what it should be."""
    try:
        every = [route for some in routes for route in some]
        stages = [stage for route in every for stage in route.stages]
        branches = [branch for stage in stages for branch in stage]
        many = np.array([len(route.stages) for route in every], dtype=np.int64)
        width = np.array([len(stage) for stage in stages], dtype=np.int64)
        pairs = np.array(branches).reshape(len(branches), 2)
        port = np.array([route.port for route in every])
    except (TypeError, ValueError, OverflowError):
        return None
    if len(branches) == 0 or pairs.dtype.kind != "i" or port.dtype.kind != "i" or many.min() < 1:
        return None
    return _Flat(
        np.repeat(np.arange(len(routes)), [len(some) for some in routes]),
        port.astype(np.int64),
        np.repeat(np.arange(len(every)), many),
        np.cumsum(many) - many,
        width,
        np.repeat(np.arange(len(stages)), width),
        np.ascontiguousarray(pairs[:, 0], dtype=np.int64),
        pairs[:, 1].astype(np.int64),
    )


class _Rules:
    """What a machine can do, as arrays."""

    def __init__(
        self, application: Application, machine: Machine, placement: Mapping[Name, int]
    ) -> None:
        self.machine = machine
        self._application = application
        self._placement = placement
        self._far = machine.port_node[machine.channel_port].astype(np.int64)
        self._is_sink = (machine.port_kind == int(PortKind.SINK))[machine.channel_port]
        self._end: I64 = np.full(machine.ports, -1, dtype=np.int64)
        self._end[machine.endpoint_sink] = np.arange(machine.endpoints)
        self._by_tile = np.isin(machine.node_routing, (int(Routing.XY), int(Routing.LUT)))
        self._tile = machine.node_y.astype(np.int64) * machine.grid_width + machine.node_x
        self._alive = machine.channel_alive

    def of(self, nets: Sequence[Net], routes: Sequence[tuple[Route, ...]]) -> Bools:
        """Return which nets are sound, bool of shape (nets,)."""
        formed = np.array(
            [self._formed(net, some) for net, some in zip(nets, routes, strict=True)], dtype=bool
        )
        chosen = np.flatnonzero(formed)
        flat = _flat([routes[i] for i in chosen.tolist()])
        if flat is None:
            return np.zeros(len(nets), dtype=np.bool_)
        kept = [nets[i] for i in chosen.tolist()]
        good = np.ones(len(kept), dtype=np.bool_)
        good[flat.net[~self._realisable(flat, kept)]] = False
        formed[chosen] = good & self._reaches(flat, kept)
        return formed

    def _formed(self, net: Net, routes: Any) -> bool:
        """Return whether a net's routes have the form and the head that the net wants."""
        machine = self.machine
        if not isinstance(routes, tuple) or not routes:
            return False
        single = not net.dma and self._application.transport_of(net) == "router_multicast"
        ports = machine.endpoint_dma_port if net.dma else machine.endpoint_port
        port = int(ports[int(self._placement[net.source])])
        return (len(routes) == 1 or not single) and all(
            isinstance(route, Route)
            and route.port == port
            and route.payload_bits == net.payload_bits
            and route.memory == net.dma
            and route.packet == net.packet
            for route in routes
        )

    def _realisable(self, flat: _Flat, nets: Sequence[Net]) -> Bools:
        """Return which routes are trees of live channels that the nodes can make."""
        machine = self.machine
        routes, stages = len(flat.port), len(flat.width)
        good = np.ones(routes, dtype=np.bool_)
        of = flat.route[flat.stage]
        last = np.append(flat.root[1:], stages)[of]
        onward = flat.next + flat.root[of]
        inner = flat.next != SINK
        good &= (flat.port >= 0) & (flat.port < machine.ports)
        good[of[(flat.channel < 0) | (flat.channel >= machine.channels)]] = False
        good[of[inner & ((flat.next < 1) | (onward >= last))]] = False
        good[flat.route[flat.width == 0]] = False
        if not good.all():  # numbers that cannot be looked up: all of the slice's other rules wait
            return np.zeros(routes, dtype=np.bool_)
        entries = np.bincount(onward[inner], minlength=stages)
        entries[flat.root] += 1
        good[flat.route[entries != 1]] = False
        entry = np.full(stages, -1, dtype=np.int64)
        entry[onward[inner]] = np.flatnonzero(inner)
        # An entry each, and no circle: every stage hangs on its route's first.
        depth = _depth(entry, flat.stage)
        good[flat.route[depth < 0]] = False
        node = np.where(entry < 0, machine.port_node[flat.port][flat.route], -1).astype(np.int64)
        below = entry >= 0
        node[below] = self._far[flat.channel[entry[below]]]
        here = node[flat.stage]
        payload = np.array([net.payload_bits for net in nets], dtype=np.int64)[flat.net][of]
        fine = machine.port_kind[flat.port] == int(PortKind.SOURCE)
        good &= fine
        fine = self._alive[flat.channel] & (machine.channel_node[flat.channel] == here)
        fine &= self._is_sink[flat.channel] == ~inner
        fine &= self._carried(flat.channel, payload)
        good[of[~fine]] = False
        good[of[~self._branches(flat, inner, node)]] = False
        good[of[~self._legs(flat, onward, inner, entry, here, depth)]] = False
        return good

    def _carried(self, channel: I64, payload: I64) -> Bools:
        sizes, which = np.unique(payload, return_inverse=True)
        can = np.array(
            [[size in cls.flits for size in sizes.tolist()] for cls in self.machine.classes]
        )
        return np.asarray(can[self.machine.channel_class[channel], which])

    def _branches(self, flat: _Flat, inner: Bools, node: I64) -> Bools:
        """Return for each branch whether its node can make the copies of its stage."""
        kind = np.where(node >= 0, self.machine.node_branching[node], int(Branching.NONE))
        several = flat.width[flat.stage] > 1
        kinds = kind[flat.stage]
        twice = np.zeros(len(several), dtype=np.bool_)
        order = np.lexsort((flat.channel, flat.stage))
        stage, channel = flat.stage[order], flat.channel[order]
        twice[order[1:]] = (stage[1:] == stage[:-1]) & (channel[1:] == channel[:-1])
        local = (kinds == int(Branching.LOCAL)) & ~inner & ~twice
        return np.asarray(~several | (kinds == int(Branching.ANY)) | local)

    def _legs(
        self, flat: _Flat, onward: I64, inner: Bools, entry: I64, here: I64, depth: I64
    ) -> Bools:
        """Return for each branch whether a router that goes by tile would take it.

        A leg's tile is that of the node where it ends, or, before a PE, of its last router. What
        is right for another tile, and legs that branch to other nodes, are left to the walker.
        """
        by_tile = self._by_tile[np.maximum(here, 0)] & (here >= 0)
        if not by_tile.any():
            return np.ones(len(here), dtype=np.bool_)
        first = np.cumsum(flat.width) - flat.width
        before = entry[flat.stage]
        goes_on = by_tile & inner
        goes_on[goes_on] = by_tile[first[onward[goes_on]]]
        fine = np.ones(len(here), dtype=np.bool_)
        fine[goes_on & (flat.width[flat.stage] > 1)] = False
        if self.machine.lut is None:
            return fine & self._x_first(by_tile, here, before, depth[flat.stage])
        last = np.where(inner, self._far[flat.channel], here)
        order = np.argsort(depth[flat.stage], kind="stable")
        for some in _levels(order, depth[flat.stage])[::-1]:
            some = some[goes_on[some]]
            last[some] = last[first[onward[some]]]
        some = np.flatnonzero(by_tile)
        wanted = self._looked_up(here[some], self._tile[last[some]])
        ends = ~inner[some] & (last[some] == here[some])
        fine[some] &= (wanted == flat.channel[some]) | (ends & (wanted < 0))
        return fine

    def _looked_up(self, node: I64, tile: I64) -> I64:
        """Return the channel that each node takes towards a tile of its chip, -1: none."""
        machine = self.machine
        assert machine.lut is not None
        if machine.chips is None:
            return machine.lut[node, tile].astype(np.int64)
        chip = machine.node_chip[node]
        row = machine.chips.lut_start[chip].astype(np.int64)
        found = machine.lut[row + node - machine.chips.first_node[chip], tile].astype(np.int64)
        return np.where(found >= 0, found + machine.chips.first_channel[chip], -1)

    def _x_first(self, by_tile: Bools, here: I64, before: I64, depth: I64) -> Bools:
        """Return for each branch whether its leg has no step in x after one in y so far."""
        machine = self.machine
        turned = np.zeros(len(here), dtype=np.bool_)
        fine = np.ones(len(here), dtype=np.bool_)
        order = np.argsort(depth, kind="stable")
        for some in _levels(order, depth):
            some = some[by_tile[some] & (before[some] >= 0)]
            some = some[by_tile[before[some]]]
            up = machine.node_y[here[before[some]]] != machine.node_y[here[some]]
            fine[some] = up | ~turned[before[some]]
            turned[some] = up | turned[before[some]]
        return fine

    def _reaches(self, flat: _Flat, nets: Sequence[Net]) -> Bools:
        """Return which nets reach each sink once and nothing else, a tile a packet if they must."""
        machine, application = self.machine, self._application
        good = np.ones(len(nets), dtype=np.bool_)
        known = (flat.channel >= 0) & (flat.channel < machine.channels) & (flat.next == SINK)
        of = flat.route[flat.stage][known]
        end = self._end[machine.channel_port[flat.channel[known]]]
        found = np.sort(flat.net[of] * (machine.endpoints + 1) + end + 1)
        sinks = [
            (i, int(self._placement[sink])) for i, net in enumerate(nets) for sink in net.sinks
        ]
        pairs = np.array(sinks, dtype=np.int64).reshape(-1, 2)
        wanted = pairs[:, 0] * (machine.endpoints + 1) + pairs[:, 1] + 1
        differ = np.setxor1d(found, wanted)
        twice = found[1:][found[1:] == found[:-1]]
        good[np.concatenate((differ, twice)) // (machine.endpoints + 1)] = False
        place = (machine.endpoint_y[end] * np.int64(machine.grid_width)) + machine.endpoint_x[end]
        place += machine.endpoint_chip[end] * np.int64(machine.grid_width * machine.grid_height)
        lowest = np.full(len(flat.port), np.iinfo(np.int64).max)
        highest = np.full(len(flat.port), -1, dtype=np.int64)
        np.minimum.at(lowest, of, place)
        np.maximum.at(highest, of, place)
        spread = np.zeros(len(nets), dtype=np.bool_)
        spread[flat.net[lowest < highest]] = True
        whole = [
            not net.dma and application.transport_of(net) == "router_multicast" for net in nets
        ]
        return good & (np.array(whole, dtype=np.bool_) | ~spread)


def _depth(entry: I64, stage: I64) -> I64:
    """Return the stages above each stage, -1 for those on no way from a first stage."""
    parent = np.where(entry >= 0, stage[entry], -1)
    depth = np.where(parent < 0, 0, -1)
    todo = np.flatnonzero(parent >= 0)
    while len(todo):
        above = depth[parent[todo]]
        met = above >= 0
        if not met.any():
            break
        depth[todo[met]] = above[met] + 1
        todo = todo[~met]
    return depth


def _levels(order: I64, depth: I64) -> list[I64]:
    """Return branches by depth, the shallowest first; ``order`` sorts them by it."""
    bounds = np.flatnonzero(np.diff(depth[order])) + 1
    return np.split(order, bounds)
