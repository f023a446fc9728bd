"""The trace for https://ui.perfetto.dev: Chrome's trace event format, as JSON.

=========  ========================================================================================
process    what it shows
=========  ========================================================================================
PEs        a track per PE with a slice per handler; arrows are packets, from the handler that sent
           one to the handler that took it
packets    a slice per copy, from injection to its end, by kind
channels   a counter per channel, its busy share in each window; with hops traced a track per
           channel too, with a slice per grant for the time that it holds the channel
=========  ========================================================================================

Times are microseconds in this format, and Perfetto keeps whole nanoseconds; the picoseconds are in
the arguments of each slice.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from chipsim.analysis.groups import as_text
from chipsim.analysis.run import Run
from chipsim.analysis.window import Window
from chipsim.errors import TraceError
from chipsim.units import PS_PER_NS, PS_PER_US

PES, PACKETS, CHANNELS, GRANTS = 1, 2, 3, 4
"""Process numbers; 0 is the idle process in viewers."""

Event = dict[str, Any]


def export_perfetto(run: Run, path: Path, window: Window) -> int:
    """Write the trace, or the part in ``window``, and return the number of events.

    Raises
    ------
    TraceError
        If the run has no trace, has more events than ``window.limit``, or the file exists or
        cannot be written.

    Notes
    -----
    Linear in events. An arrow needs a slice at both of its ends: packets that no handler sent or
    took in the window (DMA, host) have slices of their own, but no arrow.
    """
    ticks = window.rows("ticks", run.ticks)
    packets = window.rows("packets", run.packets)
    channels = window.rows("channels", run.channels)
    hops = window.rows("hops", run.hops) if "hops" in run.datasets else None
    # A packet is a begin and an end, and two ends of an arrow where it has one.
    grants = 0 if hops is None else hops.num_rows
    most = ticks.num_rows + 4 * packets.num_rows + 2 * channels.num_rows + grants
    window.check_size(most, "events (packets counted with their arrows)")
    if path.exists():
        raise TraceError(f"{path}: exists; give another file with --out")
    count = 0
    try:
        with path.open("w", encoding="utf-8", newline="\n") as file:
            file.write('{"displayTimeUnit":"ns","traceEvents":[')
            for event in _events(run, ticks, packets, channels, hops):
                file.write(f"{',' if count else ''}\n{json.dumps(event, separators=(',', ':'))}")
                count += 1
            file.write("\n]}\n")
    except OSError as error:
        raise TraceError(f"{path}: cannot be written: {error.strerror}") from error
    return count


def _events(
    run: Run, ticks: pa.Table, packets: pa.Table, channels: pa.Table, hops: pa.Table | None
) -> Iterator[Event]:
    machine = run.machine
    pes = sorted(set(ticks["pe"].to_pylist()))
    yield from _process(PES, "PEs", {pe: machine.endpoint_label(pe) for pe in pes})
    yield from _process(PACKETS, "packets", {})
    yield from _process(CHANNELS, "channels", {})
    yield from _handlers(ticks)
    yield from _copies(run, packets)
    yield from _flows(ticks, packets)
    yield from _loads(run, channels)
    if hops is not None:
        used = sorted(set(hops["channel"].to_pylist()))
        names = {channel: machine.channel_label(channel) for channel in used}
        yield from _process(GRANTS, "grants of channels", names)
        yield from _grants(run, hops)


def _process(number: int, name: str, tracks: dict[int, str]) -> Iterator[Event]:
    """Name a process and its tracks, and keep them in the order of the machine."""
    yield {"ph": "M", "pid": number, "name": "process_name", "args": {"name": name}}
    yield {"ph": "M", "pid": number, "name": "process_sort_index", "args": {"sort_index": number}}
    for track, label in tracks.items():
        where = {"ph": "M", "pid": number, "tid": track + 1}
        yield {**where, "name": "thread_name", "args": {"name": label}}
        yield {**where, "name": "thread_sort_index", "args": {"sort_index": track}}


def _handlers(ticks: pa.Table) -> Iterator[Event]:
    for row in ticks.to_pylist():
        told = ("tick", "batch", "cycles", "packets_in", "packets_out", "overrun")
        yield {
            "ph": "X",
            "cat": "handler",
            "name": f"{row['phase']}{' (overrun)' if row['overrun'] else ''}",
            "pid": PES,
            "tid": row["pe"] + 1,
            "ts": row["start_ps"] / PS_PER_US,
            "dur": (row["done_ps"] - row["start_ps"]) / PS_PER_US,
            "args": {name: row[name] for name in (*told, "start_ps", "done_ps", "busy_ps")},
        }


def _copies(run: Run, packets: pa.Table) -> Iterator[Event]:
    machine = run.machine
    for number, row in enumerate(packets.to_pylist()):
        common = {"cat": row["kind"], "name": row["kind"], "pid": PACKETS, "id": number}
        source, destination = row["source"], row["destination"]
        told = ("outcome", "hops", "waited_ps", "late", "batch", "sample", "injected_ps")
        arguments = {
            "packet": f"{row['packet_source']}:{row['packet_seq']}",
            "from": machine.endpoint_label(source) if source >= 0 else "outside",
            "to": machine.endpoint_label(destination),
            **{name: row[name] for name in (*told, "ended_ps")},
        }
        yield {**common, "ph": "b", "ts": row["injected_ps"] / PS_PER_US, "args": arguments}
        yield {**common, "ph": "e", "ts": row["ended_ps"] / PS_PER_US}


def _flows(ticks: pa.Table, packets: pa.Table) -> Iterator[Event]:
    """Yield arrows: each starts inside the sending handler, ends at the next one's start."""
    start, done, spans = _spans(ticks)
    kinds = as_text(packets["kind"]).to_pylist()
    columns = ("source", "destination", "injected_ps", "ended_ps", "tick_consumed")
    rows = zip(*(packets[name].to_pylist() for name in columns), kinds, strict=True)
    for number, (source, destination, injected, ended, tick, kind) in enumerate(rows):
        if tick < 0:  # taken by a memory, or by nobody
            continue
        sender = _last_at(start, spans.get(source), injected)
        taker = _next_at(start, spans.get(destination), ended)
        if sender is None or taker is None or injected > done[sender]:
            continue
        # The last send is accepted at the very end of its handler, where the slice is over for a
        # viewer with whole nanoseconds.
        at = max(int(start[sender]), min(injected, int(done[sender]) - 2 * PS_PER_NS))
        common = {"cat": "packet", "name": kind, "pid": PES, "id": number}
        yield {**common, "ph": "s", "tid": source + 1, "ts": at / PS_PER_US}
        at = int(start[taker])
        yield {**common, "ph": "f", "bp": "e", "tid": destination + 1, "ts": at / PS_PER_US}


def _spans(
    ticks: pa.Table,
) -> tuple[NDArray[np.int64], NDArray[np.int64], dict[int, tuple[int, int]]]:
    """Return starts and ends of handlers that have a length, and each PE's range among them."""
    start, done = ticks["start_ps"].to_numpy(), ticks["done_ps"].to_numpy()
    pe = ticks["pe"].to_numpy()
    # A slice shorter than what a viewer resolves can hold no arrow.
    order = np.lexsort((start, pe))
    order = order[(done - start)[order] >= 4 * PS_PER_NS]
    start, done, pe = start[order], done[order], pe[order]
    numbers, first, size = np.unique(pe, return_index=True, return_counts=True)
    ranges = zip(first.tolist(), (first + size).tolist(), strict=True)
    return start, done, dict(zip(numbers.tolist(), ranges, strict=True))


def _last_at(start: NDArray[np.int64], span: tuple[int, int] | None, time: int) -> int | None:
    """Return the last handler of a PE that had begun at ``time``."""
    if span is None:
        return None
    at = span[0] + int(np.searchsorted(start[span[0] : span[1]], time, side="right")) - 1
    return at if at >= span[0] else None


def _next_at(start: NDArray[np.int64], span: tuple[int, int] | None, time: int) -> int | None:
    """Return the first handler of a PE that begins at ``time`` or later: it finds the packet."""
    if span is None:
        return None
    at = span[0] + int(np.searchsorted(start[span[0] : span[1]], time, side="left"))
    return at if at < span[1] else None


def _loads(run: Run, channels: pa.Table) -> Iterator[Event]:
    last: dict[int, int] = {}
    for row in channels.to_pylist():
        channel, start, end = row["channel"], row["window_start_ps"], row["window_end_ps"]
        common = {"ph": "C", "pid": CHANNELS, "name": run.machine.channel_label(channel)}
        share = 100 * row["busy_ps"] / max(end - start, 1)
        yield {**common, "ts": start / PS_PER_US, "args": {"busy %": share}}
        last[channel] = end
    for channel, end in sorted(last.items()):
        name = run.machine.channel_label(channel)
        common = {"ph": "C", "pid": CHANNELS, "name": name}
        yield {**common, "ts": end / PS_PER_US, "args": {"busy %": 0}}


def _grants(run: Run, hops: pa.Table) -> Iterator[Event]:
    latency, flit = run.machine.channel_latency_ps, run.machine.channel_flit_ps
    for row in hops.to_pylist():
        channel, granted = row["channel"], row["granted_ps"]
        # far = granted + latency + (n - 1) flits; the channel is held for n of them.
        held = row["far_ps"] - granted - int(latency[channel]) + int(flit[channel])
        yield {
            "ph": "X",
            "cat": "grant",
            "name": f"{row['packet_source']}:{row['packet_seq']}",
            "pid": GRANTS,
            "tid": channel + 1,
            "ts": granted / PS_PER_US,
            "dur": held / PS_PER_US,
            "args": {
                "waited_ps": granted - row["arrived_ps"],
                "granted_ps": granted,
                "far_ps": row["far_ps"],
            },
        }
