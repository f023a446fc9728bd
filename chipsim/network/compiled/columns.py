"""From the api's columns to the kernels' and back."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from chipsim.errors import NetworkError
from chipsim.network.api import PAYLOAD_WORDS, Deliveries, Hops, InFlight, PlainSends, Sends, Waits
from chipsim.network.compiled.hop_log import as_columns

I32, I64, U32 = np.int32, np.int64, np.uint32


def plain(column: NDArray[Any], dtype: type[Any]) -> NDArray[Any]:
    """Return the column as the kernels were compiled for: dtype, contiguous, writeable."""
    if column.dtype != dtype or not column.flags.c_contiguous or not column.flags.writeable:
        return np.array(column, dtype=dtype, order="C")
    return column


def of_sends(sends: Sends) -> tuple[NDArray[Any], ...]:
    """Return the columns of ``sends`` in the order of :func:`chipsim.network.compiled.script.send`.

    Raises
    ------
    NetworkError
        If the columns are not of one length.
    """
    if type(sends) is PlainSends:
        return tuple(vars(sends).values())
    rows = (
        plain(sends.port, I32),
        plain(sends.earliest_ps, I64),
        plain(sends.gap_ps, I64),
        plain(sends.route, I32),
        plain(sends.source, I32),
        plain(sends.seq, I64),
        plain(sends.key, U32),
        plain(sends.payload, U32),
        plain(sends.net, I32),
        plain(sends.tick, I32),
        plain(sends.tag, I32),
    )
    count = len(rows[0])
    if rows[7].shape != (count, PAYLOAD_WORDS) or {*map(len, rows)} != {count}:
        shapes = ", ".join(str(row.shape) for row in rows)
        raise NetworkError(
            f"send: columns of shapes {shapes}; expected ({count},) each and payload "
            f"({count}, {PAYLOAD_WORDS}); give every column one entry per row"
        )
    return rows


def deliveries(
    longs: NDArray[np.int64], ints: NDArray[np.int32], payload: NDArray[np.uint32], count: int
) -> Deliveries:
    """Return the first ``count`` rows of what a kernel has taken."""
    if count < len(payload):
        longs, ints, payload = longs[:, :count], ints[:, :count], payload[:count]
    row, endpoint, key, source, net, tick, tag, hops = ints
    seq, injected_ps, time_ps, waited_ps = longs
    # In the order of Deliveries' fields: by position it takes half the time.
    return Deliveries(
        row, endpoint, key.view(U32), payload, source, seq, net, tick, tag,
        injected_ps, time_ps, hops, waited_ps,
    )  # fmt: skip


def no_deliveries() -> Deliveries:
    """Return no rows."""
    return Deliveries(*_NOTHING)


_NOTHING = tuple(
    vars(
        deliveries(np.empty((4, 0), I64), np.empty((8, 0), I32), np.empty((0, 4), U32), 0)
    ).values()
)


def drops(
    longs: NDArray[np.int64], ints: NDArray[np.int32], payload: NDArray[np.uint32]
) -> Deliveries:
    """Return dropped copies by (time, port, source, seq, endpoint)."""
    rows = deliveries(longs, ints, payload, len(payload))
    order = np.lexsort((rows.endpoint, rows.seq, rows.source, rows.row, rows.time_ps))
    return rows.select(order)


def hops(log: NDArray[np.int64], count: int) -> Hops:
    """Return the first ``count`` rows of the hop log by (granted, channel)."""
    (seq, arrived_ps, granted_ps, far_ps), (source, net, channel) = as_columns(log, count)
    return Hops(source, seq, net, channel, arrived_ps, granted_ps, far_ps)


def no_rows(columns: int, count: int = 0) -> NDArray[np.int64]:
    """Return room for ``count`` rows that a walk fills in."""
    return np.zeros((columns, count), dtype=I64)


def in_flight(rows: NDArray[np.int64]) -> InFlight:
    """Return one row per leaf, by (port, time, source, seq)."""
    rows = rows[:, np.lexsort((rows[1], rows[0], rows[5], rows[4]))]
    rows = np.repeat(rows, rows[6], axis=1)
    return InFlight(
        source=rows[0].astype(I32),
        seq=rows[1].copy(),
        key=rows[2].astype(U32),
        net=rows[3].astype(I32),
        port=rows[4].astype(I32),
        since_ps=rows[5].copy(),
    )


def waits(rows: NDArray[np.int64]) -> Waits:
    """Return one row per copy and output, by (port, channel, credit, time, source, seq)."""
    rows = rows[:, np.lexsort(rows[::-1])]
    return Waits(
        port=rows[0].astype(I32),
        channel=rows[1].astype(I32),
        credit=rows[2].astype(np.bool_),
        since_ps=rows[3].copy(),
        source=rows[4].astype(I32),
        seq=rows[5].copy(),
    )
