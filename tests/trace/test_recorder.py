from __future__ import annotations

import statistics
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chipsim.errors import TraceError
from chipsim.trace import stream as stream_module
from chipsim.trace.aggregates import PACKET_COLUMNS
from chipsim.trace.recorder import Recorder
from chipsim.trace.schema import PACKETS, SCHEMAS
from chipsim.trace.window import Window
from tests.trace.columns import LABELS, in_order, packet_rows, select

KINDS, PHASES = LABELS["kind"], LABELS["phase"]


def recorder(directory: Path | None = None, level: str = "packets", **keywords: Any) -> Recorder:
    return Recorder(level, directory, kinds=KINDS, phases=PHASES, **keywords)


def read(directory: Path, name: str = "packets") -> list[dict[str, Any]]:
    return pq.read_table(directory / f"{name}.parquet").to_pylist()


def one_packet(**changes: Any) -> dict[str, Any]:
    rows = packet_rows(1)
    return {**{name: column[0].item() for name, column in rows.items()}, **changes}


@given(count=st.integers(1, 50), seed=st.integers(0, 9), cut=st.integers(0, 50))
def test_counts_are_those_of_plain_python(count: int, seed: int, cut: int) -> None:
    rows = packet_rows(count, seed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stream_module, "_BLOCK_ROWS", 8)
        made = recorder(level="summary")
        for part in (select(rows, slice(0, cut)), select(rows, slice(cut, None))):
            made.packets(**{name: part[name] for name in PACKET_COLUMNS})
            counts = made.aggregates()
    plain = in_order(rows)
    for kind in KINDS:
        mine = [row for row in plain if row["kind"] == kind]
        ends = [row["outcome"] for row in mine]
        assert counts.copies()[kind] == {how: ends.count(how) for how in LABELS["outcome"]}
        assert counts.late()[kind] == sum(row["late"] for row in mine)
        assert counts.hops()[kind] == sum(row["hops"] for row in mine)
        assert counts.waited_ps()[kind] == sum(row["waited_ps"] for row in mine)
    latencies = [
        row["ended_ps"] - row["injected_ps"] for row in plain if row["outcome"] == "delivered"
    ]
    total = counts.all_latencies()
    assert len(total) == len(latencies)
    if latencies:
        assert total.median() == statistics.median_low(latencies)
        assert total.max() == max(latencies)


@pytest.mark.parametrize("block", [1, 7, 1 << 15])
def test_what_is_handed_over_in_pieces_is_written_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block: int
) -> None:
    monkeypatch.setattr(stream_module, "_BLOCK_ROWS", block)
    made = recorder(tmp_path, rows_per_part=16)
    rows = packet_rows(100)
    for start in range(0, 100, 9):
        made.packets(**select(rows, slice(start, start + 9)))
    made.close()
    assert read(tmp_path) == in_order(rows)


def test_looking_at_the_counts_changes_no_byte(tmp_path: Path) -> None:
    rows = packet_rows(60)
    for name, look in (("a", False), ("b", True)):
        (tmp_path / name).mkdir()
        made = recorder(tmp_path / name, rows_per_part=16)
        for start in range(0, 60, 6):
            made.packets(**select(rows, slice(start, start + 6)))
            if look:
                made.aggregates()
        made.close()
    parts = sorted((tmp_path / "a" / "packets.parquet").iterdir())
    assert len(parts) == 4
    for part in parts:
        assert part.read_bytes() == (tmp_path / "b" / "packets.parquet" / part.name).read_bytes()


def test_scalars_hold_for_all_rows_and_defaults_fill_what_is_missing(tmp_path: Path) -> None:
    made = recorder(tmp_path)
    made.packets(
        packet_source=np.array([7, 8]), packet_seq=np.int64(5), key=2**32 - 1, kind=1, net=0,
        source=3, destination=4, injected_ps=10, ended_ps=np.array([30, 20]), hops=2, waited_ps=0,
        late=np.bool_(True), tick_sent=6,
    )  # fmt: skip
    made.close()
    first, second = read(tmp_path)
    assert (first["packet_source"], first["ended_ps"]) == (8, 20)
    assert (second["packet_source"], second["ended_ps"]) == (7, 30)
    assert first["key"] == 2**32 - 1
    assert first["late"] is True
    assert (first["kind"], first["phase"], first["outcome"]) == ("error", "none", "delivered")
    assert (first["tick_consumed"], first["batch"], first["sample"]) == (-1, -1, -1)


def test_arrays_are_copied(tmp_path: Path) -> None:
    made = recorder(tmp_path)
    rows = packet_rows(5)
    expected = in_order(rows)
    made.packets(**rows)
    for column in rows.values():
        column[:] = 0
    made.close()
    assert read(tmp_path) == expected


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"hops": np.array([2**40])}, r"column hops got array.*, expected int32 values from"),
        ({"hops": 2**40}, r"column hops got 1099511627776, expected int32"),
        ({"hops": 1.5}, r"column hops got 1\.5, expected int32"),
        ({"hops": np.array([1.0])}, r"column hops got array\(\[1\.\]\), expected int32"),
        ({"key": -1}, r"column key got -1, expected uint32 values from 0 to 4294967295"),
        ({"late": 2}, r"column late got 2, expected bool"),
        ({"hops": np.array([1, 2])}, r"column hops has 2 rows, expected 1 as in ended_ps"),
        ({"hop": 1}, r"unknown column 'hop'; did you mean 'hops'\?"),
    ],
)
def test_values_that_do_not_fit_are_refused(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    made = recorder(tmp_path)
    with pytest.raises(TraceError, match=message):
        made.packets(**{**one_packet(ended_ps=np.array([9])), **changes})


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    columns = one_packet(ended_ps=np.array([9]))
    del columns["net"], columns["batch"]  # batch has a default
    with pytest.raises(TraceError, match=r"^packets: missing net$"):
        recorder(tmp_path).packets(**columns)


@pytest.mark.parametrize("code", [-1, 2])
def test_unknown_codes_are_refused(code: int) -> None:
    made = recorder(level="summary")
    made.packets(**one_packet(ended_ps=np.array([9]), kind=code))
    with pytest.raises(TraceError, match=rf"column kind got codes from {code} to {code}.*\('spike"):
        made.aggregates()


@pytest.mark.parametrize(
    ("window", "keep"),
    [
        (Window(), lambda row: True),
        (Window(start_ps=30, end_ps=60), lambda row: 30 <= row["ended_ps"] < 60),
        (Window(first_batch=1), lambda row: row["batch"] >= 1),
        (Window(last_batch=1), lambda row: 0 <= row["batch"] <= 1),
        (Window(vertices=(0, 3)), lambda row: row["packet_source"] in (0, 3)),
        (Window(kinds=("error",)), lambda row: row["kind"] == "error"),
    ],
)
def test_windows_limit_what_is_written_and_not_what_is_counted(
    tmp_path: Path, window: Window, keep: Any
) -> None:
    rows = packet_rows(80)
    made = recorder(tmp_path, window=window)
    made.packets(**rows)
    made.close()
    expected = [row for row in in_order(rows) if keep(row)]
    assert len(expected) > 0
    assert read(tmp_path) == expected
    assert sum(sum(how.values()) for how in made.aggregates().copies().values()) == 80


def test_levels_write_what_they_say(tmp_path: Path) -> None:
    written = {}
    for level in ("summary", "packets", "hops"):
        (tmp_path / level).mkdir()
        made = recorder(tmp_path / level, level)
        made.hops(
            packet_source=0, packet_seq=0, kind=0, net=0, channel=np.array([2, 1]), arrived_ps=1,
            granted_ps=np.array([5, 5]), far_ps=9,
        )  # fmt: skip
        made.channels(
            window_start_ps=0, window_end_ps=np.array([9]), channel=1, packets=1, flits=1, busy_ps=2
        )
        made.close()
        written[level] = sorted(path.name for path in (tmp_path / level).iterdir())
        assert (made.writes_packets, made.writes_hops) == (level != "summary", level == "hops")
    assert written == {
        "summary": [],
        "packets": sorted([*(f"{n}.parquet" for n in SCHEMAS if n != "hops"), "parts.json"]),
        "hops": sorted([*(f"{n}.parquet" for n in SCHEMAS), "parts.json"]),
    }
    assert [row["channel"] for row in read(tmp_path / "hops", "hops")] == [1, 2]
    assert read(tmp_path / "hops", "channels")[0]["queue_peak"] == -1


def test_ticks_are_counted_and_written(tmp_path: Path) -> None:
    made = recorder(tmp_path)
    made.ticks(
        pe=np.array([4, 2, 3]), tick=1, start_ps=np.array([0, 0, 10]),
        done_ps=np.array([30, 30, 25]), busy_ps=np.array([20, 29, 15]), cycles=6, packets_in=1,
        packets_out=0, overrun=np.array([False, True, True]),
    )  # fmt: skip
    counts = made.aggregates()
    assert (counts.ticks, counts.overruns) == (3, 2)
    assert (counts.busy_ps, counts.busy_max_ps, counts.span_max_ps) == (64, 29, 30)
    made.close()
    assert [(row["done_ps"], row["pe"]) for row in read(tmp_path, "ticks")] == [
        (25, 3),
        (30, 2),
        (30, 4),
    ]


def test_sends_are_counted_by_kind() -> None:
    made = recorder(level="summary")
    made.sends(np.array([1, 1, 0], np.int8))
    made.sends(np.array([1], np.int32))
    made.sends(np.array([], np.int32))
    assert made.packets_sent() == {"spike": 1, "error": 3}


def test_a_watermark_writes_while_the_run_goes_on(tmp_path: Path) -> None:
    made = recorder(tmp_path, rows_per_part=30_000)
    for step in range(8):
        rows = packet_rows(20_000, step)
        rows["ended_ps"] += 1000 * step
        made.packets(**rows)
        made.flush(1000 * (step + 1))
    assert len(list((tmp_path / "packets.parquet").iterdir())) >= 3
    made.close()
    times = [row["ended_ps"] for row in read(tmp_path)]
    assert len(times) == 160_000
    assert times == sorted(times)


def test_bad_settings_are_refused(tmp_path: Path) -> None:
    with pytest.raises(TraceError, match=r"trace level: got 'packet'; did you mean 'packets'\?"):
        recorder(tmp_path, "packet")
    with pytest.raises(TraceError, match=r"no run directory; give one with --out DIR"):
        recorder(None, "hops")
    with pytest.raises(TraceError, match=r"unknown kind 'spikes'; did you mean 'spike'\?"):
        recorder(tmp_path, window=Window(kinds=("spikes",)))
    assert not list(tmp_path.iterdir())


def test_every_needed_column_is_a_column() -> None:
    assert set(PACKET_COLUMNS) <= set(PACKETS.names)
