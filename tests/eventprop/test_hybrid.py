"""Hybrid training: weights that were trained off the chip go on, or are confirmed, on it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chipsim.errors import DataError, ExperimentError
from chipsim.experiment import resolve
from chipsim.trace.rundir import RunDirectory
from eventprop_apps.data import initial_weights, yinyang
from eventprop_apps.offchip import (
    Trainer,
    TrainSettings,
    load_weights,
    save_weights,
)
from eventprop_apps.optimisers import AdamSettings

SIZES = (5, 30, 3)
FEW = {
    "model.layers": list(SIZES),
    "data.train_samples": 22,
    "data.test_samples": 60,
    "train.epochs": 1,
}


@pytest.fixture
def trained(tmp_path: Path) -> Path:
    train = yinyang(880, 42)
    settings = TrainSettings(epochs=6, adam=AdamSettings(lr=0.01))
    trainer = Trainer(initial_weights(1, SIZES), train, None, settings, seed=1)
    trainer.run()
    path = tmp_path / "weights.npz"
    save_weights(path, trainer.weights)
    return path


def chip(path: Path | None, out: Path | None = None, **changes: Any) -> dict[str, Any]:
    sets = FEW | changes | ({} if path is None else {"init.weights": str(path)})
    experiment = resolve("yinyang", sets)
    if out is None:
        return experiment.kind.run(experiment, None, lambda _: None)
    with RunDirectory.create(out) as directory:
        directory.write_experiment(experiment.table(), experiment.comments())
        summary = experiment.kind.run(experiment, directory, lambda _: None)
        directory.finish(summary)
    return summary


@pytest.mark.usefixtures("conservation")
def test_the_chip_confirms_what_was_trained_off_it(trained: Path, tmp_path: Path) -> None:
    """An update with a vanishing rate leaves the weights: test accuracy is the off-chip one."""
    summary = chip(trained, tmp_path / "run", **{"optimizer.lr": 1e-30})
    weights = load_weights(trained)
    test = yinyang(60, 40)
    off = Trainer(weights, yinyang(22, 42), None, TrainSettings(), seed=1)
    assert summary["test_accuracy"] == off.accuracy(test) > 0.5  # a guess has 0.33
    after = load_weights(tmp_path / "run")
    assert [w.tobytes() for w in after] == [w.tobytes() for w in weights]
    again = resolve(str(tmp_path / "run" / "experiment.toml"))
    assert again.values.init.weights == str(trained)  # type: ignore[attr-defined]


@pytest.mark.usefixtures("conservation")
def test_training_goes_on_from_the_weights(trained: Path, tmp_path: Path) -> None:
    """One update on the chip from a run's weights is the off-chip one, to the last bit."""
    chip(trained, tmp_path / "run")
    train = yinyang(22, 42)
    off = Trainer(load_weights(trained), train, None, TrainSettings(epochs=1), seed=1)
    off.run()
    for own, right in zip(load_weights(tmp_path / "run"), off.weights, strict=True):
        assert own.tobytes() == right.tobytes()


def test_weights_that_do_not_fit(trained: Path, tmp_path: Path) -> None:
    with pytest.raises(ExperimentError, match=r"init\.weights: .*weights of a 5-30-3 network, exp"):
        resolve("yinyang", {"init.weights": str(trained)})
    with pytest.raises(ExperimentError, match=r"init\.weights: .*none\.npz: cannot be read: No su"):
        resolve("yinyang", {"init.weights": str(tmp_path / "none.npz")})


@settings(max_examples=150)
@given(
    packed=st.booleans(),
    at=st.floats(0, 1, exclude_max=True),
    bit=st.integers(0, 7),
    cut=st.booleans(),
)
def test_a_broken_file_of_weights_is_refused_or_read(
    tmp_path_factory: pytest.TempPathFactory, packed: bool, at: float, bit: int, cut: bool
) -> None:
    """A changed bit or a lost end never ends in a traceback, in packed files neither."""
    path = tmp_path_factory.getbasetemp() / "fuzz.npz"
    arrays = {"layer0": np.linspace(0, 1, 20).reshape(4, 5), "layer1": np.ones((3, 4), np.float32)}
    (np.savez_compressed if packed else np.savez)(path, **arrays)
    data = bytearray(path.read_bytes())
    place = int(at * len(data))
    data[place] ^= 1 << bit
    path.write_bytes(bytes(data[:place] if cut else data))
    try:
        load_weights(path)
    except DataError as error:
        assert str(path) in str(error)
