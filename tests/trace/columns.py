"""Rows of packets for the tests of the trace package."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from chipsim.trace.schema import PACKETS

LABELS = {
    "kind": ("spike", "error"),
    "phase": ("none", "forward"),
    "outcome": ("delivered", "dropped", "overwritten"),
}


def packet_rows(count: int, seed: int = 0, span: int = 50) -> dict[str, NDArray[Any]]:
    """Return random packets with few distinct times, so that many rows end at one instant."""
    rng = np.random.default_rng(seed)
    injected = rng.integers(0, span, count)
    values = {
        "packet_source": rng.integers(0, 4, count),
        "packet_seq": rng.permutation(count),
        "key": rng.integers(0, 2**32, count),
        "kind": rng.integers(0, 2, count),
        "net": rng.integers(0, 3, count),
        "source": rng.integers(0, 4, count),
        "destination": rng.integers(0, 4, count),
        "injected_ps": injected,
        "ended_ps": injected + rng.integers(1, span, count),
        "outcome": rng.integers(0, 3, count),
        "hops": rng.integers(1, 9, count),
        "waited_ps": rng.integers(0, 9, count),
        "late": rng.integers(0, 2, count),
        "phase": rng.integers(0, 2, count),
        "tick_sent": rng.integers(0, 9, count),
        "tick_consumed": rng.integers(-1, 9, count),
        "batch": rng.integers(-1, 4, count),
        "sample": rng.integers(-1, 4, count),
    }
    return {name: values[name].astype(dtype) for name, dtype in PACKETS.dtypes().items()}


def select(rows: dict[str, NDArray[Any]], which: Any) -> dict[str, NDArray[Any]]:
    """Return some of the rows."""
    return {name: column[which] for name, column in rows.items()}


def in_order(rows: dict[str, NDArray[Any]]) -> list[dict[str, Any]]:
    """Return what a data set must hold, sorted in plain Python."""
    names = list(rows)
    plain = [
        {
            name: LABELS[name][value] if name in LABELS else value
            for name, value in zip(names, row, strict=True)
        }
        for row in zip(*(column.tolist() for column in rows.values()), strict=True)
    ]
    return sorted(plain, key=lambda row: tuple(row[name] for name in PACKETS.order))
