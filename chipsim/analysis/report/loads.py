"""What the report says of channels and PEs: the map, its time slots, and their tables."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from chipsim.analysis.power import by_class, power_parts
from chipsim.analysis.report.rows import (
    MAP_CELLS,
    SLOTS,
    TABLE_ROWS,
    Cell,
    Json,
    chunks,
    codes,
    numbers,
    row_count,
    table_json,
)
from chipsim.analysis.run import Run
from chipsim.machine.chips import Chips
from chipsim.machine.model import EndpointKind, Machine

I64 = NDArray[np.int64]
_TICKS = ("pe", "tick", "start_ps", "done_ps", "busy_ps", "cycles")
_COUNTS = ("packets_in", "packets_out", "overrun", "fifo_peak", "batch")


class LoadPass:
    """Gathers loads of channels and use of PEs, over the trace and by time slot.

    Attributes
    ----------
    starts, ends : ndarray of int64, shape (slots,)
        The slots [ps]: whole windows of the trace.
    channel_busy : ndarray of int64, shape (slots, channels)
        Flits times the time of a flit [ps].
    pe_busy : ndarray of int64, shape (slots, endpoints)
        Computing time of handlers that ended in the slot (after the last: in the last) [ps].
    packets, flits : ndarray of int64, shape (channels,)
    handlers, longest, cycles, taken, sent, over : ndarray of int64, shape (endpoints,)
        Of each PE: handlers, the longest [ps], cycles, packets in and out, overruns.
    queue_peak : ndarray of int64, shape (channels,)
    fifo_peak : ndarray of int64, shape (endpoints,)
        Most packets in the FIFO at a channel's far end, and in a PE's receive FIFO; -1 where the
        run did not keep it.
    overruns : list of lists
        The first rows of the table.
    """

    def __init__(self, run: Run) -> None:
        self.run = run
        machine = run.machine
        has_channels = "channels" in run.datasets
        windows, used = _windows(run) if has_channels else (np.empty((0, 2), np.int64), 0)
        self.starts, self.ends = _slots(windows, used, run.span_ps)
        slots, ends = len(self.starts), machine.endpoints
        self.channel_busy = np.zeros((slots, machine.channels), np.int64)
        self.packets = np.zeros(machine.channels, np.int64)
        self.flits = np.zeros(machine.channels, np.int64)
        self.queue_peak = np.full(machine.channels, -1, np.int64)
        self.fifo_peak = np.full(ends, -1, np.int64)
        self.pe_busy = np.zeros((slots, ends), np.int64)
        per_pe = [np.zeros(ends, np.int64) for _ in range(6)]
        self.handlers, self.longest, self.cycles, self.taken, self.sent, self.over = per_pe
        self.overruns: list[list[int | str]] = []
        self._class_flits = np.zeros((slots, len(machine.classes)), np.int64)
        self._class_packets = np.zeros((slots, len(machine.classes)), np.int64)
        self._slot_cycles = np.zeros(slots, np.int64)
        if has_channels:
            self._add_channels()
        if "ticks" in run.datasets:
            self._add_ticks()

    def _add_channels(self) -> None:
        columns = ("window_end_ps", "channel", "packets", "flits", "busy_ps", "queue_peak")
        for chunk in chunks(self.run, "channels", columns):
            channel = numbers(chunk, "channel")
            slot = np.searchsorted(self.ends, numbers(chunk, "window_end_ps"))
            np.add.at(self.channel_busy, (slot, channel), numbers(chunk, "busy_ps"))
            packets, flits = numbers(chunk, "packets"), numbers(chunk, "flits")
            np.add.at(self.packets, channel, packets)
            np.add.at(self.flits, channel, flits)
            machine, slots = self.run.machine, len(self.ends)
            self._class_packets += by_class(machine, slot, channel, packets, slots)
            self._class_flits += by_class(machine, slot, channel, flits, slots)
            np.maximum.at(self.queue_peak, channel, numbers(chunk, "queue_peak"))

    def _add_ticks(self) -> None:
        for chunk in chunks(self.run, "ticks", (*_TICKS, *_COUNTS, "phase")):
            pe, done = numbers(chunk, "pe"), numbers(chunk, "done_ps")
            span = done - numbers(chunk, "start_ps")
            if len(self.ends):
                slot = np.minimum(np.searchsorted(self.ends, done), len(self.ends) - 1)
                np.add.at(self.pe_busy, (slot, pe), numbers(chunk, "busy_ps"))
                np.add.at(self._slot_cycles, slot, numbers(chunk, "cycles"))
            np.add.at(self.handlers, pe, 1)
            np.maximum.at(self.longest, pe, span)
            np.maximum.at(self.fifo_peak, pe, numbers(chunk, "fifo_peak"))
            for total, name in (
                (self.cycles, "cycles"),
                (self.taken, "packets_in"),
                (self.sent, "packets_out"),
                (self.over, "overrun"),
            ):
                np.add.at(total, pe, numbers(chunk, name))
            room = TABLE_ROWS - len(self.overruns)
            late = np.flatnonzero(numbers(chunk, "overrun"))[:room]
            phase, phases = codes(chunk, "phase")
            shown = [numbers(chunk, n)[late] for n in ("batch", "tick", "start_ps", "busy_ps")]
            for row, i in enumerate(late.tolist()):
                batch, tick, start, busy = (int(column[row]) for column in shown)
                name = self.run.machine.endpoint_label(int(pe[i]))
                self.overruns.append(
                    [name, phases[phase[i]], batch, tick, start, busy, int(span[i])]
                )

    def map_json(self) -> Json:
        """Return tiles, channels and PEs, and the load of each in each slot."""
        machine = self.run.machine
        used = np.flatnonzero(self.packets)
        pes = np.flatnonzero(self.handlers)
        return {
            "chips": _chips(machine, used, pes),
            "starts": self.starts.tolist(),
            "ends": self.ends.tolist(),
            "channels": [_channel(machine, c) for c in used.tolist()],
            "busy": self.channel_busy[:, used].tolist(),
            "pes": [_endpoint(machine, e) for e in pes.tolist()],
            "computing": self.pe_busy[:, pes].tolist(),
        }

    def power_json(self) -> Json:
        """Return the power of each part in each slot [mW].

        Raises
        ------
        UnknownFigureError
            If the machine has no energy figures.
        """
        length = self.ends - self.starts
        counts = (self._class_flits, self._class_packets, self._slot_cycles)
        parts = power_parts(self.run.machine, length, *counts)
        return {
            "starts": self.starts.tolist(),
            "ends": self.ends.tolist(),
            "parts": {name: values.tolist() for name, values in parts.items()},
        }

    def channels_json(self) -> Json:
        """Return the table of the hottest channels."""
        busy = self.channel_busy.sum(axis=0)
        length = np.maximum(self.ends - self.starts, 1)
        peak = (self.channel_busy / length[:, None]).max(axis=0, initial=0.0)
        covered = max(int((self.ends - self.starts).sum()), 1)
        used = np.flatnonzero(self.packets)
        order = used[np.argsort(-busy[used], kind="stable")][:TABLE_ROWS].tolist()
        columns = [
            ("channel", "text"),
            ("packets", "count"),
            ("flits", "count"),
            ("busy", "ps"),
            ("busy share", "share"),
            ("largest share in a slot", "share"),
            ("queue peak", "count"),
        ]
        rows: list[list[Cell]] = [
            [
                self.run.machine.channel_label(c),
                int(self.packets[c]),
                int(self.flits[c]),
                int(busy[c]),
                int(busy[c]) / covered,
                float(peak[c]),
                _kept(self.queue_peak[c]),
            ]
            for c in order
        ]
        note = "" if (self.queue_peak[used] >= 0).any() else "queue peaks were not recorded"
        return table_json("Hottest channels", columns, rows, len(used), note)

    def pes_json(self) -> Json:
        """Return the table of the busiest PEs."""
        busy = self.pe_busy.sum(axis=0)
        span = max(self.run.handled_ps, 1)
        pes = np.flatnonzero(self.handlers)
        order = pes[np.argsort(-busy[pes], kind="stable")][:TABLE_ROWS].tolist()
        columns = [
            ("PE", "text"),
            ("handlers", "count"),
            ("busy", "ps"),
            ("use", "share"),
            ("longest handler", "ps"),
            ("cycles", "count"),
            ("packets in", "count"),
            ("packets out", "count"),
            ("overruns", "count"),
            ("FIFO peak", "count"),
        ]
        counted = (self.longest, self.cycles, self.taken, self.sent, self.over)
        rows: list[list[Cell]] = [
            [
                self.run.machine.endpoint_label(e),
                int(self.handlers[e]),
                int(busy[e]),
                int(busy[e]) / span,
                *(int(column[e]) for column in counted),
                _kept(self.fifo_peak[e]),
            ]
            for e in order
        ]
        note = "" if (self.fifo_peak[pes] >= 0).any() else "FIFO peaks were not recorded"
        return table_json("Busiest PEs", columns, rows, len(pes), note)

    def overruns_json(self) -> Json:
        """Return the table of handlers that ended after the next tick, by their ends."""
        columns = [
            ("PE", "text"),
            ("phase", "text"),
            ("batch", "count"),
            ("tick", "count"),
            ("start", "moment"),
            ("computing", "ps"),
            ("length", "ps"),
        ]
        return table_json("Overruns of the tick", columns, self.overruns, int(self.over.sum()))


def _kept(peak: np.int64) -> int | None:
    return int(peak) if peak >= 0 else None


def _windows(run: Run) -> tuple[I64, int]:
    """Return the distinct windows of the trace, ascending, and the channels that were used."""
    seen: list[I64] = []
    used = np.zeros(run.machine.channels, np.bool_)
    for chunk in chunks(run, "channels", ("window_start_ps", "window_end_ps", "channel")):
        both = [numbers(chunk, "window_end_ps"), numbers(chunk, "window_start_ps")]
        seen = [np.unique(np.concatenate([*seen, np.stack(both, axis=1)]), axis=0)]
        used[numbers(chunk, "channel")] = True
    windows = seen[0][:, ::-1] if seen else np.empty((0, 2), np.int64)
    return windows, int(used.sum())


def _slots(windows: I64, used: int, span_ps: int) -> tuple[I64, I64]:
    """Return starts and ends of the slider's positions: whole windows, neighbours together."""
    if not len(windows):
        return np.zeros(1, np.int64), np.array([max(span_ps, 1)], np.int64)
    count = max(1, min(SLOTS, MAP_CELLS // max(used, 1), len(windows)))
    last = (np.arange(1, count + 1) * len(windows)) // count - 1
    ends = windows[last, 1]
    first = np.concatenate([[0], last[:-1] + 1])
    return windows[first, 0], ends


def trace_rows(run: Run) -> dict[str, int]:
    """Return the rows of every data set that the run has."""
    return {name: row_count(run, name) for name in run.datasets}


def _chips(machine: Machine, used: NDArray[np.intp], pes: NDArray[np.intp]) -> list[Json]:
    """Return place and tiles of each chip where anything happened, or of the first one."""
    nodes = machine.channel_node[used]
    chips = set(machine.node_chip[nodes].tolist()) | set(machine.endpoint_chip[pes].tolist())
    found = []
    for chip in sorted(chips or {0}):
        tiles: dict[tuple[int, int], str] = {}
        for node in np.flatnonzero(machine.node_chip == chip).tolist():
            place = int(machine.node_x[node]), int(machine.node_y[node])
            if place[0] >= 0:
                tiles.setdefault(place, "")
        for end in np.flatnonzero(machine.endpoint_chip == chip).tolist():
            kind = EndpointKind(int(machine.endpoint_kind[end])).name
            place = int(machine.endpoint_x[end]), int(machine.endpoint_y[end])
            if kind != "PE":
                tiles[place] = kind
        at = [0, 0] if machine.chips is None else [int(a[chip]) for a in _places(machine.chips)]
        found.append(
            {"chip": chip, "at": at, "tiles": [[x, y, tiles[x, y]] for x, y in sorted(tiles)]}
        )
    return found


def _places(chips: Chips) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    return chips.x, chips.y


def _channel(machine: Machine, channel: int) -> Json:
    """Return a channel's number, name, class, and the tiles [chip, x, y] that it joins."""
    node, port = int(machine.channel_node[channel]), int(machine.channel_port[channel])
    far = int(machine.port_node[port])
    start = [int(a[node]) for a in (machine.node_chip, machine.node_x, machine.node_y)]
    if far >= 0:
        end = [int(a[far]) for a in (machine.node_chip, machine.node_x, machine.node_y)]
    else:
        owner = machine.sink_owner(port)
        places = (machine.endpoint_chip, machine.endpoint_x, machine.endpoint_y)
        end = [int(a[owner]) for a in places] if owner >= 0 else start
    name = machine.classes[int(machine.channel_class[channel])].name
    label = machine.channel_label(channel)
    return {"id": channel, "name": label, "class": name, "from": start, "to": end}


def _endpoint(machine: Machine, end: int) -> Json:
    columns = (
        machine.endpoint_chip,
        machine.endpoint_x,
        machine.endpoint_y,
        machine.endpoint_index,
    )
    place = [int(column[end]) for column in columns]
    return {"id": end, "name": machine.endpoint_label(end), "at": place}
