"""The timing wheel against a sorted list: whatever the times, events come in order."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import numba
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from chipsim.network.api import NetworkOptions
from chipsim.network.compiled import layout as at
from chipsim.network.compiled.build import first_state
from chipsim.network.compiled.memory import Memory
from chipsim.network.compiled.queue import (
    CODE_BITS,
    free_event,
    move_to,
    next_event_time,
    push,
    spare_events,
    take_instant,
    take_near,
)
from chipsim.network.compiled.state import I64, opened
from tests.network_compiled.compiled_rig import star

POP = -1


def _play(directory: I64, delays: I64, got: I64) -> int:
    """Push an event per delay after the present; a delay of -1 takes the next instant instead."""
    net = opened(directory)
    now = 0
    count = 0
    for number in range(len(delays)):
        if delays[number] != -1:
            push(net, now + delays[number], number)
            continue
        time = next_event_time(net)
        if time == at.NEVER:
            now += 777
            move_to(net, now)
            continue
        now = time
        event = take_instant(net, time)
        while event >= 0:
            code = net.events[event * at.EVENT_STRIDE + at.CODE]
            free_event(net, event)
            got[count, 0] = time
            got[count, 1] = code & CODE_BITS
            count += 1
            event = code >> 32
            if event < 0:
                event = take_near(net, time)
    return count


def _spare(directory: I64) -> int:
    return spare_events(opened(directory))


play = cast("Callable[[I64, I64, I64], int]", numba.njit(_play))
spare = cast("Callable[[I64], int]", numba.njit(_spare))


def expected(delays: list[int]) -> list[tuple[int, int]]:
    pending: list[tuple[int, int]] = []
    got: list[tuple[int, int]] = []
    now = 0
    for number, delay in enumerate(delays):
        if delay != POP:
            pending.append((now + delay, number))
        elif not pending:
            now += 777
        else:
            now = min(pending)[0]
            got += sorted(event for event in pending if event[0] == now)
            pending = [event for event in pending if event[0] != now]
    return got


def by_instant(events: list[list[int]]) -> list[tuple[int, int]]:
    """Sort the events of each instant, whose order is free; instants must be in order."""
    times = [time for time, _ in events]
    assert times == sorted(times)
    return sorted((time, number) for time, number in events)


SLOT = 8  # the machine's smallest delay is 10 ps
HORIZON = SLOT * at.SLOTS
delays = st.one_of(
    st.just(POP),
    st.just(POP),
    st.integers(1, 3),
    st.integers(1, 3 * SLOT),
    st.sampled_from([SLOT, 2 * SLOT, 64 * SLOT, 100, 1000]),
    st.integers(HORIZON - 2 * SLOT, HORIZON + 2 * SLOT),
    st.integers(1, 20 * HORIZON),
)


@settings(max_examples=300)
@given(st.lists(delays, max_size=120))
def test_events_come_in_order_of_time(script: list[int]) -> None:
    script = script + [POP] * len(script)
    memory = Memory(first_state(star(2), NetworkOptions()))
    memory.grow_events(len(script))
    before = spare(memory.directory)
    assert 1 << int(memory.state.scalars[at.SHIFT]) == SLOT
    got = np.zeros((len(script), 2), dtype=np.int64)
    count = play(memory.directory, np.array(script, dtype=np.int64), got)
    assert by_instant(got[:count].tolist()) == expected(script)
    assert spare(memory.directory) == before, "an event's record was lost"


def test_the_slot_is_at_most_the_smallest_delay_and_the_horizon_spans_the_longest() -> None:
    shift = int(first_state(star(1, latency=9), NetworkOptions()).scalars[at.SHIFT])
    assert 1 << shift == 8
    shift = int(first_state(star(1, latency=10**7), NetworkOptions()).scalars[at.SHIFT])
    assert (1 << shift) * at.SLOTS > 10**7
    state = first_state(star(1, latency=10**12), NetworkOptions())
    assert len(state.near) < 70_000, "longer delays wait in the far heap"
