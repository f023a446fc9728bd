"""Spikes as events: who, which neuron, when, for which sample."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from chipsim.analysis.export.window import Window
from chipsim.analysis.run import Run
from chipsim.errors import TraceError

I64 = NDArray[np.int64]


@dataclass(frozen=True)
class Events:
    """Spikes that were sent, by time.

    A row of :data:`chipsim.trace.schema.SPIKES` is one event, however many packets and copies it
    became.

    Attributes
    ----------
    time_ps, vertex, neuron, batch, sample : ndarray of int64, shape (events,)
        Sending, vertex that fired, neuron as the trace numbers it, batch and sample (-1: none).
    neurons : dict of int to int
        For each vertex with events here: the highest neuron that it sent in the whole trace, plus
        1; neurons above it were silent.
    batch_span : dict of int to (int, int)
        First start and last end of handlers of each batch [ps].
    """

    time_ps: I64
    vertex: I64
    neuron: I64
    batch: I64
    sample: I64
    neurons: dict[int, int]
    batch_span: dict[int, tuple[int, int]]

    def __len__(self) -> int:
        return len(self.time_ps)

    def samples(self, rows: NDArray[np.intp]) -> list[tuple[int, int]]:
        """Return the (batch, sample) pairs of some events, ascending."""
        pairs = zip(self.batch[rows].tolist(), self.sample[rows].tolist(), strict=True)
        return sorted(set(pairs))


def spike_events(run: Run, window: Window) -> Events:
    """Return the spikes in a window.

    Raises
    ------
    TraceError
        If the run has no spikes traced, no spike is in the window, or there are more than
        ``window.limit``.
    """
    columns = ["time_ps", "vertex", "neuron", "batch", "sample"]
    everything = run.read("spikes", columns)
    rows = window.rows("spikes", everything)
    if not rows.num_rows:
        raise TraceError(f"{run.path}: no spike was sent in this window; give another, or none")
    window.check_size(rows.num_rows, "spikes")
    time, vertex, neuron, batch, sample = (_ints(rows, name) for name in columns)
    here = set(vertex.tolist())
    most = {
        number: highest + 1
        for number, highest in zip(*_highest(everything), strict=True)
        if number in here
    }
    return Events(time, vertex, neuron, batch, sample, most, _spans(run))


def _highest(spikes: pa.Table) -> tuple[list[int], list[int]]:
    """Return vertices, ascending, and the highest neuron of each."""
    found = spikes.group_by("vertex").aggregate([("neuron", "max")]).sort_by("vertex")
    return found["vertex"].to_pylist(), found["neuron_max"].to_pylist()


def _spans(run: Run) -> dict[int, tuple[int, int]]:
    ticks = run.read("ticks", ["batch", "start_ps", "done_ps"])
    batch, start, done = (_ints(ticks, n) for n in ("batch", "start_ps", "done_ps"))
    return {
        number: (int(start[batch == number].min()), int(done[batch == number].max()))
        for number in np.unique(batch).tolist()
    }


def _ints(table: pa.Table, name: str) -> I64:
    column: NDArray[np.generic] = table[name].to_numpy()
    return column.astype(np.int64)
