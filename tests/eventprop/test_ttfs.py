"""The time-to-first-spike loss: against its formula, its own differences, and its edges."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from chipsim.errors import DataError
from eventprop_apps.losses import (
    TTFSLoss,
    first_spike_errors,
    note_first_spikes,
    predictions,
)

FORMS = [TTFSLoss(), TTFSLoss.on_chip()]


def smooth_loss(times: Any, label: int, loss: TTFSLoss) -> float:
    """The loss of one sample for real times, all outputs active."""
    entropy = times[label] / loss.xi + math.log(sum(math.exp(-t / loss.xi) for t in times))
    return float(entropy + loss.alpha * (math.exp(times[label] / loss.beta) - 1))


@pytest.mark.parametrize("loss", FORMS, ids=["offchip", "onchip"])
def test_value_and_slope(loss: TTFSLoss) -> None:
    times, label, h = [6, 4, 5], 0, 1e-5
    value, slope = loss.loss_rows([times], [label], 7, steps=20, dtype=np.float64)
    assert value[0] * 7 == pytest.approx(smooth_loss(times, label, loss), rel=1e-12)
    for k in range(3):
        ends = [
            smooth_loss([t + s * h * (n == k) for n, t in enumerate(times)], label, loss)
            for s in (1, -1)
        ]
        assert slope[0, k] * 7 == pytest.approx((ends[0] - ends[1]) / (2 * h), rel=1e-6)


def test_silent_and_last_step_get_no_error() -> None:
    loss = TTFSLoss()
    _, slope = loss.loss_rows([[3, 19, 20], [20, 20, 20]], [1, 0], 2, steps=20, dtype=np.float64)
    assert slope[0, 0] < 0 and slope[0, 1:].tolist() == [0, 0]
    assert slope[1].tolist() == [0, 0, 0]


def test_silent_outputs_in_both_forms() -> None:
    """Off the chip a silent output counts as one at T; on the chip it is left out of the sum."""
    times, steps = [[4, 5, 8]], 8
    off, off_slope = TTFSLoss(1.0, 0.0, 1.0).loss_rows(times, [0], 1, steps=steps, dtype=float)
    on, on_slope = TTFSLoss(1.0, 0.0, 1.0, "onchip").loss_rows(
        times, [0], 1, steps=steps, dtype=float
    )
    assert off[0] == pytest.approx(math.log(1 + math.exp(-1) + math.exp(-4)))
    assert on[0] == pytest.approx(math.log(1 + math.exp(-1)))
    assert off_slope[0, 2] == on_slope[0, 2] == 0
    nothing, slope = TTFSLoss(1.0, 0.0, 1.0, "onchip").loss_rows([[8, 8, 8]], [0], 1, steps=steps)
    assert nothing[0] == pytest.approx(math.log(3)) and not slope.any()


def test_on_chip_scales_follow_the_step() -> None:
    assert TTFSLoss.on_chip() == TTFSLoss(0.5, 3e-3, 6.4, "onchip")
    assert TTFSLoss.on_chip(dt_ms=0.5) == TTFSLoss(1.0, 3e-3, 12.8, "onchip")
    assert repr(TTFSLoss()) == "TTFSLoss(xi=1.5, alpha=0.01, beta=100.0, form='offchip')"


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_rows_are_independent(dtype: Any) -> None:
    draws = np.random.default_rng(0)
    times, labels = draws.integers(1, 21, (17, 5)), draws.integers(0, 5, 17)
    value, slope = TTFSLoss().loss_rows(times, labels, 17, steps=20, dtype=dtype)
    assert value.dtype == slope.dtype == dtype
    for r in range(17):
        one, part = TTFSLoss().loss_rows(
            times[r : r + 1], labels[r : r + 1], 17, steps=20, dtype=dtype
        )
        assert one.tobytes() == value[r : r + 1].tobytes()
        assert part.tobytes() == slope[r : r + 1].tobytes()


def test_extreme_scales_stay_finite() -> None:
    value, slope = TTFSLoss(xi=1e-3, alpha=0.0).loss_rows([[1, 2999]], [1], 1, steps=3001)
    assert value[0] == pytest.approx(2998e3)
    assert np.isfinite(slope).all()


def test_first_spikes_are_noted_once() -> None:
    first = np.full((2, 3), 9, np.int32)
    note_first_spikes(first, 4, [0, 1], [0, 2, 3], [0, 2, 1])
    note_first_spikes(first, np.array([5, 6]), [0, 1], [0, 1, 2], [0, 2])
    assert first.tolist() == [[4, 9, 4], [9, 4, 6]]
    assert predictions(np.array([[4, 4, 9], [9, 9, 9], [9, 3, 3]])).tolist() == [0, 0, 1]


def test_given_errors_are_masked_like_a_loss() -> None:
    error = first_spike_errors([[3, 8, 9]], [[1.0, 2.0, 3.0]], steps=9, dtype=np.float32)
    assert error.tolist() == [[1.0, 0.0, 0.0]] and error.dtype == np.float32


def test_refusals() -> None:
    with pytest.raises(
        DataError,
        match=r"^TTFSLoss: got xi = 0, expected a finite number above 0; got alpha = -1, expected "
        r"a finite number of at least 0; got beta = nan, expected a finite number above 0; got "
        r"form = 'chip', expected one of offchip, onchip$",
    ):
        TTFSLoss(0, -1, math.nan, "chip")  # type: ignore[arg-type]
    with pytest.raises(DataError, match=r"^TTFSLoss: got dt_ms = 0, expected a number above 0$"):
        TTFSLoss.on_chip(dt_ms=0)
