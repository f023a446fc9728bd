"""The inner loop of consumption: which packets were late, and what the recorder gets of each.

The rows wait in a log (:class:`chipsim.sim.packet_log.PacketLog`), which compiled code finds by its
**form**: numbers, and addresses of arrays with their lengths.
"""

from __future__ import annotations

import numpy as np
from numba import carray  # type: ignore[attr-defined]
from numpy.typing import NDArray

from chipsim.compiled import compiled, inlined
from chipsim.network.compiled.state import flags, ints, octets, words

I32 = NDArray[np.int32]
I64 = NDArray[np.int64]

MEMORY, COURSE, TICK = range(3)
"""Who took the packets: a memory, a handler in the course of a tick, one that the tick started."""
DELIVERED = 0


@inlined
def judged(
    late: I64, late_at: I64, kind: int, endpoint: int, due: int, tick: int, taker: int
) -> bool:
    """Return whether a packet due in tick ``due`` was taken late, and count it if so.

    A handler that a tick started takes the packets of the tick before: others are late. One in the
    course of a tick is late only after that. ``late`` counts by kind; the columns of ``late_at``,
    one an endpoint, get the number of late packets and the most ticks between the one that took
    one of them and the one that it was due in.
    """
    is_late = due != tick if taker == TICK else due < tick
    if is_late:
        late[kind] += 1
        late_at[0, endpoint] += 1
        late_at[1, endpoint] = max(late_at[1, endpoint], abs(tick - due))
    return is_late


@inlined
def note_consumed(
    held: I64,
    at: int,
    kind_of_net: NDArray[np.int8],
    has_tick: NDArray[np.bool_],
    late: I64,
    late_at: I64,
    net: I32,
    endpoint: I32,
    sent: I32,
    injected: I64,
    time: I64,
    hops: I32,
    waited: I64,
    outcome: int,
    tick: int,
    taker: int,
) -> None:
    """Write packets into ``held`` from column ``at`` on, and count the late ones by kind.

    The rows of ``held`` are kind, injected, ended, outcome, hops, waited, late (in the order of
    ``PACKET_COLUMNS``); it must have room. ``late`` and ``late_at`` are those of :func:`judged`.
    """
    for i in range(len(net)):
        kind = kind_of_net[net[i]]
        is_late = False
        if taker != MEMORY and has_tick[kind]:
            is_late = judged(late, late_at, kind, endpoint[i], sent[i] + 1, tick, taker)
        held[0, at] = kind
        held[1, at] = injected[i]
        held[2, at] = time[i]
        held[3, at] = outcome
        held[4, at] = hops[i]
        held[5, at] = waited[i]
        held[6, at] = is_late
        at += 1


@compiled
def count_kinds(counts: I64, kind_of_net: NDArray[np.int8], net: I32) -> None:
    """Add packets of the nets ``net`` to the counts by kind."""
    for i in range(len(net)):
        counts[kind_of_net[net[i]]] += 1


LONGS = 4
SEQ, INJECTED, ENDED, WAITED = range(LONGS)
INTS = 14
(
    SOURCE_VERTEX,
    KEY,
    KIND,
    NET,
    SOURCE,
    DESTINATION,
    OUTCOME,
    HOPS,
    LATE,
    PHASE,
    TICK_SENT,
    TICK_CONSUMED,
    BATCH,
    SAMPLE,
) = range(INTS)


@inlined
def log_consumed(
    wide: I64,
    narrow: I32,
    at: int,
    kind_of_net: NDArray[np.int8],
    has_tick: NDArray[np.bool_],
    late: I64,
    late_at: I64,
    endpoint_of: I32,
    endpoint: I32,
    key: I32,
    source: I32,
    seq: I64,
    net: I32,
    sent: I32,
    tag: I32,
    injected: I64,
    time: I64,
    hops: I32,
    waited: I64,
    outcome: int,
    tick: int,
    taker: int,
    phase: int,
    batch: int,
) -> None:
    """Write packets with all that a trace has of them, from column ``at`` on, which must exist.

    Parameters
    ----------
    wide, narrow : ndarray of int64, shape (4, rows), and of int32, shape (14, rows)
        The columns named above.
    endpoint_of : ndarray of int32, shape (vertices,)
        Endpoint of each source vertex.
    late, late_at
        As for :func:`judged`.
    """
    for i in range(len(net)):
        kind = kind_of_net[net[i]]
        is_late = False
        if taker != MEMORY and has_tick[kind]:
            is_late = judged(late, late_at, kind, endpoint[i], sent[i] + 1, tick, taker)
        wide[SEQ, at] = seq[i]
        wide[INJECTED, at] = injected[i]
        wide[ENDED, at] = time[i]
        wide[WAITED, at] = waited[i]
        narrow[SOURCE_VERTEX, at] = source[i]
        narrow[KEY, at] = key[i]
        narrow[KIND, at] = kind
        narrow[NET, at] = net[i]
        narrow[SOURCE, at] = endpoint_of[source[i]]
        narrow[DESTINATION, at] = endpoint[i]
        narrow[OUTCOME, at] = outcome
        narrow[HOPS, at] = hops[i]
        narrow[LATE, at] = is_late
        narrow[PHASE, at] = phase
        narrow[TICK_SENT, at] = sent[i]
        narrow[TICK_CONSUMED, at] = tick
        narrow[BATCH, at] = batch
        narrow[SAMPLE, at] = tag[i] if has_tick[kind] else -1
        at += 1


COUNTED = 7
"""Columns of what is counted: those of ``PACKET_COLUMNS``."""
LOG_FORM = 17
(
    ROWS,  # in the log
    ROOM,
    FULL,  # 1: packets have all columns of a trace; 0: those that are counted
    HELD,  # address of the counted columns, shape (7, room)
    ALL_LONGS,  # addresses of all columns, shapes (4, room) and (14, room)
    ALL_INTS,
    KIND_OF_NET,
    NETS,
    HAS_TICK,
    KINDS,
    LATE_BY_KIND,
    LATE_BY_END,
    ENDPOINTS,
    ENDPOINT_OF,
    VERTICES,
    NOW_PHASE,
    NOW_BATCH,
) = range(LOG_FORM)


@inlined
def has_room(log: I64, count: int) -> bool:
    """Return whether ``count`` more packets fit into a log."""
    return bool(log[ROWS] + count <= log[ROOM])


@compiled
def note(
    log: I64, endpoint: I32, key: I32, source: I32, seq: I64, net: I32, sent: I32, tag: I32,
    injected: I64, time: I64, hops: I32, waited: I64, outcome: int, tick: int, taker: int,
) -> None:  # fmt: skip
    """Put packets behind those of a log, which must have room.

    Parameters
    ----------
    log : ndarray of int64
        The log's form.
    outcome, tick, taker : int
        How they ended, the tick that took them (-1: none) and who took them, for all of them.

    The other parameters are columns of :class:`chipsim.network.api.Deliveries`.
    """
    room, kinds = log[ROOM], log[KINDS]
    kind_of_net = carray(octets(log[KIND_OF_NET]), (log[NETS],))
    has_tick = carray(flags(log[HAS_TICK]), (kinds,))
    late = carray(words(log[LATE_BY_KIND]), (kinds,))
    late_at = carray(words(log[LATE_BY_END]), (2, log[ENDPOINTS]))
    if log[FULL]:
        log_consumed(
            carray(words(log[ALL_LONGS]), (LONGS, room)), carray(ints(log[ALL_INTS]), (INTS, room)),
            log[ROWS], kind_of_net, has_tick, late, late_at,
            carray(ints(log[ENDPOINT_OF]), (log[VERTICES],)),
            endpoint, key, source, seq, net, sent, tag, injected, time, hops, waited,
            outcome, tick, taker, log[NOW_PHASE], log[NOW_BATCH],
        )  # fmt: skip
    else:
        note_consumed(
            carray(words(log[HELD]), (COUNTED, room)), log[ROWS], kind_of_net, has_tick, late,
            late_at, net, endpoint, sent, injected, time, hops, waited, outcome, tick, taker,
        )  # fmt: skip
    log[ROWS] += len(net)


@inlined
def note_taken(log: I64, longs: I64, columns: I32, count: int, tick: int, taker: int) -> None:
    """Do :func:`note` with the first ``count`` rows of what
    :func:`chipsim.network.compiled.inbox.take_rows` returns.
    """
    note(
        log, columns[1, :count], columns[2, :count], columns[3, :count], longs[0, :count],
        columns[4, :count], columns[5, :count], columns[6, :count], longs[1, :count],
        longs[2, :count], columns[7, :count], longs[3, :count], DELIVERED, tick, taker,
    )  # fmt: skip
