"""Yin-Yang, its encoding, event lists, batches and initial weights."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chipsim.errors import DataError
from eventprop_apps.data import SpikeEvents, batches, encode_latency, initial_weights, yinyang
from eventprop_apps.data.yinyang import points


def test_the_published_training_set() -> None:
    x, label = points(5000, 42)
    first = [(0.68030754, 0.45049925), (0.09767211, 0.68423303), (0.75536141, 0.42515587)]
    assert x[:3, :2] == pytest.approx(np.array(first), abs=5e-9)
    assert np.array_equal(x[:, 2:], 1 - x[:, :2])
    assert label[:6].tolist() == [2, 1, 2, 1, 1, 1]
    assert np.bincount(label).tolist() == [1681, 1702, 1617]


def test_encoding_by_hand() -> None:
    """T = 27, t_min = 2: 2 + 24 (1 - x), halves to even, the bias at 0."""
    assert encode_latency([[1.0, 0.5, 0.0]]).tolist() == [[2, 14, 26, 0]]
    assert encode_latency([[1 - 0.5 / 16, 1 - 1.5 / 16]], steps=19).tolist() == [[2, 4, 0]]
    assert encode_latency([[0.009, 0.011]], steps=1002, t_min=1).tolist() == [[991, 990, 0]]
    assert encode_latency([[1.0]], bias=False).tolist() == [[2]]


def test_patterns_of_the_quantised_input() -> None:
    x, _ = points(60_000, 42)
    times = encode_latency(x)
    assert len(np.unique(times, axis=0)) == 495
    assert len(np.unique(times[:5000], axis=0)) == 487


def test_yinyang_as_events() -> None:
    data = yinyang(50, 40)
    assert (len(data), data.n_in, data.steps, data.classes) == (50, 5, 27, 3)
    dense = data.events.dense()
    times = encode_latency(data.x)
    assert dense.sum() == 250
    assert np.array_equal(dense.argmax(axis=0), times)


@given(
    seed=st.integers(0, 2**32 - 1), steps=st.integers(2, 9), samples=st.integers(1, 5),
    n_in=st.integers(1, 6), rate=st.floats(0, 1),
)  # fmt: skip
def test_dense_and_events_are_one(
    seed: int, steps: int, samples: int, n_in: int, rate: float
) -> None:
    spikes = np.random.default_rng(seed).random((steps, samples, n_in)) < rate
    events = SpikeEvents.from_dense(spikes)
    assert np.array_equal(events.dense(), spikes)
    assert events.longest() == spikes.sum(axis=(0, 2)).max()
    for b in range(samples):
        part = slice(events.start[b], events.stop[b])
        keys = list(zip(events.step[part].tolist(), events.index[part].tolist(), strict=True))
        assert keys == sorted(set(keys))
    order = np.arange(samples)[::-1]
    assert np.array_equal(events.take(order).dense(), spikes[:, order])


def test_events_from_times() -> None:
    events = SpikeEvents.from_times([[3, 0, 3], [1, 1, 0]], 4)
    assert events.step.tolist() == [0, 3, 3, 0, 1, 1]
    assert events.index.tolist() == [1, 0, 2, 2, 0, 1]


def test_batches_are_a_shuffle_of_their_epoch() -> None:
    parts = batches(7, 0, 50, 22)
    assert [p.size for p in parts] == [22, 22]
    kept = batches(7, 0, 50, 22, drop_last=False)
    assert [p.size for p in kept] == [22, 22, 6]
    assert sorted(np.concatenate(kept).tolist()) == list(range(50))
    assert np.array_equal(kept[0], parts[0])
    assert not np.array_equal(parts[0], batches(7, 1, 50, 22)[0])
    assert not np.array_equal(parts[0], batches(8, 0, 50, 22)[0])


def test_initial_weights() -> None:
    hidden, output = initial_weights(3, (5, 4000, 300))
    assert (hidden.shape, output.shape) == ((4000, 5), (300, 4000))
    root = np.sqrt(5)
    assert hidden.mean() == pytest.approx(3.2 / root, rel=0.05)
    assert hidden.std() == pytest.approx(3.2 / root, rel=0.05)
    assert output.mean() == pytest.approx(5.2 / np.sqrt(4000), rel=0.05)
    assert output.std() == pytest.approx(2.8 / np.sqrt(4000), rel=0.05)
    # a layer's draws do not depend on the other layers
    assert np.array_equal(hidden, initial_weights(3, (5, 4000), [(3.2, 3.2)])[0])


def test_refusals() -> None:
    with pytest.raises(DataError, match=r"^yinyang: got 0 samples, expected at least 1$"):
        points(0, 1)
    with pytest.raises(DataError, match=r"^encode_latency: got t_min = 26 with 27 steps, expected"):
        encode_latency([[0.5]], t_min=26)
    with pytest.raises(
        DataError, match=r"^encode_latency: expected an array \(samples, features\)"
    ):
        encode_latency([[1.5]])
    with pytest.raises(DataError, match=r"^spikes: got values other than 0 and 1;"):
        SpikeEvents.from_dense(np.full((3, 1, 1), 2))
    with pytest.raises(
        DataError, match=r"^spikes: got an array of shape \(3, 1\), expected \(T, B"
    ):
        SpikeEvents.from_dense(np.zeros((3, 1)))
    with pytest.raises(DataError, match=r"^spike times: got 0\.\.4, expected steps 0\.\.3$"):
        SpikeEvents.from_times([[0, 4]], 4)
    with pytest.raises(DataError, match=r"^batches: got 21 samples in batches of 22, expected at"):
        batches(0, 0, 21, 22)
    with pytest.raises(DataError, match=r"^initial_weights: got sizes \[5, 3\] and 2 pairs of"):
        initial_weights(0, (5, 3))
    with pytest.raises(
        DataError, match=r"^initial_weights: got scales \[\(1\.0, -1\.0\), \(0\.0, 1\.0\)\], ex"
    ):
        initial_weights(0, (5, 3), [(1.0, -1.0)])
