"""The report: every figure in the page is recomputed here from the raw trace, and adds up."""

from __future__ import annotations

import json
import math
import re
import shutil
import tempfile
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chipsim.analysis.report.facts import learning
from chipsim.analysis.report.page import render_page, report_data, run_names, write_report
from chipsim.analysis.run import open_run
from chipsim.cli.main import main
from chipsim.errors import TraceError
from chipsim.machine.library import load_machine
from chipsim.mapping.application import Net
from chipsim.testing.scripted import scripted_simulation
from chipsim.trace.rundir import RunDirectory

from .conftest import at_level, raw_rows, sealed

Rows = list[dict[str, Any]]
CHIP = load_machine("spinnaker2")
PER_TABLE = 40


def embedded(page: Path) -> Any:
    """Return the data in a page, found as a browser finds them."""
    text = page.read_text(encoding="utf-8")
    (block,) = re.findall(r'<script id="data" type="application/json">\n(.*?)\n</script>', text)
    return json.loads(block)


@pytest.fixture(scope="module")
def page(directory: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("report") / "page.html"
    assert main(["report", str(directory), "--out", str(out)]) == 0
    return out


@pytest.fixture(scope="module")
def shown(page: Path) -> Any:
    (run,) = embedded(page)["runs"]
    return run


@pytest.fixture(scope="module")
def late(hurried: Path) -> Any:
    (run,) = report_data([open_run(hurried)])["runs"]
    return json.loads(json.dumps(run))


def rank(values: list[int], share: float) -> int:
    return sorted(values)[max(1, math.ceil(round(share * len(values), 9))) - 1]


def label(endpoint: int) -> str:
    return CHIP.endpoint_label(endpoint) if endpoint >= 0 else "outside"


def test_latency_by_kind_and_phase(shown: Any, raw: dict[str, Rows]) -> None:
    groups: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    for row in raw["packets"]:
        assert row["outcome"] == "delivered"
        groups[row["kind"], row["phase"]].append(row)
    assert {(g["kind"], g["phase"]) for g in shown["latency"]} == groups.keys()
    for group in shown["latency"]:
        rows = groups[group["kind"], group["phase"]]
        taken = [r["ended_ps"] - r["injected_ps"] for r in rows]
        assert group["copies"] == len(rows)
        assert group["waited_ps"] == sum(r["waited_ps"] for r in rows)
        assert group["mean"] == pytest.approx(sum(taken) / len(taken))
        shares = {"p1": 0.01, "q25": 0.25, "median": 0.5, "q75": 0.75, "p99": 0.99}
        assert {name: group[name] for name in shares} == {
            n: rank(taken, q) for n, q in shares.items()
        }
        assert (group["min"], group["max"]) == (min(taken), max(taken))
        curve = group["curve"]
        assert curve == [[value, sum(t <= value for t in taken)] for value, _ in curve]
        assert curve[0][0] == min(taken) and curve[-1] == [max(taken), len(taken)]
        assert len(curve) == min(len(set(taken)), len(curve)) <= 161
        if len(set(taken)) <= 160:
            assert len(curve) == len(set(taken))


def test_latency_against_hops(shown: Any, raw: dict[str, Rows]) -> None:
    groups: dict[tuple[str, int], list[int]] = defaultdict(list)
    for row in raw["packets"]:
        groups[row["kind"], row["hops"]].append(row["ended_ps"] - row["injected_ps"])
    assert {(g["kind"], g["hops"]) for g in shown["hops"]} == groups.keys()
    for group in shown["hops"]:
        taken = groups[group["kind"], group["hops"]]
        assert group["copies"] == len(taken)
        assert group["median"] == rank(taken, 0.5) and group["p99"] == rank(taken, 0.99)
        assert (group["min"], group["max"]) == (min(taken), max(taken))


def test_map_holds_all_loads_and_all_computing(shown: Any, raw: dict[str, Rows]) -> None:
    plan = shown["map"]
    windows = sorted({(r["window_start_ps"], r["window_end_ps"]) for r in raw["channels"]})
    assert list(zip(plan["starts"], plan["ends"], strict=True)) == windows  # fewer than 48
    numbers = [c["id"] for c in plan["channels"]]
    for slot, (start, end) in enumerate(windows):
        busy = dict.fromkeys(numbers, 0)
        for row in raw["channels"]:
            if (row["window_start_ps"], row["window_end_ps"]) == (start, end):
                busy[row["channel"]] += row["busy_ps"]
        assert plan["busy"][slot] == list(busy.values())
    pes = [p["id"] for p in plan["pes"]]
    assert pes == sorted({r["pe"] for r in raw["ticks"]})
    computing = [dict.fromkeys(pes, 0) for _ in windows]
    for row in raw["ticks"]:
        after = [n for n, (_, end) in enumerate(windows) if row["done_ps"] <= end]
        computing[after[0] if after else -1][row["pe"]] += row["busy_ps"]
    assert plan["computing"] == [list(slot.values()) for slot in computing]
    for channel in plan["channels"]:
        assert channel["name"] == CHIP.channel_label(channel["id"])
        node = CHIP.channel_node[channel["id"]]
        assert channel["from"] == [0, int(CHIP.node_x[node]), int(CHIP.node_y[node])]
    for pe in plan["pes"]:
        assert CHIP.endpoint_at(pe["at"][1], pe["at"][2], pe["at"][3]) == pe["id"]


def test_long_runs_share_slots(shown: Any) -> None:
    import numpy as np

    from chipsim.analysis.report.loads import _slots

    ends = np.arange(1, 101) * 10
    windows = np.stack([ends - 10, ends], axis=1)
    starts, stops = _slots(windows, 100, 1000)
    assert len(starts) == 48 and starts[0] == 0 and stops[-1] == 1000
    assert (starts[1:] == stops[:-1]).all() and ((stops - starts) % 10 == 0).all()
    few, _ = _slots(windows, 30_000, 1000)
    assert len(few) == 4  # 120,000 loads at most
    none, end = _slots(windows[:0], 0, 7)
    assert (none.tolist(), end.tolist()) == ([0], [7])


def test_tables_of_channels_and_pes(shown: Any, raw: dict[str, Rows]) -> None:
    sums: dict[int, Counter[str]] = defaultdict(Counter)
    for row in raw["channels"]:
        sums[row["channel"]].update({k: row[k] for k in ("packets", "flits", "busy_ps")})
    hottest = sorted(sums, key=lambda c: (-sums[c]["busy_ps"], c))[:PER_TABLE]
    table = shown["tables"]["channels"]
    assert table["of"] == len(sums)
    wanted = [[CHIP.channel_label(c), *sums[c].values()] for c in hottest]
    assert [row[:4] for row in table["rows"]] == wanted
    span = max(r["window_end_ps"] for r in raw["channels"])
    for row, channel in zip(table["rows"], hottest, strict=True):
        assert row[4] == pytest.approx(sums[channel]["busy_ps"] / span)
        shares = [
            r["busy_ps"] / (r["window_end_ps"] - r["window_start_ps"])
            for r in raw["channels"]
            if r["channel"] == channel
        ]
        assert row[5] == pytest.approx(max(shares))
        peaks = [r["queue_peak"] for r in raw["channels"] if r["channel"] == channel]
        assert row[6] == (max(peaks) if max(peaks) >= 0 else None)
    counted = ("busy_ps", "cycles", "packets_in", "packets_out", "overrun")
    pes: dict[int, Counter[str]] = defaultdict(Counter)
    longest: dict[int, int] = defaultdict(int)
    for row in raw["ticks"]:
        pes[row["pe"]].update({"handlers": 1} | {k: int(row[k]) for k in counted})
        longest[row["pe"]] = max(longest[row["pe"]], row["done_ps"] - row["start_ps"])
    for row in shown["tables"]["pes"]["rows"]:
        (pe,) = [e for e in pes if label(e) == row[0]]
        got = dict(zip(("handlers", "busy_ps"), row[1:3], strict=True))
        got |= dict(zip(("cycles", "packets_in", "packets_out", "overrun"), row[5:9], strict=True))
        peak = max(r["fifo_peak"] for r in raw["ticks"] if r["pe"] == pe)
        assert row[9] == (peak if peak >= 0 else None)
        assert got == pes[pe] and row[4] == longest[pe]
    busy = [row[2] for row in shown["tables"]["pes"]["rows"]]
    assert busy == sorted((c["busy_ps"] for c in pes.values()), reverse=True)[:PER_TABLE]


def test_slowest_and_where_they_waited(shown: Any, raw: dict[str, Rows]) -> None:
    taken = sorted(r["injected_ps"] - r["ended_ps"] for r in raw["packets"])
    table = shown["tables"]["slowest"]
    assert [-row[8] for row in table["rows"]] == taken[:PER_TABLE]
    assert table["of"] == len(raw["packets"])
    rows = {
        (r["packet_source"], r["packet_seq"], label(r["destination"])): r for r in raw["packets"]
    }
    for row in table["rows"]:
        source, seq = map(int, row[0].split(":"))
        copy = rows[source, seq, row[5]]
        assert row[1:5] == [copy["kind"], copy["phase"], copy["batch"], label(copy["source"])]
        assert row[6:] == [
            copy["hops"],
            copy["injected_ps"],
            copy["ended_ps"] - copy["injected_ps"],
            copy["waited_ps"],
        ]
    waited: Counter[int] = Counter()
    hops = {(h["packet_source"], h["packet_seq"], h["arrived_ps"]): h for h in raw["hops"]}
    for number, packet, _, channel, arrived, wait in shown["tables"]["where"]["rows"]:
        source, seq = map(int, packet.split(":"))
        hop = hops[source, seq, arrived]
        assert channel == CHIP.channel_label(hop["channel"])
        assert wait == hop["granted_ps"] - arrived
        waited[number] += wait
    assert [waited[n] for n in range(10)] == [row[9] for row in table["rows"][:10]]


def test_grants(shown: Any, raw: dict[str, Rows]) -> None:
    waits: dict[int, list[int]] = defaultdict(list)
    for hop in raw["hops"]:
        waits[hop["channel"]].append(hop["granted_ps"] - hop["arrived_ps"])
    order = sorted(waits, key=lambda c: (-sum(waits[c]), c))[:PER_TABLE]
    table = shown["tables"]["waits"]
    assert table["of"] == len(waits)
    assert [row[:3] + row[4:] for row in table["rows"]] == [
        [CHIP.channel_label(c), len(waits[c]), sum(waits[c]), max(waits[c])] for c in order
    ]
    for row in table["rows"]:
        assert row[3] == pytest.approx(row[2] / row[1])
    kinds = {(p["packet_source"], p["packet_seq"]): p["kind"] for p in raw["packets"]}
    users = shown["tables"]["users"]["rows"]
    first = users[0]
    mine = [
        h
        for h in raw["hops"]
        if CHIP.channel_label(h["channel"]) == first[0]
        and kinds[h["packet_source"], h["packet_seq"]] == first[1]
    ]
    assert first[0] == shown["tables"]["channels"]["rows"][0][0]
    assert 0 < first[3] <= len(mine)


def test_timeline_of_a_batch(shown: Any, raw: dict[str, Rows]) -> None:
    line = shown["timeline"]
    phases: dict[int, set[str]] = defaultdict(set)
    for row in raw["ticks"]:
        phases[row["batch"]].add(row["phase"])
    most = max(map(len, phases.values()))
    assert line["batch"] == min(b for b, names in phases.items() if len(names) == most)
    mine = [r for r in raw["ticks"] if r["batch"] == line["batch"]]
    spans = {
        name: (
            min(r["start_ps"] for r in mine if r["phase"] == name),
            max(r["done_ps"] for r in mine if r["phase"] == name),
        )
        for name in {r["phase"] for r in mine}
    }
    assert {p["phase"]: (p["start"], p["end"]) for p in line["phases"]} == spans
    names = [p["phase"] for p in line["phases"]]
    assert line["of"] == len(mine) == len(line["handlers"])
    got = Counter(
        (line["pes"][h[0]], h[1], h[2], names[h[3]], bool(h[4])) for h in line["handlers"]
    )
    assert got == Counter(
        (label(r["pe"]), r["start_ps"], r["done_ps"], r["phase"], r["overrun"]) for r in mine
    )
    ended = [r for r in raw["packets"] if r["batch"] == line["batch"]]
    assert {k: sum(n) for k, n in line["packets"].items()} == Counter(r["kind"] for r in ended)
    for number in (0, 5, 60, 119):
        low = line["start"] + number * line["bin"]
        inside = Counter(
            r["kind"]
            for r in ended
            if (r["ended_ps"] >= low or number == 0)
            and (r["ended_ps"] < low + line["bin"] or number == 119)
        )
        assert {k: n[number] for k, n in line["packets"].items() if n[number]} == inside
    cost = {row[0]: row[1:] for row in shown["tables"]["phases"]["rows"]}
    assert sum(row[2] for row in cost.values()) == len(raw["ticks"])
    for name, row in cost.items():
        assert row[3] == sum(r["busy_ps"] for r in raw["ticks"] if r["phase"] == name)


def test_only_the_busiest_pes_of_a_long_batch() -> None:
    import numpy as np

    from chipsim.analysis.report.batch import _busiest

    rows = np.array([[pe, t, t + pe + 1, 0, 0] for pe in range(10) for t in range(1000)])
    pes, kept = _busiest(rows)
    assert pes == [4, 5, 6, 7, 8, 9] and kept.sum() == 6000


def test_raster_is_the_packets_of_one_sample(shown: Any, raw: dict[str, Rows]) -> None:
    raster = shown["raster"]
    mine = [r for r in raw["packets"] if r["batch"] == raster["batch"]]
    assert raster["sample"] == next(r["sample"] for r in mine if r["kind"] == "spike")
    for kind in ("spike", "error"):
        sent = {
            (r["packet_source"], r["packet_seq"]): (r["injected_ps"], r["packet_source"], r["key"])
            for r in mine
            if r["kind"] == kind and r["sample"] == raster["sample"]
        }
        rows = sorted({event[1:] for event in sent.values()})
        events = [[time, rows.index((source, key))] for time, source, key in sorted(sent.values())]
        assert raster[kind]["events"] == events and len(events) > 10
        assert (raster[kind]["rows"], raster[kind]["of"]) == (len(rows), len(sent))


def test_late_packets_and_overruns(late: Any, hurried: Path) -> None:
    packets, ticks = raw_rows(hurried, "packets"), raw_rows(hurried, "ticks")
    of = [r for r in packets if r["late"]]
    table = late["tables"]["late"]
    assert table["of"] == len(of) > PER_TABLE
    assert [row[0] for row in table["rows"]] == [
        f"{r['packet_source']}:{r['packet_seq']}" for r in of[:PER_TABLE]
    ]
    assert [row[6:8] for row in table["rows"]] == [
        [r["tick_sent"], r["tick_consumed"]] for r in of[:PER_TABLE]
    ]
    count = Counter((r["kind"], r["phase"]) for r in of)
    assert {
        (row[0], row[1]): row[2] for row in late["tables"]["lateness"]["rows"] if row[2]
    } == count
    over = [r for r in ticks if r["overrun"]]
    table = late["tables"]["overruns"]
    assert table["of"] == len(over) > 0
    assert [row[0] for row in table["rows"]] == [label(r["pe"]) for r in over[:PER_TABLE]]
    assert [row[6] for row in table["rows"]] == [
        r["done_ps"] - r["start_ps"] for r in over[:PER_TABLE]
    ]


def test_outcomes_and_headline_are_the_summary_s(
    shown: Any, directory: Path, raw: dict[str, Rows]
) -> None:
    summary = json.loads((directory / "summary.json").read_text())
    rows = shown["tables"]["outcomes"]["rows"]
    assert {(r[0], r[1]): r[2] for r in rows} == Counter(
        (r["kind"], r["outcome"]) for r in raw["packets"]
    )
    assert sum(r[2] for r in rows) == summary["copies_delivered"] + summary["copies_dropped"]
    told = {h["name"]: h["value"] for h in shown["headline"]}
    assert told["copies_delivered"] == summary["copies_delivered"]
    assert told["latency_ns.p99"] == summary["latency_ns"]["p99"]
    assert told["energy_mj.total"] == pytest.approx(sum(shown["energy"]["parts"].values()))
    assert shown["energy"]["parts"] == summary["energy_mj"]
    mean = sum(summary["energy_mj"].values()) / summary["simulated_s"]
    assert shown["energy"]["mean_mw"] == pytest.approx(mean)
    assert [row[0] for row in shown["assumptions"]["rows"]] == [
        row["name"] for row in summary["assumptions"]
    ]
    metrics = (directory / "metrics.csv").read_text().splitlines()
    assert shown["learning"]["columns"] == metrics[0].split(",")
    assert shown["learning"]["rows"] == [
        [float(v) for v in line.split(",")] for line in metrics[1:]
    ]
    assert shown["missing"] == {}
    assert dict(shown["settings"])["train.batch"] == 11


def test_the_page_is_one_file_that_asks_for_no_other(page: Path) -> None:
    text = page.read_text()
    markup = re.sub(r'<script id="data".*?</script>', "", text, flags=re.DOTALL)
    assert not re.findall(r"<link|<img|<iframe|@import|url\((?!#)|\bsrc=|fetch\(|import\(", markup)
    allowed = {"http://www.w3.org/2000/svg"}  # a namespace, not an address
    assert set(re.findall(r"https?://[^\s\"'`<)]+", markup)) <= allowed
    assert len(text) < 1_000_000


def test_same_run_same_bytes(page: Path, directory: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(directory, tmp_path / "elsewhere"))
    assert main(["report", str(copy)]) == 0
    assert (copy / "report.html").read_bytes() == page.read_bytes()
    assert main(["report", str(copy)]) == 0  # its own page may be written again


def test_every_run_ends_with_a_report_unless_told(directory: Path, page: Path) -> None:
    assert (directory / "report.html").read_bytes() == page.read_bytes()


def test_lower_levels_say_what_is_not_recorded(directory: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(directory, tmp_path / "copy"))
    at_level(copy, "packets")
    (run,) = report_data([open_run(copy)])["runs"]
    assert set(run["missing"]) == {"waits", "where", "users"}
    assert run["missing"]["where"] == (
        "not recorded: the run was traced at level 'packets'; run again with --set trace.level=hops"
    )
    at_level(copy, "summary")
    (run,) = report_data([open_run(copy)])["runs"]
    assert {"latency", "hops", "map", "timeline", "raster", "late"} <= set(run["missing"])
    assert run["headline"] and run["learning"] and run["energy"]
    (copy / "summary.json").unlink()
    (copy / "metrics.csv").unlink()
    (copy / "status.json").write_text(
        '{"format": "chipsim-run/1", "state": "interrupted", "reason": "Ctrl-C"}'
    )
    (run,) = report_data([open_run(copy)])["runs"]
    assert {"assumptions", "energy", "learning"} <= set(run["missing"])
    assert run["notes"] == [
        "incomplete: the run was interrupted: Ctrl-C; figures cover what it wrote"
    ]


def test_two_runs(directory: Path, hurried: Path, tmp_path: Path) -> None:
    out = tmp_path / "both.html"
    assert main(["report", str(directory), str(hurried), "--out", str(out)]) == 0
    data = embedded(out)
    names = [run["name"] for run in data["runs"]]
    assert len(set(names)) == 2 and data["title"] == "2 runs side by side"
    both = [dict(run["settings"]) for run in data["runs"]]
    assert (both[0]["tick.us"], both[1]["tick.us"]) == (1000, 30)
    assert main(["report", str(directory), str(hurried), "--out", str(out)]) == 2
    assert main(["report", str(directory), str(hurried), "--out", str(out), "--force"]) == 0


def test_names_of_runs(tmp_path: Path) -> None:
    paths = [tmp_path / "a" / "run", tmp_path / "b" / "run"]
    assert run_names(paths) == ["a/run", "b/run"]
    assert run_names([paths[0], tmp_path / "a" / "other"]) == ["run", "other"]
    assert run_names([paths[0]] * 2) == ["run (1)", "run (2)"]
    assert run_names(paths[:1]) == ["run"]


def test_a_setting_cannot_end_the_script(directory: Path) -> None:
    data = report_data([open_run(directory)])
    data["runs"][0]["settings"].append(["data.name", "</script><b>@DATA@</b>"])
    page = render_page(data)
    assert page.count("</script>") == 2
    (block,) = re.findall(r'type="application/json">\n(.*?)\n</script>', page)
    assert json.loads(block) == data


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda run: (run / "status.json").unlink(), "no status.json in it, so this is no run"),
        (lambda run: (run / "summary.json").write_text("{"), "the file is broken: run again"),
        (lambda run: (run / "metrics.csv").write_text("epoch\none\n"), "the file is broken"),
        (
            lambda run: (run / "packets.parquet" / "part-000000.parquet").write_bytes(b"PAR1"),
            "the part is broken or cut off",
        ),
        (
            lambda run: (run / "packets.parquet" / "part-000000.parquet").unlink(),
            "part-000000.parquet is missing",
        ),
        (
            lambda run: (run / "ticks.parquet" / "part-000000.parquet").write_bytes(b""),
            "the part is broken or cut off",
        ),
        (
            lambda run: sorted((run / "packets.parquet").iterdir())[-1].unlink(),
            "parts are missing or of another run",
        ),
        (
            lambda run: (run / "status.json").write_text('{"format": "chipsim-run/0"}'),
            "got format 'chipsim-run/0', this chipsim reads 'chipsim-run/1'",
        ),
        (
            lambda run: (run / "experiment.toml").write_text('[machine]\nname = "lost.toml"\n'),
            "the run's machine cannot be read",
        ),
    ],
)
def test_broken_runs_are_named(
    directory: Path, tmp_path: Path, spoil: Any, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = Path(shutil.copytree(directory, tmp_path / "copy"))
    (copy / "report.html").unlink()
    spoil(copy)
    assert main(["report", str(copy)]) == 2
    assert says in capsys.readouterr().err
    assert not (copy / "report.html").exists()


def test_what_cannot_be_written(directory: Path, tmp_path: Path) -> None:
    with pytest.raises(
        TraceError, match=r"cannot be written: No such file or directory; give anot"
    ):
        write_report([open_run(directory)], tmp_path / "nowhere" / "page.html")
    with pytest.raises(TraceError, match="got no run"):
        report_data([])


def test_a_board(tmp_path: Path) -> None:
    def sender(pe: Any) -> Any:
        for _ in range(3):
            yield pe.next_tick()
            pe.send(f"from {pe.vertex}", range(4))

    def taker(pe: Any) -> Any:
        for _ in range(5):
            yield pe.next_tick()
            pe.take_packets()

    places = {"a": (1, 1, 0, 0), "b": (2, 1, 3, 5), "c": (3, 1, 1, 47)}
    nets = [Net(f"from {name}", name, ("c",), key_bits=2) for name in "ab"]
    bodies = {"a": sender, "b": sender, "c": taker}
    board: Any = {"machine": "spinnaker2-48", "transport": "router_multicast", "places": places}
    with RunDirectory.create(tmp_path / "board") as out:
        out.write_experiment({"machine": {"name": "spinnaker2-48"}})
        simulation = scripted_simulation(bodies, nets, trace=out.path, **board)
        simulation.run()
        simulation.tracer.finish()
        simulation.tracer.recorder.close()
        out.finish({"simulated_s": simulation.env.now / 1e12})
    (run,) = report_data([open_run(out.path)])["runs"]
    plan, raw = run["map"], raw_rows(out.path, "channels")
    assert sum(map(sum, plan["busy"])) == sum(row["busy_ps"] for row in raw) > 0
    assert {tuple(pe["at"]) for pe in plan["pes"]} == {
        (c, x, y, i) for x, y, i, c in places.values()
    }
    chips = simulation.machine.chips
    assert chips is not None
    shown = {chip["chip"]: chip["at"] for chip in plan["chips"]}
    assert {0, 5, 47} <= shown.keys()  # and those on the way, not all of the board
    assert shown.keys() == {c["from"][0] for c in plan["channels"]} | {0, 5, 47}
    assert all(at == [chips.x[chip], chips.y[chip]] for chip, at in shown.items())
    assert any(c["from"][0] != c["to"][0] for c in plan["channels"])


@settings(deadline=None, max_examples=60)
@given(
    st.one_of(
        st.binary(max_size=80),
        st.text('epoch,loss\n\r"0123456789.-+einfa_ ', max_size=80).map(
            lambda text: f"epoch,{text}".encode()
        ),
    )
)
def test_any_metrics_file_is_read_or_refused(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory)
        (path / "status.json").write_text('{"format": "chipsim-run/1", "state": "running"}')
        (path / "metrics.csv").write_bytes(content)
        try:
            found = learning(open_run(path))
        except TraceError as error:
            assert "metrics.csv: cannot be read" in str(error)
            return
    if found is not None:
        json.dumps(found, allow_nan=False)
        assert all(len(row) == len(found["columns"]) for row in found["rows"])
        assert all(isinstance(row[found["columns"].index("epoch")], float) for row in found["rows"])


def test_a_training_that_diverged(directory: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(directory, tmp_path / "copy"))
    (copy / "metrics.csv").write_text("epoch,loss\n1,0.5\n2,nan\n3,inf\n")
    (run,) = report_data([open_run(sealed(copy))])["runs"]
    assert run["learning"]["rows"] == [[1.0, 0.5], [2.0, None], [3.0, None]]


def test_power_over_time_adds_up_to_the_energy(shown: Any, directory: Path) -> None:
    summary = json.loads((directory / "summary.json").read_text())
    power = shown["power"]
    spans = [(e - s) / 1e12 for s, e in zip(power["starts"], power["ends"], strict=True)]
    for part, energy in summary["energy_mj"].items():
        windows = zip(power["parts"][part], spans, strict=True)
        assert sum(mw * s for mw, s in windows) == pytest.approx(energy, rel=1e-9), part
    table = open_run(directory).power().to_pylist()
    got = {(r["window_end_ps"], r["part"]): r["power_mw"] for r in table}
    assert got == {
        (end, part): pytest.approx(value)
        for part, values in power["parts"].items()
        for end, value in zip(power["ends"], values, strict=True)
    }
