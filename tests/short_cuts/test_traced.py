"""What compiled code records in bulk is what the long way records, to the byte."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from chipsim.cli.main import main
from chipsim.sim.simulation import Simulation
from chipsim.sim.whole_steps import WholeSteps

SMALL: dict[str, Any] = {
    "model.layers": "[5, 30, 3]",
    "model.steps": 24,
    "data.first_step": 1,
    "data.train_samples": 12,
    "data.test_samples": 2,
    "train.batch": 4,
    "train.epochs": 1,
    "trace.level": "packets",
}
DEEP = {"model.layers": "[5, 30, 20, 3]", "init.scales": "[[1.5, 0.8], [1.0, 0.8], [0.9, 0.4]]"}
CASES: dict[str, dict[str, Any]] = {
    "packets": {},
    "hops": {"trace.level": "hops"},
    "a window of time": {"trace.level": "hops", "trace.start_ms": 3, "trace.end_ms": 20},
    "one batch": {"trace.first_batch": 1, "trace.last_batch": 1},
    "two kinds": {"trace.level": "hops", "trace.kinds": '["spike", "gradient"]'},
    "some vertices": {"trace.vertices": "[0, 1, 5]"},
    "some channels": {"trace.level": "hops", "trace.channels": "[3, 40, 41, 42, 43, 44, 45]"},
    "short windows": {"trace.window_us": 130},
    "small parts": {"trace.rows_per_part": 100},
    "membranes, whose steps go in parts": {"trace.membrane": '["layer0:2-4"]'},
    "three layers": DEEP,
    "layers on several PEs": {"model.parts": "[3, 1]", "trace.level": "hops"},
    "slices of inputs": {"model.parts": "[2, 1]", "model.split": "inputs"},
    "recurrence": {"model.recurrent": "[true, false]", "trace.level": "hops"},
    "late packets": {"tick.us": 6, "trace.level": "hops"},
    "timers that drift": {"tick.phase": "random", "tick.spread": 0.3, "tick.drift_ppm": 200},
    "two clock levels": {"machine.pe.dvfs": "auto", "trace.window_us": 500},
    "router multicast": {"mapping.transport": "router_multicast"},
    "shards": {"train.exchange": "sharded", "train.shards": 2, "optimizer.clip_norm": 0.01},
    "a tree": {"train.exchange": "tree"},
    "state in DRAM": {"train.optimiser_state": "dram"},
    "a checkpoint each batch": {"train.checkpoint_batches": 1},
}


def run(out: Path, settings: dict[str, Any]) -> dict[str, bytes]:
    """Return the files of a run that hold nothing of the host."""
    words = [f"--set={name}={value}" for name, value in (SMALL | settings).items()]
    assert main(["run", "yinyang", "--no-report", "--out", str(out), *words]) == 0
    return {
        str(path.relative_to(out)): path.read_bytes()
        for path in sorted(out.rglob("*"))
        if path.is_file() and path.name not in ("summary.json", "metrics.csv", ".lock")
    }


@pytest.fixture
def whole(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Steps that were done whole, as they come."""
    done: list[int] = []
    step = WholeSteps.run

    def counted(self: WholeSteps, rows: Any, *rest: Any) -> int:
        last = step(self, rows, *rest)
        done.extend([len(rows)] if last >= 0 else [])
        return last

    monkeypatch.setattr(WholeSteps, "run", counted)
    return done


@pytest.mark.parametrize("case", CASES)
def test_the_same_bytes(
    case: str, whole: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    short = run(tmp_path / "short", CASES[case])
    assert sum(whole) > 100
    whole.clear()
    monkeypatch.setattr(Simulation, "_packets_are_seen", lambda _: True)
    long = run(tmp_path / "long", CASES[case])
    assert not whole
    assert short.keys() == long.keys()
    names = {name.partition(".parquet")[0] for name in short}
    assert names >= {"packets", "ticks", "spikes", "channels", "power", "annotations"}
    assert [name for name in short if short[name] != long[name]] == []


def test_late_packets_are_marked(tmp_path: Path) -> None:
    import chipsim

    run(tmp_path / "run", CASES["late packets"])
    traced = chipsim.open_run(tmp_path / "run")
    late = sum(traced.packets["late"].to_pylist())
    assert late == traced.summary["late_spikes"] + traced.summary["late_errors"] > 10
