from __future__ import annotations

import json
from pathlib import Path

import pytest

from chipsim.cli.main import main

RUN = ["traffic", "--machine", "mesh-4x4", "--pattern", "uniform", "--cycles", "300"]

PROMISED = {
    "packets_injected",
    "packets_delivered",
    "packets_dropped",
    "packets_in_flight",
    "packet_hops",
    "mean_latency_cycles",
    "p50_latency_cycles",
    "p99_latency_cycles",
    "max_latency_cycles",
    "offered_rate",
    "accepted_rate",
    "channel_load_max",
    "channel_load_mean",
    "cycles",
    "cpu_s",
    "packet_hops_per_cpu_s",
}


def test_json_has_the_promised_fields(network: str, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--rate", "0.1", "--warmup", "50", "--seed", "7", "--network", network, "--json"]
    assert main([*RUN, *words, "--set", "noc.fifo_packets=8"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert set(found) >= PROMISED
    assert found["cycles"] == 300
    assert found["packets_injected"] == found["packets_delivered"] > 300
    assert found["cpu_s"] > 0
    assert found["seed"] == 7


def test_settings_reach_the_machine(capsys: pytest.CaptureFixture[str]) -> None:
    words = [*RUN, "--rate", "0.01", "--network", "simpy", "--json", "--set", "noc.hop_cycles=5"]
    assert main(words) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["p50_latency_cycles"] % 5 == 0
    assert found["mean_latency_cycles"] > 12


@pytest.mark.filterwarnings("default")
def test_unbounded_fifos_on_a_torus_do_not_warn(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["traffic", "--machine", "torus-4x4", "--rate", "0.2", "--cycles", "100"]
    assert main([*words, "--network", "simpy", "--set", "noc.fifo_packets=unbounded"]) == 0
    assert "warning" not in capsys.readouterr().err
    assert main([*words, "--network", "simpy", "--set", "noc.fifo_packets=8"]) == 0
    assert "these routes can deadlock: 4 channels" in capsys.readouterr().err


def test_a_run_is_told_in_lines(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*RUN, "--rate", "0.1", "--network", "simpy"]) == 0
    shown = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines())
    assert shown["machine"] == "mesh-4x4"
    assert set(shown) >= PROMISED


def test_a_sweep_is_a_table_and_a_drawing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("matplotlib")
    file = tmp_path / "curve.svg"
    words = [*RUN, "--sweep-rate", "0.1:0.9:0.4", "--drain", "10", "--network", "simpy"]
    assert main([*words, "--plot", str(file)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [float(line.split()[0]) for line in lines[2:]] == [0.1, 0.5, 0.9]
    assert "saturated" in lines[-1]
    assert "saturated" not in lines[2]
    assert "<svg" in file.read_text()


def test_a_sweep_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*RUN, "--sweep-rate", "0:0.2:0.2", "--network", "simpy", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [run["rate"] for run in found] == [0.0, 0.2]
    assert found[0]["mean_latency_cycles"] is None


def test_all_that_is_wrong_is_said_and_the_status_is_2(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["traffic", "--machine", "mesh-4x3", "--pattern", "transpose", "--rate", "2"]
    assert main([*words, "--cycles", "10", "--warmup", "10"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("chipsim: traffic: 3 problems\n")
    for part in ("injects at most 1", "expected a square mesh", "less than --cycles"):
        assert part in err


def test_help_lists_the_patterns(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["traffic", "--help"]) == 0
    shown = capsys.readouterr().out
    for name in ("bit-complement", "multicast", "spiking", "replay", "period=1000"):
        assert name in shown
