"""Adam: against its formula, chunk by chunk, and through a checkpoint."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chipsim.errors import DataError
from eventprop_apps.optimisers import Adam, AdamSettings, sum_replicas
from eventprop_apps.optimisers.adam import flatten, unflatten


def formula(weights: Any, gradients: Any, s: AdamSettings, per_epoch: int) -> Any:
    """Adam with L2 decay as Kingma & Ba write it, in float64."""
    w = np.array(weights, float)
    m, v = np.zeros_like(w), np.zeros_like(w)
    for k, gradient in enumerate(gradients):
        g = gradient + s.weight_decay * w
        m = s.beta1 * m + (1 - s.beta1) * g
        v = s.beta2 * v + (1 - s.beta2) * g**2
        m_hat, v_hat = m / (1 - s.beta1 ** (k + 1)), v / (1 - s.beta2 ** (k + 1))
        w -= s.lr * s.lr_decay ** (k / per_epoch) * m_hat / (np.sqrt(v_hat) + s.eps)
    return w


@pytest.mark.parametrize(("dtype", "relative"), [(np.float64, 1e-12), (np.float32, 1e-5)])
def test_formula(dtype: Any, relative: float) -> None:
    draws = np.random.default_rng(1)
    s = AdamSettings(lr=0.03, weight_decay=0.1)
    start, gradients = draws.normal(size=50), draws.normal(size=(40, 50))
    weights = start.astype(dtype)
    adam = Adam(s, 50, 7, dtype)
    for g in gradients:
        adam.update(weights, g.astype(dtype))
    assert adam.updates == 40
    assert weights == pytest.approx(formula(start, gradients, s, 7), rel=relative, abs=relative)


@given(
    cuts=st.lists(st.integers(0, 60), max_size=8),
    dtype=st.sampled_from([np.float32, np.float64]),
    seed=st.integers(0, 1000),
)
def test_chunks_give_the_same_bits(cuts: list[int], dtype: Any, seed: int) -> None:
    draws = np.random.default_rng(seed)
    whole = draws.normal(size=60).astype(dtype)
    parts = whole.copy()
    one, other = (Adam(AdamSettings(), 60, 5, dtype) for _ in range(2))
    edges = [0, *sorted(cuts), 60]
    for _ in range(3):
        g = draws.normal(size=60).astype(dtype)
        one.update(whole, g)
        scalars = other.next_scalars()
        for lo, hi in pairwise(edges):
            other.update_part(parts[lo:hi], g[lo:hi], lo, scalars)
        other.updates += 1
    assert whole.tobytes() == parts.tobytes()


def test_replicas_are_summed_in_order() -> None:
    """1e8 swallows 1 in float32, so the order shows; chunks of replicas do not matter."""
    column = np.array([[1e8], [1.0], [-1e8], [1.0]], np.float32)
    assert sum_replicas(column).tolist() == [1.0]
    assert sum_replicas(column[::-1]).tolist() == [0.0]
    parts = sum_replicas(column[2:], sum_replicas(column[:2]))
    assert parts.tobytes() == sum_replicas(column).tobytes()


def test_schedule_is_smooth() -> None:
    s = AdamSettings(lr=1.0, lr_decay=0.95)
    assert s.rate(0, 227) == 1.0
    assert s.rate(227, 227) == pytest.approx(0.95)
    assert s.rate(113, 227) / s.rate(112, 227) == pytest.approx(0.95 ** (1 / 227))


def test_a_checkpoint_continues() -> None:
    draws = np.random.default_rng(2)
    g = draws.normal(size=(6, 8)).astype(np.float32)
    w = np.ones(8, np.float32)
    adam = Adam(AdamSettings(), 8, 3)
    for k in range(3):
        adam.update(w, g[k])
    kept, copy = adam.state(), w.copy()
    for k in range(3, 6):
        adam.update(w, g[k])
    again = Adam(AdamSettings(), 8, 3)
    again.restore(kept)
    for k in range(3, 6):
        again.update(copy, g[k])
    assert copy.tobytes() == w.tobytes()


def test_layers_as_one_vector() -> None:
    layers = [np.arange(6.0).reshape(3, 2), np.arange(3.0).reshape(1, 3)]
    vector = flatten(layers, np.float32)
    assert vector.tolist() == [0, 1, 2, 3, 4, 5, 0, 1, 2]
    views = unflatten(vector, [(3, 2), (1, 3)])
    views[1][0, 2] = 9
    assert vector[-1] == 9 and np.array_equal(views[0], layers[0])


def test_refusals() -> None:
    with pytest.raises(
        DataError,
        match=r"^Adam: got lr = 0, expected a finite number above 0; got beta2 = 1\.0, expected a "
        r"finite number in \[0, 1\)$",
    ):
        AdamSettings(lr=0, beta2=1.0)
    with pytest.raises(DataError, match=r"^Adam: got 0 weights and 1 batches an epoch, expected"):
        Adam(AdamSettings(), 0, 1)
