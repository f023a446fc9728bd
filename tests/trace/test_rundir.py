from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import numpy as np
import pytest

from chipsim.errors import TraceError
from chipsim.trace import rundir as rundir_module
from chipsim.trace.files import npz_bytes
from chipsim.trace.rundir import RunDirectory
from chipsim.trace.status import read_status, read_summary


def finished(path: Path, **summary: object) -> Path:
    with RunDirectory.create(path) as run:
        run.append_metrics({"epoch": 1})
        run.finish(summary)
    return path


def test_a_whole_run(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "run"
    with RunDirectory.create(path) as run:
        assert read_status(path).alive
        run.write_experiment({"train": {"epochs": 2}}, {"train.epochs": "Times."})
        run.append_metrics({"epoch": 1, "accuracy": 0.1 + 0.2, "name": "a,b"})
        assert (path / "metrics.csv").read_text() == (
            'epoch,accuracy,name\n1,0.30000000000000004,"a,b"\n'
        )  # flushed: readable while the run goes on
        run.append_metrics({"epoch": 2, "accuracy": 1.0, "name": ""})
        run.write_weights({"w0": np.eye(2, dtype=np.float32)})
        run.finish({"b": 1.5, "a": {"d": [1], "c": None}})
    status = read_status(path)
    assert (status.state, status.alive, status.complete) == ("finished", False, True)
    assert read_summary(path) == {"a": {"c": None, "d": [1]}, "b": 1.5}
    assert (path / "summary.json").read_text().index('"a"') < 5  # sorted
    assert tomllib.loads((path / "experiment.toml").read_text()) == {"train": {"epochs": 2}}
    assert np.load(path / "weights.npz")["w0"].tolist() == [[1, 0], [0, 1]]
    assert not [p.name for p in path.iterdir() if p.name.endswith(".tmp")]


def test_metrics_keep_their_columns(tmp_path: Path) -> None:
    with RunDirectory.create(tmp_path / "run") as run:
        run.append_metrics({"epoch": 1})
        with pytest.raises(TraceError, match=r"got the columns loss, expected .* epoch"):
            run.append_metrics({"loss": 1})
        run.finish({})


@pytest.mark.parametrize(
    ("error", "state", "reason"),
    [
        (KeyboardInterrupt(), "interrupted", "the run was interrupted: Ctrl-C"),
        (ValueError("no"), "failed", "the run failed: ValueError: no"),
        (None, "interrupted", "the run was interrupted: it ended without a summary"),
    ],
)
def test_a_run_that_did_not_finish_says_so(
    tmp_path: Path, error: BaseException | None, state: str, reason: str
) -> None:
    run = RunDirectory.create(tmp_path / "run")
    run.append_metrics({"epoch": 1})
    if error is None:
        run.__exit__(None, None, None)
    else:
        with pytest.raises(type(error)), run:
            raise error
    status = read_status(tmp_path / "run")
    assert (status.state, status.complete, status.describe()) == (state, False, reason)
    with pytest.raises(TraceError, match=r"incomplete: .*; there is no summary, .*: metrics\.csv"):
        read_summary(tmp_path / "run")


def test_a_partial_summary_is_given_on_request(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), RunDirectory.create(tmp_path / "run") as run:
        run.interrupt("Ctrl-C in epoch 2", {"epochs": 1})
        raise KeyboardInterrupt
    with pytest.raises(TraceError, match=r"Ctrl-C in epoch 2; there is only a partial summary"):
        read_summary(tmp_path / "run")
    assert read_summary(tmp_path / "run", incomplete=True) == {"epochs": 1}


HOLD = """
import sys, time
from chipsim.trace.rundir import RunDirectory
run = RunDirectory.create(sys.argv[1])
run.append_metrics({"epoch": 1})
print("ready", flush=True)
time.sleep(60)
"""


def test_a_killed_run_is_told_from_one_that_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "run"
    command = [sys.executable, "-c", HOLD, path]
    root = Path(__file__).parents[2]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=root) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        assert read_status(path).describe() == "the run is still going on"
        with pytest.raises(TraceError, match=r"still going on in another process"):
            RunDirectory.create(path, force=True)
        os.kill(process.pid, signal.SIGKILL)
    assert read_status(path).describe() == "the run was killed"
    with pytest.raises(TraceError, match=r"run was killed\); give another --out, or --force"):
        RunDirectory.create(path)
    RunDirectory.create(path, force=True).finish({})
    assert sorted(p.name for p in path.iterdir()) == [".lock", "status.json", "summary.json"]


def test_force_replaces_a_run_whole_and_only_a_run(tmp_path: Path) -> None:
    path = finished(tmp_path / "run", epochs=1)
    (path / "packets.parquet").mkdir()
    (path / "packets.parquet" / "part-000000.parquet").write_bytes(b"old")
    with pytest.raises(TraceError, match=r"holds an earlier run \(the run finished\); .* --force"):
        RunDirectory.create(path)
    (path / "notes.txt").write_text("mine")
    for force in (False, True):
        with pytest.raises(TraceError, match=r"holds what no run has written \(notes\.txt\)"):
            RunDirectory.create(path, force=force)
    (path / "notes.txt").unlink()
    assert read_summary(path) == {"epochs": 1}  # nothing was removed so far
    RunDirectory.create(path, force=True).finish({"epochs": 2})
    assert read_summary(path) == {"epochs": 2}
    assert not (path / "packets.parquet").exists()
    assert not (path / "metrics.csv").exists()


def test_foreign_places_are_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(TraceError, match=r"cannot make the run directory: File exists"):
        RunDirectory.create(tmp_path / "file")
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "summary.json").write_text("{}")
    with pytest.raises(TraceError, match=r"holds what no run has written \(summary\.json\)"):
        RunDirectory.create(tmp_path / "home", force=True)
    assert (tmp_path / "home" / "summary.json").exists()


def test_an_empty_directory_is_taken(tmp_path: Path) -> None:
    RunDirectory.create(tmp_path).finish({"a": 1})
    assert read_summary(str(tmp_path)) == {"a": 1}


def broken(path: Path, name: str, text: str | None) -> None:
    if text is None:
        (path / name).unlink()
    else:
        (path / name).write_text(text)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("status.json", None, r"no status\.json in it, so this is no run directory"),
        ("status.json", "{", r"status\.json: cannot be read: .*broken: run again"),
        ("status.json", "[]", r"status\.json: got list, expected named fields"),
        ("status.json", '{"format": "chipsim-run/9"}', r"got format 'chipsim-run/9', this chipsim"),
        (
            "status.json",
            '{"format": "chipsim-run/1", "state": "done"}',
            r"got state 'done', expected one of running, finished, interrupted, failed",
        ),
        ("summary.json", None, r"summary\.json: missing, though the run finished"),
        ("summary.json", '{"a": ', r"summary\.json: cannot be read: .*broken: run again"),
        ("summary.json", "3", r"summary\.json: got int, expected named fields"),
    ],
)
def test_broken_directories_are_named(
    tmp_path: Path, name: str, text: str | None, message: str
) -> None:
    path = finished(tmp_path / "run", a=1)
    broken(path, name, text)
    with pytest.raises(TraceError, match=message):
        read_summary(path)


def test_missing_and_foreign_paths_are_named(tmp_path: Path) -> None:
    with pytest.raises(TraceError, match=r"nowhere: does not exist; expected the directory of"):
        read_summary(tmp_path / "nowhere")
    (tmp_path / "file").write_text("")
    with pytest.raises(TraceError, match=r"file: is a file; expected the directory of a run"):
        read_summary(tmp_path / "file")


def test_equal_weights_give_equal_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    arrays = {"b": np.arange(6.0).reshape(2, 3).T, "a": np.float32(3), "c": np.empty((0, 4))}
    first = npz_bytes(arrays)
    monkeypatch.setattr(time, "time", lambda: 2e9)
    monkeypatch.setattr(time, "localtime", lambda *_: (2033, 5, 18, 3, 33, 20, 2, 138, 0))
    assert npz_bytes({name: np.array(array) for name, array in arrays.items()}) == first
    with np.load(io.BytesIO(first)) as read:
        assert read.files == ["b", "a", "c"]
        for name, array in arrays.items():
            assert read[name].dtype == array.dtype
            assert np.array_equal(read[name], array)
            assert read[name].shape == array.shape
    with pytest.raises(ValueError, match="allow_pickle"):
        npz_bytes({"o": np.array([object()])})


def test_a_summary_is_plain_and_finite(tmp_path: Path) -> None:
    with RunDirectory.create(tmp_path / "run") as run:
        for bad in ({"a": np.int64(1)}, {"a": float("nan")}):
            with pytest.raises(TraceError, match=r"hand over plain Python values"):
                run.finish(bad)
    assert not (tmp_path / "run" / "summary.json").exists()


def test_a_full_disk_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = RunDirectory.create(tmp_path / "run")
    run.write_experiment({"a": 1})
    monkeypatch.setattr(
        rundir_module.Path, "write_bytes", lambda *_: (_ for _ in ()).throw(OSError(28, "full"))
    )
    with pytest.raises(TraceError, match=r"experiment\.toml: cannot be written: full"):
        run.write_experiment({"a": 2})
    monkeypatch.undo()
    assert (tmp_path / "run" / "experiment.toml").read_text() == "a = 1\n"
    assert json.loads((tmp_path / "run" / "status.json").read_text())["state"] == "running"
    run.finish({})
