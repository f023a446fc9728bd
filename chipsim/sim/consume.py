"""The inner loop of consumption: which packets were late, and what the recorder counts of each."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from chipsim.compiled import compiled

I32 = NDArray[np.int32]
I64 = NDArray[np.int64]

MEMORY, COURSE, TICK = range(3)
"""Who took the packets: a memory, a handler in the course of a tick, one that the tick started."""


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
    ``PACKET_COLUMNS``); it must have room. A handler that a tick started takes the packets of the
    tick before: others are late. One in the course of a tick is late only after that. The columns
    of ``late_at``, one an endpoint, get the number of late packets and the most ticks between
    the one that took one of them and the one that it was due in.
    """
    for i in range(len(net)):
        kind = kind_of_net[net[i]]
        is_late = False
        if taker != MEMORY and has_tick[kind]:
            due = sent[i] + 1
            is_late = due != tick if taker == TICK else due < tick
            late[kind] += is_late
            if is_late:
                late_at[0, endpoint[i]] += 1
                late_at[1, endpoint[i]] = max(late_at[1, endpoint[i]], abs(tick - due))
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
