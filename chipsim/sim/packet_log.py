"""Consumed packets with all that a trace has of them, held back until there is a block of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from chipsim.sim import consume

if TYPE_CHECKING:
    from chipsim.network.api import Deliveries

_LONGS = {
    "packet_seq": consume.SEQ,
    "injected_ps": consume.INJECTED,
    "ended_ps": consume.ENDED,
    "waited_ps": consume.WAITED,
}
_INTS = {
    "packet_source": consume.SOURCE_VERTEX,
    "kind": consume.KIND,
    "net": consume.NET,
    "source": consume.SOURCE,
    "destination": consume.DESTINATION,
    "outcome": consume.OUTCOME,
    "hops": consume.HOPS,
    "late": consume.LATE,
    "phase": consume.PHASE,
    "tick_sent": consume.TICK_SENT,
    "tick_consumed": consume.TICK_CONSUMED,
    "batch": consume.BATCH,
    "sample": consume.SAMPLE,
}


class PacketLog:
    """Packets of many calls, as columns for :meth:`chipsim.trace.recorder.Recorder.packets`.

    Parameters
    ----------
    room : int
        The most rows.
    kind_of_net : ndarray of int8
        Code of each net's kind, and last that of packets without a net.
    has_tick : ndarray of bool, shape (kinds,)
        Which kinds belong to a tick.
    late, late_at : ndarray of int64, shape (kinds,) and (2, endpoints)
        Late packets are added to them, see :func:`chipsim.sim.consume.judged`.
    endpoint_of : ndarray of int32, shape (vertices,)
        Endpoint of each vertex.
    """

    def __init__(
        self,
        room: int,
        kind_of_net: NDArray[np.int8],
        has_tick: NDArray[np.bool_],
        late: NDArray[np.int64],
        late_at: NDArray[np.int64],
        endpoint_of: NDArray[np.int32],
    ) -> None:
        self._known = (kind_of_net, has_tick, late, late_at, endpoint_of)
        self._longs = np.zeros((consume.LONGS, room), dtype=np.int64)
        self._ints = np.zeros((consume.INTS, room), dtype=np.int32)

    def add(
        self, at: int, taken: Deliveries, marks: tuple[int, int, int], phase: int, batch: int
    ) -> None:
        """Put packets behind the first ``at`` rows.

        Parameters
        ----------
        at : int
        taken : Deliveries
        marks : tuple of int
            Outcome, tick that took them (-1: none) and who took them, for all of them.
        phase, batch : int
        """
        consume.log_consumed(
            self._longs, self._ints, at, *self._known,
            taken.endpoint, taken.key, taken.source, taken.seq, taken.net, taken.tick, taken.tag,
            taken.injected_ps, taken.time_ps, taken.hops, taken.waited_ps,
            *marks, phase, batch,
        )  # fmt: skip

    def columns(self, count: int) -> dict[str, NDArray[Any]]:
        """Return the first ``count`` rows as views of columns."""
        columns: dict[str, NDArray[Any]] = {
            name: self._longs[row, :count] for name, row in _LONGS.items()
        }
        columns |= {name: self._ints[row, :count] for name, row in _INTS.items()}
        columns["key"] = self._ints[consume.KEY, :count].view(np.uint32)
        return columns
