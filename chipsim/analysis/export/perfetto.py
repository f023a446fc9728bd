"""The trace for https://ui.perfetto.dev, in Perfetto's own binary form.

=========  ========================================================================================
track      what it shows
=========  ========================================================================================
counters   packets in flight, PEs computing, and the power of each part of the chip in each window
PEs        a track per PE with a slice per handler
packets    a slice per copy, from injection to its end, by kind
routers    a track per router or other node: how many packets wait there (with hops traced), and
           below it a track per outgoing channel (link): its busy share in each window and, with
           hops traced, a slice per grant for the time that the channel is held
=========  ========================================================================================

Packets are flows: an arrow leads from the handler that sent one to its slice, on over its grants
(where it has one copy) and to the handler that took it. Perfetto keeps whole nanoseconds; the
picoseconds stand in the arguments of each slice.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from chipsim.analysis.export.protobuf import TraceFile, Value
from chipsim.analysis.export.window import Window
from chipsim.analysis.groups import as_text
from chipsim.analysis.run import Run
from chipsim.errors import TraceError, UnknownFigureError
from chipsim.units import PS_PER_NS

I64 = NDArray[np.int64]

COUNTERS, PES, PACKETS, NODES = 1, 2, 3, 4
"""Tracks at the top."""
_BLOCK = 1 << 32
_PE, _LANE, _NODE, _QUEUE, _CHANNEL, _LOAD = (number * _BLOCK for number in range(1, 7))
_IN_FLIGHT, _COMPUTING, _POWER = 11, 12, 20


def export_perfetto(run: Run, path: Path, window: Window) -> int:
    """Write the trace, or the part in ``window``, and return the number of events.

    Raises
    ------
    TraceError
        If the run has no trace, has more events than ``window.limit``, or the file exists or
        cannot be written.

    Notes
    -----
    O(n log n) in events. Flows begin and end at slices: packets that no handler sent or took in
    the window (DMA, host) have slices of their own, but no arrow there.
    """
    tables = {name: window.rows(name, run.read(name)) for name in ("ticks", "packets", "channels")}
    hops = window.rows("hops", run.hops) if "hops" in run.datasets else None
    grants = 0 if hops is None else hops.num_rows
    # Slices have two ends, and each moves a counter; a grant moves its queue twice.
    most = 4 * (tables["ticks"].num_rows + tables["packets"].num_rows + grants)
    window.check_size(most + 2 * tables["channels"].num_rows, "events (ends of slices, counters)")
    if path.exists():
        raise TraceError(f"{path}: exists; give another file with --out")
    try:
        with path.open("wb") as file:
            trace = TraceFile(file)
            _Writer(run, trace, tables, hops).write()
    except OSError as error:
        raise TraceError(f"{path}: cannot be written: {error.strerror}") from error
    return trace.events


class _Writer:
    """Writes the tracks of one run, one kind after the other."""

    def __init__(
        self, run: Run, trace: TraceFile, tables: dict[str, pa.Table], hops: pa.Table | None
    ) -> None:
        self.run, self.machine, self.trace, self.hops = run, run.machine, trace, hops
        self.ticks, self.packets, self.channels = (
            tables[name] for name in ("ticks", "packets", "channels")
        )
        self.sent, self.taken = self._flows()

    def write(self) -> None:
        """Write everything."""
        for number, name in enumerate(("counters", "PEs", "packets", "routers and links"), 1):
            self.trace.track(number, name, rank=number)
        self._counters()
        self._handlers()
        self._copies()
        self._nodes()

    # ------------------------------------------------------------------------------ counters
    def _counters(self) -> None:
        begun, ended = _times(self.packets, "injected_ps"), _times(self.packets, "ended_ps")
        self.trace.track(_IN_FLIGHT, "packets in flight", COUNTERS, 1, "packets")
        self._levels(_IN_FLIGHT, begun, ended)
        self.trace.track(_COMPUTING, "PEs computing", COUNTERS, 2, "PEs")
        self._levels(_COMPUTING, _times(self.ticks, "start_ps"), _times(self.ticks, "done_ps"))

        try:
            power = self.run.power()
        except UnknownFigureError:  # a synthetic machine: nobody knows its energies
            return
        windows = {row["window_start_ps"] for row in self.channels.to_pylist()}
        parts = list(dict.fromkeys(power["part"].to_pylist()))
        for place, part in enumerate(parts):
            self.trace.track(_POWER + place, f"power {part}", COUNTERS, 3 + place, "mW")
        for row in power.to_pylist():
            if row["window_start_ps"] in windows:
                begin = row["window_start_ps"] // PS_PER_NS
                self.trace.count(_POWER + parts.index(row["part"]), begin, row["power_mw"])

    def _levels(self, track: int, begun: I64, ended: I64) -> None:
        """Write how many of some spans cover each moment."""
        times, change = np.unique(np.concatenate([begun, ended]), return_inverse=True)
        step = np.concatenate([np.ones(len(begun), np.int64), -np.ones(len(ended), np.int64)])
        level = np.zeros(len(times), np.int64)
        np.add.at(level, change, step)
        for time, value in zip(times.tolist(), np.cumsum(level).tolist(), strict=True):
            self.trace.count(track, time, value)

    # ------------------------------------------------------------------------------- handlers
    def _handlers(self) -> None:
        for pe in sorted(set(self.ticks["pe"].to_pylist())):
            self.trace.track(_PE + pe, self.machine.endpoint_label(pe), PES, pe)
        told = ("tick", "batch", "cycles", "packets_in", "packets_out", "overrun")
        arguments = (*told, "start_ps", "done_ps", "busy_ps")
        order = np.lexsort((self.ticks["start_ps"].to_numpy(), self.ticks["pe"].to_numpy()))
        for number, row in zip(order.tolist(), self.ticks.take(order).to_pylist(), strict=True):
            self.trace.begin(
                _PE + row["pe"],
                row["start_ps"] // PS_PER_NS,
                f"{row['phase']}{' (overrun)' if row['overrun'] else ''}",
                "handler",
                {name: row[name] for name in arguments},
                self.sent.get(number, []),
                self.taken.get(number, []),
            )
            self.trace.end(_PE + row["pe"], row["done_ps"] // PS_PER_NS)

    def _flows(self) -> tuple[dict[int, list[int]], dict[int, list[int]]]:
        """Return the flows (numbers of copies, from 1) that begin and end at each handler."""
        spans = _Spans(self.ticks)
        sent: dict[int, list[int]] = defaultdict(list)
        taken: dict[int, list[int]] = defaultdict(list)
        names = ("source", "destination", "injected_ps", "ended_ps", "tick_consumed")
        rows = zip(*(self.packets[name].to_pylist() for name in names), strict=True)
        for flow, (source, destination, injected, ended, tick) in enumerate(rows, 1):
            sender = spans.at(source, injected)
            if sender is not None:
                sent[sender].append(flow)
            taker = spans.after(destination, ended) if tick >= 0 else None
            if taker is not None:
                taken[taker].append(flow)
        return sent, taken

    # -------------------------------------------------------------------------------- packets
    def _copies(self) -> None:
        kinds = as_text(self.packets["kind"]).to_pylist()
        begun = self.packets["injected_ps"].to_numpy()
        names = list(dict.fromkeys(kinds))
        lanes = _lanes(kinds, begun, self.packets["ended_ps"].to_numpy())
        for kind, lane in sorted(set(zip(kinds, lanes, strict=True)), key=lambda k: (k[1], k[0])):
            track = _LANE + names.index(kind) + lane * len(names)
            self.trace.track(track, kind, PACKETS, names.index(kind))
        order = np.argsort(begun, kind="stable")
        for number, row in zip(order.tolist(), self.packets.take(order).to_pylist(), strict=True):
            track = _LANE + names.index(kinds[number]) + lanes[number] * len(names)
            begin, end = row["injected_ps"] // PS_PER_NS, row["ended_ps"] // PS_PER_NS
            told = self._told(row)
            self.trace.begin(track, begin, kinds[number], kinds[number], told, [number + 1], [])
            self.trace.end(track, end)

    def _told(self, row: dict[str, Value]) -> dict[str, Value]:
        source, names = int(row["source"]), ("outcome", "hops", "waited_ps", "late", "batch")
        return {
            "packet": f"{row['packet_source']}:{row['packet_seq']}",
            "from": self.machine.endpoint_label(source) if source >= 0 else "outside",
            "to": self.machine.endpoint_label(int(row["destination"])),
            **{name: row[name] for name in (*names, "sample", "injected_ps", "ended_ps")},
        }

    # ------------------------------------------------------------------------ routers and links
    def _nodes(self) -> None:
        machine = self.machine
        used = set(self.channels["channel"].to_pylist())
        if self.hops is not None:
            used |= set(self.hops["channel"].to_pylist())
        nodes = sorted({int(machine.channel_node[c]) for c in used})
        for node in nodes:
            self.trace.track(_NODE + node, machine.node_labels[node], NODES, node)
        for channel in sorted(used):
            parent, label = (
                _NODE + int(machine.channel_node[channel]),
                machine.channel_label(channel),
            )
            self.trace.track(_LOAD + channel, f"{label} busy", parent, 2 * channel + 1, "%")
            if self.hops is not None:
                self.trace.track(_CHANNEL + channel, label, parent, 2 * channel + 2)
        self._loads()
        if self.hops is not None:
            self._queues(self.hops)
            self._grants(self.hops)

    def _loads(self) -> None:
        last: dict[int, int] = {}
        for row in self.channels.to_pylist():
            start, end = row["window_start_ps"], row["window_end_ps"]
            share = 100 * row["busy_ps"] / max(end - start, 1)
            self.trace.count(_LOAD + row["channel"], start // PS_PER_NS, share)
            last[row["channel"]] = end
        for channel, end in sorted(last.items()):
            self.trace.count(_LOAD + channel, end // PS_PER_NS, 0.0)

    def _queues(self, hops: pa.Table) -> None:
        """Write for each node how many branches of packets wait there for a grant."""
        nodes = self.machine.channel_node[hops["channel"].to_numpy()]
        arrived, granted = _times(hops, "arrived_ps"), _times(hops, "granted_ps")
        waits = granted > arrived
        for node in np.unique(nodes[waits]).tolist():
            self.trace.track(_QUEUE + node, "waiting", _NODE + node, 0, "packets")
            here = waits & (nodes == node)
            self._levels(_QUEUE + node, arrived[here], granted[here])

    def _grants(self, hops: pa.Table) -> None:
        latency, flit = self.machine.channel_latency_ps, self.machine.channel_flit_ps
        flow_of = _single_copies(self.packets)
        for row in hops.to_pylist():
            channel, granted = row["channel"], row["granted_ps"]
            identity = row["packet_source"], row["packet_seq"]
            # far = granted + latency + (n - 1) flits; the channel is held for n of them.
            held = row["far_ps"] - granted - int(latency[channel]) + int(flit[channel])
            told = {"waited_ps": granted - row["arrived_ps"], "granted_ps": granted}
            told |= {"held_ps": held, "far_ps": row["far_ps"]}
            flows = [flow_of[identity]] if identity in flow_of else []
            name, begin = f"{identity[0]}:{identity[1]}", granted // PS_PER_NS
            self.trace.begin(_CHANNEL + channel, begin, name, "grant", {**told}, flows, [])
            self.trace.end(_CHANNEL + channel, (granted + held) // PS_PER_NS)


class _Spans:
    """Finds the handler of a PE at a moment."""

    def __init__(self, ticks: pa.Table) -> None:
        start, pe = ticks["start_ps"].to_numpy(), ticks["pe"].to_numpy()
        self._row = np.lexsort((start, pe))
        self._start = start[self._row]
        self._done = ticks["done_ps"].to_numpy()[self._row]
        self._sent = ticks["packets_out"].to_numpy()[self._row] > 0
        numbers, first, size = np.unique(pe[self._row], return_index=True, return_counts=True)
        ranges = zip(first.tolist(), (first + size).tolist(), strict=True)
        self._of = dict(zip(numbers.tolist(), ranges, strict=True))

    def at(self, pe: int, time: int) -> int | None:
        """Return the row of the handler that sent at ``time``: begun, not over, with packets out.

        A DMA engine's flits leave a PE while its handlers may run; they are of none of these.
        """
        low, high = self._of.get(pe, (0, 0))
        at = low + int(np.searchsorted(self._start[low:high], time, side="right")) - 1
        # A last send may be accepted at the very moment when the next handler begins.
        for row in (at, at - 1):
            if row >= low and time <= self._done[row] and self._sent[row]:
                return int(self._row[row])
        return None

    def after(self, pe: int, time: int) -> int | None:
        """Return the row of the first handler that begins at ``time`` or later: it finds it."""
        low, high = self._of.get(pe, (0, 0))
        at = low + int(np.searchsorted(self._start[low:high], time, side="left"))
        return int(self._row[at]) if at < high else None


def _lanes(kinds: list[str], begun: I64, ended: I64) -> list[int]:
    """Return a lane for each copy, so that those of one kind and lane do not overlap."""
    free: dict[str, list[tuple[int, int]]] = defaultdict(list)
    lanes = [0] * len(kinds)
    for number in np.argsort(begun, kind="stable").tolist():
        waiting = free[kinds[number]]
        if waiting and waiting[0][0] <= begun[number]:
            _, lanes[number] = heapq.heappop(waiting)
        else:
            lanes[number] = len(waiting)
        heapq.heappush(waiting, (int(ended[number]), lanes[number]))
    return lanes


def _single_copies(packets: pa.Table) -> dict[tuple[int, int], int]:
    """Return the flow of each packet that has one copy: only there a grant is that copy's."""
    found: dict[tuple[int, int], int] = {}
    rows = zip(packets["packet_source"].to_pylist(), packets["packet_seq"].to_pylist(), strict=True)
    for flow, identity in enumerate(rows, 1):
        found[identity] = 0 if identity in found else flow
    return {identity: flow for identity, flow in found.items() if flow}


def _times(table: pa.Table, name: str) -> I64:
    times: I64 = table[name].to_numpy() // PS_PER_NS
    return times
