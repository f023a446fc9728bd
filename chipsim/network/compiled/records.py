"""Records of packets and copies come from free lists, so that memory stays flat."""

from __future__ import annotations

from chipsim.compiled import inlined
from chipsim.network.compiled.layout import (
    AFTER,
    COPY_FREE,
    COPY_ROOM,
    LINK,
    PACKET_FREE,
    PACKET_ROOM,
    REMAINING,
)
from chipsim.network.compiled.state import State


@inlined
def new_copy(net: State) -> int:
    """Take a copy's record; there must be room (see ``COPY_NEED``)."""
    copy = net.scalars[COPY_FREE]
    net.scalars[COPY_FREE] = net.copies[copy + AFTER]
    net.scalars[COPY_ROOM] -= 1
    return copy  # type: ignore[no-any-return]


@inlined
def free_copy(net: State, copy: int) -> None:
    """Give a copy's record back."""
    net.copies[copy + AFTER] = net.scalars[COPY_FREE]
    net.scalars[COPY_FREE] = copy
    net.scalars[COPY_ROOM] += 1


@inlined
def new_packet(net: State) -> int:
    """Take a packet's record; there must be room."""
    packet = net.scalars[PACKET_FREE]
    net.scalars[PACKET_FREE] = net.packets[packet + LINK]
    net.scalars[PACKET_ROOM] -= 1
    return packet  # type: ignore[no-any-return]


@inlined
def end_leaves(net: State, packet: int, count: int) -> None:
    """Note that ``count`` leaves of a packet have ended; with the last one its record is free."""
    left = net.packets[packet + REMAINING] - count
    net.packets[packet + REMAINING] = left
    if left == 0:
        net.packets[packet + LINK] = net.scalars[PACKET_FREE]
        net.scalars[PACKET_FREE] = packet
        net.scalars[PACKET_ROOM] += 1
