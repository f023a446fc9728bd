"""The columns of every trace data set, with unit and meaning beside each.

A data set is a directory of Parquet parts (:mod:`chipsim.trace.writer`). Times are chip time in
integer picoseconds; nothing of the host's clock is in a trace, so two runs with the same seed give
the same bytes. Column documentation travels in the files, as metadata of the Arrow fields
(``doc``, ``unit``), and the schema's own metadata names the data set and its version.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa

VERSION = 2
"""Raised when a column changes its meaning; readers refuse files of a later version."""

OUTCOMES = ("delivered", "dropped", "overwritten")
"""How a copy ends; the values of the column ``outcome``, in the order of their codes."""
DELIVERED, DROPPED, OVERWRITTEN = range(len(OUTCOMES))

Labels = dict[str, Sequence[str]]
"""For every column of names: its possible values, in the order of their codes. A list may grow."""


@dataclass(frozen=True)
class Column:
    """One column.

    Attributes
    ----------
    name : str
        With its unit, if it has one.
    dtype : str
        A NumPy type; for a column of names (``labelled``) the type of its codes.
    doc : str
        What it holds, for people.
    unit : str
        ``ps``, or empty for counts and numbers.
    labelled : bool
        Written as dictionary-coded text; rows are handed over as codes.
    default : int or None
        Value of rows that are handed over without this column; None: it must be given.
    """

    name: str
    dtype: str
    doc: str
    unit: str = ""
    labelled: bool = False
    default: int | None = None


@dataclass(frozen=True)
class TraceSchema:
    """The columns of one data set and the order of its rows.

    Attributes
    ----------
    name : str
        ``packets`` stands in the directory ``packets.parquet``.
    columns : tuple of Column
    order : tuple of str
        Rows are sorted by these columns over the whole data set; the first is the time that
        watermarks are compared with.
    delta : tuple of str
        Columns that are stored as differences (times, which hardly compress otherwise).
    """

    name: str
    columns: tuple[Column, ...]
    order: tuple[str, ...]
    delta: tuple[str, ...]

    @property
    def time(self) -> str:
        """The column that watermarks are compared with."""
        return self.order[0]

    @property
    def directory(self) -> str:
        """The data set's directory within a run's."""
        return f"{self.name}.parquet"

    @property
    def names(self) -> tuple[str, ...]:
        """The columns' names."""
        return tuple(column.name for column in self.columns)

    def dtypes(self) -> dict[str, np.dtype[Any]]:
        """Return the NumPy type of each column (codes where it holds names)."""
        return {column.name: np.dtype(column.dtype) for column in self.columns}

    def arrow(self) -> pa.Schema:
        """Return the Arrow schema, documentation included."""
        fields = [
            pa.field(
                column.name,
                pa.dictionary(pa.from_numpy_dtype(np.dtype(column.dtype)), pa.string())
                if column.labelled
                else pa.from_numpy_dtype(np.dtype(column.dtype)),
                nullable=False,
                metadata={"doc": column.doc, "unit": column.unit},
            )
            for column in self.columns
        ]
        return pa.schema(fields, metadata={"chipsim": f"{self.name}/{VERSION}"})


_KIND = Column("kind", "int8", "What travels: spike, error, gradient, weight, host…", "", True)
_PHASE = Column(
    "phase", "int8", "The application's phase when the packet was consumed", "", True, default=0
)

PACKETS = TraceSchema(
    "packets",
    (
        Column("packet_source", "int32", "Source vertex; with packet_seq the packet's identity"),
        Column("packet_seq", "int64", "Number of the packet among those of its source vertex"),
        Column("key", "uint32", "Routing key"),
        _KIND,
        Column("net", "int32", "Net of the application that the packet belongs to"),
        Column("source", "int32", "Endpoint that sent it"),
        Column("destination", "int32", "Endpoint where the copy ended or was meant to end"),
        Column("injected_ps", "int64", "Acceptance into the source's TX registers", "ps"),
        Column("ended_ps", "int64", "Last flit delivered, or the moment it was lost", "ps"),
        Column("outcome", "int8", "delivered, dropped or overwritten", "", True, default=DELIVERED),
        Column("hops", "int32", "Routers visited, source's and destination's included"),
        Column("waited_ps", "int64", "Time in FIFOs: sum of grant minus arrival", "ps"),
        Column("late", "bool", "Consumed in another tick than the one after its sending"),
        _PHASE,
        Column("tick_sent", "int32", "Tick in which the sending handler started"),
        Column("tick_consumed", "int32", "Tick that took it from the inbox; -1: never", default=-1),
        Column("batch", "int32", "Training batch, from 0 over the whole run; -1: none", default=-1),
        Column("sample", "int32", "Number the program gave it (the sample); -1: none", default=-1),
    ),
    order=("ended_ps", "destination", "packet_source", "packet_seq"),
    delta=("packet_seq", "injected_ps", "ended_ps", "waited_ps", "tick_sent", "tick_consumed"),
)
"""One row per copy that was delivered or lost."""

HOPS = TraceSchema(
    "hops",
    (
        Column("packet_source", "int32", "Source vertex; with packet_seq the packet's identity"),
        Column("packet_seq", "int64", "Number of the packet among those of its source vertex"),
        _KIND,
        Column("net", "int32", "Net of the application that the packet belongs to"),
        Column("channel", "int32", "Channel that was granted"),
        Column("arrived_ps", "int64", "Arrival at the FIFO of the granting node", "ps"),
        Column("granted_ps", "int64", "Grant: the channel is busy from here", "ps"),
        Column("far_ps", "int64", "Last flit in at the channel's far end", "ps"),
    ),
    order=("granted_ps", "channel", "packet_source", "packet_seq"),
    delta=("packet_seq", "arrived_ps", "granted_ps", "far_ps"),
)
"""One row per grant."""

TICKS = TraceSchema(
    "ticks",
    (
        Column("pe", "int32", "Endpoint of the PE"),
        Column("tick", "int32", "Number of the tick that the handler answered"),
        Column("start_ps", "int64", "Start of the handler: the tick, or the last one's end", "ps"),
        Column("done_ps", "int64", "End of the handler, its last send accepted", "ps"),
        Column("busy_ps", "int64", "Computing time; over the tick's length it is the use", "ps"),
        Column("cycles", "int64", "Computing time in cycles of the PE's clock level"),
        Column("packets_in", "int32", "Packets taken from the inbox"),
        Column("packets_out", "int32", "Packets sent"),
        Column("overrun", "bool", "The handler ended after the next tick"),
        Column(
            "fifo_peak",
            "int32",
            "Most packets in the receive FIFO since the handler before; -1: not kept",
            default=-1,
        ),
        Column("level", "int8", "Clock level, 0 the lowest; -1: not kept", default=-1),
        Column("phase", "int8", "The phase when its end was noticed", "", True, default=0),
        Column("batch", "int32", "Training batch, from 0 over the whole run; -1: none", default=-1),
    ),
    order=("done_ps", "pe", "tick"),
    delta=("tick", "start_ps", "done_ps", "busy_ps", "cycles"),
)
"""One row per handler of a PE. Runs add ``cycles_OPERATION``, see :func:`with_operations`."""

CHANNELS = TraceSchema(
    "channels",
    (
        Column("window_start_ps", "int64", "Start of the window", "ps"),
        Column("window_end_ps", "int64", "End of the window, not included", "ps"),
        Column("channel", "int32", "Channel"),
        Column("packets", "int64", "Grants in the window"),
        Column("flits", "int64", "Flits of these grants"),
        Column("busy_ps", "int64", "Flits times the channel's time per flit", "ps"),
        Column(
            "queue_peak",
            "int32",
            "Most packets that waited at the far end: in its FIFO and not granted on to all their "
            "branches, or in an inbox; -1: not kept",
            default=-1,
        ),
    ),
    order=("window_end_ps", "channel"),
    delta=("window_start_ps", "window_end_ps", "packets", "flits", "busy_ps"),
)
"""One row per channel that carried anything in a window of time."""

SPIKES = TraceSchema(
    "spikes",
    (
        Column("time_ps", "int64", "Earliest time at which its packet may be written", "ps"),
        Column("vertex", "int32", "Vertex that fired"),
        Column("neuron", "int32", "Neuron, as the key numbers it"),
        Column("net", "int32", "Net of the application"),
        Column("tick", "int32", "Tick whose handler sent it"),
        Column("batch", "int32", "Training batch, from 0 over the whole run; -1: none", default=-1),
        Column("sample", "int32", "Number the program gave it (the sample); -1: none", default=-1),
    ),
    order=("time_ps", "vertex", "neuron"),
    delta=("time_ps", "tick"),
)
"""One row per spike that was sent, however many packets and copies it became."""

SAMPLES = TraceSchema(
    "samples",
    (
        Column("time_ps", "int64", "Start of the handler", "ps"),
        Column("vertex", "int32", "Vertex"),
        Column(
            "quantity", "int16", "What was read: membrane, adjoint, a name of its own", "", True
        ),
        Column("neuron", "int32", "Neuron, or position in what a program recorded"),
        Column("tick", "int32", "Tick of the handler"),
        Column("batch", "int32", "Training batch, from 0 over the whole run; -1: none", default=-1),
        Column("sample", "int32", "Sample that the replica was at; -1: none", default=-1),
        Column("value", "float64", "Value, in the model's own unit"),
    ),
    order=("time_ps", "vertex", "quantity", "neuron"),
    delta=("time_ps", "tick"),
)
"""One row per value that was asked for (``trace.membrane``) or recorded (``pe.record``)."""

POWER = TraceSchema(
    "power",
    (
        Column("window_start_ps", "int64", "Start of the window", "ps"),
        Column("window_end_ps", "int64", "End of the window, not included", "ps"),
        Column("part", "int16", "Part of the energy account: uncore, pe_active, noc…", "", True),
        Column("power_mw", "float64", "Energy of the part in the window over its length", "mW"),
    ),
    order=("window_end_ps", "part"),
    delta=("window_start_ps", "window_end_ps"),
)
"""One row per part and window of time."""

ANNOTATIONS = TraceSchema(
    "annotations",
    (
        Column("start_ps", "int64", "When it began", "ps"),
        Column("end_ps", "int64", "When it ended, not included", "ps"),
        Column("what", "int16", "phase, batch, epoch, or a word of the application's", "", True),
        Column("name", "int16", "Which phase; empty for what is numbered only", "", True),
        Column("number", "int32", "Which batch or epoch; of a phase: its batch"),
    ),
    order=("end_ps", "start_ps", "what"),
    delta=("start_ps", "end_ps"),
)
"""One row per stretch of time that has a name."""

SCHEMAS = {
    schema.name: schema
    for schema in (PACKETS, HOPS, TICKS, CHANNELS, SPIKES, SAMPLES, POWER, ANNOTATIONS)
}
"""Every data set by name."""

OPERATION = "cycles_"
"""How the columns of ``ticks`` begin that hold the cycles of one operation."""


def with_operations(operations: Sequence[str]) -> TraceSchema:
    """Return the schema of ``ticks`` with a column of cycles for each operation of a run."""
    extra = tuple(
        Column(f"{OPERATION}{name}", "int32", f"Cycles charged for {name}", default=0)
        for name in operations
    )
    return replace(TICKS, columns=TICKS.columns + extra)
