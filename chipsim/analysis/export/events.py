"""Spikes as events: who, which neuron, when, for which sample."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from chipsim.analysis.export.window import Window
from chipsim.analysis.run import Run
from chipsim.errors import TraceError

I64 = NDArray[np.int64]


@dataclass(frozen=True)
class Events:
    """Spikes that were sent, by time.

    A packet is one event, however many copies it had. The trace knows keys and not neurons: a
    neuron's number is the rank of its key among all spike keys of its vertex in the exported part.

    Attributes
    ----------
    time_ps, vertex, neuron, batch, sample : ndarray of int64, shape (events,)
        Injection, source vertex, number within it, batch and sample (-1: none).
    neurons : dict of int to int
        Keys seen of each vertex.
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
        If the run has no packets traced, no spike is in the window, or there are more than
        ``window.limit``.
    """
    columns = ["packet_source", "packet_seq", "key", "kind", "injected_ps", "ended_ps"]
    rows = window.rows("packets", run.read("packets", [*columns, "batch", "sample"]))
    rows = rows.filter(pc.equal(rows["kind"].cast(pa.string()), "spike"))
    if not rows.num_rows:
        raise TraceError(f"{run.path}: no spike was sent in this window; give another, or none")
    vertex, seq, key, time = (_ints(rows, n) for n in (*columns[:3], "injected_ps"))
    _, first = np.unique(np.stack([vertex, seq]), axis=1, return_index=True)
    first = first[np.lexsort((key[first], vertex[first], time[first]))]
    window.check_size(len(first), "spikes")
    vertex, key = vertex[first], key[first]
    neuron, neurons = np.zeros(len(first), np.int64), {}
    for number in np.unique(vertex).tolist():
        here = vertex == number
        keys, neuron[here] = np.unique(key[here], return_inverse=True)
        neurons[number] = len(keys)
    batch, sample = _ints(rows, "batch")[first], _ints(rows, "sample")[first]
    return Events(time[first], vertex, neuron, batch, sample, neurons, _spans(run))


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
