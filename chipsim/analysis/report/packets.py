"""What the report says of packets: latencies by kind, phase and hops, outcomes, the slowest, late.

One pass over the trace, a part at a time. What is kept grows with the distinct latencies and the
rows shown, not with the packets.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from chipsim.analysis.report.rows import (
    CURVE_POINTS,
    TABLE_ROWS,
    Cell,
    Json,
    chunks,
    codes,
    numbers,
    table_json,
)
from chipsim.analysis.run import Run
from chipsim.trace.latency import LatencyCounts

I64 = NDArray[np.int64]
QUANTILES = (
    ("min", 0.0),
    ("p1", 0.01),
    ("q25", 0.25),
    ("median", 0.5),
    ("q75", 0.75),
    ("p99", 0.99),
    ("max", 1.0),
)
"""Of each group of copies; values that occurred, of rank ceil(share * copies)."""

_NAMED = ("kind", "phase", "outcome")
_COUNTED = ("hops", "waited_ps", "injected_ps", "ended_ps", "late", "batch", "sample")
_SHOWN = ("packet_source", "packet_seq", "source", "destination", "tick_sent", "tick_consumed")
COLUMNS = (*_NAMED, *_COUNTED, *_SHOWN)

Row = dict[str, int | str]


class Group:
    """Delivered copies that have something in common."""

    def __init__(self) -> None:
        self.latency = LatencyCounts()
        self.waited_ps = 0

    def add(self, latency_ps: I64, waited_ps: I64) -> None:
        """Count some copies."""
        self.latency.add(latency_ps)
        self.waited_ps += int(waited_ps.sum())

    def as_json(self, curve: bool) -> Json:
        """Return counts, quantiles [ps], means [ps] and, if asked for, the cumulative curve."""
        values, counts = self.latency.items()
        copies = int(counts.sum())
        found: Json = {"copies": copies, "waited_ps": self.waited_ps}
        found |= {name: self.latency.quantile(q) for name, q in QUANTILES}
        found["mean"] = self.latency.mean()
        if curve:
            found["curve"] = _curve(values, counts)
        return found


class PacketPass:
    """Gathers what the report needs from all rows of packets.

    Attributes
    ----------
    by_phase : dict of (kind, phase) to Group
    by_hops : dict of (kind, hops) to Group
    ended : dict of (kind, outcome) to int
        Copies.
    late_of : dict of (kind, phase) to int
    slowest, late : list of rows
        The first :data:`chipsim.analysis.report.rows.TABLE_ROWS`.
    """

    def __init__(self, run: Run) -> None:
        self.by_phase: dict[tuple[str, str], Group] = {}
        self.by_hops: dict[tuple[str, int], Group] = {}
        self.ended: dict[tuple[str, str], int] = {}
        self.late_of: dict[tuple[str, str], int] = {}
        self.slowest: list[Row] = []
        self.late: list[Row] = []
        for chunk in chunks(run, "packets", COLUMNS):
            if chunk.num_rows:
                self._add(chunk)

    @property
    def delivered(self) -> int:
        """Copies that were delivered."""
        return sum(n for (_, outcome), n in self.ended.items() if outcome == "delivered")

    def _add(self, chunk: pa.Table) -> None:
        kind, kinds = codes(chunk, "kind")
        phase, phases = codes(chunk, "phase")
        outcome, outcomes = codes(chunk, "outcome")
        late = numbers(chunk, "late")
        for (k, o), rows in _pairs(kind, outcome):
            key = kinds[k], outcomes[o]
            self.ended[key] = self.ended.get(key, 0) + len(rows)
        for (k, p), rows in _pairs(kind, phase):
            count = int(late[rows].sum())
            self.late_of[kinds[k], phases[p]] = self.late_of.get((kinds[k], phases[p]), 0) + count
        here = np.flatnonzero(np.array(outcomes, dtype=object)[outcome] == "delivered")
        taken = numbers(chunk, "ended_ps") - numbers(chunk, "injected_ps")
        waited = numbers(chunk, "waited_ps")
        for (k, p), rows in _pairs(kind[here], phase[here]):
            group = self.by_phase.setdefault((kinds[k], phases[p]), Group())
            group.add(taken[here[rows]], waited[here[rows]])
        for (k, h), rows in _pairs(kind[here], numbers(chunk, "hops")[here]):
            other = self.by_hops.setdefault((kinds[k], h), Group())
            other.add(taken[here[rows]], waited[here[rows]])
        # Stable, so that among equal latencies the earliest end stays first.
        order = here[np.argsort(-taken[here], kind="stable")[:TABLE_ROWS]]
        rows_ = [*self.slowest, *_rows(chunk, order)]
        self.slowest = sorted(rows_, key=lambda r: -_latency(r))[:TABLE_ROWS]
        room = TABLE_ROWS - len(self.late)
        self.late += _rows(chunk, np.flatnonzero(late)[:room])

    def latency_json(self) -> list[Json]:
        """Return the groups by kind and phase, in the order in which they were met."""
        return [
            {"kind": kind, "phase": phase, **group.as_json(curve=True)}
            for (kind, phase), group in self.by_phase.items()
        ]

    def hops_json(self) -> list[Json]:
        """Return the groups by kind and hops, ascending in hops."""
        kinds = list(dict.fromkeys(kind for kind, _ in self.by_hops))
        return [
            {"kind": kind, "hops": hops, **self.by_hops[kind, hops].as_json(curve=False)}
            for kind in kinds
            for hops in sorted(h for k, h in self.by_hops if k == kind)
        ]

    def outcomes_json(self) -> Json:
        """Return copies by kind and outcome."""
        columns = [("kind", "text"), ("outcome", "text"), ("copies", "count")]
        rows: list[list[Cell]] = [[kind, outcome, n] for (kind, outcome), n in self.ended.items()]
        return table_json("How copies ended", columns, rows, len(rows))

    def slowest_json(self, run: Run) -> Json:
        """Return the table of the slowest copies."""
        columns = [
            ("packet", "text"),
            ("kind", "text"),
            ("phase", "text"),
            ("batch", "count"),
            ("from", "text"),
            ("to", "text"),
            ("hops", "count"),
            ("injected", "moment"),
            ("latency", "ps"),
            ("waited", "ps"),
        ]
        rows: list[list[Cell]] = [
            [*_name(run, r), r["hops"], r["injected_ps"], _latency(r), r["waited_ps"]]
            for r in self.slowest
        ]
        note = "chipsim inspect RUN --packet PACKET tells the life of one"
        return table_json("Slowest packets", columns, rows, self.delivered, note)

    def late_json(self, run: Run) -> Json:
        """Return the table of late copies, in the order in which they ended."""
        columns = [
            ("packet", "text"),
            ("kind", "text"),
            ("phase", "text"),
            ("batch", "count"),
            ("from", "text"),
            ("to", "text"),
            ("sent in tick", "count"),
            ("consumed in tick", "count"),
            ("latency", "ps"),
        ]
        rows: list[list[Cell]] = [
            [*_name(run, r), r["tick_sent"], r["tick_consumed"], _latency(r)] for r in self.late
        ]
        return table_json("Late packets", columns, rows, sum(self.late_of.values()))

    def lateness_json(self) -> Json:
        """Return how many copies were late, by kind and phase."""
        columns = [("kind", "text"), ("phase", "text"), ("late copies", "count")]
        rows: list[list[Cell]] = [[kind, phase, n] for (kind, phase), n in self.late_of.items()]
        return table_json("Late copies by kind and phase", columns, rows, len(rows))


def _curve(values: I64, counts: I64) -> list[list[int]]:
    """Return [latency, copies up to it] pairs: all, or those at evenly spaced ranks."""
    upto = np.cumsum(counts)
    if len(values) > CURVE_POINTS:
        ranks = np.linspace(1, int(upto[-1]), CURVE_POINTS).round().astype(np.int64)
        keep = np.unique(np.searchsorted(upto, ranks))
        values, upto = values[keep], upto[keep]
    return [[int(v), int(n)] for v, n in zip(values, upto, strict=True)]


def _pairs(one: I64, other: I64) -> list[tuple[tuple[int, int], NDArray[np.intp]]]:
    """Return the rows of each pair of codes that occurs, ascending."""
    if not len(one):
        return []
    width = int(other.max()) + 1
    pair = one * width + other
    order = np.argsort(pair, kind="stable")
    found, first = np.unique(pair[order], return_index=True)
    parts = np.split(order, first[1:])
    return [(divmod(int(p), width), rows) for p, rows in zip(found, parts, strict=True)]


def _rows(chunk: pa.Table, rows: NDArray[np.intp]) -> list[Row]:
    table = chunk.take(pa.array(rows))
    found: list[Row] = table.to_pylist()
    return found


def _latency(row: Row) -> int:
    return int(row["ended_ps"]) - int(row["injected_ps"])


def _name(run: Run, row: Row) -> list[int | str]:
    source, destination = int(row["source"]), int(row["destination"])
    return [
        f"{row['packet_source']}:{row['packet_seq']}",
        row["kind"],
        row["phase"],
        row["batch"],
        run.machine.endpoint_label(source) if source >= 0 else "outside",
        run.machine.endpoint_label(destination),
    ]
