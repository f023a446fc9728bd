"""The inner loop of the spikes among what is sent: one row each, however many packets it became.

The rows wait in a log (:class:`chipsim.sim.spike_log.SpikeLog`), which compiled code finds by its
**form**: numbers, and addresses of arrays with their lengths.
"""

from __future__ import annotations

import numpy as np
from numba import carray  # type: ignore[attr-defined]
from numpy.typing import NDArray

from chipsim.compiled import compiled
from chipsim.network.compiled.state import flags, ints, words

I32 = NDArray[np.int32]
I64 = NDArray[np.int64]
U32 = NDArray[np.uint32]

FORM = 9
(
    ROWS,  # in the log
    ROOM,
    TIMES,  # addresses of the columns, shapes (room,) and (6, room)
    COLUMNS,
    BASE,  # of each net: first key, key bits that number a neuron, whether it carries spikes
    MASK,
    IS_SPIKE,
    NETS,
    NOW_BATCH,
) = range(FORM)

INTS = 6
VERTEX, NEURON, NET, TICK, BATCH, SAMPLE = range(INTS)


@compiled
def log_spikes(
    form: I64, earliest: I64, source: I32, key: U32, net: I32, tick: I32, tag: I32
) -> None:
    """Put the spikes among some sends behind those of a log, which must have room for all of them.

    Packets of one spike to several quads stand one behind the other. The columns are those of
    :class:`chipsim.network.api.Sends`.
    """
    room, nets, at = form[ROOM], form[NETS], form[ROWS]
    times = carray(words(form[TIMES]), (room,))
    columns = carray(ints(form[COLUMNS]), (INTS, room))
    base = carray(words(form[BASE]), (nets,))
    mask = carray(words(form[MASK]), (nets,))
    is_spike = carray(flags(form[IS_SPIKE]), (nets,))
    for i in range(len(key)):
        if not is_spike[net[i]]:
            continue
        again = i > 0 and key[i] == key[i - 1] and source[i] == source[i - 1]
        if again and tick[i] == tick[i - 1] and tag[i] == tag[i - 1]:
            continue
        times[at] = earliest[i]
        columns[VERTEX, at] = source[i]
        columns[NEURON, at] = (np.int64(key[i]) - base[net[i]]) & mask[net[i]]
        columns[NET, at] = net[i]
        columns[TICK, at] = tick[i]
        columns[BATCH, at] = form[NOW_BATCH]
        columns[SAMPLE, at] = tag[i]
        at += 1
    form[ROWS] = at
