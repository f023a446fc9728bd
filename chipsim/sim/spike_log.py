"""Spikes that were sent, held back until there is a block of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from chipsim.sim import spikes

if TYPE_CHECKING:
    from chipsim.network.api import Sends

_COLUMNS = {
    "vertex": spikes.VERTEX,
    "neuron": spikes.NEURON,
    "net": spikes.NET,
    "tick": spikes.TICK,
    "batch": spikes.BATCH,
    "sample": spikes.SAMPLE,
}


class SpikeLog:
    """Spikes of many sends, as columns for :meth:`chipsim.trace.recorder.Recorder.spikes`.

    Parameters
    ----------
    room : int
        The most rows, as long as no call asks for more.
    base, mask : ndarray of int64, shape (nets,)
        First key of each net, and the key bits that number its neurons.
    is_spike : ndarray of bool, shape (nets,)

    Attributes
    ----------
    form : ndarray of int64
        As compiled code sees it (:mod:`chipsim.sim.spikes`); the same object for ever.
    """

    def __init__(
        self,
        room: int,
        base: NDArray[np.int64],
        mask: NDArray[np.int64],
        is_spike: NDArray[np.bool_],
    ) -> None:
        self._known = (base, mask, is_spike)
        self.form = np.zeros(spikes.FORM, dtype=np.int64)
        fields = (spikes.BASE, spikes.MASK, spikes.IS_SPIKE)
        for field, array in zip(fields, self._known, strict=True):
            self.form[field] = array.ctypes.data
        self.form[spikes.NETS] = len(is_spike)
        self._grow(room)

    @property
    def rows(self) -> int:
        """Spikes in it."""
        return int(self.form[spikes.ROWS])

    def has_room(self, count: int) -> bool:
        """Return whether ``count`` more fit."""
        return bool(self.form[spikes.ROWS] + count <= self.form[spikes.ROOM])

    def make_room(self, count: int) -> None:
        """Grow until ``count`` spikes fit; there must be none now."""
        if count > self.form[spikes.ROOM]:
            self._grow(count)

    def enter(self, batch: int) -> None:
        """Say which batch the spikes from now on belong to."""
        self.form[spikes.NOW_BATCH] = batch

    def add(self, sends: Sends) -> None:
        """Put the spikes among some sends behind the others; there must be room for all of them."""
        spikes.log_spikes(
            self.form,
            np.asarray(sends.earliest_ps, np.int64),
            np.asarray(sends.source, np.int32),
            np.asarray(sends.key, np.uint32),
            np.asarray(sends.net, np.int32),
            np.asarray(sends.tick, np.int32),
            np.asarray(sends.tag, np.int32),
        )

    def take(self) -> dict[str, NDArray[Any]]:
        """Return the columns, which are good until more is added, and forget the rows."""
        count, self.form[spikes.ROWS] = self.rows, 0
        columns: dict[str, NDArray[Any]] = {"time_ps": self._times[:count]}
        return columns | {name: self._ints[row, :count] for name, row in _COLUMNS.items()}

    def _grow(self, room: int) -> None:
        self._times = np.zeros(room, dtype=np.int64)
        self._ints = np.zeros((spikes.INTS, room), dtype=np.int32)
        self.form[spikes.TIMES] = self._times.ctypes.data
        self.form[spikes.COLUMNS] = self._ints.ctypes.data
        self.form[spikes.ROOM] = room
