"""Off-chip training in pieces: checkpoints, early stopping, clipping, weights as files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chipsim.errors import DataError
from chipsim.trace.rundir import RunDirectory
from eventprop_apps.data import initial_weights, yinyang
from eventprop_apps.offchip import (
    Trainer,
    TrainSettings,
    load_checkpoint,
    load_weights,
    save_checkpoint,
    save_weights,
    train,
)
from eventprop_apps.optimisers import AdamSettings, AdamWSettings, Cosine, SGDSettings

SETS = yinyang(220, 42), yinyang(100, 41), yinyang(100, 40)


def trainer(seed: int = 1, **changes: Any) -> Trainer:
    chosen = TrainSettings(**{"epochs": 4, "adam": AdamSettings(lr=0.01)} | changes)
    start = initial_weights(seed, (5, 20, 3))
    return Trainer(start, SETS[0], SETS[2], chosen, seed=seed, validation=SETS[1])


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"optimiser": SGDSettings(lr=1.0), "clip_norm": 0.05, "dtype": np.float64},
        {"optimiser": AdamWSettings(lr=0.01, schedule=Cosine(4)), "patience": 2},
    ],
)
def test_a_run_in_pieces_ends_with_the_same_bytes(tmp_path: Path, changes: Any) -> None:
    whole, pieces = tmp_path / "whole.npz", tmp_path / "pieces.npz"
    one = trainer(**changes)
    train(one, whole)

    class KilledError(Exception):
        pass

    def kill(_: object) -> None:
        raise KilledError

    kills = 0
    while True:
        other = trainer(**changes)
        try:
            train(other, pieces, kill)
        except KilledError:
            kills += 1
        else:
            break
    assert kills == len(one.history) >= 3
    assert whole.read_bytes() == pieces.read_bytes()
    assert one.history == other.history
    for a, b in zip(one.best_weights, other.best_weights, strict=True):
        assert a.tobytes() == b.tobytes()


def test_more_epochs_continue(tmp_path: Path) -> None:
    one = trainer(epochs=3)
    one.run()
    two = trainer(epochs=2)
    train(two, tmp_path / "c.npz")
    three = trainer(epochs=3)
    train(three, tmp_path / "c.npz")
    assert three.history == one.history
    # without a clip and with the default optimiser, settings that are spelt out change nothing
    spelt = trainer(epochs=3, optimiser=AdamSettings(lr=0.01), clip_norm=1e9)
    assert [w.tobytes() for w in (spelt.run(), spelt.weights)[1]] == [
        w.tobytes() for w in one.weights
    ]


def test_early_stopping_keeps_the_best() -> None:
    """A rate that breaks the network: no epoch after the best one is better."""
    one = trainer(epochs=30, patience=3, adam=AdamSettings(lr=0.05))
    one.run()
    held = [record.validation_accuracy or 0.0 for record in one.history]
    assert len(held) < 30
    assert one.best_epoch == held.index(max(held)) + 1 == len(held) - 3
    best = Trainer(one.best_weights, SETS[0], None, one.settings, validation=SETS[1])
    assert best.accuracy(SETS[1]) == max(held)
    assert one.accuracy(SETS[1]) == held[-1]
    one.run()
    assert len(one.history) == len(held)


def test_clipping_bounds_an_update() -> None:
    """SGD without momentum moves by rate times the clipped norm."""
    one = trainer(optimiser=SGDSettings(lr=1.0, momentum=0), clip_norm=1e-5, dtype=np.float64)
    before = one.weights
    one.run_update(np.arange(22), SETS[0].label[:22])
    moved = sum(((a - b) ** 2).sum() for a, b in zip(one.weights, before, strict=True))
    assert np.sqrt(moved) == pytest.approx(1e-5)


def test_checkpoint_refusals(tmp_path: Path) -> None:
    path = tmp_path / "c.npz"
    with pytest.raises(DataError, match=r"c\.npz: cannot be read: No such file or directory$"):
        load_checkpoint(path, trainer())
    save_checkpoint(path, trainer())
    with pytest.raises(DataError, match=r"another training: seed = 1 \(now 2\); take what it was"):
        load_checkpoint(path, trainer(2))
    with pytest.raises(DataError, match=r"another training: optimiser = AdamSettings\(lr=0\.01,"):
        load_checkpoint(path, trainer(optimiser=SGDSettings()))
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(DataError, match=r"c\.npz: no \.npz file, or a broken one: "):
        load_checkpoint(path, trainer())
    save_weights(path, trainer().weights)
    with pytest.raises(DataError, match=r"c\.npz: no checkpoint of a training, or a broken one$"):
        load_checkpoint(path, trainer())
    with pytest.raises(DataError, match=r"^Trainer: got patience = 2 without validation samples"):
        Trainer(initial_weights(1, (5, 20, 3)), SETS[0], None, TrainSettings(patience=2))
    with pytest.raises(DataError, match=r"^TrainSettings: got patience = -1, expected at least 0"):
        TrainSettings(patience=-1)
    with pytest.raises(DataError, match=r"^clip: got a limit of -1, expected a finite number abov"):
        TrainSettings(clip_norm=-1)


# -------------------------------------------------------------------------------------- weights
@settings(max_examples=20)
@given(
    sizes=st.lists(st.integers(1, 6), min_size=2, max_size=13),
    dtype=st.sampled_from([np.float32, np.float64]),
    seed=st.integers(0, 99),
)
def test_weights_come_back(
    tmp_path_factory: pytest.TempPathFactory, sizes: list[int], dtype: Any, seed: int
) -> None:
    path = tmp_path_factory.getbasetemp() / "w.npz"
    start = initial_weights(seed, sizes, [(1.0, 1.0)] * (len(sizes) - 1))
    save_weights(path, [w.astype(dtype) for w in start])
    found = load_weights(path, sizes)
    assert [w.tobytes() for w in found] == [w.astype(dtype).tobytes() for w in start]


def test_weights_of_a_run_directory(tmp_path: Path) -> None:
    weights = trainer().weights
    with RunDirectory.create(tmp_path / "run") as out:
        out.write_weights({f"layer{i}": w for i, w in enumerate(weights)})
        out.finish({})
    save_weights(tmp_path / "w.npz", weights)
    assert (tmp_path / "w.npz").read_bytes() == (tmp_path / "run" / "weights.npz").read_bytes()
    for own, right in zip(load_weights(tmp_path / "run", (5, 20, 3)), weights, strict=True):
        assert own.tobytes() == right.tobytes()


def test_weight_refusals(tmp_path: Path) -> None:
    path = tmp_path / "w.npz"
    with pytest.raises(DataError, match=r"w\.npz: cannot be read: No such file or directory$"):
        load_weights(path)
    path.write_bytes(b"weights")
    with pytest.raises(DataError, match=r"w\.npz: no \.npz file, or a broken one: "):
        load_weights(path)
    np.savez(path, hidden=np.ones((2, 2)))
    with pytest.raises(DataError, match=r"got the arrays hidden, expected layer0, layer1 and so o"):
        load_weights(path)
    for arrays, says in (
        ([np.ones((2, 2), int)], r"layer0: got int64 of shape \(2, 2\), expected floats of"),
        ([np.full((2, 2), np.nan)], r"layer0: holds values that are not finite$"),
        ([np.ones((2, 3)), np.ones((4, 3))], r"got layers of shapes .*, which do not fit each ot"),
        ([np.ones((2, 3))], r"got weights of a 3-2 network, expected 5-120-3$"),
    ):
        save_weights(path, arrays)
        with pytest.raises(DataError, match=says):
            load_weights(path, (5, 120, 3))
    with (tmp_path / "x.npy").open("wb") as file:
        np.save(file, np.ones(3))
    with pytest.raises(
        DataError, match=r"x\.npy: holds one array, expected an \.npz file with sev"
    ):
        load_weights(tmp_path / "x.npy")
