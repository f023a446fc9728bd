"""Training under congestion goes on; late packets are counted by kind and cause."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from eventprop_apps.experiments import congestion
from eventprop_apps.experiments.congestion import Load, interval, trained

FEW = {"epochs": 1, "samples": 24, "tests": 8}


def test_short_ticks_make_packets_late_and_training_goes_on() -> None:
    roomy, tight = (trained(Load(us, 5.0, senders=6, replicas=8), **FEW) for us in (60, 8))
    assert roomy["behind"] == roomy["late_share"] == roomy["unmatched"] == 0
    assert tight["behind"] > 0
    assert tight["late"]["spike"] > 0 and tight["late"]["error"] > 0
    assert 0 < tight["late_share"] <= 1
    assert tight["causes"]["sender"] > tight["causes"]["network"]
    assert sum(tight["causes"].values()) <= sum(tight["late"].values())
    # 3 training batches of 54 ticks and a test batch of 28, six senders with five packets a tick.
    assert 0.8 < roomy["background"] / ((3 * 54 + 28) * 6 * 5) < 1.2
    assert tight["background"] == roomy["background"]  # it does not depend on the tick's length


def test_a_full_network_makes_packets_late_although_no_handler_is() -> None:
    idle, full = (trained(Load(24, rate, noc_mhz=30, replicas=8), **FEW) for rate in (0, 20))
    assert idle["late_share"] == 0
    assert full["behind"] == full["causes"]["sender"] == full["causes"]["receiver"] == 0
    assert full["causes"]["network"] == sum(full["late"].values()) > 0


def test_wilsons_interval() -> None:
    assert interval(0.5, 100) == pytest.approx((0.4038, 0.5962), abs=1e-4)
    assert interval(1.0, 100) == pytest.approx((0.9630, 1.0), abs=1e-4)


def test_the_study_is_a_table_and_a_picture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    loads: dict[str, Any] = {"ticks": (Load(60, replicas=8), Load(8, replicas=8)), "network": ()}
    monkeypatch.setattr(congestion, "SWEEPS", loads)
    size = ["--seeds", "1", "2", "--epochs", "1", "--samples", "16", "--tests", "8"]
    rows, plot = tmp_path / "rows.json", tmp_path / "plot.png"
    assert congestion.main([*size, "--sweep", "ticks", "--json", str(rows)]) == 0
    printed = capsys.readouterr().out
    found = json.loads(rows.read_text())
    assert [(row["seed"], row["tick_us"]) for row in found] == [(1, 60), (1, 8), (2, 60), (2, 8)]
    assert printed.splitlines()[2].startswith("| ticks | 60 | 2 | ")
    assert len(printed.splitlines()) == 4
    assert congestion.main(["--rows", str(rows), "--plot", str(plot)]) == 0
    assert capsys.readouterr().out == printed
    assert plot.read_bytes().startswith(b"\x89PNG")
