"""``chipsim export``: files hold the rows of the trace, slices nest, arrows join handlers."""

from __future__ import annotations

import csv
import itertools
import json
import shutil
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import pytest

from chipsim.cli.main import main
from chipsim.machine.library import load_machine

Rows = list[dict[str, Any]]
CHIP = load_machine("spinnaker2")
PES, PACKETS, CHANNELS, GRANTS = 1, 2, 3, 4


def export(directory: Path, to: str, out: Path, *words: str, status: int = 0) -> None:
    assert main(["export", str(directory), "--to", to, "--out", str(out), *words]) == status


@pytest.fixture(scope="module")
def events(directory: Path, tmp_path_factory: pytest.TempPathFactory) -> Rows:
    out = tmp_path_factory.mktemp("perfetto") / "run.json"
    export(directory, "perfetto", out)
    got: Rows = json.loads(out.read_text())["traceEvents"]
    return got


def phase(events: Rows, process: int, letter: str) -> Rows:
    return [e for e in events if e["pid"] == process and e["ph"] == letter]


def test_csv_holds_every_row(directory: Path, raw: dict[str, Rows], tmp_path: Path) -> None:
    export(directory, "csv", tmp_path / "csv")
    for name, rows in raw.items():
        with (tmp_path / "csv" / f"{name}.csv").open(newline="") as file:
            got = list(csv.DictReader(file))
        wanted = [
            {k: str(int(v)) if isinstance(v, bool) else str(v) for k, v in row.items()}
            for row in rows
        ]
        assert got == wanted


def test_a_window_of_csv(directory: Path, raw: dict[str, Rows], tmp_path: Path) -> None:
    export(directory, "csv", tmp_path / "csv", "--start-ms", "3", "--end-ms", "7.5")
    with (tmp_path / "csv" / "packets.csv").open(newline="") as file:
        got = [(row["packet_source"], row["packet_seq"]) for row in csv.DictReader(file)]
    start, end = 3 * 10**9, 75 * 10**8
    inside = [r for r in raw["packets"] if r["injected_ps"] < end and r["ended_ps"] >= start]
    assert got == [(str(r["packet_source"]), str(r["packet_seq"])) for r in inside]
    assert 0 < len(got) < len(raw["packets"])


def test_handlers_are_slices_of_their_pe(events: Rows, raw: dict[str, Rows]) -> None:
    slices = phase(events, PES, "X")
    assert len(slices) == len(raw["ticks"])
    for event, row in zip(slices, raw["ticks"], strict=True):
        assert event["tid"] == row["pe"] + 1
        assert event["ts"] == pytest.approx(row["start_ps"] / 1e6, abs=1e-7)
        assert event["dur"] == pytest.approx((row["done_ps"] - row["start_ps"]) / 1e6, abs=1e-7)
        assert event["args"]["busy_ps"] == row["busy_ps"]
    tracks = defaultdict(list)
    for event in slices:
        tracks[event["tid"]].append((event["args"]["start_ps"], event["args"]["done_ps"]))
    for spans in tracks.values():
        ordered = sorted(spans)
        assert all(a[1] <= b[0] for a, b in itertools.pairwise(ordered))
    names = {
        e["tid"]: e["args"]["name"] for e in phase(events, PES, "M") if e["name"] == "thread_name"
    }
    assert names == {track: CHIP.endpoint_label(track - 1) for track in tracks}


def test_every_copy_begins_and_ends(events: Rows, raw: dict[str, Rows]) -> None:
    begins = {e["id"]: e for e in phase(events, PACKETS, "b")}
    ends = {e["id"]: e for e in phase(events, PACKETS, "e")}
    assert list(begins) == list(ends) == list(range(len(raw["packets"])))
    for number, row in enumerate(raw["packets"]):
        begin = begins[number]
        assert begin["args"]["packet"] == f"{row['packet_source']}:{row['packet_seq']}"
        assert begin["cat"] == ends[number]["cat"] == row["kind"]
        assert begin["ts"] == pytest.approx(row["injected_ps"] / 1e6, abs=1e-7)
        assert ends[number]["ts"] == pytest.approx(row["ended_ps"] / 1e6, abs=1e-7)


def test_arrows_go_from_the_sending_to_the_taking_handler(
    events: Rows, raw: dict[str, Rows]
) -> None:
    spans = defaultdict(list)
    for event in phase(events, PES, "X"):
        spans[event["tid"]].append((event["ts"], event["ts"] + event["dur"], event["args"]["tick"]))
    starts = {e["id"]: e for e in phase(events, PES, "s")}
    ends = {e["id"]: e for e in phase(events, PES, "f")}
    assert starts.keys() == ends.keys()
    kinds = Counter(event["cat"] and event["name"] for event in starts.values())
    sent = Counter(row["kind"] for row in raw["packets"])
    # Spikes and errors are sent by handlers; all but the last tick's are taken by one.
    assert kinds["error"] == sent["error"] and kinds["spike"] > 0.9 * sent["spike"]
    assert "gradient" not in kinds  # the optimiser's DMA fetches these: no handler sends them
    for number, begin in starts.items():
        row, end = raw["packets"][number], ends[number]
        assert (begin["tid"], end["tid"]) == (row["source"] + 1, row["destination"] + 1)
        assert any(a <= begin["ts"] < b for a, b, _ in spans[begin["tid"]])
        (tick,) = {t for a, b, t in spans[end["tid"]] if a <= end["ts"] < b}
        if row["kind"] in ("spike", "error"):
            assert tick == row["tick_consumed"]


def test_channel_counters_and_grants(events: Rows, raw: dict[str, Rows]) -> None:
    counters = [e for e in phase(events, CHANNELS, "C") if e["args"]["busy %"] > 0]
    assert len(counters) == len(raw["channels"])
    for event, row in zip(counters, raw["channels"], strict=True):
        assert event["name"] == CHIP.channel_label(row["channel"])
        share = row["busy_ps"] / (row["window_end_ps"] - row["window_start_ps"])
        assert event["args"]["busy %"] == pytest.approx(100 * share)
    slices = phase(events, GRANTS, "X")
    assert len(slices) == len(raw["hops"])
    held: Counter[int] = Counter()
    for event in slices:
        held[event["tid"] - 1] += round(event["dur"] * 1e6)
    busy: Counter[int] = Counter()
    for row in raw["channels"]:
        busy[row["channel"]] += row["busy_ps"]
    assert held == busy


def test_same_trace_same_bytes(directory: Path, tmp_path: Path) -> None:
    for name in "ab":
        export(directory, "perfetto", tmp_path / name, "--end-ms", "5")
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--limit", "1000"], "the limit is 1,000; take a part with --start-ms and --end-ms, or "),
        (["--start-ms", "5", "--end-ms", "5"], "expected a start from 0 on and an end after it"),
        (["--start-ms", "soon"], "--start-ms: got 'soon', expected milliseconds such as 1.5"),
    ],
)
@pytest.mark.parametrize("to", ["csv", "perfetto"])
def test_refusals(
    directory: Path,
    tmp_path: Path,
    to: str,
    words: list[str],
    says: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    export(directory, to, tmp_path / "out", *words, status=2)
    assert says in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_nothing_is_overwritten(
    directory: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "file").write_text("")
    export(directory, "csv", tmp_path / "mine", status=2)
    assert "the directory is not empty" in capsys.readouterr().err
    export(directory, "perfetto", tmp_path / "mine" / "file", status=2)
    assert "exists; give another file with --out" in capsys.readouterr().err


def test_forms_and_levels(
    directory: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["export", str(directory), "--to", "vcd"]) == 2
    assert "'csv', 'perfetto'" in capsys.readouterr().err
    copy = Path(shutil.copytree(directory, tmp_path / "copy"))
    shutil.rmtree(copy / "hops.parquet")
    assert main(["export", str(copy), "--to", "perfetto", "--end-ms", "5"]) == 0
    text = (tmp_path / "copy.perfetto.json").read_text()
    assert not phase(json.loads(text)["traceEvents"], GRANTS, "X")
    for name in ("packets", "ticks", "channels"):
        shutil.rmtree(copy / f"{name}.parquet")
    for to in ("csv", "perfetto"):
        export(copy, to, tmp_path / to, status=2)
        assert "run again with --set trace.level=packets" in capsys.readouterr().err
