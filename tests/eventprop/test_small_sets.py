"""Scikit-learn's small sets, rate encoding and random manifolds."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from chipsim.errors import DataError, PluginError
from chipsim.seeds import rng
from eventprop_apps.data import (
    Dataset,
    digits,
    encode_latency,
    encode_rate,
    initial_weights,
    randman,
    small_set,
)
from eventprop_apps.offchip import Trainer, TrainSettings
from eventprop_apps.optimisers import AdamSettings

SHAPES = {
    "breast_cancer": (569, 30, 2),
    "digits": (1797, 64, 10),
    "iris": (150, 4, 3),
    "wine": (178, 13, 3),
}


@pytest.mark.parametrize("name", sorted(SHAPES))
def test_every_sample_is_on_one_side(name: str) -> None:
    samples, features, classes = SHAPES[name]
    train, test = small_set(name, test_share=0.2)
    assert len(train) + len(test) == samples
    assert train.x.shape[1] == features and train.n_in == features + 1
    assert train.classes == test.classes == classes
    every, kept = (
        np.bincount(np.concatenate(ls)) for ls in ([train.label, test.label], [test.label])
    )
    assert np.abs(kept - 0.2 * every).max() <= 0.5
    assert (train.x.min(), train.x.max()) == (0, 1)
    assert test.x.min() >= 0 and test.x.max() <= 1
    assert np.array_equal(train.events.dense().argmax(axis=0), encode_latency(train.x))


def test_digits_are_the_published_ones() -> None:
    """A pixel sum and the label counts of scikit-learn's own documentation of the set."""
    train, test = digits()
    counts = np.bincount(np.concatenate([train.label, test.label]))
    assert counts.tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    assert np.unique(train.x * 16).tolist() == list(range(17))


def test_the_split_is_the_seed_s() -> None:
    one, again, other = (small_set("iris", split_seed=s)[1] for s in (1, 1, 2))
    assert np.array_equal(one.x, again.x)
    assert not np.array_equal(one.x, other.x)
    assert len(set(one.label[:10].tolist())) > 1  # not sorted by class


def test_rates() -> None:
    """The share of steps with a spike is rate times the value; the bias spikes once, at step 0."""
    x = np.array([[0.0, 0.5, 1.0]])
    dense = encode_rate(x, steps=4000, rate=0.4, seed=3).dense()[:, 0]
    assert dense[:, 0].sum() == 0
    assert dense[:, 1].mean() == pytest.approx(0.2, abs=0.025)
    assert dense[:, 2].mean() == pytest.approx(0.4, abs=0.03)
    assert np.flatnonzero(dense[:, 3]).tolist() == [0]
    assert encode_rate([[1.0]], steps=9, rate=1.0, bias=False).dense().sum() == 9


def test_a_sample_s_draws_are_its_own() -> None:
    x = np.full((5, 8), 0.5)
    whole, part = encode_rate(x, seed=1).dense(), encode_rate(x[:2], seed=1).dense()
    assert np.array_equal(whole[:, :2], part)
    assert not np.array_equal(whole[:, 0], whole[:, 1])
    train, test = small_set("wine", encoding="rate", rate=0.3, seed=4)
    assert not np.array_equal(train.events.dense()[:, 0], test.events.dense()[:, 0])


def learned(train: Dataset, test: Dataset, hidden: int, epochs: int, batch: int) -> float:
    sizes = (train.n_in, hidden, train.classes)
    settings = TrainSettings(epochs=epochs, batch=batch, adam=AdamSettings(lr=0.01))
    trainer = Trainer(initial_weights(1, sizes), train, test, settings, seed=1)
    accuracy = trainer.run()[-1].test_accuracy
    assert accuracy is not None
    return accuracy


def test_iris_is_learned() -> None:
    """With either encoding above the guess, which has 0.33 and 0.40."""
    assert learned(*small_set("iris"), 30, 30, 16) > 0.8
    assert learned(*small_set("wine", encoding="rate"), 30, 30, 16) > 0.5


def test_manifolds_are_learned_and_fixed() -> None:
    train, test = randman(300, 5), randman(150, 5, split="test")
    assert np.bincount(train.label).tolist() == [100, 100, 100]
    assert train.events.step.max() <= train.steps - 2
    assert not np.array_equal(train.x[:150], test.x)
    assert np.array_equal(train.x, randman(300, 5).x)
    assert not np.array_equal(train.x, randman(300, 6).x)
    assert learned(train, test, 40, 20, 20) > 0.7  # a guess has 0.33


def test_smoother_manifolds_are_smoother() -> None:
    """Points close to each other on a manifold: their coordinates differ less."""
    order = np.argsort(rng(1, "data", "randman", "train").random((2000, 1))[:, 0])
    rough, smooth = (
        np.abs(np.diff(randman(2000, 1, classes=1, smoothness=s).x[order], axis=0)).mean()
        for s in (0.5, 3.0)
    )
    assert smooth < 0.5 * rough


def test_without_scikit_learn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn", None)
    with pytest.raises(
        PluginError, match=r"^small_set: digits comes with scikit-learn, which is n"
    ):
        digits()


def test_refusals() -> None:
    with pytest.raises(DataError, match=r"^small_set: got 'irys'; did you mean 'iris'\?$"):
        small_set("irys")
    with pytest.raises(DataError, match=r"^small_set: got test_share = 1, expected a number betwe"):
        small_set("iris", test_share=1)
    with pytest.raises(
        DataError, match=r"^iris \(train\): got encoding 'rat'; did you mean 'rate'"
    ):
        small_set("iris", encoding="rat")
    with pytest.raises(DataError, match=r"encoding 'latency' has no option 'rate'; known: bias, s"):
        small_set("iris", rate=0.5)
    with pytest.raises(DataError, match=r"^encode_rate: got 1 steps and rate = 0\.5, expected at"):
        encode_rate([[0.5]], steps=1)
    with pytest.raises(DataError, match=r"^encode_rate: expected an array \(samples, features\)"):
        encode_rate([[2.0]])
    with pytest.raises(DataError, match=r"^randman: got samples, classes, lines, dimensions, harm"):
        randman(0)
