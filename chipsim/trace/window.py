"""Which part of a run is written to its trace."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from chipsim.errors import TraceError
from chipsim.trace.rows import Rows
from chipsim.trace.schema import TraceSchema
from chipsim.units import FOREVER


@dataclass(frozen=True)
class Window:
    """Which rows are written; counts are over all rows. Empty tuples mean no limit.

    Attributes
    ----------
    start_ps, end_ps : int
        Rows whose end (packets, ticks), grant (hops) or window's end (channels) lies in
        [start, end) [ps].
    first_batch, last_batch : int
        Batches, both included; rows without a batch (-1) are kept only without this limit. Rows
        that name no batch are kept by when they happened (:meth:`takes_batch`).
    vertices : tuple of int
        Source vertices of packets and hops; vertices of spikes and samples.
    kinds : tuple of str
        Kinds of packets and hops.
    channels : tuple of int
        Channels of hops and of windows of channels.
    """

    start_ps: int = 0
    end_ps: int = FOREVER
    first_batch: int | None = None
    last_batch: int | None = None
    vertices: tuple[int, ...] = ()
    kinds: tuple[str, ...] = ()
    channels: tuple[int, ...] = ()

    @property
    def limits_batches(self) -> bool:
        """Whether some batches are left out."""
        return self.first_batch is not None or self.last_batch is not None

    def takes_batch(self, batch: int) -> bool:
        """Return whether the rows of a batch (-1: of none) are written."""
        if self.first_batch is not None and batch < self.first_batch:
            return False
        return self.last_batch is None or 0 <= batch <= self.last_batch

    def check(self, vertices: int, channels: int) -> None:
        """Refuse numbers that no vertex or channel of a run has.

        Raises
        ------
        TraceError
        """
        for name, numbers, count in (
            ("vertices", self.vertices, vertices),
            ("channels", self.channels, channels),
        ):
            for number in numbers:
                if not 0 <= number < count:
                    raise TraceError(
                        f"trace.{name}: got {number}, expected numbers from 0 to {count - 1}, "
                        f"those of the run's {name}"
                    )

    def select(self, schema: TraceSchema, rows: Rows, kinds: tuple[str, ...]) -> Rows:
        """Return the rows in the window; limits on columns a data set has not do nothing."""
        if self == _WHOLE:
            return rows
        keep = self._mask(schema, rows, kinds)
        return rows if keep.all() else {name: column[keep] for name, column in rows.items()}

    def _mask(self, schema: TraceSchema, rows: Rows, kinds: tuple[str, ...]) -> NDArray[np.bool_]:
        time = rows[schema.time]
        keep: NDArray[np.bool_] = (time >= self.start_ps) & (time < self.end_ps)
        if "batch" in rows:
            if self.first_batch is not None:
                keep &= rows["batch"] >= self.first_batch
            if self.last_batch is not None:
                keep &= (rows["batch"] <= self.last_batch) & (rows["batch"] >= 0)
        for column in ("packet_source", "vertex"):
            if self.vertices and column in rows:
                keep &= np.isin(rows[column], self.vertices)
        if self.channels and "channel" in rows:
            keep &= np.isin(rows["channel"], self.channels)
        if self.kinds and "kind" in rows:
            keep &= np.isin(rows["kind"], [kinds.index(name) for name in self.kinds])
        return keep


_WHOLE = Window()
