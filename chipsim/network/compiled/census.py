"""Counts of errors, detours and monitors, from the kernels' records to the api's arrays."""

from __future__ import annotations

import numpy as np

from chipsim.machine.model import Machine, PortKind
from chipsim.network.compiled import layout as at
from chipsim.network.compiled.state import I64, State


def of(machine: Machine, state: State) -> dict[str, I64]:
    """Return the fields of :class:`chipsim.network.api.Counters` that few machines have."""
    blocked = np.zeros(machine.ports, dtype=np.int64)
    found = np.flatnonzero(machine.port_kind == PortKind.SOURCE)
    blocked[found] = state.sources[at.BLOCKED :: at.SOURCE_STRIDE][: len(found)]
    lines = state.lines.reshape(-1, at.LINE_STRIDE)[: machine.channels]
    counts = {
        "blocked_at": blocked,
        "given_up_at": state.given_up.reshape(-1, at.TYPES)[: machine.ports].copy(),
        "channel_resent": lines[:, at.RESENT].copy(),
        "channel_emergency": lines[:, at.EMERGENCY].copy(),
        "channel_given_up": lines[:, at.GIVEN_UP_HERE].copy(),
    }
    names = ("reinject_received", "reinject_missed", "reinject_overflowed", "reinjected")
    rows = np.zeros((4, machine.nodes), dtype=np.int64)
    timing = None if machine.behaviour is None else machine.behaviour.reinjection
    if timing is not None:
        monitors = state.monitors.reshape(-1, at.MONITOR_STRIDE)
        nodes = np.flatnonzero(timing.port >= 0).tolist()
        for node, monitor in zip(nodes, monitors, strict=True):
            received = int(monitor[at.RECEIVED])
            again = received - _held(state, int(monitor[at.MONITOR_PORT]))
            rows[:, node] = received, monitor[at.MISSED], monitor[at.OVERFLOWED], again
    return counts | dict(zip(names, rows, strict=True))


def _held(state: State, port: int) -> int:
    """Return how many packets a monitor has read and not sent again."""
    now = state.scalars.item(at.NOW)
    copy = state.ports.item(port + at.HEAD)
    count = 0
    while copy >= 0:
        count += state.copies.item(copy + at.ARRIVED) > now
        copy = state.copies.item(copy + at.AFTER)
    return count
