"""A compiled whole step for tests: every row 0 sends the same keys."""

from __future__ import annotations

import numpy as np
from numba import njit

from chipsim.sim.whole import DONE, STATUS, begin, counts_of, finish


@njit
def echo_whole(form, tick, now, plan, offset):  # type: ignore[no-untyped-def]
    inbox, _ = begin(form, tick, now)
    if form[STATUS] != DONE:
        return
    counts_of(form)[:, 0] = 3
    count = len(offset)
    position, tag = np.zeros(count, np.int32), np.full(count, -1, np.int32)
    finish(form, plan, inbox[0], position, offset, np.zeros((count, 4), np.uint32), tag, tick)
