"""Hand-over: rows of :class:`~chipsim.network.api.Sends` become packets in scripts."""

from __future__ import annotations

import numpy as np

from chipsim.compiled import compiled, inlined
from chipsim.network.compiled.layout import (
    ACCEPTED,
    BINS,
    COPY_ROOM,
    CREATED,
    EARLIEST,
    EXPECTED,
    FEEDER,
    GAP,
    HOPS,
    INBOX_STRIDE,
    INJECTED_AT,
    KEY,
    KIND,
    KIND_SOURCE,
    LAST_END,
    LATEST,
    LEFT,
    LINK,
    MASK,
    MEASURED,
    MEMORY,
    NET,
    NEXT,
    NONE,
    NOW,
    PACKET,
    PACKET_ROOM,
    PAYLOAD,
    PORT_COUNT,
    PORT_STRIDE,
    REMAINING,
    ROOT,
    ROUTE_COUNT,
    ROUTE_LEAVES,
    ROUTE_MASK,
    ROUTE_MEMORY,
    ROUTE_PORT,
    ROUTE_STAGE,
    ROUTE_STRIDE,
    SCRIPT,
    SCRIPT_TAIL,
    SENT,
    SEQ,
    SOURCE,
    STAGE,
    TAG,
    TICK,
    WAITED,
    WINDOW_END,
    WINDOW_START,
)
from chipsim.network.compiled.ports import plan_inject
from chipsim.network.compiled.queue import move_to, next_event_time, spare_events
from chipsim.network.compiled.records import new_copy, new_packet
from chipsim.network.compiled.state import I32, I64, U32, State, opened

SENT_ALL = -1
NO_PACKET = -2
NO_COPY = -3
NO_EVENT = -4
"""What :func:`send` returns, beside the number of the first row that cannot be sent."""


@inlined
def is_source(net: State, port: int) -> bool:
    """Return whether ``port`` is a source port's number."""
    if port < 0 or port >= net.scalars[PORT_COUNT]:
        return False
    return bool(net.ports[port * PORT_STRIDE + KIND] & KIND_SOURCE)


@inlined
def is_bad(net: State, port: int, route: int, earliest: int, gap: int) -> bool:
    """Return whether a row cannot be sent; the caller then finds out why."""
    if not is_source(net, port):
        return True
    if route < 0 or route >= net.scalars[ROUTE_COUNT]:
        return True
    if net.routes[route * ROUTE_STRIDE + ROUTE_PORT] != port:
        return True
    late = earliest <= net.scalars[NOW] or earliest > LATEST
    return late or gap < 0 or gap > LATEST


@inlined
def new_root(net: State, packet: int, stage: int, mask: int) -> None:
    """Give a packet the copy that will enter its source port."""
    copies = net.copies
    copy = new_copy(net)
    net.packets[packet + ROOT] = copy
    copies[copy + PACKET] = packet
    copies[copy + STAGE] = stage
    copies[copy + MASK] = mask
    copies[copy + LAST_END] = NONE
    copies[copy + HOPS] = 0
    copies[copy + WAITED] = 0


@inlined
def take_route(net: State, packet: int, route: int, earliest: int) -> None:
    """Fill in what a packet has from its route, and count what is expected of it."""
    scalars, packets = net.scalars, net.packets
    leaves = net.routes[route + ROUTE_LEAVES]
    packets[packet + REMAINING] = leaves
    packets[packet + MEMORY] = net.routes[route + ROUTE_MEMORY] * INBOX_STRIDE
    scalars[SENT] += 1
    scalars[EXPECTED] += leaves
    measured = earliest >= scalars[WINDOW_START] and earliest < scalars[WINDOW_END]
    packets[packet + MEASURED] = measured
    if measured and scalars[BINS] > 0:
        scalars[CREATED] += leaves
    new_root(net, packet, net.routes[route + ROUTE_STAGE], net.routes[route + ROUTE_MASK])


@inlined
def append(net: State, source: int, packet: int) -> None:
    """Append a packet to a script; the gap of a first row does not count."""
    sources, packets = net.sources, net.packets
    packets[packet + LINK] = NONE
    first = sources[source + SCRIPT] < 0
    if first:
        packets[packet + GAP] = 0
        sources[source + SCRIPT] = packet
    else:
        packets[sources[source + SCRIPT_TAIL] + LINK] = packet
    sources[source + SCRIPT_TAIL] = packet
    sources[source + LEFT] += 1
    if first:
        plan_inject(net, source)


@compiled
def send(
    directory: I64,
    port: I32,
    earliest: I64,
    gap: I64,
    route: I32,
    who: I32,
    seq: I64,
    key: U32,
    payload: U32,
    net_of: I32,
    tick: I32,
    tag: I32,
) -> int:
    """Append rows to scripts: all of them, or none; see :data:`SENT_ALL`."""
    net = opened(directory)
    count = len(port)
    if net.scalars[PACKET_ROOM] < count:
        return NO_PACKET
    if net.scalars[COPY_ROOM] < count:
        return NO_COPY
    if spare_events(net) < count:
        return NO_EVENT
    for row in range(count):
        if is_bad(net, int(port[row]), int(route[row]), earliest[row], gap[row]):
            return row
    packets = net.packets
    move_to(net, net.scalars[NOW])
    for row in range(count):
        packet = new_packet(net)
        packets[packet + SOURCE] = who[row]
        packets[packet + SEQ] = seq[row]
        packets[packet + KEY] = key[row]
        packets[packet + PAYLOAD] = payload[row, 0] | np.int64(payload[row, 1]) << 32
        packets[packet + PAYLOAD + 1] = payload[row, 2] | np.int64(payload[row, 3]) << 32
        packets[packet + NET] = net_of[row]
        packets[packet + TICK] = tick[row]
        packets[packet + TAG] = tag[row]
        packets[packet + INJECTED_AT] = NONE
        packets[packet + EARLIEST] = earliest[row]
        packets[packet + GAP] = gap[row]
        take_route(net, packet, int(route[row]) * ROUTE_STRIDE, earliest[row])
        append(net, net.ports[int(port[row]) * PORT_STRIDE + FEEDER], packet)
    net.scalars[NEXT] = next_event_time(net)
    return SENT_ALL


@compiled
def accepted(directory: I64, ports: I32) -> tuple[I32, I64, int]:
    """Return what is left of the ports' scripts, when they last accepted a packet, and the first
    row that is no source port (-1 if all are).
    """
    net = opened(directory)
    count = len(ports)
    left = np.empty(count, np.int32)
    last = np.empty(count, np.int64)
    for row in range(count):
        if not is_source(net, int(ports[row])):
            return left, last, row
        source = net.ports[int(ports[row]) * PORT_STRIDE + FEEDER]
        left[row] = net.sources[source + LEFT]
        last[row] = net.sources[source + ACCEPTED]
    return left, last, -1
