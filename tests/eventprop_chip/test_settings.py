"""Settings that choose loss, optimiser and exchange: training on the chip is that off it."""

from __future__ import annotations

import statistics
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from chipsim.errors import DataError, ExperimentError
from chipsim.experiment.resolve import resolve
from chipsim.mapping.application import KINDS
from chipsim.sim.trace import PHASES
from chipsim.trace.recorder import Recorder
from eventprop_apps import evaluate
from eventprop_apps.described import initial_weights_of, model_of
from eventprop_apps.exchange import ExchangeOptions
from eventprop_apps.experiment import TrainingModel
from eventprop_apps.offchip.trainer import Trainer, TrainSettings
from eventprop_apps.training import TrainingRun, training_run

SMALL = {
    "train.epochs": 2,
    "train.batch": 4,
    "data.train_samples": 9,
    "data.test_samples": 5,
    "model.layers": [5, 12, 3],
}
VARIANTS: dict[str, dict[str, Any]] = {
    "read-out": {"loss.name": "readout", "loss.value": "mean", "loss.scale": 0.2},
    "counts, regularised": {
        "loss.name": "count", "loss.low": 2.0, "loss.silent": 0.5, "loss.under": 0.1,
        "train.exchange": "sharded", "train.shards": 2,
    },
    "spike times, late": {"loss.name": "spike_time", "loss.right": 6.0, "loss.late": 0.1},
    "two heads": {
        "model.layers": [5, 12, 5], "loss.heads": ["class", "side"],
        "loss.head_weights": [1.0, 0.5],
    },
    "two heads of a read-out": {
        "model.layers": [5, 12, 5], "loss.name": "readout", "loss.heads": ["side", "class"],
    },
    "factors by layer": {"model.factors_by_layer": ["exp", "euler"]},
    "sgd, clipped, shards": {
        "optimizer.name": "sgd", "optimizer.lr": 5.0, "optimizer.clip_norm": 1e-3,
        "optimizer.schedule": "step", "optimizer.step_epochs": 1,
        "train.exchange": "sharded", "train.shards": 3,
    },
    "adamw, cosine, dram": {
        "loss.name": "count_mse", "optimizer.name": "adamw", "optimizer.weight_decay": 0.1,
        "optimizer.schedule": "cosine", "train.optimiser_state": "dram",
    },
}  # fmt: skip


def on_chip(kind: str, sets: dict[str, Any], seed: int) -> TrainingRun:
    recorder = Recorder(kinds=KINDS, phases=PHASES)
    run = training_run(resolve(kind, sets, seed), recorder, None, lambda values: None)
    run.run()
    return run


def off_chip(kind: str, sets: dict[str, Any], seed: int) -> Trainer:
    values = cast(TrainingModel, resolve(kind, sets, seed).values)
    model = model_of(values)
    settings = TrainSettings(
        epochs=values.train.epochs,
        batch=values.train.batch,
        optimiser=values.optimizer.settings(values.train.epochs),
        clip_norm=values.optimizer.clip_norm,
    )
    weights = initial_weights_of(values, model, seed)
    trainer = Trainer(weights, *values.samples(), settings, seed=seed, model=model)
    trainer.run()
    return trainer


def same(on: TrainingRun, off: Trainer) -> None:
    assert [w.tobytes() for w in on.chip.weights] == [w.tobytes() for w in off.weights]
    assert [e.test.accuracy for e in on.epochs] == [r.test_accuracy for r in off.history]
    assert [e.train.loss / e.batches for e in on.epochs] == [r.loss for r in off.history]


@pytest.mark.parametrize("sets", VARIANTS.values(), ids=VARIANTS.keys())
def test_every_choice_trains_alike_on_the_chip_and_off_it(sets: dict[str, Any]) -> None:
    on = on_chip("yinyang", {**SMALL, **sets}, 2)
    same(on, off_chip("yinyang", {**SMALL, **sets}, 2))
    found = on.summary()["exchange"]
    assert found["batches"] == 4 and found["us"] > 0 and found["packets"]["weight"] > 0
    assert found["strategy"] == sets.get("train.exchange", "gather")
    moved = [(a != b).any() for a, b in zip(on.chip.weights, drawn(sets), strict=True)]
    assert any(moved)


def test_every_head_has_its_accuracy() -> None:
    sets = {**SMALL, **VARIANTS["two heads"], "train.epochs": 1}
    run = on_chip("yinyang", sets, 2)
    summary = run.summary()
    for part in ("test", "train"):
        heads = [summary[f"{part}_accuracy_{name}"] for name in ("class", "side")]
        assert summary[f"{part}_accuracy"] == pytest.approx(sum(heads) / 2, rel=1e-12)
    labels = run.test_set.label
    assert labels.shape == (5, 2) and set(labels[:, 1].tolist()) <= {0, 1}
    assert labels[:, 1].tolist() == [int(x >= 0.5) for x in run.test_set.x[:, 0].tolist()]
    trainer = off_chip("yinyang", sets, 2)
    right = (trainer.predict(run.test_set) == labels).mean(axis=0).tolist()
    assert right == [summary["test_accuracy_class"], summary["test_accuracy_side"]]


def test_wanted_spike_times_come_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "times.npz"
    draws = np.random.default_rng(3)
    wanted = {"train": draws.integers(4, 25, (9, 3)), "test": draws.uniform(4, 25, (5, 3))}
    np.savez(file, **wanted)
    sets = {**SMALL, "loss.name": "spike_time", "loss.targets": str(file), "optimizer.lr": 0.02}
    on = on_chip("yinyang", sets, 2)
    same(on, off_chip("yinyang", sets, 2))
    np.savez(file, **{**wanted, "train": wanted["train"] + 3})
    assert on_chip("yinyang", sets, 2).epochs[0].train.loss != on.epochs[0].train.loss


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({"test": np.zeros((5, 3))}, r"got the arrays test, expected train and test$"),
        (
            {"train": np.zeros((9, 2)), "test": np.zeros((5, 3))},
            r"train: got float64 of shape \(9,",
        ),
        ({"train": np.full((9, 3), -1.0)}, r"train: holds values that are no step, expected at"),
        ({"train": np.full((9, 3), np.nan)}, r"train: holds values that are no step, expected at"),
        ({"train": np.full((9, 3), "a")}, r"train: got <U1 of shape \(9, 3\), expected numbers of"),
    ],
)
def test_a_file_of_wanted_times_that_does_not_fit(
    arrays: dict[str, Any], said: str, tmp_path: Path
) -> None:
    file = tmp_path / "times.npz"
    np.savez(file, **arrays)
    sets = {**SMALL, "loss.name": "spike_time", "loss.targets": str(file)}
    values = cast(TrainingModel, resolve("yinyang", sets, 2).values)
    with pytest.raises(DataError, match=said):
        values.samples()


def test_settings_of_heads_that_do_not_fit() -> None:
    sets = {
        "loss.heads": ["clas", "side", "side"], "loss.head_weights": [1.0], "loss.targets": "x",
        "model.factors_by_layer": ["exp"],
    }  # fmt: skip
    with pytest.raises(ExperimentError) as caught:
        resolve("yinyang", {**SMALL, **sets})
    for said in (
        "loss.heads: unknown label 'clas'; did you mean 'class'?",
        "expected each label once",
        "loss.head_weights: got 1 weights, expected 3, one for each of loss.heads",
        'loss.targets: got a file with loss.name = "ttfs", expected "spike_time"',
        "model.factors_by_layer: got 1 values, expected 2",
    ):
        assert said in str(caught.value)
    with pytest.raises(ExperimentError, match=r"5 input lines first and 5 outputs last"):
        resolve("yinyang", {**SMALL, "loss.heads": ["class", "side"]})
    sets = {"loss.heads": ["class"], "loss.name": "spike_time", "loss.targets": "x"}
    with pytest.raises(ExperimentError, match=r"a head with targets of its own"):
        resolve("yinyang", {**SMALL, **sets})
    sets = {"model.factors_by_layer": ["exp", "euler"], "model.tau_syn_ms_by_layer": [0.5, 5.0]}
    assert resolve("yinyang", {**SMALL, **sets})
    with pytest.raises(
        ExperimentError, match=r"model\.dt_ms: got 1\.0, expected less than the time"
    ):
        resolve("yinyang", {**SMALL, **sets, "model.tau_syn_ms_by_layer": [5.0, 0.5]})


def assumed(run: TrainingRun) -> dict[str, tuple[float, str]]:
    rows = run.summary()["assumptions"]
    return {
        row["name"]: (row["value"], row["kind"]) for row in rows if row["name"].startswith("model.")
    }


def test_assumed_spikes_are_listed_and_can_be_set() -> None:
    sets = {**SMALL, "train.epochs": 1, "model.layers": [5, 60, 3]}
    run = on_chip("yinyang", sets, 2)
    assert assumed(run) == {
        "model.expected_spikes": (0.15, "A"), "model.least_records": (2, "A")
    }  # fmt: skip
    fixed = on_chip("yinyang", {**sets, "model.parts": [1, 1], "model.expected_spikes": 0.5}, 2)
    assert assumed(fixed) == {"model.expected_spikes": (0.5, "U")}
    nets = [
        {n.name: n.packets_per_tick for n in r.chip.mapping.application.nets} for r in (run, fixed)
    ]
    assert nets[0] != nets[1]


def drawn(sets: dict[str, Any]) -> list[Any]:
    values = cast(TrainingModel, resolve("yinyang", {**SMALL, **sets}, 2).values)
    return [w.astype("float32") for w in initial_weights_of(values, model_of(values), 2)]


def test_digits_needs_its_shards_and_equals_off_chip() -> None:
    sets = {"data.test_share": 0.96, "train.epochs": 1}
    same(on_chip("digits", sets, 1), off_chip("digits", sets, 1))


@pytest.mark.parametrize("parts", [2, 4, 8])
def test_the_digits_network_on_2_4_and_8_pes_a_layer(parts: int) -> None:
    """The experiment's own 64-100-10 network: same spikes, gradients normwise."""
    values = cast(TrainingModel, resolve("digits", {}, 1).values)
    model, (train, _) = model_of(values), values.samples()
    given: dict[str, Any] = {
        "weights": initial_weights_of(values, model, 1),
        "spikes": train.events.take(slice(0, 4)).dense(),
        "labels": train.label[:4],
        "tau_mem_ms": values.model.tau_mem_ms,
        "tau_syn_ms": values.model.tau_syn_ms,
        "loss": model.loss,
    }
    whole = evaluate(**given, backend="offchip")
    chip = {"parts": (parts, parts), "exchange": ExchangeOptions("sharded")}
    split = evaluate(**given, settings=chip)
    for one, other in zip(split.spikes, whole.spikes, strict=True):
        assert one.any() and np.array_equal(one, other)
    for one, other in zip(split.gradients, whole.gradients, strict=True):
        assert other.any()
        assert np.abs(one - other).max() <= 3e-6 * np.abs(other).max()


@pytest.mark.nightly
def test_digits_reach_95_percent() -> None:
    """Median of five seeds, off the chip; one seed on it gives the same curve."""
    trainers = {seed: off_chip("digits", {}, seed) for seed in range(1, 6)}
    last = [trainer.history[-1].test_accuracy or 0.0 for trainer in trainers.values()]
    assert statistics.median(last) >= 0.95
    same(on_chip("digits", {}, 1), trainers[1])
