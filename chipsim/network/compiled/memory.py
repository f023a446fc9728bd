"""Room: the pools of packets, copies, events and log rows, which grow by doubling."""

from __future__ import annotations

import contextlib
import mmap

import numpy as np

from chipsim.network.compiled import layout as at
from chipsim.network.compiled.state import I64, State, directory_of

FIRST_RECORDS = 64
"""Packets of a new network; copies and events likewise, beside what one round may need."""
SPARE = 8
"""One round may need so many copies and events that a first growth, by doubling, took 9 ms on a
board; so a new network has an eighth of that need to spare, which one busy chip does not use up."""
MANY_EVENTS = 512
"""Events ahead from which on their lines are fetched: below, the records that they touch fit the
cache, and following their chains costs more than it saves (a busy chip has up to 160)."""

PAIR = 16
"""Words of two cache lines, which processors like to fetch together."""
HUGE_PAGE = 1 << 21
HUGE_FROM = 1 << 19
"""Bytes from which on an array lies in huge pages, where the system has them: of a board's 20 MB in
pages of 4 kB, most look-ups of an address missed the processor's tables of pages as well."""


class Memory:
    """Owns the arrays of one network and the directory through which kernels find them.

    Attributes
    ----------
    state : State
    directory : ndarray of int64
        Addresses of the arrays; the same object for ever, rewritten when an array moves.
    """

    def __init__(self, state: State) -> None:
        self.state = state
        self.directory = directory_of(state)
        scalars = state.scalars
        self.grow_packets(FIRST_RECORDS)
        for name, grow in ((at.COPY_NEED, self.grow_copies), (at.EVENT_NEED, self.grow_events)):
            need = scalars.item(name)
            grow(FIRST_RECORDS + need + need // SPARE)
        if scalars[at.HOP_LOG]:
            self.grow_log()

    def replace(self, **arrays: I64) -> None:
        """Put other arrays in place of those named."""
        self.state = self.state._replace(**arrays)
        for name, array in arrays.items():
            self.directory[State._fields.index(name)] = array.ctypes.data

    def grow_packets(self, least: int = 0) -> None:
        """Double the packets, or more, so that ``least`` can be added."""
        old = self.state.packets
        new, first = grown(old, at.PACKET_STRIDE, least)
        fresh = np.arange(first, len(new), at.PACKET_STRIDE)
        self._chain(new, fresh, at.LINK, at.PACKET_FREE, at.PACKET_ROOM)
        self.replace(packets=new)

    def grow_copies(self, least: int = 0) -> None:
        """Double the copies, or more, so that ``least`` can be added."""
        new, first = grown(self.state.copies, at.COPY_STRIDE, least)
        fresh = np.arange(first, len(new), at.COPY_STRIDE)
        self._chain(new, fresh, at.AFTER, at.COPY_FREE, at.COPY_ROOM)
        self.replace(copies=new)

    def grow_events(self, least: int = 0) -> None:
        """Double the events, or more, so that ``least`` can be added."""
        new, first = grown(self.state.events, at.EVENT_STRIDE, least)
        fresh = np.arange(first, len(new), at.EVENT_STRIDE)
        self._chain(new, fresh, at.CODE, at.EVENT_FREE, at.EVENT_ROOM, at.EVENT_STRIDE)
        far, _ = grown(self.state.far, at.EVENT_STRIDE, least)
        self.replace(events=new, far=far)
        scalars = self.state.scalars
        if scalars[at.AHEAD]:
            scalars[at.AHEAD] = max(len(new) // at.EVENT_STRIDE - MANY_EVENTS, 1)

    def grow_log(self) -> None:
        """Double the hop log."""
        need = int(self.state.scalars[at.LOG_NEED])
        new, _ = grown(self.state.hop_log, at.LOG_STRIDE, need + FIRST_RECORDS)
        self.replace(hop_log=new)
        self.state.scalars[at.LOG_CAPACITY] = len(new) // at.LOG_STRIDE

    def _chain(
        self, array: I64, fresh: I64, link: int, free: int, room: int, unit: int = 1
    ) -> None:
        """Put fresh records (their bases) before the pool's free list; ids count in ``unit``."""
        scalars = self.state.scalars
        ids = fresh // unit
        array[fresh[:-1] + link] = ids[1:]
        array[fresh[-1] + link] = scalars[free]
        scalars[free] = ids[0]
        scalars[room] += len(fresh)


def aligned(words: int) -> I64:
    """Return zeros that begin at a pair of cache lines, so that no record touches one too many."""
    if 8 * words >= HUGE_FROM and hasattr(mmap, "MADV_HUGEPAGE"):
        return _in_huge_pages(words)
    raw = np.zeros(words + PAIR, dtype=np.int64)
    skip = -(raw.ctypes.data // raw.itemsize) % PAIR
    return raw[skip : skip + words]


def _in_huge_pages(words: int) -> I64:
    """Return zeros that begin at a huge page, and ask the system for such."""
    size = -(-8 * words // HUGE_PAGE) * HUGE_PAGE
    room = mmap.mmap(-1, size + HUGE_PAGE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    with contextlib.suppress(OSError):  # a kernel without them
        room.madvise(mmap.MADV_HUGEPAGE)
    raw = np.frombuffer(room, dtype=np.int64)
    skip = -(raw.ctypes.data // raw.itemsize) % (HUGE_PAGE // raw.itemsize)
    return raw[skip : skip + words]


def aligned_copy(array: I64, words: int = 0) -> I64:
    """Return a copy of ``words``, or as many as the array has, filled up with zeros."""
    new = aligned(max(words, len(array)))
    new[: len(array)] = array
    return new


def grown(old: I64, stride: int, least: int) -> tuple[I64, int]:
    """Return a copy with twice the records, or ``least`` more, and where the new ones begin."""
    more = max(len(old), least * stride, stride)
    return aligned_copy(old, len(old) + more), len(old)
