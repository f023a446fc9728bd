"""From key offsets to packets: what a PE's software does when it sends.

With ``router_multicast`` a key is one packet. With ``noc_direct`` a software loop writes one packet
per destination QPE, so fan-out costs the sender cycles (hardware.md §6.1, step 4).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chipsim.errors import ProgramError
from chipsim.network.api import PAYLOAD_WORDS, PlainSends, Sends
from chipsim.sim.expand import expand, write_keys, write_packets


@dataclass(frozen=True)
class NetHandle:
    """A net as its sender sees it.

    Attributes
    ----------
    name : str
    index : int
        Number of the net (``Sends.net``).
    source : int
        Number of the sending vertex.
    port : int
        Source port.
    base : int
        First key of the net's block.
    size : int
        Keys in the block, a power of two.
    routes : ndarray of int32
        Route numbers: one per packet that a key becomes.
    payload_words : int
        Words of 32 bit that a packet carries, 0 to 4.
    by_key : tuple of (int, int, int)
        Key, mask and route of keys that the routing tables treat otherwise than the block's first.
    incoming : tuple of (int, int)
        First key and size of the blocks of the nets that reach the sender, for relayed keys.
    """

    name: str
    index: int
    source: int
    port: int
    base: int
    size: int
    routes: NDArray[np.int32]
    payload_words: int
    by_key: tuple[tuple[int, int, int], ...] = ()
    incoming: tuple[tuple[int, int], ...] = ()

    def offsets_of(self, keys: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the offsets of keys that are offsets already, or full keys that are relayed.

        A relayed key keeps its place in its block. Blocks are allocated largest first, so a key
        of another block is never below this block's size, unless it is its own offset as well.
        """
        offsets = keys
        for base, size in self.incoming:
            relayed = (keys >= max(base, self.size)) & (keys < base + size)
            if relayed.any():
                offsets = np.where(relayed, keys - base, offsets)
        return offsets


def payload_rows(payload: object, count: int, words: int, net: str) -> NDArray[np.uint32]:
    """Return a payload as uint32 words of shape (count, 4), zero-padded.

    Floating-point payloads travel as their bits: float32 in one word, float64 in two.

    Raises
    ------
    ProgramError
        If it has another length, or more words than the net carries.
    """
    rows = np.zeros((count, PAYLOAD_WORDS), dtype=np.uint32)
    if payload is None or count == 0:
        return rows
    array = _words(np.ascontiguousarray(payload), net)
    if array.size % count:
        raise ProgramError(
            f"net {net}: got {array.size} payload values for {count} packets; "
            "expected the same number for each"
        )
    bits = array.reshape(count, -1).view(np.uint32)
    if bits.shape[1] > words and bits[:, words:].any():
        raise ProgramError(
            f"net {net}: got a payload of {bits.shape[1]} words, expected at most {words}; "
            f"declare the net with payload_bits={32 * bits.shape[1]}"
        )
    used = min(words, bits.shape[1])
    rows[:, :used] = bits[:, :used]
    return rows


def _words(array: NDArray[Any], net: str) -> NDArray[Any]:
    """Return whole numbers as uint32, floating-point numbers as they are.

    Raises
    ------
    ProgramError
        For whole numbers that 32 bit cannot hold, and for other types.
    """
    if array.dtype.kind in "iub":
        if array.dtype.itemsize == 4:
            return array
        if array.size and (array.min() < -(2**31) or array.max() >= 2**32):
            raise ProgramError(
                f"net {net}: got payload values from {array.min()} to {array.max()}, expected "
                "whole numbers of 32 bit; send the bits of larger ones as several words"
            )
        return array.astype(np.int64).astype(np.uint32)
    if array.dtype not in (np.dtype(np.float32), np.dtype(np.float64)):
        raise ProgramError(
            f"net {net}: got a payload of {array.dtype}, expected whole numbers of 32 bit, float32 "
            "or float64"
        )
    return array


class SendPlan:
    """The nets of a kernel's rows as arrays, so that one call sends for all of them.

    Parameters
    ----------
    handles : sequence of NetHandle
        One per row.

    Attributes
    ----------
    form : ndarray of int64
        Addresses of the arrays, as :mod:`chipsim.sim.whole` has them.
    """

    def __init__(self, handles: Sequence[NetHandle]) -> None:
        self.port = np.array([h.port for h in handles], dtype=np.int32)
        self.source = np.array([h.source for h in handles], dtype=np.int32)
        self.net = np.array([h.index for h in handles], dtype=np.int32)
        self.base = np.array([h.base for h in handles], dtype=np.int64)
        self.size = np.array([h.size for h in handles], dtype=np.int64)
        self.fan = np.array([len(h.routes) for h in handles], dtype=np.int64)
        self.first = np.concatenate([[0], np.cumsum(self.fan)]).astype(np.int64)
        self.routes = np.concatenate([h.routes for h in handles]).astype(np.int32)
        self.words = np.array([h.payload_words for h in handles], dtype=np.int64)
        self.names = tuple(h.name for h in handles)
        self.by_key = [
            (h.index, key, mask, route) for h in handles for key, mask, route in h.by_key
        ]
        self.most_words = int(self.words[0]) if len(handles) else 0
        self.table = np.zeros((6, len(handles) + 1), dtype=np.int64)
        columns: tuple[NDArray[Any], ...] = (
            self.port, self.source, self.net, self.base, self.size
        )  # fmt: skip
        for field, column in enumerate(columns):
            self.table[field, : len(column)] = column
        self.table[5] = self.first
        addresses = (self.table.ctypes.data, self.routes.ctypes.data, self.fan.ctypes.data)
        self.form = np.array(
            [addresses[0], len(handles), addresses[1], len(self.routes), addresses[2]], np.int64
        )

    def redirect(
        self, nets: NDArray[np.int32], keys: NDArray[np.uint32], routes: NDArray[np.int32]
    ) -> None:
        """Change the routes of packets whose keys have one of their own."""
        for net, key, mask, route in self.by_key:
            routes[(nets == net) & (keys & np.uint32(mask) == key)] = route

    def bad_offset(self, row: int, offset: int) -> ProgramError:
        """Return the error for a key offset outside a row's block."""
        return bad_offset(self.names[row], int(self.size[row]), offset)


NO_PLAN = np.zeros(5, dtype=np.int64)
"""In place of a plan's form where nothing is sent."""


def bad_offset(net: str, size: int, offset: int) -> ProgramError:
    """Return the error for a key offset outside a net's block."""
    return ProgramError(
        f"net {net}: got key offset {offset}, expected 0 to {size - 1}; give the net more key bits"
    )


@dataclass
class Draft:
    """Packets of handlers before they have times; ``position`` says whose they are."""

    position: NDArray[np.int32]
    port: NDArray[np.int32]
    route: NDArray[np.int32]
    source: NDArray[np.int32]
    key: NDArray[np.uint32]
    payload: NDArray[np.uint32]
    net: NDArray[np.int32]
    tag: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.position)


def draft(
    plan: SendPlan,
    rows: NDArray[np.int32],
    position: NDArray[np.int32],
    offset: NDArray[np.int64],
    payload: NDArray[np.uint32],
    tag: NDArray[np.int32],
) -> Draft:
    """Return the packets that keys become (keys outer, destination QPEs inner).

    Parameters
    ----------
    plan : SendPlan
    rows : ndarray of int32, shape (k,)
        The plan's rows of this call.
    position : ndarray of int32, shape (n,)
        Position in ``rows`` of each key's sender.
    offset : ndarray of int64, shape (n,)
    payload : ndarray of uint32, shape (n, 4)
    tag : ndarray of int32, shape (n,)

    Raises
    ------
    ProgramError
        For an offset outside a net's block.
    """
    bad, columns = expand(
        rows, position, offset, payload, tag,
        plan.port, plan.source, plan.net, plan.base, plan.size, plan.first, plan.routes,
    )  # fmt: skip
    if bad >= 0:
        raise plan.bad_offset(int(rows[position[bad]]), int(offset[bad]))
    drafted = Draft(*columns)
    plan.redirect(drafted.net, drafted.key, drafted.route)
    return drafted


def merge(drafts: Sequence[Draft]) -> Draft:
    """Return several drafts of one call as one, each sender's packets in the drafts' order."""
    if len(drafts) == 1:
        return drafts[0]
    joined = [np.concatenate([getattr(d, name) for d in drafts]) for name in Draft.__annotations__]
    order = np.argsort(joined[0], kind="stable")
    return Draft(*(column[order] for column in joined))


def numbered(
    drafted: Draft,
    times_ps: NDArray[np.int64],
    tick: int,
    sequence: NDArray[np.int64],
) -> Sends:
    """Return a draft as sends: each position's first packet at its time, the others in gaps.

    Parameters
    ----------
    drafted : Draft
    times_ps : ndarray of int64, shape (2, positions)
        Time of each position's first packet, and the gap to each further one.
    tick : int
        The tick in which the sending handlers started.
    sequence : ndarray of int64, shape (vertices,)
        Next sequence number of every source; advanced.
    """
    longs, ints = write_packets(
        drafted.position, drafted.port, drafted.route, drafted.source, drafted.net, drafted.tag,
        times_ps, tick, sequence,
    )  # fmt: skip
    return plain_sends(longs, ints, drafted.key, drafted.payload)


def written(
    plan: SendPlan,
    rows: NDArray[np.int32],
    position: NDArray[np.int32],
    offset: NDArray[np.int64],
    payload: NDArray[np.uint32],
    tag: NDArray[np.int32],
    times_ps: NDArray[np.int64],
    tick: int,
    sequence: NDArray[np.int64],
) -> Sends:
    """Return what :func:`numbered` makes of one :func:`draft`, in one go."""
    bad, longs, ints, keys, words = write_keys(
        rows, position, offset, payload, tag, plan.table, plan.routes, times_ps, tick, sequence,
    )  # fmt: skip
    if bad >= 0:
        raise plan.bad_offset(int(rows[position[bad]]), int(offset[bad]))
    sends = plain_sends(longs, ints, keys, words)
    plan.redirect(sends.net, sends.key, sends.route)
    return sends


def plain_sends(
    longs: NDArray[np.int64],
    ints: NDArray[np.int32],
    keys: NDArray[np.uint32],
    payload: NDArray[np.uint32],
) -> PlainSends:
    """Return the columns of :mod:`chipsim.sim.expand` as sends."""
    earliest, gap, seq = longs
    port, route, source, net, tick, tag = ints
    return PlainSends(port, earliest, gap, route, source, seq, keys, payload, net, tick, tag)
