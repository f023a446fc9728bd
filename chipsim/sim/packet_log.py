"""Consumed packets, held back until there is a block of them that the recorder takes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from chipsim.sim import consume
from chipsim.trace.aggregates import PACKET_COLUMNS

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
    full : bool
        Whether packets have all columns of a trace, or those that are counted.
    kind_of_net : ndarray of int8
        Code of each net's kind, and last that of packets without a net.
    has_tick : ndarray of bool, shape (kinds,)
        Which kinds belong to a tick.
    late, late_at : ndarray of int64, shape (kinds,) and (2, endpoints)
        Late packets are added to them, see :func:`chipsim.sim.consume.judged`.
    endpoint_of : ndarray of int32, shape (vertices,)
        Endpoint of each vertex.

    Attributes
    ----------
    room : int
    form : ndarray of int64
        As compiled code sees it (:mod:`chipsim.sim.consume`); the same object for ever.
    """

    def __init__(
        self,
        room: int,
        full: bool,
        kind_of_net: NDArray[np.int8],
        has_tick: NDArray[np.bool_],
        late: NDArray[np.int64],
        late_at: NDArray[np.int64],
        endpoint_of: NDArray[np.int32],
    ) -> None:
        self.room = room
        self._full = full
        self._held = np.zeros((consume.COUNTED, 0 if full else room), dtype=np.int64)
        self._longs = np.zeros((consume.LONGS, room if full else 0), dtype=np.int64)
        self._ints = np.zeros((consume.INTS, room if full else 0), dtype=np.int32)
        self.form = np.zeros(consume.LOG_FORM, dtype=np.int64)
        self._alive: dict[int, NDArray[Any]] = {
            consume.HELD: self._held,
            consume.ALL_LONGS: self._longs,
            consume.ALL_INTS: self._ints,
            consume.KIND_OF_NET: kind_of_net,
            consume.HAS_TICK: has_tick,
            consume.LATE_BY_KIND: late,
            consume.LATE_BY_END: late_at,
            consume.ENDPOINT_OF: endpoint_of,
        }
        for field, array in self._alive.items():
            self.form[field] = array.ctypes.data
        self.form[consume.ROOM], self.form[consume.FULL] = room, full
        self.form[consume.NETS], self.form[consume.KINDS] = len(kind_of_net), len(has_tick)
        self.form[consume.ENDPOINTS] = late_at.shape[1]
        self.form[consume.VERTICES] = len(endpoint_of)

    @property
    def rows(self) -> int:
        """Packets in it."""
        return self.form.item(consume.ROWS)

    def has_room(self, count: int) -> bool:
        """Return whether ``count`` more fit."""
        return self.rows + count <= self.room

    def enter(self, phase: int, batch: int) -> None:
        """Say which phase and batch the packets from now on belong to."""
        self.form[consume.NOW_PHASE], self.form[consume.NOW_BATCH] = phase, batch

    def add(self, taken: Deliveries, marks: tuple[int, int, int]) -> None:
        """Put packets behind the others; there must be room for them.

        Parameters
        ----------
        taken : Deliveries
        marks : tuple of int
            Outcome, tick that took them (-1: none) and who took them, for all of them.
        """
        consume.note(
            self.form, taken.endpoint, taken.key.view(np.int32), taken.source, taken.seq, taken.net,
            taken.tick, taken.tag, taken.injected_ps, taken.time_ps, taken.hops, taken.waited_ps,
            *marks,
        )  # fmt: skip

    def take(self) -> dict[str, NDArray[Any]]:
        """Return the columns, which are good until more is added, and forget the rows."""
        count, self.form[consume.ROWS] = self.rows, 0
        if not self._full:
            return dict(zip(PACKET_COLUMNS, self._held[:, :count], strict=True))
        columns: dict[str, NDArray[Any]] = {
            name: self._longs[row, :count] for name, row in _LONGS.items()
        }
        columns |= {name: self._ints[row, :count] for name, row in _INTS.items()}
        columns["key"] = self._ints[consume.KEY, :count].view(np.uint32)
        return columns
