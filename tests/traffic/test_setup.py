from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from chipsim.errors import NetworkError
from chipsim.network.traffic import Request, TrafficError, prepare
from chipsim.network.traffic.setup import sweep_rates

GOOD = Request("mesh-4x4", "uniform", rate="0.1", cycles="100", network="simpy")


def problems(**changes: object) -> list[str]:
    with pytest.raises(TrafficError) as caught:
        prepare(replace(GOOD, **changes))  # type: ignore[arg-type]
    return list(caught.value.problems)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"machine": "mash-4x4"}, "unknown machine 'mash-4x4'; did you mean 'mesh-WxH'?"),
        ({"pattern": "unifrom"}, "unknown pattern 'unifrom'; did you mean 'uniform'?"),
        ({"pattern": "uniform("}, "pattern 'uniform(': expected NAME"),
        ({"pattern": "spiking(to=nowhere)"}, "unknown pattern 'nowhere'; known: "),
        ({"pattern": "hotspot:node=99"}, "node 99 is not on mesh-4x4; expected 0..15"),
        ({"pattern": "replay", "rate": ""}, "no file given; write replay:PATH"),
        ({"pattern": "replay:no/such", "rate": ""}, "replay: no/such does not exist"),
        ({"pattern": "spiking(period=200)", "warmup": "50"}, "no tick lies in the window, cycles"),
        ({"rate": "-0.1"}, "rate: got '-0.1'; expected packets per node and cycle"),
        ({"rate": "nan"}, "rate: got 'nan'"),
        ({"rate": "x"}, "rate: got 'x'"),
        ({"rate": ""}, "got neither of --rate and --sweep-rate; expected one"),
        ({"sweep": "0:1:0.1"}, "got both of --rate and --sweep-rate; expected one"),
        ({"rate": "1.5"}, "a source of mesh-4x4 injects at most 1 (noc.flits_per_cycle = 1)"),
        (
            {"rate": "0.6", "settings": {"noc.flits_per_cycle": 0.5}},
            "got 0.6 packets per node and cycle; a source of mesh-4x4 injects at most 0.5",
        ),
        ({"rate": "", "sweep": "0.1:1.3:0.4"}, "injects at most 1"),
        ({"rate": "", "sweep": "0.1:0.2"}, "sweep-rate: got '0.1:0.2'; expected FROM:TO:STEP"),
        ({"warmup": "100"}, "warmup: got 100 of 100 cycles; expected less than --cycles"),
        ({"warmup": "-1"}, "warmup: got '-1'; expected a whole number, 0 or more"),
        ({"cycles": "0"}, "cycles: got '0'; expected a whole number, 1 or more"),
        ({"drain": "x"}, "drain: got 'x'; expected a whole number"),
        ({"seed": "1.5"}, "seed: got '1.5'; expected a whole number"),
        ({"network": "compild"}, "unknown network 'compild'; did you mean 'compiled'?"),
        ({"payload_bits": "48"}, "payload-bits: got 48; mesh-4x4 knows 0, 32, 64, 128"),
        ({"transport": "router"}, "mesh-4x4 has no packet router"),
        ({"transport": "rooter"}, "unknown transport 'rooter'; did you mean 'router'?"),
        ({"settings": {"noc.fifo_packets": 0}}, "noc.fifo_packets: got 0 (integer), expected an"),
        ({"settings": {"noc.pifo": 0}}, "noc.pifo: unknown figure"),
        ({"plot": "x.png"}, "plot: it draws a sweep; give --sweep-rate"),
        ({"plot": "x.doc", "rate": "", "sweep": "0:1:1"}, "expected a file that ends in .png"),
        ({"plot": "no/x.png", "rate": "", "sweep": "0:1:1"}, "the directory no does not exist"),
    ],
)
def test_each_problem_is_said(changes: dict[str, object], message: str) -> None:
    found = problems(**changes)
    assert len(found) == 1
    assert message in found[0]


def test_all_problems_are_said_at_once() -> None:
    found = problems(
        machine="nothing",
        pattern="nothing",
        rate="-1",
        cycles="x",
        warmup="y",
        drain="z",
        seed="-1",
        network="none",
        transport="none",
        payload_bits="b",
    )
    assert len(found) == 9 + 1


def test_no_plot_without_matplotlib(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chipsim.network.traffic.curve.find_spec", lambda name: None)
    (found,) = problems(rate="", sweep="0:1:1", plot="x.png")
    assert "matplotlib, which is not installed; install chipsim[plots]" in found


def test_defaults() -> None:
    span = prepare(replace(GOOD, cycles="")).span
    assert (span.cycles, span.warmup, span.drain) == (10_000, 2_000, 10_000)
    assert prepare(GOOD).span.drain == 1000
    assert prepare(replace(GOOD, warmup="0", drain="0")).span.drain == 0


def test_faster_channels_allow_more(tmp_path: Path) -> None:
    ready = prepare(replace(GOOD, rate="1.8", settings={"noc.flits_per_cycle": 2}))
    found = ready.run()
    assert found.offered_rate == pytest.approx(1.8, rel=0.1)


@pytest.mark.parametrize(
    ("text", "rates"),
    [
        ("0.1:0.3:0.1", [0.1, 0.2, 0.3]),
        ("0.05:0.5:0.15", [0.05, 0.2, 0.35, 0.5]),
        ("0:1:0.4", [0, 0.4, 0.8]),
        ("0.2:0.2:1", [0.2]),
    ],
)
def test_sweeps_hold_both_ends(text: str, rates: list[float]) -> None:
    assert sweep_rates(text) == rates


@pytest.mark.parametrize(
    "text", ["", "a:b:c", "1:2", "0.3:0.1:0.1", "0:1:0", "0:1:-1", "-1:1:1", "0:nan:1", "1:2:3:4"]
)
def test_wrong_sweeps(text: str) -> None:
    with pytest.raises(NetworkError, match="expected FROM:TO:STEP with 0 <= FROM <= TO"):
        sweep_rates(text)


def test_a_sweep_that_would_never_end() -> None:
    with pytest.raises(NetworkError, match="has 100001 rates; expected at most 1000; raise STEP"):
        sweep_rates("0:1:0.00001")
