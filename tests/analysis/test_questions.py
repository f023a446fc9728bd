"""Every figure is recomputed here from the raw rows, row by row in plain Python."""

from __future__ import annotations

import itertools
import math
import tomllib
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from chipsim.analysis.late import effects
from chipsim.analysis.run import Run, open_run
from chipsim.errors import TraceError
from chipsim.machine.library import load_machine

Rows = list[dict[str, Any]]
CHIP = load_machine("spinnaker2")


def took(row: dict[str, Any]) -> int:
    return int(row["ended_ps"] - row["injected_ps"])


def grouped(rows: Rows, *names: str) -> dict[tuple[Any, ...], Rows]:
    found: dict[tuple[Any, ...], Rows] = defaultdict(list)
    for row in rows:
        found[tuple(row[name] for name in names)].append(row)
    return dict(found)


@pytest.mark.parametrize(
    ("by", "columns"),
    [
        ("kind", ["kind"]),
        ("phase", ["phase"]),
        ("hops", ["hops"]),
        ("route", ["source", "destination"]),
        (["kind", "phase", "hops"], ["kind", "phase", "hops"]),
        (["batch", "net"], ["batch", "net"]),
        ([], []),
    ],
)
def test_latency(run: Run, raw: dict[str, Rows], by: Any, columns: list[str]) -> None:
    table = run.latency(by).to_pylist()
    wanted = grouped(raw["packets"], *columns)
    assert len(table) == len(wanted) and sum(r["copies"] for r in table) == len(raw["packets"])
    for row in table:
        rows = wanted[tuple(row[name] for name in columns)]
        values = sorted(map(took, rows))
        assert row["copies"] == len(values)
        assert (row["min_ps"], row["max_ps"]) == (values[0], values[-1])
        assert row["median_ps"] == values[(len(values) + 1) // 2 - 1]
        assert row["p99_ps"] == values[-(-99 * len(values) // 100) - 1]
        assert row["mean_ps"] == pytest.approx(math.fsum(values) / len(values), rel=1e-12)
        waited = sum(r["waited_ps"] for r in rows)
        assert row["mean_waited_ps"] == pytest.approx(waited / len(rows), rel=1e-12)
        if by == "route":
            assert row["from"] == CHIP.endpoint_label(row["source"])
            assert row["to"] == CHIP.endpoint_label(row["destination"])


def test_latency_agrees_with_the_summary(run: Run) -> None:
    (row,) = run.latency(()).to_pylist()
    in_ns = {name: row[f"{name}_ps"] / 1000 for name in ("median", "p99", "max")}
    assert in_ns == run.summary["latency_ns"]


def test_latency_by_something_else_is_refused(run: Run) -> None:
    with pytest.raises(TraceError, match=r"^latency by 'fase': unknown; did you mean 'phase'\?;"):
        run.latency("fase")


def test_slowest(run: Run, raw: dict[str, Rows]) -> None:
    table = run.slowest(25).to_pylist()
    # Python's sort is stable and the trace is in the order of ends, as the function promises.
    wanted = sorted(raw["packets"], key=lambda row: -took(row))[:25]
    assert [{name: row[name] for name in row if name in wanted[0]} for row in table] == [
        {name: want[name] for name in row if name in want}
        for row, want in zip(table, wanted, strict=True)
    ]
    assert [row["latency_ps"] for row in table] == list(map(took, wanted))


def test_the_slowest_waited_where_their_hops_say(run: Run, raw: dict[str, Rows]) -> None:
    copies = run.slowest(25).to_pylist()
    stages = grouped(run.where_waited(25).to_pylist(), "rank")
    grants = grouped(raw["hops"], "packet_source", "packet_seq")
    assert max(copy["waited_ps"] for copy in copies) > 0
    for rank, copy in enumerate(copies):
        way = stages[(rank,)]
        assert sum(stage["waited_ps"] for stage in way) == copy["waited_ps"]
        assert way[0]["arrived_ps"] == copy["injected_ps"]
        assert way[-1]["far_ps"] == copy["ended_ps"]
        assert [stage["hop"] for stage in way] == list(range(len(way)))
        routers = sum(CHIP.node_hop[CHIP.channel_node[stage["channel"]]] for stage in way)
        assert routers == copy["hops"]
        raw_grants = grants[copy["packet_source"], copy["packet_seq"]]
        for stage in way:
            (grant,) = [g for g in raw_grants if g["channel"] == stage["channel"]]
            assert stage["waited_ps"] == grant["granted_ps"] - grant["arrived_ps"]
            assert stage["name"] == CHIP.channel_label(stage["channel"])
        for before, after in itertools.pairwise(way):
            assert before["far_ps"] == after["arrived_ps"]


def test_a_multicast_packet_has_a_way_to_each_copy(run: Run, raw: dict[str, Rows]) -> None:
    from chipsim.analysis.slowest import _select, way_of

    identity, copies = max(
        grouped(raw["packets"], "packet_source", "packet_seq").items(), key=lambda kv: len(kv[1])
    )
    assert len(copies) == 11  # the weights of one word, to every replica
    life = run.packet(*identity).to_pylist()
    grants = grouped(raw["hops"], "packet_source", "packet_seq")[identity]
    assert [(h["channel"], h["granted_ps"], h["far_ps"]) for h in life] == [
        (g["channel"], g["granted_ps"], g["far_ps"]) for g in grants
    ]
    for copy in copies:
        way = way_of(run, _select(run.hops, *identity), copy).to_pylist()
        assert way[0]["arrived_ps"] == copy["injected_ps"]
        assert way[-1]["far_ps"] == copy["ended_ps"]
        assert sum(stage["waited_ps"] for stage in way) == copy["waited_ps"]


def test_waits_are_conserved_between_packets_and_hops(run: Run, raw: dict[str, Rows]) -> None:
    single = [
        rows[0]
        for rows in grouped(raw["packets"], "packet_source", "packet_seq").values()
        if len(rows) == 1
    ]
    kinds = {row["kind"] for row in single}
    assert {"spike", "error", "gradient", "host"} <= kinds
    alone = {(row["packet_source"], row["packet_seq"]) for row in single}
    waited = sum(
        hop["granted_ps"] - hop["arrived_ps"]
        for hop in raw["hops"]
        if (hop["packet_source"], hop["packet_seq"]) in alone
    )
    assert waited == sum(row["waited_ps"] for row in single) > 0


def test_hottest_channels(run: Run, raw: dict[str, Rows]) -> None:
    table = run.hottest_channels().to_pylist()
    wanted = grouped(raw["channels"], "channel")
    assert {row["channel"] for row in table} == {channel for (channel,) in wanted}
    span = max(row["window_end_ps"] for row in raw["channels"])
    assert min(row["window_start_ps"] for row in raw["channels"]) == 0
    for row in table:
        rows = wanted[(row["channel"],)]
        for name in ("packets", "flits", "busy_ps"):
            assert row[name] == sum(r[name] for r in rows)
        assert row["name"] == CHIP.channel_label(row["channel"])
        assert row["busy_share"] == pytest.approx(row["busy_ps"] / span)
        shares = [r["busy_ps"] / (r["window_end_ps"] - r["window_start_ps"]) for r in rows]
        assert row["peak_share"] == pytest.approx(max(shares))
    busy = [row["busy_ps"] for row in table]
    assert busy == sorted(busy, reverse=True)
    assert run.hottest_channels(3).to_pylist() == table[:3]


def test_channels_and_hops_count_the_same_grants(run: Run, raw: dict[str, Rows]) -> None:
    grants = Counter(hop["channel"] for hop in raw["hops"])
    table = run.hottest_channels().to_pylist()
    assert {row["channel"]: row["packets"] for row in table} == grants
    # One flit a packet on this chip: busy time is the channel's time per flit, grant by grant.
    flits = {c: grants[c] * int(CHIP.channel_flit_ps[c]) for c in grants}
    noc = [row for row in table if row["name"].startswith(("noc", "inject", "eject"))]
    assert noc and all(row["busy_ps"] == flits[row["channel"]] for row in noc)


def test_channel_waits(run: Run, raw: dict[str, Rows]) -> None:
    table = run.channel_waits().to_pylist()
    wanted = grouped(raw["hops"], "channel")
    assert len(table) == len(wanted)
    for row in table:
        waits = [h["granted_ps"] - h["arrived_ps"] for h in wanted[(row["channel"],)]]
        assert (row["grants"], row["waited_ps"]) == (len(waits), sum(waits))
        assert row["max_waited_ps"] == max(waits)
        assert row["mean_waited_ps"] == pytest.approx(sum(waits) / len(waits))
    order = [row["waited_ps"] for row in table]
    assert order == sorted(order, reverse=True)


def test_channel_users(run: Run, raw: dict[str, Rows]) -> None:
    table = run.channel_users(4).to_pylist()
    hottest = run.hottest_channels(4)["channel"].to_pylist()
    sender = {
        (row["packet_source"], row["packet_seq"]): (row["kind"], row["source"], row["net"])
        for row in raw["packets"]
    }
    wanted: Counter[tuple[Any, ...]] = Counter()
    waited: Counter[tuple[Any, ...]] = Counter()
    for hop in raw["hops"]:
        if hop["channel"] in hottest:
            who = (hop["channel"], *sender[hop["packet_source"], hop["packet_seq"]])
            wanted[who] += 1
            waited[who] += hop["granted_ps"] - hop["arrived_ps"]
    columns = ("channel", "kind", "source", "net")
    assert {tuple(row[c] for c in columns): row["packets"] for row in table} == wanted
    assert {tuple(row[c] for c in columns): row["waited_ps"] for row in table} == +waited | {
        who: 0 for who in wanted if not waited[who]
    }
    assert list(dict.fromkeys(row["channel"] for row in table)) == hottest
    for channel in hottest:
        rows = [row for row in table if row["channel"] == channel]
        assert sum(row["share"] for row in rows) == pytest.approx(1)
        packets = [row["packets"] for row in rows]
        assert packets == sorted(packets, reverse=True)
        assert all(row["from"] == CHIP.endpoint_label(row["source"]) for row in rows)


def test_pe_use(run: Run, raw: dict[str, Rows]) -> None:
    table = run.pe_use().to_pylist()
    wanted = grouped(raw["ticks"], "pe")
    assert [row["pe"] for row in table] == sorted(pe for (pe,) in wanted)
    for row in table:
        rows = wanted[(row["pe"],)]
        assert row["name"] == CHIP.endpoint_label(row["pe"])
        assert row["handlers"] == len(rows)
        assert row["longest_ps"] == max(r["done_ps"] - r["start_ps"] for r in rows)
        for name in ("busy_ps", "cycles", "packets_in", "packets_out"):
            assert row[name] == sum(r[name] for r in rows)
        assert row["overruns"] == sum(r["overrun"] for r in rows)
        assert row["use"] == pytest.approx(row["busy_ps"] / 1e12 / run.summary["simulated_s"])


def test_lateness_and_overruns(hurried: Path) -> None:
    run = open_run(hurried)
    ticks = pq.read_table(hurried / "ticks.parquet").to_pylist()
    packets = pq.read_table(hurried / "packets.parquet").to_pylist()
    over = [row for row in ticks if row["overrun"]]
    table = run.overruns().to_pylist()
    assert [(r["pe"], r["tick"]) for r in table] == [(r["pe"], r["tick"]) for r in over]
    assert len(over) == run.summary["tick_overruns"] > 0
    tick_ps = tomllib.loads((hurried / "experiment.toml").read_text())["tick"]["us"] * 10**6
    assert max(row["span_ps"] for row in table) > tick_ps
    late = [row for row in packets if row["late"]]
    table = run.late_packets().to_pylist()
    assert late and [row["packet_seq"] for row in table] == [row["packet_seq"] for row in late]
    assert [r["ticks"] for r in table] == [r["tick_consumed"] - r["tick_sent"] - 1 for r in late]
    counted = Counter((row["kind"], row["phase"]) for row in late)
    lateness = run.lateness().to_pylist()
    assert {(r["kind"], r["phase"]): r["late"] for r in lateness if r["late"]} == counted
    assert sum(row["copies"] for row in lateness) == len(packets)
    assert effects(run)["late_spikes"] == sum(row["kind"] == "spike" for row in late)
    assert effects(run)["late_errors"] == sum(row["kind"] == "error" for row in late)


def test_sample_cost(run: Run, raw: dict[str, Rows]) -> None:
    ours = [row for row in raw["packets"] if row["sample"] >= 0]
    wanted = grouped(ours, "batch", "sample")
    table = run.sample_cost().to_pylist()
    assert [(r["batch"], r["sample"]) for r in table] == sorted(wanted)
    for row in table:
        rows = wanted[row["batch"], row["sample"]]
        assert row["copies"] == len(rows) == row["spike_copies"] + row["error_copies"]
        assert row["spike_copies"] == sum(r["kind"] == "spike" for r in rows)
        assert row["routers"] == sum(r["hops"] for r in rows)
        assert row["waited_ps"] == sum(r["waited_ps"] for r in rows)
        assert row["latency_ps"] == sum(map(took, rows))
    kinds = Counter(row["kind"] for row in ours)
    assert sum(row["spike_copies"] for row in table) == kinds["spike"]
    assert kinds["spike"] == run.summary["packets"]["spike"]  # one copy each on this machine


def test_phase_cost_conserves(run: Run, raw: dict[str, Rows]) -> None:
    table = {row["phase"]: row for row in run.phase_cost().to_pylist()}
    assert list(table) == ["forward", "backward", "exchange"]
    for phase, row in table.items():
        packets = [r for r in raw["packets"] if r["phase"] == phase]
        ticks = [r for r in raw["ticks"] if r["phase"] == phase]
        assert row["copies"] == len(packets)
        assert row["routers"] == sum(r["hops"] for r in packets)
        assert row["waited_ps"] == sum(r["waited_ps"] for r in packets)
        assert row["handlers"] == len(ticks)
        assert row["busy_ps"] == sum(r["busy_ps"] for r in ticks)
    busy = sum(row["busy_ps"] for row in run.pe_use().to_pylist())
    assert sum(row["busy_ps"] for row in table.values()) == busy
    assert sum(row["copies"] for row in table.values()) == run.summary["copies_delivered"]


def test_packets_by_kind_are_those_of_the_summary(run: Run, raw: dict[str, Rows]) -> None:
    ids = grouped(raw["packets"], "kind", "packet_source", "packet_seq")
    counted = {kind: count for kind, count in run.summary["packets"].items() if count}
    assert Counter(kind for kind, _, _ in ids) == counted
