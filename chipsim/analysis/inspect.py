"""The answers of a run as sections of tables: what ``chipsim inspect`` prints.

A section is a title, an Arrow table, and what people need to know to read it. One that the trace
cannot answer says which level it needs instead of being left out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from chipsim.analysis import late
from chipsim.analysis.groups import by_value
from chipsim.analysis.run import Run
from chipsim.analysis.slowest import packet_copies
from chipsim.errors import TraceError, did_you_mean
from chipsim.trace.schema import SCHEMAS


@dataclass(frozen=True)
class Section:
    """One answer.

    Attributes
    ----------
    name, title : str
    table : pyarrow.Table or None
        None where the trace cannot answer; ``note`` says why.
    shown : tuple of str
        The columns that are printed for people; all of them are in the JSON.
    note : str
        One line below the table.
    rows : int
        Rows of the whole answer, of which ``table`` may hold the first.
    """

    name: str
    title: str
    table: pa.Table | None
    shown: tuple[str, ...] = ()
    note: str = ""
    rows: int = 0

    def as_json(self) -> dict[str, Any]:
        """Return it as plain values."""
        rows = None if self.table is None else self.table.to_pylist()
        return {"title": self.title, "rows": rows, "of": self.rows, "note": self.note}


LATENCY = ("copies", "median_ps", "p99_ps", "max_ps", "mean_waited_ps")


def sections(
    run: Run, names: Sequence[str] = (), by: Sequence[str] = ("kind", "phase"), top: int = 5
) -> list[Section]:
    """Return the answers ``names`` (all of :data:`QUESTIONS`, if none are named), in that order.

    Parameters
    ----------
    run : Run
    names : sequence of str
    by : sequence of str
        What latencies are grouped by, as of :func:`chipsim.analysis.latency.latency`.
    top : int
        Rows of lists that have a first.

    Raises
    ------
    TraceError
        For an unknown name, a broken trace, or, where names were given, a question that the trace
        cannot answer.
    """
    if top < 1:
        raise TraceError(f"got {top} rows to show, expected at least 1")
    for name in names:
        if name not in QUESTIONS:
            hint = did_you_mean(name, QUESTIONS)
            raise TraceError(f"no question {name!r}{hint}; there are {', '.join(QUESTIONS)}")
    found = []
    for name in names or QUESTIONS:
        needs, answer = QUESTIONS[name]
        missing = [need for need in needs if need not in run.datasets]
        if missing and not names:
            need = "hops" if "hops" in missing else missing[0]
            note = f"needs {SCHEMAS[need].directory}: {run.why_not(need)}"
            found.append(Section(name, name, None, note=note))
        else:
            found.append(answer(run, by, top))
    return found


def packet_sections(run: Run, source: int, seq: int) -> list[Section]:
    """Return one packet's life: its copies, and every grant that it got.

    Raises
    ------
    TraceError
        If the run has no hops traced, or no such packet.
    """
    life = run.packet(source, seq)
    copies = packet_copies(run, source, seq)
    first = copies.slice(0, 1).to_pylist()[0]
    what = f"{first['kind']} from {first['from']}, phase {first['phase']}, batch {first['batch']}"
    columns = (
        "to",
        "outcome",
        "injected_ps",
        "ended_ps",
        "latency_ps",
        "hops",
        "waited_ps",
        "late",
    )
    steps = ("hop", "name", "arrived_ps", "waited_ps", "granted_ps", "far_ps")
    return [
        Section("copies", f"packet {source}:{seq}: {what}", copies, columns, rows=len(copies)),
        Section("hops", "hop by hop", life, steps, rows=len(life)),
    ]


Answer = Callable[[Run, Sequence[str], int], Section]


def _latency(run: Run, by: Sequence[str], top: int) -> Section:
    table = run.latency(by)
    keys = list(table.column_names[: table.column_names.index("copies")])
    # The endpoints' names say what their numbers do.
    keys = [k for k in keys if not (k in ("source", "destination") and {"from", "to"} & set(keys))]
    limit = len(table) if len(table) <= max(top, 24) else top
    head = table if limit == len(table) else table.take(_largest(table, "p99_ps", limit))
    note = "" if limit == len(table) else f"the {limit} of {len(table):,} with the longest p99"
    title = f"latency by {', '.join(by)}" if by else "latency"
    return Section("latency", title, head, (*keys, *LATENCY), note, len(table))


def _slowest(run: Run, by: Sequence[str], top: int) -> Section:
    table = run.slowest(top)
    names = [f"{row['packet_source']}:{row['packet_seq']}" for row in table.to_pylist()]
    table = table.add_column(0, "packet", pa.array(names, pa.string()))
    columns = ("packet", "kind", "from", "to", "hops", "latency_ps", "waited_ps")
    note = "chipsim inspect RUN --packet PACKET tells the life of one"
    return Section("slowest", "slowest packets", table, columns, note, run.rows("packets"))


def _waited(run: Run, by: Sequence[str], top: int) -> Section:
    table = run.where_waited(top)
    table = table.take(_largest(table, "waited_ps", len(table)))
    table = table.filter(pc.greater(table["waited_ps"], 0))
    names = [f"{row['packet_source']}:{row['packet_seq']}" for row in table.to_pylist()]
    table = table.add_column(0, "packet", pa.array(names, pa.string()))
    head = table.slice(0, 2 * top)
    columns = ("packet", "hop", "name", "waited_ps")
    return Section("waited", "where the slowest packets waited", head, columns, "", len(table))


def _channels(run: Run, by: Sequence[str], top: int) -> Section:
    table = run.hottest_channels()
    columns = ("name", "packets", "busy_ps", "busy_share", "peak_share", "queue_peak")
    head = table.slice(0, top)
    return Section("channels", "hottest channels", head, columns, "", len(table))


def _users(run: Run, by: Sequence[str], top: int) -> Section:
    table = run.channel_users(1)
    columns = ("name", "kind", "from", "packets", "share", "waited_ps")
    title = "who loads the hottest channel"
    return Section("users", title, table.slice(0, top), columns, "", len(table))


def _queues(run: Run, by: Sequence[str], top: int) -> Section:
    table = run.channel_waits()
    columns = ("name", "grants", "waited_ps", "mean_waited_ps", "max_waited_ps")
    title = "channels that packets waited for longest"
    return Section("queues", title, table.slice(0, top), columns, "", len(table))


def _pes(run: Run, by: Sequence[str], top: int) -> Section:
    table = run.pe_use()
    head = table.take(_largest(table, "busy_ps", top))
    over = sum(table["overruns"].to_pylist())
    shown = ("name", "handlers", "busy_ps", "use", "longest_ps", "packets_in", "packets_out")
    note = f"{over:,} overruns in {sum(table['handlers'].to_pylist()):,} handlers of all PEs"
    columns = (*shown, "fifo_peak", "overruns")
    return Section("pes", "busiest PEs", head, columns, note, len(table))


def _operations(run: Run, by: Sequence[str], top: int) -> Section:
    table = run.cycles_by_operation()
    title = "what the PEs computed"
    columns = ("operation", "cycles", "share")
    return Section("operations", title, table.slice(0, top), columns, "", len(table))


def _late(run: Run, by: Sequence[str], top: int) -> Section:
    table = run.lateness()
    told = [f"{value:,} {name.replace('_', ' ')}" for name, value in late.effects(run).items()]
    columns = ("kind", "phase", "copies", "late", "share", "mean_ticks", "most_ticks")
    note = f"the run counts {', '.join(told)}" if told else ""
    return Section("late", "late packets", table, columns, note, len(table))


def _cost(run: Run, by: Sequence[str], top: int) -> Section:
    table = run.phase_cost()
    samples = run.sample_cost()
    note = ""
    if len(samples):
        mean = sum(samples["copies"].to_pylist()) / len(samples)
        note = f"{len(samples):,} samples with {mean:,.1f} copies each in the mean"
    columns = ("phase", "copies", "routers", "waited_ps", "handlers", "busy_ps")
    return Section("cost", "what the phases cost", table, columns, note, len(table))


QUESTIONS: Mapping[str, tuple[tuple[str, ...], Answer]] = {
    "latency": (("packets",), _latency),
    "slowest": (("packets",), _slowest),
    "waited": (("packets", "hops"), _waited),
    "channels": (("channels",), _channels),
    "users": (("packets", "hops", "channels"), _users),
    "queues": (("hops",), _queues),
    "pes": (("ticks",), _pes),
    "operations": (("ticks",), _operations),
    "late": (("packets",), _late),
    "cost": (("packets", "ticks"), _cost),
}
"""Name -> the data sets that it needs, and the function that answers."""


def render(section: Section) -> str:
    """Return a section as text: a title, aligned columns, a note."""
    lines = [section.title]
    if section.table is not None:
        lines += _aligned(section.table.select(list(section.shown)))
        if 0 < len(section.table) < section.rows and not section.note:
            lines.append(f"  … {section.rows:,} in all")
    if section.note:
        lines.append(f"  {section.note}")
    return "\n".join(lines)


def _aligned(table: pa.Table) -> list[str]:
    if not len(table):
        return ["  none"]
    columns = [_printed(name, table[name].to_pylist()) for name in table.column_names]
    widths = [max(map(len, cells)) for cells, _ in columns]
    lines = []
    for row in range(len(table) + 1):
        cells = [
            cell[row].rjust(width) if right else cell[row].ljust(width)
            for (cell, right), width in zip(columns, widths, strict=True)
        ]
        lines.append(f"  {'  '.join(cells)}".rstrip())
    return lines


def _printed(name: str, values: list[Any]) -> tuple[list[str], bool]:
    """Return a column as text, its heading first, and whether it is of numbers."""
    label = name.removesuffix("_ps").replace("_", " ")
    if name.endswith("_ps"):
        largest = max((abs(value) for value in values), default=0)
        # Moments in a run are long numbers that are compared digit by digit: never rounded.
        exact = name in ("injected_ps", "ended_ps", "arrived_ps", "granted_ps", "far_ps")
        if exact or largest < 10**7:
            return [f"{label} [ns]", *(f"{v / 1e3:,.{3 if exact else 1}f}" for v in values)], True
        return [f"{label} [us]", *(f"{v / 1e6:,.1f}" for v in values)], True
    if name in ("use", "share", "busy_share", "peak_share"):
        return [f"{label} [%]", *(f"{100 * v:.3g}" for v in values)], True
    if values and isinstance(values[0], bool):
        return [label, *("yes" if v else "no" for v in values)], False
    if values and isinstance(values[0], int):
        return [label, *(f"{v:,}" for v in values)], True
    return [label, *map(str, values)], False


def _largest(table: pa.Table, column: str, count: int) -> pa.Array:
    return pa.array(by_value(table[column].to_numpy(), count))
