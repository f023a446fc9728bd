"""A run that was killed goes on from its checkpoint and ends with the bytes of one that was not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from chipsim.cli.main import main
from chipsim.errors import CheckpointError, TraceError
from chipsim.sim import checkpoint
from chipsim.trace import provenance
from chipsim.trace.rundir import RunDirectory

SETTINGS = {
    "model.layers": "[5, 12, 3]",
    "data.train_samples": 24,
    "data.test_samples": 6,
    "train.batch": 4,
    "train.epochs": 2,
    "train.checkpoint_batches": 3,
    "trace.level": "packets",
    "trace.rows_per_part": 400,
}
BATCHES = 2 * (6 + 2)


def run(out: Path, *more: str, **settings: Any) -> int:
    chosen = SETTINGS | settings
    if chosen["trace.level"] == "summary":  # nothing is written, in parts of any size
        del chosen["trace.rows_per_part"]
    words = [f"{name}={value}" for name, value in chosen.items()]
    sets = [part for word in words for part in ("--set", word)]
    return main(["run", "yinyang", "--out", str(out), "--no-report", *sets, *more])


def tree(out: Path) -> dict[str, bytes]:
    """Return every file's bytes, and the summary without what depends on time and host."""
    found = {
        str(path.relative_to(out)): path.read_bytes()
        for path in sorted(out.rglob("*"))
        if path.is_file() and path.name not in ("summary.json", ".lock", "provenance.sqlite3")
    }
    summary = json.loads((out / "summary.json").read_text())
    for name in ("cpu_s", "wall_s"):
        del summary[name]
    counted = repr((provenance.read(out), provenance.read_missed(out))).encode()
    return found | {"summary": json.dumps(summary, sort_keys=True).encode(), "counted": counted}


class Killed(BaseException):
    """Stands for a kill: nothing catches it, nothing is put in order."""


def cut(monkeypatch: pytest.MonkeyPatch, out: Path, after: int, **settings: Any) -> None:
    """Run, and end the process's work in the middle of the job after ``after`` jobs."""
    from eventprop_apps.training import TrainingRun

    done = TrainingRun._on_done

    def kill(self: TrainingRun, number: int, job: Any) -> None:
        done(self, number, job)
        if self.chip.plan.done == after:
            raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(TrainingRun, "_on_done", kill)
        with pytest.raises(Killed):
            run(out, **settings)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    out = tmp_path_factory.mktemp("whole") / "run"
    assert run(out) == 0
    return tree(out)


@pytest.mark.parametrize("after", [1, 4, 8, 15])
def test_a_killed_run_ends_as_if_it_had_not_been(
    whole: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    """Before the first checkpoint, after one, at an epoch's end, just before the end."""
    out = tmp_path / "run"
    cut(monkeypatch, out, after)
    assert (out / "checkpoint.npz").is_file() == (after >= 3)
    assert run(out, "--resume") == 0
    found = tree(out)
    assert found.keys() == whole.keys()
    assert [name for name in whole if found[name] != whole[name]] == []


def test_killed_twice(
    whole: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "run"
    cut(monkeypatch, out, 5)
    from eventprop_apps.training import TrainingRun

    done = TrainingRun._on_done

    def kill(self: TrainingRun, number: int, job: Any) -> None:
        done(self, number, job)
        if self.chip.plan.done == 11:
            raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(TrainingRun, "_on_done", kill)
        with pytest.raises(Killed):
            run(out, "--resume")
    assert run(out, "--resume") == 0
    assert tree(out) == whole


@pytest.mark.parametrize(
    "settings",
    [
        {"train.exchange": "sharded", "train.shards": 2, "optimizer.clip_norm": 0.5},
        {"train.exchange": "tree", "train.arity": 2},
        {"train.optimiser_state": "dram"},
        {"model.recurrent": "[true, false]", "trace.level": "hops"},
        {"model.split": "inputs", "model.parts": "[2, 3]", "model.recurrent": "[true, false]"},
        {"mapping.transport": "router_multicast", "trace.level": "summary"},
    ],
    ids=lambda settings: "-".join(map(str, settings.values())),
)
def test_every_kind_of_run_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: dict[str, Any]
) -> None:
    if "model.recurrent" in settings:
        settings = settings | {"init.recurrent_scales": "[0.0, 1.0]"}
    assert run(tmp_path / "whole", **settings) == 0
    cut(monkeypatch, tmp_path / "cut", 7, **settings)
    assert run(tmp_path / "cut", "--resume", **settings) == 0
    assert tree(tmp_path / "cut") == tree(tmp_path / "whole")


def test_refusals(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    assert run(out, "--resume") == 2
    assert "does not exist" in capsys.readouterr().err
    cut(monkeypatch, out, 4)
    capsys.readouterr()
    assert run(out, "--resume", **{"train.epochs": 3}) == 2
    assert "train.epochs = 2 (now 3)" in capsys.readouterr().err
    data = (out / "checkpoint.npz").read_bytes()
    (out / "checkpoint.npz").write_bytes(data[: len(data) // 2])
    assert run(out, "--resume") == 2
    assert "broken one" in capsys.readouterr().err
    (out / "checkpoint.npz").write_bytes(data)
    assert run(out, "--resume") == 0
    capsys.readouterr()
    assert run(out, "--resume") == 2
    assert "nothing to resume" in capsys.readouterr().err
    assert main(["run", "yinyang", "--resume"]) == 2
    assert "give --out" in capsys.readouterr().err


def test_a_checkpoint_reads_back_as_it_was(tmp_path: Path) -> None:
    import numpy as np

    state = {"a": {"b": np.arange(3), "c": {}}, "n": 7, "list": [[1, 2], [3, 4]], "text": "x"}
    (tmp_path / "c.npz").write_bytes(checkpoint.dumps(state))
    found = checkpoint.load(tmp_path / "c.npz")
    assert found["a"]["b"].tolist() == [0, 1, 2] and found["a"]["c"] == {}
    assert (found["n"], found["list"], found["text"]) == (7, [[1, 2], [3, 4]], "x")
    assert checkpoint.dumps(found) == checkpoint.dumps(state)
    with pytest.raises(CheckpointError, match="no checkpoint"):
        checkpoint.load(tmp_path / "none.npz")
    with pytest.raises(TraceError, match="does not exist"):
        RunDirectory.resume(tmp_path / "nowhere")
