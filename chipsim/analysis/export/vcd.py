"""The trace as a Value Change Dump (IEEE 1364-2005, clause 18), for waveform viewers.

Scopes and signals; the time unit is one picosecond.

- ``pes``: for each PE ``busy`` (1 bit) and ``phase`` (text);
- ``channels``: for each channel ``busy`` (1 bit, held by a grant) with hops traced, else its busy
  share [%] in each window (a real number);
- ``in_flight``: packets in flight (an integer).
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TextIO

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from chipsim.analysis.export.window import Window
from chipsim.analysis.groups import as_text
from chipsim.analysis.run import Run
from chipsim.errors import TraceError

I64 = NDArray[np.int64]
Change = tuple[int, int, str]
"""Time [ps], number of the signal, the new value as it is written."""

_FIRST, _CODES = 33, 94


def export_vcd(run: Run, path: Path, window: Window) -> int:
    """Write the trace, or the part in ``window``, and return the number of value changes.

    Raises
    ------
    TraceError
        If the run has no trace, more rows than ``window.limit``, or the file exists or cannot be
        written.

    Notes
    -----
    O(n log n) in rows. Spans that touch are one: a channel that is granted again at the moment
    when it becomes idle stays busy.
    """
    tables = {name: window.rows(name, run.read(name)) for name in ("ticks", "packets", "channels")}
    if "hops" in run.datasets:
        tables["hops"] = window.rows("hops", run.hops)
    window.check_size(2 * sum(table.num_rows for table in tables.values()), "value changes")
    if path.exists():
        raise TraceError(f"{path}: exists; give another file with --out")
    dump = _Dump()
    _pes(run, dump, tables["ticks"])
    if "hops" in tables:
        _held(run, dump, tables["hops"])
    else:
        _shares(run, dump, tables["channels"])
    _in_flight(dump, tables["packets"])
    try:
        with path.open("w", encoding="utf-8", newline="\n") as file:
            return dump.write(file)
    except OSError as error:
        raise TraceError(f"{path}: cannot be written: {error.strerror}") from error


class _Dump:
    """Signals by scope, and their changes."""

    def __init__(self) -> None:
        self._scopes: dict[str, dict[str, list[tuple[str, str, str]]]] = {}
        self._first: list[str] = []
        self._changes: list[Change] = []

    def signal(self, scope: str, name: str, signal: str, kind: str, first: str) -> int:
        """Declare a signal, with its value before the first change, and return its number."""
        number = len(self._first)
        rows = self._scopes.setdefault(scope, {}).setdefault(name, [])
        rows.append((kind, _code(number), signal))
        self._first.append(first)
        return number

    def change(self, time_ps: int, number: int, value: str) -> None:
        """Set a signal."""
        self._changes.append((time_ps, number, value))

    def spans(self, number: int, start: I64, end: I64) -> None:
        """Set a bit over some spans; those that touch or overlap are one."""
        order = np.argsort(start, kind="stable")
        start, end = start[order], np.maximum.accumulate(end[order])
        keep = end > start
        start, end = start[keep], end[keep]
        if not len(start):
            return
        new = np.concatenate([[True], start[1:] > end[:-1]])
        last = np.concatenate([new[1:], [True]])
        for a, b in zip(start[new].tolist(), end[last].tolist(), strict=True):
            self.change(a, number, "1")
            self.change(b, number, "0")

    def write(self, file: TextIO) -> int:
        """Write header and changes in order of time; of several at one time the last counts."""
        file.write("$version chipsim $end\n$timescale 1 ps $end\n$scope module chip $end\n")
        for scope, modules in self._scopes.items():
            file.write(f"$scope module {scope} $end\n")
            for name, rows in modules.items():
                file.write(f"$scope module {_name(name)} $end\n")
                for kind, code, signal in rows:
                    file.write(f"$var {kind} {code} {signal} $end\n")
                file.write("$upscope $end\n")
            file.write("$upscope $end\n")
        file.write("$upscope $end\n$enddefinitions $end\n#0\n$dumpvars\n")
        for number, value in enumerate(self._first):
            file.write(_line(value, number))
        file.write("$end\n")
        last: dict[tuple[int, int], str] = {}
        for time, number, value in self._changes:
            last[time, number] = value
        now, values, written = 0, list(self._first), 0
        for (time, number), value in sorted(last.items()):
            if values[number] == value:
                continue
            if time != now:
                file.write(f"#{time}\n")
                now = time
            values[number] = value
            file.write(_line(value, number))
            written += 1
        return written


def _pes(run: Run, dump: _Dump, ticks: pa.Table) -> None:
    pe = ticks["pe"].to_numpy()
    start, done = ticks["start_ps"].to_numpy(), ticks["done_ps"].to_numpy()
    phase = np.array(as_text(ticks["phase"]).to_pylist(), dtype=object)
    for number in np.unique(pe).tolist():
        name, here = run.machine.endpoint_label(number), np.flatnonzero(pe == number)
        busy = dump.signal("pes", name, "busy", "wire 1", "0")
        dump.spans(busy, start[here], done[here])
        signal = dump.signal("pes", name, "phase", "string 1", "sidle")
        for time, word in zip(start[here].tolist(), phase[here].tolist(), strict=True):
            dump.change(time, signal, f"s{_name(word)}")


def _held(run: Run, dump: _Dump, hops: pa.Table) -> None:
    machine, channel = run.machine, hops["channel"].to_numpy()
    granted, far = hops["granted_ps"].to_numpy(), hops["far_ps"].to_numpy()
    # far = granted + latency + (n - 1) flits; the channel is held for n of them.
    end = far - machine.channel_latency_ps[channel] + machine.channel_flit_ps[channel]
    for number in np.unique(channel).tolist():
        here = channel == number
        label = machine.channel_label(number)
        signal = dump.signal("channels", label, "busy", "wire 1", "0")
        dump.spans(signal, granted[here], end[here])


def _shares(run: Run, dump: _Dump, channels: pa.Table) -> None:
    numbers = channels["channel"].to_numpy()
    rows = channels.to_pylist()
    for number in np.unique(numbers).tolist():
        label = run.machine.channel_label(number)
        signal = dump.signal("channels", label, "busy_percent", "real 64", "r0")
        for at in np.flatnonzero(numbers == number).tolist():
            start, end = rows[at]["window_start_ps"], rows[at]["window_end_ps"]
            share = 100 * rows[at]["busy_ps"] / max(end - start, 1)
            dump.change(end, signal, "r0")
            dump.change(start, signal, f"r{share:.12g}")


def _in_flight(dump: _Dump, packets: pa.Table) -> None:
    times = np.concatenate([packets["injected_ps"].to_numpy(), packets["ended_ps"].to_numpy()])
    step = np.repeat([1, -1], packets.num_rows)
    moments, at = np.unique(times, return_inverse=True)
    change = np.zeros(len(moments), np.int64)
    np.add.at(change, at, step)
    signal = dump.signal("network", "all", "in_flight", "integer 32", "b0")
    for time, level in zip(moments.tolist(), np.cumsum(change).tolist(), strict=True):
        dump.change(time, signal, f"b{level:b}")


def _code(number: int) -> str:
    """Return the identifier of a signal: printable characters, the shortest first."""
    code = chr(_FIRST + number % _CODES)
    while number >= _CODES:
        number = number // _CODES - 1
        code += chr(_FIRST + number % _CODES)
    return code


def _line(value: str, number: int) -> str:
    return f"{value}{' ' if len(value) > 1 else ''}{_code(number)}\n"


def _name(text: str) -> str:
    """Return a name that every viewer takes: letters, digits and underscores."""
    return re.sub(r"\W+", "_", text).strip("_")
