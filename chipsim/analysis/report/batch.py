"""One batch from near: its phases and handlers over time, its packets, its spikes and errors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from chipsim.analysis.report.rows import (
    BINS,
    EVENTS,
    HANDLERS,
    TABLE_ROWS,
    Cell,
    Json,
    chunks,
    codes,
    numbers,
    table_json,
)
from chipsim.analysis.run import Run

I64 = NDArray[np.int64]
RASTER_KINDS = ("spike", "error")
"""Forward and backward events: a packet sent is one event, however many copies it had."""


@dataclass
class Phase:
    """What handlers of one batch and phase did."""

    start_ps: int
    end_ps: int
    handlers: int = 0
    busy_ps: int = 0


class BatchPass:
    """Gathers phases of all batches, and the rows of one batch: the first with most phases.

    Attributes
    ----------
    phases : dict of (batch, phase) to Phase
    batch : int
        The batch that is shown; -1 where rows belong to none.
    """

    def __init__(self, run: Run) -> None:
        self.run = run
        self.phases: dict[tuple[int, str], Phase] = {}
        for chunk in chunks(run, "ticks", ("start_ps", "done_ps", "busy_ps", "phase", "batch")):
            self._add_phases(chunk)
        numbers_of: dict[int, int] = {}
        for batch, _ in self.phases:
            numbers_of[batch] = numbers_of.get(batch, 0) + 1
        most = max(numbers_of.values(), default=0)
        self.batch = min((b for b, n in numbers_of.items() if n == most), default=-1)

    @property
    def shown(self) -> dict[str, Phase]:
        """Phases of the batch that is shown, by their start."""
        found = {p: span for (b, p), span in self.phases.items() if b == self.batch}
        return dict(sorted(found.items(), key=lambda item: item[1].start_ps))

    def _add_phases(self, chunk: pa.Table) -> None:
        phase, names = codes(chunk, "phase")
        batch = numbers(chunk, "batch")
        start, done, busy = (numbers(chunk, n) for n in ("start_ps", "done_ps", "busy_ps"))
        both = np.stack([batch, phase], axis=1)
        groups, group_of = np.unique(both, axis=0, return_inverse=True)
        for number, (b, p) in enumerate(groups.tolist()):
            here = group_of.reshape(-1) == number
            first, last = int(start[here].min()), int(done[here].max())
            span = self.phases.setdefault((b, names[p]), Phase(first, last))
            span.start_ps = min(span.start_ps, first)
            span.end_ps = max(span.end_ps, last)
            span.handlers += int(here.sum())
            span.busy_ps += int(busy[here].sum())

    def phases_json(self) -> Json:
        """Return the table of what phases cost over the whole trace."""
        total: dict[str, list[int]] = {}
        for (_, name), span in self.phases.items():
            row = total.setdefault(name, [0, 0, 0, 0])
            row[0] += 1
            row[1] += span.end_ps - span.start_ps
            row[2] += span.handlers
            row[3] += span.busy_ps
        columns = [
            ("phase", "text"),
            ("batches", "count"),
            ("time", "ps"),
            ("handlers", "count"),
            ("computing, all PEs", "ps"),
        ]
        rows: list[list[Cell]] = [[name, *row] for name, row in total.items()]
        return table_json("Phases", columns, rows[:TABLE_ROWS], len(rows))

    def timeline_json(self) -> Json:
        """Return phases, handlers and packets over the time of the batch."""
        phases = self.shown
        names = list(phases)
        start = min((p.start_ps for p in phases.values()), default=0)
        end = max((p.end_ps for p in phases.values()), default=1)
        rows = self._handlers(names)
        pes, kept = _busiest(rows)
        row_of = {pe: row for row, pe in enumerate(pes)}
        handlers = [[row_of[r[0]], *r[1:]] for r in rows[kept].tolist()]
        width = max(1, -(-(end - start) // BINS))
        return {
            "batch": self.batch,
            "start": start,
            "end": end,
            "phases": [
                {"phase": n, "start": p.start_ps, "end": p.end_ps} for n, p in phases.items()
            ],
            "pes": [self.run.machine.endpoint_label(pe) for pe in pes],
            "handlers": handlers,
            "of": len(rows),
            "bin": width,
            "packets": self._packets(start, width),
        }

    def _handlers(self, phases: list[str]) -> I64:
        """Return (pe, start, done, phase, overrun) of the batch's handlers."""
        found = [np.empty((0, 5), np.int64)]
        columns = ("pe", "start_ps", "done_ps", "phase", "overrun", "batch")
        for chunk in chunks(self.run, "ticks", columns):
            mine = chunk.filter(pc.equal(chunk["batch"], self.batch))
            if not mine.num_rows:
                continue
            phase, names = codes(mine, "phase")
            place = np.array([phases.index(n) if n in phases else -1 for n in names])[phase]
            parts = [numbers(mine, n) for n in ("pe", "start_ps", "done_ps")]
            found.append(np.stack([*parts, place, numbers(mine, "overrun")], axis=1))
        return np.concatenate(found)

    def _packets(self, start: int, width: int) -> dict[str, list[int]]:
        """Return the copies of the batch that ended in each bin, by kind."""
        counts: dict[str, I64] = {}
        for chunk in chunks(self.run, "packets", ("ended_ps", "kind", "batch")):
            mine = chunk.filter(pc.equal(chunk["batch"], self.batch))
            kind, names = codes(mine, "kind")
            at = np.clip((numbers(mine, "ended_ps") - start) // width, 0, BINS - 1)
            for code in np.unique(kind).tolist():
                row = counts.setdefault(names[code], np.zeros(BINS, np.int64))
                row += np.bincount(at[kind == code], minlength=BINS)
        return {name: row.tolist() for name, row in counts.items()}

    def raster_json(self) -> Json:
        """Return the spikes and errors of one sample of the batch: the sample of its first spike.

        A row is a key of a source vertex: a neuron for spikes, a spike that is answered for
        errors. Times are those of injection.
        """
        sample: int | None = None
        found: dict[str, dict[tuple[int, int], tuple[int, int]]] = {k: {} for k in RASTER_KINDS}
        columns = ("packet_source", "packet_seq", "key", "kind", "injected_ps", "batch", "sample")
        for chunk in chunks(self.run, "packets", columns):
            mine = chunk.filter(pc.equal(chunk["batch"], self.batch))
            kinds = mine["kind"].cast(pa.string())
            if sample is None:
                first = mine.filter(pc.equal(kinds, RASTER_KINDS[0]))
                if not first.num_rows:
                    continue
                sample = int(first["sample"][0].as_py())
            mine = mine.filter(pc.equal(mine["sample"], sample))
            _gather(mine, found)
        rasters = {kind: _raster(events) for kind, events in found.items()}
        return {"batch": self.batch, "sample": sample, **rasters}


def _gather(rows: pa.Table, found: dict[str, dict[tuple[int, int], tuple[int, int]]]) -> None:
    """Keep (time, key) of packets by their identity: copies of one packet are one event."""
    for row in rows.to_pylist():
        if row["kind"] in found:
            identity = row["packet_source"], row["packet_seq"]
            found[row["kind"]].setdefault(identity, (row["injected_ps"], row["key"]))


def _raster(events: dict[tuple[int, int], tuple[int, int]]) -> Json:
    ordered = sorted((time, source, key) for (source, _), (time, key) in events.items())
    shown = ordered[:EVENTS]
    rows = sorted({(source, key) for _, source, key in shown})
    place = {row: number for number, row in enumerate(rows)}
    return {
        "events": [[time, place[source, key]] for time, source, key in shown],
        "rows": len(rows),
        "sources": len({source for source, _ in rows}),
        "of": len(ordered),
    }


def _busiest(rows: I64) -> tuple[list[int], NDArray[np.bool_]]:
    """Return the PEs to draw, ascending, and which handlers are theirs."""
    pes, counts = np.unique(rows[:, 0], return_counts=True)
    if len(rows) <= HANDLERS:
        return pes.tolist(), np.ones(len(rows), np.bool_)
    busy = np.zeros(len(pes), np.int64)
    np.add.at(busy, np.searchsorted(pes, rows[:, 0]), rows[:, 2] - rows[:, 1])
    order = np.argsort(-busy, kind="stable")
    fits = order[np.cumsum(counts[order]) <= HANDLERS]
    chosen = np.sort(pes[fits])
    return chosen.tolist(), np.isin(rows[:, 0], chosen)
