"""The inner loop of consumption: which packets were late, and what the recorder counts of each."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from chipsim.compiled import compiled, inlined

I32 = NDArray[np.int32]
I64 = NDArray[np.int64]

MEMORY, COURSE, TICK = range(3)
"""Who took the packets: a memory, a handler in the course of a tick, one that the tick started."""


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


@compiled
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


@compiled
def log_consumed(
    longs: I64,
    ints: I32,
    at: int,
    kind_of_net: NDArray[np.int8],
    has_tick: NDArray[np.bool_],
    late: I64,
    late_at: I64,
    endpoint_of: I32,
    endpoint: I32,
    key: NDArray[np.uint32],
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
    longs, ints : ndarray of int64, shape (4, rows), and of int32, shape (14, rows)
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
        longs[SEQ, at] = seq[i]
        longs[INJECTED, at] = injected[i]
        longs[ENDED, at] = time[i]
        longs[WAITED, at] = waited[i]
        ints[SOURCE_VERTEX, at] = source[i]
        ints[KEY, at] = np.int32(key[i])
        ints[KIND, at] = kind
        ints[NET, at] = net[i]
        ints[SOURCE, at] = endpoint_of[source[i]]
        ints[DESTINATION, at] = endpoint[i]
        ints[OUTCOME, at] = outcome
        ints[HOPS, at] = hops[i]
        ints[LATE, at] = is_late
        ints[PHASE, at] = phase
        ints[TICK_SENT, at] = sent[i]
        ints[TICK_CONSUMED, at] = tick
        ints[BATCH, at] = batch
        ints[SAMPLE, at] = tag[i] if has_tick[kind] else -1
        at += 1
