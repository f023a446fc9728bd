"""Search: repeats, goes on after a kill without losing anything, prunes, runs in workers."""

from __future__ import annotations

import csv
import json
import multiprocessing
import os
import shlex
import signal
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chipsim.cli import search as command
from chipsim.cli.command import Parser, UsageError
from chipsim.errors import DataError, PluginError
from chipsim.experiment import resolve
from chipsim.experiment.kinds import SearchOptions
from eventprop_apps.offchip import load_weights
from eventprop_apps.search import search
from eventprop_apps.search_space import SPACE, Range, chosen_space
from eventprop_apps.search_trial import learning_curve, offchip_trainer

TINY = {"model.layers": [5, 8, 3], "data.train_samples": 44, "train.epochs": 3}
PARAMS = ("optimizer.lr", "loss.xi=0.5:3")


def run(
    storage: Path, trials: int = 8, progress: Any = None, sets: Any = (), **options: Any
) -> dict[str, Any]:
    chosen = SearchOptions(trials, **{"workers": 1, "storage": storage, "params": PARAMS} | options)
    experiment = resolve("yinyang", TINY | dict(sets))
    return search(experiment, chosen, progress or (lambda _: None))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return run(tmp_path_factory.mktemp("whole") / "s.db", 12)


def test_the_same_seed_gives_the_same_trials(whole: dict[str, Any], tmp_path: Path) -> None:
    assert run(tmp_path / "a.db", 12) == whole
    rows = whole["trials"]
    assert [row["trial"] for row in rows] == list(range(12))
    assert {row["state"] for row in rows} == {"complete", "pruned"}
    assert all(0.5 <= row["loss.xi"] <= 3 and 1e-4 <= row["optimizer.lr"] <= 2e-2 for row in rows)
    assert len({row["loss.xi"] for row in rows}) == 12
    assert json.loads(json.dumps(whole)) == whole  # plain values
    other = run(tmp_path / "b.db", 1, sets={"train.seed": 2})
    assert other["trials"][0]["loss.xi"] != rows[0]["loss.xi"]


def test_digits_are_searched_on_training_images_held_out() -> None:
    """A quarter of them; the test images are not looked at."""
    sets = {"data.test_share": 0.9, "train.epochs": 1, "model.layers": [65, 8, 10]}
    experiment: Any = resolve("digits", sets)
    assert experiment.kind.search is not None
    values = experiment.values
    whole, test = values.samples()
    train, held = values.search_samples()
    assert (len(train), len(held)) == (len(whole) - round(len(whole) / 4), round(len(whole) / 4))
    images = sorted(map(bytes, [*train.x, *held.x]))
    assert images == sorted(map(bytes, whole.x)) and not set(images) & set(map(bytes, test.x))
    spikes = sorted(map(bytes, np.swapaxes(held.events.dense(), 0, 1)))
    every = np.swapaxes(whole.events.dense(), 0, 1)
    own = {bytes(x): bytes(e) for x, e in zip(whole.x, every, strict=True)}
    assert spikes == sorted(own[bytes(x)] for x in held.x)
    assert len(list(learning_curve(values, 1))) == 1


def test_a_value_is_what_training_gives(whole: dict[str, Any]) -> None:
    row = whole["best"]
    sets = {name: row[name] for name in whole["params"]}
    experiment: Any = resolve("yinyang", TINY | sets)
    curve = list(learning_curve(experiment.values, 1))
    assert row["value"] == sum(curve) / 3
    assert row["value"] == max(r["value"] or 0 for r in whole["trials"])


@pytest.mark.parametrize("calls", [2, 5, 30])
def test_an_interrupted_search_goes_on(whole: dict[str, Any], tmp_path: Path, calls: int) -> None:
    """Cut off at any report: the rest is as if nothing had happened."""
    left = calls

    def interrupt(_: object) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "s.db", 14, interrupt)
    assert run(tmp_path / "s.db", 12) == whole


def test_a_search_cut_off_between_two_draws_goes_on(
    whole: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import optuna

    draw, calls = optuna.trial.Trial.suggest_float, [0]

    def suggest(self: Any, *where: Any, **more: Any) -> float:
        calls[0] += 1
        if calls[0] == 24:  # the second setting of trial 11, which the sampler has learnt for
            raise KeyboardInterrupt
        return draw(self, *where, **more)

    with monkeypatch.context() as patch:
        patch.setattr(optuna.trial.Trial, "suggest_float", suggest)
        with pytest.raises(KeyboardInterrupt):
            run(tmp_path / "s.db", 12)
    assert run(tmp_path / "s.db", 12) == whole


SCRIPT = """
    import os, signal, sys
    from pathlib import Path
    from tests.eventprop.test_search import run

    left = int(sys.argv[3])

    def kill(values):
        global left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    if __name__ == "__main__":
        run(Path(sys.argv[1]), 8, kill, workers=int(sys.argv[2]))
"""


@pytest.mark.parametrize("workers", [pytest.param(1, marks=pytest.mark.nightly), 2])
def test_a_killed_search_loses_nothing(whole: dict[str, Any], tmp_path: Path, workers: int) -> None:
    script = tmp_path / "script.py"
    script.write_text(textwrap.dedent(SCRIPT))
    storage = tmp_path / "s.db"
    root = str(Path(__file__).resolve().parents[2])
    killed = subprocess.run(
        [sys.executable, str(script), str(storage), str(workers), "14"],
        env=os.environ | {"PYTHONPATH": root}, check=False, capture_output=True, timeout=300,
    )  # fmt: skip
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    before = run(storage, 1)["trials"]  # finishes what was cut off, begins nothing new
    rows = run(storage, 8)["trials"]
    assert 2 <= len(before) < 8
    assert rows[: len(before)] == before
    assert [row["trial"] for row in rows] == list(range(8))
    assert all(row["state"] in ("complete", "pruned") for row in rows)
    if workers == 1:
        assert rows == whole["trials"][:8]
    for row, other in zip(rows, whole["trials"], strict=False):  # drawn at random, so far
        assert row["loss.xi"] == other["loss.xi"]
        if row["state"] == other["state"]:  # pruning knows which trials have ended before
            assert row["value"] == other["value"]


def test_a_killed_worker_ends_the_search_and_loses_nothing(
    whole: dict[str, Any], tmp_path: Path
) -> None:
    """Its trial is on file as running: the next start trains it again, with its own settings."""

    def kill(values: dict[str, Any]) -> None:
        if values.get("epoch") == 2:
            for child in multiprocessing.active_children():
                child.kill()

    with pytest.raises(
        DataError, match=r"^search: the worker of trial \d has died .*start the sea"
    ):
        run(tmp_path / "s.db", 4, kill, workers=2)
    rows = run(tmp_path / "s.db", 4)["trials"]
    assert [row["trial"] for row in rows] == [0, 1, 2, 3]
    assert rows == whole["trials"][:4]


@pytest.mark.nightly
def test_fifty_trials_killed_half_way_lose_nothing(tmp_path: Path) -> None:
    """Two workers, SIGKILL at about half of 50 trials, begun again: 50 rows, the old ones kept."""
    import optuna

    storage = tmp_path / "s.db"
    words = [
        sys.executable, "-m", "chipsim", "search", "yinyang", "--trials", "50", "--workers", "2",
        "--storage", str(storage), "--json", *(f"--param={name}" for name in PARAMS),
        *(f"--set={key}={value}" for key, value in TINY.items()),
    ]  # fmt: skip
    env = os.environ | {"PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    first = subprocess.Popen(words, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    assert first.stderr is not None
    for line in first.stderr:  # an end of a trial is a line of its own
        if b"trial 25/50" in line:
            first.kill()  # its workers find their pipes closed, and end
            break
    first.stderr.close()
    assert first.wait() == -signal.SIGKILL
    study = optuna.load_study(study_name="chipsim", storage=f"sqlite:///{storage}")
    kept = {t.number: t for t in study.get_trials() if t.state.is_finished()}
    assert 15 <= len(kept) < 50
    second = subprocess.run(words, env=env, check=True, capture_output=True, timeout=900)
    rows = json.loads(second.stdout)["trials"]
    assert [row["trial"] for row in rows] == list(range(50))
    assert all(row["state"] in ("complete", "pruned") for row in rows)
    for number, old in kept.items():
        new = rows[number]
        assert new["value"] == old.value
        assert {name: new[name] for name in old.params} == old.params
        assert new["epochs"] == max(old.intermediate_values)


@pytest.mark.nightly
def test_workers_train_as_one_process_does(whole: dict[str, Any], tmp_path: Path) -> None:
    """Random draws do not depend on the order of trials; without pruning, neither do values."""
    one = run(tmp_path / "one.db", 6, prune=False)
    two = run(tmp_path / "two.db", 6, prune=False, workers=2)
    assert one == two
    assert [row["state"] for row in one["trials"]] == ["complete"] * 6


@pytest.mark.parametrize("workers", [1, pytest.param(2, marks=pytest.mark.nightly)])
def test_settings_that_cannot_be_trained_fail_alone(tmp_path: Path, workers: int) -> None:
    """Euler factors need a time constant of at least a step."""
    sets = {"model.factors": "euler"}
    params = ("model.tau_syn_ms=0.5:2",)
    rows = run(tmp_path / "s.db", 6, sets=sets, params=params, workers=workers)["trials"]
    for row in rows:
        assert (row["state"] == "failed") == (row["model.tau_syn_ms"] < 1)
    assert {"failed", "complete"} <= {row["state"] for row in rows}


def test_the_best_one_s_weights(whole: dict[str, Any], tmp_path: Path) -> None:
    result = run(tmp_path / "s.db", 2, weights=tmp_path / "w.npz")
    sets = {name: result["best"][name] for name in result["params"]}
    values: Any = resolve("yinyang", TINY | sets).values
    trainer = offchip_trainer(values, 1)
    trainer.run()
    for own, right in zip(
        load_weights(tmp_path / "w.npz", (5, 8, 3)), trainer.weights, strict=True
    ):
        assert own.tobytes() == right.tobytes()


def test_the_space() -> None:
    default = chosen_space((), "offchip")
    assert "loss.xi" in default and "loss.tau0_ms" not in default
    assert "loss.tau0_ms" in chosen_space((), "onchip")
    assert chosen_space(["loss.xi=1:2", "loss.beta"], "offchip") == {
        "loss.xi": Range(1.0, 2.0, True), "loss.beta": SPACE["loss.beta"],
    }  # fmt: skip
    with pytest.raises(
        DataError,
        match=r"^search: unknown parameter 'loss\.xo'; did you mean 'loss\.xi'\?; optimizer\.lr: "
        r"got '0:1', expected LOW:HIGH with LOW < HIGH above 0; loss\.beta is given twice$",
    ):
        chosen_space(["loss.xo", "optimizer.lr=0:1", "loss.beta", "loss.beta"], "offchip")


def test_refusals(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    storage = tmp_path / "s.db"
    with pytest.raises(DataError, match=r"^search: got 0 trials and 1 workers, expected at least"):
        run(storage, 0)
    run(storage, 1)
    with pytest.raises(DataError, match=r"holds another search: train\.epochs = 3 \(now 4\); take"):
        run(storage, 1, sets={"train.epochs": 4})
    with pytest.raises(
        DataError, match=r"another search: .*search\.loss\.xi = \[0\.5, 3\.0, True\] "
    ):
        run(storage, 1, params=("optimizer.lr",))
    # the chip plays no part in the search
    assert len(run(storage, 1, sets={"machine.noc.hop_cycles": 7})["trials"]) == 1

    def again(_: object) -> None:
        run(storage, 1)

    with pytest.raises(DataError, match=r"s\.db: another process searches with it; wait for its"):
        run(storage, 2, again)
    (tmp_path / "text").write_text("trials")
    with pytest.raises(DataError, match=r"^search: no trial of 1 was trained to its end, so there"):
        run(
            tmp_path / "f.db", 1, sets={"model.factors": "euler"},
            params=("model.tau_syn_ms=0.5:0.6",), weights=tmp_path / "w.npz",
        )  # fmt: skip
    with pytest.raises(DataError, match=r"text: is no file of a search; give another --storage$"):
        run(tmp_path / "text", 1)
    with pytest.raises(DataError, match=r"s\.db: cannot be written: No such file or directory$"):
        run(tmp_path / "none" / "s.db", 1)
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(PluginError, match=r"^search: needs Optuna, which is not installed; pip in"):
        run(tmp_path / "t.db", 1)


def cli(*words: str) -> int:
    parser = Parser(prog="chipsim search")
    command.add_arguments(parser)
    sets = [f"--set={key}={value}" for key, value in TINY.items()]
    return command.run(parser.parse_strictly(["yinyang", *words, *sets]))


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    storage, table = str(tmp_path / "s.db"), tmp_path / "t.csv"
    common = ("--storage", storage, *(f"--param={name}" for name in PARAMS))
    assert cli("--trials", "3", *common, "--csv", str(table)) == 0
    said = capsys.readouterr()
    assert "yinyang, seed 1: 3 trials: 3 complete" in said.out
    (line,) = (line for line in said.out.splitlines() if "chipsim run" in line)
    words = shlex.split(line)
    assert words[:5] == ["chipsim", "run", "yinyang", "--seed", "1"]
    assert "model.layers=[5, 8, 3]" in words and "--set optimizer.lr=" in line
    assert "trial 3/3" in said.err
    picture = tmp_path / "search.svg"
    assert cli("--trials", "3", *common, "--json", "--plot", str(picture)) == 0
    drawn = picture.read_text()
    assert all(f"<!-- {text} -->" in drawn for text in ("best so far", "loss.xi", "optimizer.lr"))
    rows = json.loads(capsys.readouterr().out)["trials"]
    with table.open(newline="") as file:
        written = list(csv.DictReader(file))
    assert [float(row["value"]) for row in written] == [row["value"] for row in rows]
    assert list(written[0]) == ["trial", "state", "value", "epochs", "optimizer.lr", "loss.xi"]
    with pytest.raises(UsageError, match=r"^--csv .*none.t\.csv: cannot be written: No such file"):
        cli("--trials", "3", *common, "--csv", str(tmp_path / "none" / "t.csv"))
