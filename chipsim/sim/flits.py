"""The inner loops of memory traffic: which packets belong together, and where their words go.

Words travel in flits of four. :func:`collect` puts a transfer's into its memory and
:func:`collect_block` those of a block that several nets bring. The functions named ``..._whole`` do
the same with what has just arrived in an inbox, without a way through columns: see
:mod:`chipsim.sim.whole` for what that saves.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from chipsim.compiled import compiled, inlined
from chipsim.network.compiled.inbox import count_taken, take_rows
from chipsim.network.compiled.layout import (
    AFTER,
    FIRST,
    INBOX_STRIDE,
    KEY,
    NOW,
    PACKET,
)
from chipsim.network.compiled.script import SENT_ALL, send
from chipsim.network.compiled.state import opened
from chipsim.sim.consume import COURSE, MEMORY, has_room, note_taken
from chipsim.sim.expand import train

I32 = NDArray[np.int32]
I64 = NDArray[np.int64]
U32 = NDArray[np.uint32]
Mask = NDArray[np.bool_]

FLIT_WORDS = 4
NO_ROOM = -2
"""Returned where more packets wait than can be counted now; nothing was done."""


@compiled
def run_ends(key: U32) -> I64:
    """Return where each run of equal keys ends (the position after its last)."""
    count = 0
    for i in range(len(key)):
        count += i + 1 == len(key) or key[i + 1] != key[i]
    ends = np.empty(count, np.int64)
    count = 0
    for i in range(len(key)):
        if i + 1 == len(key) or key[i + 1] != key[i]:
            ends[count] = i + 1
            count += 1
    return ends


@compiled
def collect(arrived: Mask, memory: U32, flit: I32, payload: U32, lead: int) -> tuple[int, int]:
    """Store the words of flits.

    Parameters
    ----------
    arrived : ndarray of bool, shape (flits,)
        Which flits of the transfer have arrived; updated.
    memory : ndarray of uint32, shape (words,)
        Gets the words: flit f holds words ``4 * f - lead`` to ``4 * f - lead + 3``, as far as there
        are any.
    flit : ndarray of int32, shape (n,)
        Place of each packet in its transfer.
    payload : ndarray of uint32, shape (n, 4)
    lead : int
        Words of the first flit before the transfer's own.

    Returns
    -------
    tuple of int
        Flits that had not arrived before, and words written.
    """
    fresh = 0
    written = 0
    for i in range(len(flit)):
        place = flit[i]
        fresh += not arrived[place]
        arrived[place] = True
        first = place * payload.shape[1] - lead
        for word in range(max(0, -first), min(payload.shape[1], len(memory) - first)):
            memory[first + word] = payload[i, word]
            written += 1
    return fresh, written


@compiled
def collect_block(block: I64, arrived: Mask, memory: U32, net: I32, key: I32, payload: U32) -> int:
    """Store the words of a block's packets; return how many packets are none of it.

    Parameters
    ----------
    block : ndarray of int64, shape (nets, 5)
        Of each net that brings words: its number, the key bits that number a packet, the place of
        its first packet in ``arrived``, its first word and its number of words.
    arrived : ndarray of bool, shape (packets,)
    memory : ndarray of uint32, shape (words,)
    net : ndarray of int32, shape (n,)
    key : ndarray of int32, shape (n,)
        The bits of the keys.
    payload : ndarray of uint32, shape (n, 4)
    """
    strange = 0
    for i in range(len(net)):
        known = False
        for part in range(len(block)):
            place = np.int64(key[i]) & block[part, 1]
            first = place * FLIT_WORDS
            if block[part, 0] != net[i] or first >= block[part, 4]:
                continue
            known = True
            arrived[block[part, 2] + place] = True
            for word in range(min(FLIT_WORDS, block[part, 4] - first)):
                memory[block[part, 3] + first + word] = payload[i, word]
        strange += not known
    return strange


@inlined
def take_noted(
    directory: I64, inboxes: I32, now: int, log: I64, tick: int, taker: int
) -> tuple[I32, U32, int]:
    """Empty inboxes and put their packets into a log (:mod:`chipsim.sim.consume`) as consumed.

    Returns
    -------
    tuple
        Columns of 32 bit, payload, and the number of packets or :data:`NO_ROOM`.
    """
    net = opened(directory)
    waiting = count_taken(net, inboxes)
    if waiting < 0 or not has_room(log, waiting) or net.scalars[NOW] < now:
        return np.empty((8, 0), np.int32), np.empty((0, FLIT_WORDS), np.uint32), NO_ROOM
    longs, ints, payload, count = take_rows(net, inboxes, now, waiting)
    note_taken(log, longs, ints, count, tick, taker)
    return ints[:, :count], payload[:count], count


@compiled
def only_key(directory: I64, inbox: int) -> int:
    """Return the key of an inbox's packets if they all have one, else -1."""
    net = opened(directory)
    copy = net.inboxes[inbox * INBOX_STRIDE + FIRST]
    if copy < 0:
        return -1
    key = net.packets[net.copies[copy + PACKET] + KEY]
    while copy >= 0:
        if net.packets[net.copies[copy + PACKET] + KEY] != key:
            return -1
        copy = net.copies[copy + AFTER]
    return int(key)


@compiled
def collect_whole(
    directory: I64, inboxes: I32, now: int, log: I64, arrived: Mask, memory: U32, lead: int
) -> tuple[int, int, int]:
    """Store the flits of one transfer that an inbox holds; see :func:`collect`.

    Returns
    -------
    tuple of int
        Packets taken or :data:`NO_ROOM`, flits that had not arrived before, words written.
    """
    ints, payload, count = take_noted(directory, inboxes, now, log, -1, MEMORY)
    if count < 0:
        return count, 0, 0
    fresh, written = collect(arrived, memory, ints[6], payload, lead)
    return count, fresh, written


@compiled
def collect_block_whole(
    directory: I64, inboxes: I32, now: int, log: I64, tick: int, block: I64, arrived: Mask,
    memory: U32,
) -> tuple[int, int]:  # fmt: skip
    """Store the words of a block that a receive FIFO holds; see :func:`collect_block`.

    Returns
    -------
    tuple of int
        Packets taken in the course of ``tick``, or :data:`NO_ROOM`; how many are none of the block.
    """
    ints, payload, count = take_noted(directory, inboxes, now, log, tick, COURSE)
    if count < 0:
        return count, 0
    return count, collect_block(block, arrived, memory, ints[4], ints[2], payload)


@compiled
def send_words(
    directory: I64, words: U32, lead: int, port: int, first_ps: int, gap_ps: int, route: int,
    source: int, first_seq: int, key: int, net: int, tick: int,
) -> bool:  # fmt: skip
    """Send words, after ``lead`` empty ones, as a train of flits; return whether there was room.

    The other parameters are those of :func:`chipsim.sim.expand.train`.
    """
    count = (lead + len(words) + FLIT_WORDS - 1) // FLIT_WORDS
    payload = np.zeros((count, FLIT_WORDS), np.uint32)
    for i in range(len(words)):
        payload[(lead + i) // FLIT_WORDS, (lead + i) % FLIT_WORDS] = words[i]
    longs, ints, keys = train(
        count, port, first_ps, gap_ps, route, source, first_seq, key, net, tick
    )
    status = send(
        directory, ints[0], longs[0], longs[1], ints[1], ints[2], longs[2], keys, payload, ints[3],
        ints[4], ints[5],
    )  # fmt: skip
    return status == SENT_ALL
