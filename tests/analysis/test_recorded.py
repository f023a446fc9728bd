"""What the recorder writes beside packets and hops, counted again from the raw rows."""

from __future__ import annotations

import itertools
import json
import re
import shutil
from collections import Counter, defaultdict
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chipsim.analysis.inspect import sections
from chipsim.analysis.run import Run, open_run
from chipsim.errors import TraceError

from .conftest import Rows, make_run, raw_rows

TINY = {"data__train_samples": 6, "data__test_samples": 2, "train__batch": 3}
WINDOW_PS = 5 * 10**8
NAMES = ("packets", "hops", "ticks", "channels", "spikes", "samples", "power", "annotations")


@pytest.fixture(scope="module")
def sliced(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with windows of time, and some neurons watched."""
    out = tmp_path_factory.mktemp("sliced") / "run"
    return make_run(
        out, **TINY, trace__window_us=500, trace__membrane='["layer0:0-2", "r1/layer1"]'
    )


def files(run: Path) -> dict[str, bytes]:
    """Return the bytes of every file of a trace; the status tells settings and summary apart."""
    found = [path for path in run.rglob("*") if path.suffix in (".parquet", ".json")]
    return {
        str(path.relative_to(run)): path.read_bytes()
        for path in sorted(found)
        if path.is_file() and path.name not in ("summary.json", "status.json")
    }


def test_the_reference_network_gives_the_same_bytes(sliced: Path, tmp_path: Path) -> None:
    other = make_run(
        tmp_path / "simpy", **TINY, trace__window_us=500,
        trace__membrane='["layer0:0-2", "r1/layer1"]', network__model="simpy",
    )  # fmt: skip
    mine, theirs = files(sliced), files(other)
    assert mine.keys() == theirs.keys() and len(mine) == len(NAMES) + 2
    assert [name for name in mine if mine[name] != theirs[name]] == []


def test_tracing_changes_no_result(sliced: Path, tmp_path: Path) -> None:
    quiet = make_run(tmp_path / "quiet", **TINY, trace__level="summary")
    assert (quiet / "weights.npz").read_bytes() == (sliced / "weights.npz").read_bytes()
    assert (quiet / "metrics.csv").read_bytes() == (sliced / "metrics.csv").read_bytes()
    mine, theirs = (json.loads((run / "summary.json").read_text()) for run in (quiet, sliced))
    for name in ("packets", "copies_delivered", "latency_ns", "energy_mj", "simulated_s"):
        assert mine[name] == theirs[name]
    assert not list(quiet.glob("*.parquet"))


def test_cycles_by_operation_sum_to_each_handlers_cycles(raw: dict[str, Rows], run: Run) -> None:
    names = [f"cycles_{name}" for name in run.operations]
    assert all(sum(row[name] for name in names) == row["cycles"] for row in raw["ticks"])
    told = {row["operation"]: row["cycles"] for row in run.cycles_by_operation().to_pylist()}
    wanted = {name: sum(row[f"cycles_{name}"] for row in raw["ticks"]) for name in run.operations}
    assert told == {name: cycles for name, cycles in wanted.items() if cycles}
    assert wanted["tick_overhead"] and wanted["synaptic_event"] and wanted["send_per_qpe"]


def test_fifo_peaks(raw: dict[str, Rows]) -> None:
    """A handler that empties its FIFO once finds in it what it takes."""
    assert {row["level"] for row in raw["ticks"]} == {1}
    for row in raw["ticks"]:
        assert 0 <= row["fifo_peak"] <= row["packets_in"]
        if row["phase"] == "forward":
            assert row["fifo_peak"] == row["packets_in"]


def test_power_adds_up_to_the_energy(sliced: Path) -> None:
    energy: dict[str, float] = defaultdict(float)
    for row in raw_rows(sliced, "power"):
        energy[row["part"]] += (
            row["power_mw"] * (row["window_end_ps"] - row["window_start_ps"]) * 1e-12
        )
    wanted = json.loads((sliced / "summary.json").read_text())["energy_mj"]
    assert dict(energy) == pytest.approx(wanted, rel=1e-9)


def test_windows_of_time_hold_the_grants_of_their_time(sliced: Path) -> None:
    grants: Counter[tuple[int, int]] = Counter()
    for hop in raw_rows(sliced, "hops"):
        grants[hop["granted_ps"] // WINDOW_PS, hop["channel"]] += 1
    told: Counter[tuple[int, int]] = Counter()
    ends = set()
    for row in raw_rows(sliced, "channels"):
        assert row["window_start_ps"] % WINDOW_PS == 0
        assert row["window_end_ps"] - row["window_start_ps"] <= WINDOW_PS
        ends.add(row["window_end_ps"])
        if row["packets"]:
            told[row["window_start_ps"] // WINDOW_PS, row["channel"]] += row["packets"]
    assert told == grants
    assert len(ends) > 50


def test_queue_peaks_from_arrivals_and_grants(sliced: Path) -> None:
    """Channels into routers: whoever has arrived and has a grant to come waits there."""
    machine = open_run(sliced).machine
    hops = raw_rows(sliced, "hops")
    last_grant: dict[tuple[int, int, int, int], int] = {}
    for hop in hops:
        node = int(machine.channel_node[hop["channel"]])
        key = (hop["packet_source"], hop["packet_seq"], node, hop["arrived_ps"])
        last_grant[key] = max(last_grant.get(key, 0), hop["granted_ps"])
    events: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for hop in hops:
        port = int(machine.channel_port[hop["channel"]])
        node = int(machine.port_node[port])
        left = last_grant.get((hop["packet_source"], hop["packet_seq"], node, hop["far_ps"]))
        if left is not None:
            # At one instant, arrivals come before grants.
            events[hop["channel"]] += [(2 * hop["far_ps"], 1), (2 * left + 1, -1)]
    told: dict[tuple[int, int], int] = {
        (row["window_start_ps"] // WINDOW_PS, row["channel"]): row["queue_peak"]
        for row in raw_rows(sliced, "channels")
    }
    peaks: dict[tuple[int, int], int] = {}
    for channel, moments in events.items():
        waiting = 0
        for moment, change in sorted(moments):
            waiting += change
            at = (moment // 2 // WINDOW_PS, channel)
            peaks[at] = max(peaks.get(at, 0), waiting)
    assert peaks and max(peaks.values()) > 1
    assert all(told[at] == peak for at, peak in peaks.items() if peak)


def test_spikes_are_the_packets_that_were_sent(sliced: Path) -> None:
    spikes = raw_rows(sliced, "spikes")
    packets = {
        (p["packet_source"], p["key"], p["tick_sent"], p["sample"])
        for p in raw_rows(sliced, "packets")
        if p["kind"] == "spike"
    }
    assert len(spikes) == len(packets)
    told = Counter((s["vertex"], s["tick"], s["sample"]) for s in spikes)
    assert told == Counter((source, tick, sample) for source, _, tick, sample in packets)
    assert max(s["neuron"] for s in spikes) < 120


def test_membranes_on_request(sliced: Path) -> None:
    rows = raw_rows(sliced, "samples")
    names = [vertex["name"] for vertex in open_run(sliced).vertices]
    asked = {(names[r["vertex"]].split("/")[1], r["neuron"]) for r in rows}
    assert asked == {("layer0", n) for n in range(3)} | {("layer1", n) for n in range(3)}
    assert {names[r["vertex"]] for r in rows if "layer1" in names[r["vertex"]]} == {"r1/layer1"}
    assert {r["quantity"] for r in rows} == {"membrane", "adjoint"}
    assert any(r["value"] for r in rows)


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        ("layer9", "no neurons on a vertex 'layer9'"),
        ("layer0:5-900", "r0/layer0 holds the neurons 0 to 119"),
        ("layer0:a", "expected VERTEX, VERTEX:NEURON or VERTEX:FIRST-LAST"),
    ],
)
def test_wrong_requests(
    tmp_path: Path, entry: str, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(AssertionError):
        make_run(tmp_path / "run", **TINY, trace__membrane=f'["{entry}"]')
    assert re.search(re.escape(says), capsys.readouterr().err)


def test_annotations_cover_the_run(sliced: Path) -> None:
    rows = raw_rows(sliced, "annotations")
    end = json.loads((sliced / "summary.json").read_text())["simulated_s"] * 1e12
    for what in ("phase", "batch", "epoch"):
        mine = sorted((r["start_ps"], r["end_ps"]) for r in rows if r["what"] == what)
        assert mine[0][0] == 0 and mine[-1][1] == end
        assert all(a[1] == b[0] for a, b in itertools.pairwise(mine))
    assert {r["name"] for r in rows if r["what"] == "phase"} == {"forward", "backward", "exchange"}


def test_hops_carry_their_packets_kind_and_net(raw: dict[str, Rows], run: Run) -> None:
    packets = {(p["packet_source"], p["packet_seq"]): p for p in raw["packets"]}
    for hop in raw["hops"]:
        packet = packets[hop["packet_source"], hop["packet_seq"]]
        assert (hop["kind"], hop["net"]) == (packet["kind"], packet["net"])
    assert all(run.nets[p["net"]]["kind"] == p["kind"] for p in raw["packets"] if p["net"] >= 0)


def test_windows_by_kind_and_channel(tmp_path: Path, raw: dict[str, Rows]) -> None:
    channel = max(Counter(hop["channel"] for hop in raw["hops"]).items(), key=lambda c: c[1])[0]
    part = make_run(tmp_path / "part", trace__channels=f"[{channel}]", trace__kinds='["gradient"]')
    hops = [h for h in raw["hops"] if h["channel"] == channel and h["kind"] == "gradient"]
    assert hops and raw_rows(part, "hops") == hops
    assert {row["channel"] for row in raw_rows(part, "channels")} == {channel}
    assert "covers a part of the run only" in open_run(part).notes[0]


@pytest.mark.parametrize("slices", [{}, {"trace__window_us": 4000}], ids=["batches", "slices"])
def test_a_window_of_one_batch(
    slices: dict[str, object], tmp_path: Path, raw: dict[str, Rows]
) -> None:
    part = make_run(tmp_path / "part", trace__first_batch=1, trace__last_batch=1, **slices)
    rows = {name: raw_rows(part, name) for name in NAMES}
    [(start, end)] = [
        (row["start_ps"], row["end_ps"])
        for row in rows["annotations"]
        if row["what"] == "batch" and row["number"] == 1
    ]
    assert rows["hops"] == [h for h in raw["hops"] if start < h["granted_ps"] <= end]
    for name in ("packets", "ticks", "spikes"):
        assert {row["batch"] for row in rows[name]} == {1}
    assert rows["packets"] == [row for row in raw["packets"] if row["batch"] == 1]
    for name in ("channels", "power"):
        ends = {row["window_end_ps"] for row in rows[name]}
        assert ends == ({end} if not slices else {t for t in ends if start < t < end + 4 * 10**9})
    if not slices:
        assert rows["channels"] == [c for c in raw["channels"] if c["window_end_ps"] == end]


@pytest.mark.parametrize(
    ("limit", "says"),
    [
        (
            {"trace__vertices": "[2, 900]"},
            "trace.vertices: got 900, expected numbers from 0 to 13, those",
        ),
        ({"trace__channels": "[90000]"}, "trace.channels: got 90000, expected numbers from 0 to "),
    ],
)
def test_numbers_that_no_vertex_or_channel_has(
    tmp_path: Path, limit: dict[str, object], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(AssertionError):
        make_run(tmp_path / "run", **TINY, **limit)
    assert says in capsys.readouterr().err


def test_names_that_are_broken_or_older(sliced: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(sliced, tmp_path / "copy"))
    for text, says in (
        ("{", "cannot be read"),
        ('{"format": "chipsim-names/0"}', "got format 'chipsim-names/0'"),
        ('{"format": "chipsim-names/1", "vertices": [1], "nets": []}', "vertices: expected a list"),
    ):
        (copy / "vertices.json").write_text(text)
        with pytest.raises(TraceError, match=says):
            open_run(copy)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(name=st.sampled_from(NAMES), cut=st.floats(0, 1), flip=st.booleans())
def test_a_damaged_part_is_named_or_read_whole(
    sliced: Path, tmp_path: Path, name: str, cut: float, flip: bool
) -> None:
    copy = tmp_path / "copy"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(sliced, copy)
    part = copy / f"{name}.parquet" / "part-000000.parquet"
    data = part.read_bytes()
    part.write_bytes(data[: int(cut * (len(data) - 1))])
    if flip:
        part.unlink()
        (copy / f"{name}.parquet" / "part-000001.parquet").write_bytes(data)
    with pytest.raises(TraceError, match=r"cannot be read|is missing|parts are missing"):
        open_run(copy).read(name)


def test_every_question_reads_parts_of_any_size(directory: Path, tmp_path: Path) -> None:
    """The run of ``directory`` has parts of 5,000 rows; in one part it gives the same tables."""
    whole = make_run(tmp_path / "whole")
    assert len(list((directory / "packets.parquet").iterdir())) > 2
    assert (
        pq.ParquetFile(whole / "packets.parquet" / "part-000000.parquet").metadata.num_rows > 9999
    )
    one, other = sections(open_run(directory), top=50), sections(open_run(whole), top=50)
    assert [s.as_json() for s in one] == [s.as_json() for s in other]
