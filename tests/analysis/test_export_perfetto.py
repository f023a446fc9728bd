"""The Perfetto export, read back by Perfetto's own protobuf classes (and its trace reader)."""

from __future__ import annotations

import itertools
import json
import os
import shutil
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from chipsim.cli.main import main
from chipsim.machine.library import load_machine

pb = pytest.importorskip(
    "perfetto.protos.perfetto.trace.perfetto_trace_pb2", reason="needs the package perfetto"
)
Rows = list[dict[str, Any]]
CHIP = load_machine("spinnaker2")
BEGIN, END, COUNTER = 1, 2, 4


@dataclass
class Slice:
    """One slice, with its name and arguments found in the interned tables."""

    track: int
    name: str
    category: str
    start: int
    told: dict[str, Any]
    flows: list[int]
    ending: list[int]
    end: int = -1


@dataclass
class Trace:
    """A trace as Perfetto reads it: tracks, slices that nest, counters."""

    tracks: dict[int, Any] = field(default_factory=dict)
    slices: list[Slice] = field(default_factory=list)
    counters: dict[int, list[tuple[int, float]]] = field(default_factory=lambda: defaultdict(list))
    names: dict[tuple[str, int], str] = field(default_factory=dict)

    def path(self, track: int) -> tuple[str, ...]:
        found = self.tracks[track]
        above = self.path(found.parent_uuid) if found.parent_uuid else ()
        return (*above, found.name)

    def of(self, category: str) -> list[Slice]:
        return [s for s in self.slices if s.category == category]


@pytest.fixture(scope="module")
def file(directory: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("perfetto") / "run.pftrace"
    assert main(["export", str(directory), "--to", "perfetto", "--out", str(out)]) == 0
    return out


@pytest.fixture(scope="module")
def trace(file: Path) -> Trace:
    raw = pb.Trace()
    raw.ParseFromString(file.read_bytes())
    found = Trace()
    opened: dict[int, list[Slice]] = defaultdict(list)
    for number, packet in enumerate(raw.packet):
        assert packet.trusted_packet_sequence_id == 1
        assert packet.sequence_flags == (3 if number == 0 else 2) or packet.HasField(
            "track_descriptor"
        )
        for table in ("event_categories", "event_names", "debug_annotation_names"):
            for entry in getattr(packet.interned_data, table):
                assert (table, entry.iid) not in found.names
                found.names[table, entry.iid] = entry.name
        if packet.HasField("track_descriptor"):
            found.tracks[packet.track_descriptor.uuid] = packet.track_descriptor
        elif packet.HasField("track_event"):
            _event(found, opened, packet.timestamp, packet.track_event)
    assert not any(opened.values())
    return found


def _event(found: Trace, opened: dict[int, list[Slice]], time: int, event: Any) -> None:
    track = event.track_uuid
    assert track in found.tracks  # declared before it is used
    if event.type == COUNTER:
        assert found.tracks[track].HasField("counter")
        found.counters[track].append((time, event.double_counter_value))
    elif event.type == BEGIN:
        (category,) = event.category_iids
        told = {
            found.names["debug_annotation_names", a.name_iid]: getattr(a, a.WhichOneof("value"))
            for a in event.debug_annotations
        }
        slice_ = Slice(
            track,
            found.names["event_names", event.name_iid],
            found.names["event_categories", category],
            time,
            told,
            list(event.flow_ids),
            list(event.terminating_flow_ids),
        )
        opened[track].append(slice_)
        found.slices.append(slice_)
    else:
        assert event.type == END
        opened[track].pop().end = time


def test_handlers_are_slices_of_their_pe(trace: Trace, raw: dict[str, Rows]) -> None:
    slices = trace.of("handler")
    got = Counter((trace.path(s.track), s.name, s.start, s.end, s.told["busy_ps"]) for s in slices)
    assert got == Counter(
        (
            ("PEs", CHIP.endpoint_label(row["pe"])),
            f"{row['phase']}{' (overrun)' if row['overrun'] else ''}",
            row["start_ps"] // 1000,
            row["done_ps"] // 1000,
            row["busy_ps"],
        )
        for row in raw["ticks"]
    )
    tracks = defaultdict(list)
    for s in slices:
        tracks[s.track].append((s.start, s.end))
    for spans in tracks.values():
        assert all(a[1] <= b[0] for a, b in itertools.pairwise(sorted(spans)))


def test_every_copy_is_a_slice(trace: Trace, raw: dict[str, Rows]) -> None:
    slices = [s for s in trace.slices if trace.path(s.track)[0] == "packets"]
    assert len(slices) == len(raw["packets"])
    assert {f for s in slices for f in s.flows} == set(range(1, len(raw["packets"]) + 1))
    lanes = defaultdict(list)
    for s in slices:
        (flow,) = s.flows
        row = raw["packets"][flow - 1]
        assert trace.path(s.track) == ("packets", row["kind"])
        assert s.told["packet"] == f"{row['packet_source']}:{row['packet_seq']}"
        assert (s.start, s.end) == (row["injected_ps"] // 1000, row["ended_ps"] // 1000)
        assert {n: s.told[n] for n in ("hops", "waited_ps", "late", "injected_ps")} == {
            n: row[n] for n in ("hops", "waited_ps", "late", "injected_ps")
        }
        lanes[s.track].append((s.start, s.end))
    for spans in lanes.values():  # copies of one kind overlap, slices of one track do not
        assert all(a[1] <= b[0] for a, b in itertools.pairwise(sorted(spans)))


def test_flows_join_the_handlers(trace: Trace, raw: dict[str, Rows]) -> None:
    handlers = trace.of("handler")
    sent = {flow: s for s in handlers for flow in s.flows}
    taken = {flow: s for s in handlers for flow in s.ending}
    kinds = Counter(raw["packets"][flow - 1]["kind"] for flow in sent)
    all_of = Counter(row["kind"] for row in raw["packets"])
    assert kinds["spike"] == all_of["spike"] and kinds["error"] == all_of["error"]
    assert "gradient" not in kinds  # the optimiser's DMA fetches these: no handler sends them
    for flow, s in sent.items():
        row = raw["packets"][flow - 1]
        assert trace.path(s.track)[1] == CHIP.endpoint_label(row["source"])
        assert s.told["start_ps"] <= row["injected_ps"] <= s.told["done_ps"]
    assert len(taken) > 0.9 * (all_of["spike"] + all_of["error"])
    for flow, s in taken.items():
        row = raw["packets"][flow - 1]
        assert trace.path(s.track)[1] == CHIP.endpoint_label(row["destination"])
        assert row["ended_ps"] <= s.told["start_ps"]
        if row["kind"] in ("spike", "error"):
            assert s.told["tick"] == row["tick_consumed"]


def test_grants_hold_their_channels_and_carry_the_flow(trace: Trace, raw: dict[str, Rows]) -> None:
    slices = trace.of("grant")
    assert len(slices) == len(raw["hops"])
    held: Counter[str] = Counter()
    copies = Counter((r["packet_source"], r["packet_seq"]) for r in raw["packets"])
    for s in slices:
        router, channel = trace.path(s.track)[1:]
        assert f" {router} -> " in channel
        held[channel] += s.told["held_ps"]
        identity = tuple(map(int, s.name.split(":")))
        assert len(s.flows) == (copies[identity] == 1)
        if s.flows:
            row = raw["packets"][s.flows[0] - 1]
            assert (row["packet_source"], row["packet_seq"]) == identity
    busy: Counter[str] = Counter()
    for row in raw["channels"]:
        busy[CHIP.channel_label(row["channel"])] += row["busy_ps"]
    assert held == busy


def test_counters(trace: Trace, raw: dict[str, Rows], directory: Path) -> None:
    tracks = {trace.path(track): rows for track, rows in trace.counters.items()}
    level = tracks["counters", "packets in flight"]
    assert level[-1][1] == 0 and level == sorted(level)
    when, most = max(level, key=lambda row: row[1])
    assert most == sum(
        r["injected_ps"] // 1000 <= when < r["ended_ps"] // 1000 for r in raw["packets"]
    )
    windows = sorted({(r["window_start_ps"], r["window_end_ps"]) for r in raw["channels"]})
    summary = json.loads((directory / "summary.json").read_text())
    for part, energy in summary["energy_mj"].items():
        levels = tracks["counters", f"power {part}"]
        assert [time for time, _ in levels] == [start // 1000 for start, _ in windows]
        pairs = zip(levels, windows, strict=True)
        total = sum(mw * (end - start) / 1e12 for (_, mw), (start, end) in pairs)
        assert total == pytest.approx(energy)
    shares = defaultdict(list)
    for row in raw["channels"]:
        length = row["window_end_ps"] - row["window_start_ps"]
        name = CHIP.channel_label(row["channel"])
        shares[name].append((row["window_start_ps"] // 1000, 100 * row["busy_ps"] / length))
    for name, rows in shares.items():
        (got,) = [v for path, v in tracks.items() if path[-1] == f"{name} busy"]
        assert got[:-1] == [(t, pytest.approx(v)) for t, v in rows]
        assert got[-1] == (
            max(
                r["window_end_ps"]
                for r in raw["channels"]
                if CHIP.channel_label(r["channel"]) == name
            )
            // 1000,
            0.0,
        )
    queues = {path: rows for path, rows in tracks.items() if path[-1] == "waiting"}
    waits: Counter[str] = Counter()
    for hop in raw["hops"]:
        node = CHIP.node_labels[CHIP.channel_node[hop["channel"]]]
        waits[node] += hop["granted_ps"] // 1000 - hop["arrived_ps"] // 1000
    for path, rows in queues.items():
        area = sum(level * (b[0] - t) for (t, level), b in itertools.pairwise(rows))
        assert area == waits[path[1]] and rows[-1][1] == 0
    assert {path[1] for path in queues} >= {node for node, area in waits.items() if area}


def test_a_window_is_a_part(directory: Path, tmp_path: Path, raw: dict[str, Rows]) -> None:
    out = tmp_path / "part.pftrace"
    words = ["--start-ms", "3", "--end-ms", "7.5", "--out", str(out)]
    assert main(["export", str(directory), "--to", "perfetto", *words]) == 0
    part = pb.Trace()
    part.ParseFromString(out.read_bytes())
    begun = sum(p.track_event.type == BEGIN for p in part.packet if p.HasField("track_event"))
    start, end = 3 * 10**9, 75 * 10**8
    spans = {
        "packets": ("injected_ps", "ended_ps"),
        "hops": ("arrived_ps", "far_ps"),
        "ticks": ("start_ps", "done_ps"),
    }
    inside = sum(
        row[first] < end and row[last] >= start
        for name, (first, last) in spans.items()
        for row in raw[name]
    )
    assert 0 < begun == inside


def test_perfetto_s_own_reader(file: Path, raw: dict[str, Rows]) -> None:
    api = pytest.importorskip("perfetto.trace_processor")
    # The package fetches the reader from Google when it is first used; only CI may do so here.
    reader = os.environ.get("TRACE_PROCESSOR") or shutil.which("trace_processor_shell")
    if reader is None and os.environ.get("CI") != "true":
        pytest.skip("no trace_processor_shell here; TRACE_PROCESSOR names one, CI=true fetches it")
    config = api.TraceProcessorConfig(bin_path=reader)
    try:
        processor = api.TraceProcessor(trace=str(file), config=config)
    except Exception as error:  # whatever its download raises without a network
        pytest.skip(f"Perfetto's trace reader cannot be had: {error}")
    with processor:
        (row,) = processor.query("select count(*) as n from slice where category = 'handler'")
        assert row.n == len(raw["ticks"])
        (row,) = processor.query("select count(*) as n from slice where category = 'grant'")
        assert row.n == len(raw["hops"])
        (row,) = processor.query("select count(*) as n from flow")
        assert row.n > len(raw["packets"])
        rows = processor.query("select name, value from stats where severity = 'error'")
        assert not [r.name for r in rows if r.value]
