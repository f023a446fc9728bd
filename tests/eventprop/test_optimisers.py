"""SGD, AdamW, schedules, clipping: against transcriptions in plain NumPy, and chunk by chunk."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chipsim.errors import DataError
from eventprop_apps.optimisers import (
    AdamSettings,
    AdamWSettings,
    Constant,
    Cosine,
    Exponential,
    SGDSettings,
    Step,
    add_squares,
    clip_factor,
    clip_gradient,
)

ALL = [
    SGDSettings(lr=0.1, momentum=0.8, weight_decay=0.01, schedule=Step(2, 0.5)),
    SGDSettings(lr=0.1, momentum=0.8, nesterov=True),
    AdamWSettings(lr=0.03, weight_decay=0.2),
    AdamWSettings(lr=0.03, schedule=Cosine(3, 0.1)),
    AdamSettings(lr=0.03, weight_decay=0.1, schedule=Constant()),
]


def sgd(w: Any, gradients: Any, s: SGDSettings, per_epoch: int) -> Any:
    """Sutskever et al. 2013 in the form of PyTorch, in float64."""
    w, v = w.copy(), np.zeros_like(w)
    for k, g in enumerate(gradients):
        g = g + s.weight_decay * w
        v = s.momentum * v + g
        direction = g + s.momentum * v if s.nesterov else v
        w = w - s.lr * s.schedule.factor(k, per_epoch) * direction
    return w


def adamw(w: Any, gradients: Any, s: AdamSettings, per_epoch: int, decoupled: bool) -> Any:
    """Algorithm 2 of Loshchilov & Hutter (decay times the rate, as in PyTorch), in float64."""
    w, m, v = w.copy(), np.zeros_like(w), np.zeros_like(w)
    for k, g in enumerate(gradients):
        scheduled = s.lr_decay ** (k / per_epoch)
        rate = s.lr * (scheduled if s.schedule is None else s.schedule.factor(k, per_epoch))
        g = g if decoupled else g + s.weight_decay * w
        m, v = s.beta1 * m + (1 - s.beta1) * g, s.beta2 * v + (1 - s.beta2) * g * g
        m_hat, v_hat = m / (1 - s.beta1 ** (k + 1)), v / (1 - s.beta2 ** (k + 1))
        decay = rate * s.weight_decay * w if decoupled else 0.0
        w = w - decay - rate * m_hat / (np.sqrt(v_hat) + s.eps)
    return w


@pytest.mark.parametrize("s", ALL, ids=lambda s: type(s).__name__)
@pytest.mark.parametrize(("dtype", "relative"), [(np.float64, 1e-12), (np.float32, 3e-5)])
def test_formula(s: Any, dtype: Any, relative: float) -> None:
    draws = np.random.default_rng(1)
    start, gradients = draws.normal(size=50), draws.normal(size=(40, 50))
    weights = start.astype(dtype)
    optimiser = s.make(50, 7, dtype)
    for g in gradients:
        optimiser.update(weights, g.astype(dtype))
    right = (
        sgd(start, gradients, s, 7)
        if isinstance(s, SGDSettings)
        else adamw(start, gradients, s, 7, isinstance(s, AdamWSettings))
    )
    assert optimiser.updates == 40 and weights.dtype == dtype
    assert weights == pytest.approx(right, rel=relative, abs=relative)


@given(
    s=st.sampled_from(ALL),
    cuts=st.lists(st.integers(0, 60), max_size=8),
    dtype=st.sampled_from([np.float32, np.float64]),
    seed=st.integers(0, 1000),
)
def test_chunks_give_the_same_bits(s: Any, cuts: list[int], dtype: Any, seed: int) -> None:
    draws = np.random.default_rng(seed)
    whole = draws.normal(size=60).astype(dtype)
    parts = whole.copy()
    one, other = s.make(60, 5, dtype), s.make(60, 5, dtype)
    for _ in range(3):
        g = draws.normal(size=60).astype(dtype)
        one.update(whole, g)
        scalars = other.next_scalars()
        for lo, hi in pairwise([0, *sorted(cuts), 60]):
            other.update_part(parts[lo:hi], g[lo:hi], lo, scalars)
        other.updates += 1
    assert whole.tobytes() == parts.tobytes()


@pytest.mark.parametrize("s", ALL, ids=lambda s: type(s).__name__)
def test_a_checkpoint_continues(s: Any) -> None:
    g = np.random.default_rng(2).normal(size=(6, 8)).astype(np.float32)
    w = np.ones(8, np.float32)
    first = s.make(8, 3)
    for k in range(3):
        first.update(w, g[k])
    kept, copy = first.state(), w.copy()
    again = s.make(8, 3)
    again.restore(kept)
    for k in range(3, 6):
        first.update(w, g[k])
        again.update(copy, g[k])
    assert copy.tobytes() == w.tobytes()


def test_an_exponential_schedule_is_adam_s_own_decay() -> None:
    own, other = AdamSettings(lr_decay=0.9), AdamSettings(schedule=Exponential(0.9))
    for k in range(50):
        assert own.scalars(k, 7, np.float32).tobytes() == other.scalars(k, 7, np.float32).tobytes()


def test_schedules_by_hand() -> None:
    assert [Constant().factor(k, 4) for k in (0, 99)] == [1, 1]
    assert Exponential(0.5).factor(8, 4) == 0.25
    assert Cosine(2, 0.2).factor(0, 4) == 1
    assert Cosine(2, 0.2).factor(4, 4) == pytest.approx(0.6)  # half-way
    assert [Cosine(2, 0.2).factor(k, 4) for k in (8, 80)] == pytest.approx([0.2, 0.2])
    assert [Step(2, 0.1).factor(k, 4) for k in (0, 7, 8, 15, 16)] == pytest.approx(
        [1, 1, 0.1, 0.1, 0.01]
    )


def test_clipping() -> None:
    g = np.array([3.0, 4.0], np.float32)
    assert clip_gradient(g, 10.0) == 5.0 and g.tolist() == [3, 4]
    assert clip_gradient(g, 2.5) == 5.0 and g.tolist() == [1.5, 2]
    assert clip_factor(math.inf, 1.0) == 1 and clip_factor(math.nan, 1.0) == 1


@given(cuts=st.lists(st.integers(0, 300), max_size=6), seed=st.integers(0, 1000))
def test_the_norm_s_sum_has_one_order(cuts: list[int], seed: int) -> None:
    """One addition after another, whatever the chunks; 300 is past NumPy's pairwise block."""
    g = (np.random.default_rng(seed).normal(size=300) * 1e3).astype(np.float32)
    total = 0.0
    for value in g.tolist():
        total += value * value
    parts = 0.0
    for lo, hi in pairwise([0, *sorted(cuts), 300]):
        parts = add_squares(g[lo:hi], parts)
    assert add_squares(g) == total == parts


def test_refusals() -> None:
    with pytest.raises(
        DataError,
        match=r"^SGD: got lr = -1, expected a finite number above 0; got momentum = 1, expected a "
        r"finite number in \[0, 1\)$",
    ):
        SGDSettings(lr=-1, momentum=1)
    with pytest.raises(DataError, match=r"^SGD: got 0 weights and 1 batches an epoch, expected at"):
        SGDSettings().make(0, 1)
    with pytest.raises(DataError, match=r"^Exponential: got decay = 0, expected a number in \(0"):
        Exponential(0)
    with pytest.raises(DataError, match=r"^Cosine: got epochs = 0, floor = 0\.0, expected"):
        Cosine(0)
    with pytest.raises(DataError, match=r"^Step: got every = 1, decay = 2, expected at least 1"):
        Step(1, 2)
    with pytest.raises(DataError, match=r"^clip: got a limit of 0, expected a finite number above"):
        clip_gradient(np.ones(2), 0)
