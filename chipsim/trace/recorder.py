"""The recorder: takes columns in bulk, always counts, and writes what its level asks for.

A call copies its columns into a block; counting, filtering and writing happen once per block, so a
call with three rows costs a few microseconds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from chipsim.errors import TraceError, did_you_mean
from chipsim.trace.aggregates import PACKET_COLUMNS, TICK_COLUMNS, Aggregates
from chipsim.trace.manifest import forget_parts, write_parts
from chipsim.trace.parts import ROWS_PER_PART
from chipsim.trace.rows import Rows
from chipsim.trace.schema import (
    ANNOTATIONS,
    CHANNELS,
    HOPS,
    OUTCOMES,
    PACKETS,
    POWER,
    SAMPLES,
    SPIKES,
    TICKS,
    Labels,
    TraceSchema,
    with_operations,
)
from chipsim.trace.stream import Stream
from chipsim.trace.window import Window
from chipsim.trace.writer import DatasetWriter

Level = Literal["summary", "packets", "hops"]
LEVELS: tuple[Level, ...] = ("summary", "packets", "hops")
"""``summary`` writes no trace; ``packets`` all data sets but the hops; ``hops`` every grant too."""

_NAMED = ("quantity", "part", "what", "name")


class Recorder:
    """Records a run.

    Parameters
    ----------
    level : {"summary", "packets", "hops"}
    directory : Path or None
        The run's directory; None counts without writing (level ``summary`` only).
    kinds : tuple of str
        Names of the packet kinds; rows give positions in it.
    phases : tuple of str
        Names of the application's phases; rows give positions in it.
    window : Window
    rows_per_part : int
    slice_ps : int
        Length of the windows of ``channels`` and ``power`` [ps]; 0: each batch is one.
    wanted : tuple of str
        Neurons whose membrane and adjoint are written, as the application names them.
    resume : bool
        Take a directory with a trace, which :meth:`restore` then goes on with.

    Attributes
    ----------
    counts : Aggregates
        Read it through :meth:`aggregates`, which brings it up to date.
    window : Window
        Rows of hops, channels and power name no batch: whoever hands them over leaves out those of
        batches that the window does not take.

    Raises
    ------
    TraceError
        For an unknown level, kind or phase, a level without a directory, or a directory that
        already holds a trace.

    Examples
    --------
    >>> recorder = Recorder(kinds=("spike", "error"))
    >>> recorder.packets(kind=0, injected_ps=np.array([0, 10]), ended_ps=np.array([5, 30]),
    ...                  hops=1, waited_ps=0, late=False)
    >>> recorder.aggregates().all_latencies().max()
    20
    """

    def __init__(
        self,
        level: Level = "summary",
        directory: Path | None = None,
        *,
        kinds: tuple[str, ...] = ("packet",),
        phases: tuple[str, ...] = ("none",),
        window: Window | None = None,
        rows_per_part: int = ROWS_PER_PART,
        slice_ps: int = 0,
        wanted: tuple[str, ...] = (),
        resume: bool = False,
    ) -> None:
        self.level = level
        self.directory = directory
        self.slice_ps = slice_ps
        self.wanted = wanted
        self.kinds = kinds
        self.phases = phases
        self._counts = Aggregates(kinds)
        self._sent = np.zeros(len(kinds), np.int64)
        self.window = window = window or Window()
        self._check(level, directory, window)
        if directory is not None and level != "summary":
            forget_parts(directory)
        self._names: dict[str, list[str]] = {name: [] for name in _NAMED}
        labels: Labels = {"kind": kinds, "phase": phases, "outcome": OUTCOMES, **self._names}

        def stream(
            schema: TraceSchema,
            needed: tuple[str, ...],
            count: Callable[[Rows], None] | None,
            lowest: Level = "packets",
        ) -> Stream:
            writer = None
            if directory is not None and LEVELS.index(level) >= LEVELS.index(lowest):
                writer = DatasetWriter(
                    directory / schema.directory, schema, labels, rows_per_part, resume
                )
            return Stream(schema, needed, labels, window, writer, count)

        self._packets = stream(PACKETS, PACKET_COLUMNS, self._counts.add_packets)
        self._ticks = stream(TICKS, TICK_COLUMNS, self._counts.add_ticks)
        self._channels = stream(CHANNELS, (), None)
        self._hops = stream(HOPS, (), None, "hops")
        self._spikes = stream(SPIKES, (), None)
        self._samples = stream(SAMPLES, (), None)
        self._power = stream(POWER, (), None)
        self._annotations = stream(ANNOTATIONS, (), None)
        self._streams = (
            self._packets,
            self._ticks,
            self._channels,
            self._hops,
            self._spikes,
            self._samples,
            self._power,
            self._annotations,
        )

    @property
    def writes_packets(self) -> bool:
        """Whether packets need all their columns; else :data:`PACKET_COLUMNS` are enough."""
        return self._packets.writer is not None

    @property
    def writes_hops(self) -> bool:
        """Whether the network should keep a hop log for :meth:`hops`."""
        return self._hops.writer is not None

    def sends(self, kind: NDArray[Any]) -> None:
        """Count packets sent, one code of a kind each."""
        self._sent += np.bincount(kind, minlength=len(self.kinds))

    def sends_by_kind(self, counts: NDArray[np.int64]) -> None:
        """Count packets sent, as counts by kind, shape (kinds,)."""
        self._sent += counts

    def packets(self, **columns: Any) -> None:
        """Take copies that ended: columns of :data:`chipsim.trace.schema.PACKETS`.

        Arrays of one length, or scalars that hold for every row; ``ended_ps`` must be an array.
        Arrays are copied. Columns with a default may be missing, and at level ``summary`` all but
        :data:`chipsim.trace.aggregates.PACKET_COLUMNS`.

        Raises
        ------
        TraceError
            For unknown or missing columns, a value that does not fit its column, an unknown code.
        """
        self._packets.put(columns)

    def ticks(self, **columns: Any) -> None:
        """Take handlers that ended: columns of :data:`chipsim.trace.schema.TICKS`."""
        self._ticks.put(columns)

    def channels(self, **columns: Any) -> None:
        """Take windows of channels: columns of :data:`chipsim.trace.schema.CHANNELS`."""
        self._channels.put(columns)

    def hops(self, **columns: Any) -> None:
        """Take grants: columns of :data:`chipsim.trace.schema.HOPS`; only written, not counted."""
        self._hops.put(columns)

    def spikes(self, **columns: Any) -> None:
        """Take spikes: columns of :data:`chipsim.trace.schema.SPIKES`."""
        self._spikes.put(columns)

    def samples(self, **columns: Any) -> None:
        """Take values that were read: columns of :data:`chipsim.trace.schema.SAMPLES`."""
        self._samples.put(columns)

    def power(self, **columns: Any) -> None:
        """Take windows of power: columns of :data:`chipsim.trace.schema.POWER`."""
        self._power.put(columns)

    def annotations(self, **columns: Any) -> None:
        """Take named stretches of time: columns of :data:`chipsim.trace.schema.ANNOTATIONS`."""
        self._annotations.put(columns)

    def name_operations(self, operations: Sequence[str]) -> None:
        """Give ``ticks`` a column of cycles for each operation, before its first row."""
        self._ticks.extend(with_operations(operations))

    def code(self, column: str, name: str) -> int:
        """Return the code of a name that only a run knows, in a column of names.

        Parameters
        ----------
        column : {"quantity", "part", "what", "name"}
        name : str
        """
        known = self._names[column]
        if name not in known:
            known.append(name)
        return known.index(name)

    def flush(self, watermark_ps: int) -> None:
        """Say that no later row, of any data set, ends before ``watermark_ps``.

        Packets that lie in an inbox have ended but were not handed over: while there are any, the
        watermark must not pass the earliest of them.
        """
        for stream in self._streams:
            stream.flush(watermark_ps)

    def aggregates(self) -> Aggregates:
        """Return the counts over everything handed over so far."""
        self._packets.drain()
        self._ticks.drain()
        return self._counts

    def packets_sent(self) -> dict[str, int]:
        """Return for each kind the packets counted by :meth:`sends`."""
        return dict(zip(self.kinds, self._sent.tolist(), strict=True))

    def close(self) -> None:
        """Write everything that is left. Also right after an interruption."""
        for stream in self._streams:
            stream.drain()
            if stream.writer is not None:
                stream.writer.close()
        if self.directory is not None and self.writes_packets:
            write_parts(self.directory)

    def state(self) -> dict[str, Any]:
        """Return what a checkpoint needs: all counts, and the rows that are not in closed parts."""
        for stream in self._streams:
            stream.drain()
        return {
            "sent": self._sent,
            "counts": self._counts.state(),
            "names": {column: list(names) for column, names in self._names.items()},
            "streams": {
                stream.schema.name: {"watermark": stream.watermark, "writer": stream.writer.state()}
                for stream in self._streams
                if stream.writer is not None
            },
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from :meth:`state`; of the data sets, what was written after it is removed."""
        self._sent[:] = state["sent"]
        self._counts.restore(state["counts"])
        for column, names in self._names.items():
            names[:] = state["names"][column]
        for stream in self._streams:
            if stream.writer is not None:
                saved = state["streams"][stream.schema.name]
                stream.watermark = int(saved["watermark"])
                stream.writer.restore(saved["writer"])

    def _check(self, level: str, directory: Path | None, window: Window) -> None:
        if level not in LEVELS:
            raise TraceError(f"trace level: got {level!r}{did_you_mean(level, LEVELS)}")
        if level != "summary" and directory is None:
            raise TraceError(
                f"trace level {level!r} writes files, but there is no run directory; "
                "give one with --out DIR or take trace.level=summary"
            )
        for name in window.kinds:
            if name not in self.kinds:
                raise TraceError(
                    f"trace window: unknown kind {name!r}{did_you_mean(name, self.kinds)}"
                )
