"""What is drawn and counted at the grants of some channels: frames hit, detours, router visits."""

from __future__ import annotations

import numpy as np

from chipsim.compiled import inlined
from chipsim.network.compiled.bits import lowest
from chipsim.network.compiled.layout import (
    BRANCH_STRIDE,
    CHANNEL_STRIDE,
    EMERGENCY,
    ERROR_LIMIT,
    ERROR_SEED,
    FIRST_BRANCH,
    FLITS_HERE,
    LINE_STRIDE,
    MASK,
    NONE,
    PACKETS,
    RESENT,
    STAGE,
    STAGE_THERE,
    TALLY,
    TO,
    TWIN,
)
from chipsim.network.compiled.state import State

GAMMA = np.uint64(0x9E3779B97F4A7C15)
FIRST = np.uint64(0xBF58476D1CE4E5B9)
SECOND = np.uint64(0x94D049BB133111EB)
SHIFT_30 = np.uint64(30)
SHIFT_27 = np.uint64(27)
SHIFT_31 = np.uint64(31)
SHIFT_11 = np.uint64(11)


@inlined
def branch_on(net: State, copy: int, channel: int) -> int:
    """Return the number, in its stage, of the copy's first ungranted branch on the output."""
    left = net.copies[copy + MASK]
    base = net.copies[copy + STAGE] + FIRST_BRANCH
    while left != 0:
        bit = lowest(left)
        if net.stages[base + bit * BRANCH_STRIDE + TO] == channel:
            return bit
        left &= left - 1
    return NONE


@inlined
def mixed(word: np.uint64) -> np.uint64:
    """Return 64 bits that look nothing like ``word``, as :func:`chipsim.network.noise.mixed`."""
    word = word + GAMMA
    word = (word ^ (word >> SHIFT_30)) * FIRST
    word = (word ^ (word >> SHIFT_27)) * SECOND
    return word ^ (word >> SHIFT_31)


@inlined
def frames_hit(seed: int, channel: int, number: int, frames: int, limit: int) -> int:
    """Return how often frames of one packet are hit, as :func:`chipsim.network.noise.hits`."""
    state = mixed(mixed(mixed(np.uint64(seed)) ^ np.uint64(channel)) ^ np.uint64(number))
    lost = 0
    through = 0
    while through < frames:
        if np.int64(mixed(state ^ np.uint64(through + lost)) >> SHIFT_11) < limit:
            lost += 1
        else:
            through += 1
    return lost


@inlined
def note(net: State, channel: int, copy: int) -> int:
    """Count what a grant about to be made means; return the frames that will be hit."""
    stage = net.copies[copy + STAGE]
    tally = net.stages[stage + TALLY]
    if tally >= 0:
        net.tallies[tally] += 1
    line = channel // CHANNEL_STRIDE * LINE_STRIDE
    offset = FIRST_BRANCH + branch_on(net, copy, channel) * BRANCH_STRIDE
    branch = stage + offset
    twin = net.stages[stage + TWIN]
    if twin < NONE:
        plain = -2 - twin + offset
        changed = net.stages[branch + TO] != net.stages[plain + TO]
        if changed or net.stages[branch + STAGE_THERE] != net.stages[plain + STAGE_THERE]:
            net.lines[line + EMERGENCY] += 1
    limit = net.lines[line + ERROR_LIMIT]
    if limit == 0:
        return 0
    frames = net.stages[branch + FLITS_HERE]
    number = net.channels[channel + PACKETS]
    seed = net.scalars[ERROR_SEED]
    lost = frames_hit(seed, channel // CHANNEL_STRIDE, number, frames, limit)
    net.lines[line + RESENT] += lost
    return lost
