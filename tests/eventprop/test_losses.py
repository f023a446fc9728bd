"""Losses and regularisers: each gradient against finite differences of its smooth definition."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chipsim.errors import DataError
from eventprop_apps import evaluate
from eventprop_apps.kernels.regularise import regularise_rows
from eventprop_apps.kernels.state import SPIKE_ERROR, SPIKE_NEURON, SPIKE_STEP, SPIKES, LayerState
from eventprop_apps.losses import (
    Head,
    Heads,
    Outputs,
    ReadOutCrossEntropy,
    Regulariser,
    SpikeCountCrossEntropy,
    SpikeCountMSE,
    SpikeTimeMSE,
    Targets,
    TTFSLoss,
)
from eventprop_apps.losses.api import Loss, given_errors, target_words

STEPS = 20


def entropy(values: Any, label: int, scale: float) -> float:
    """-log softmax(values / scale)_label, straight from the definition."""
    return float(np.log(np.exp(np.asarray(values) / scale).sum()) - values[label] / scale)


def slope(function: Callable[[Any], float], at: Any, h: float = 1e-6) -> Any:
    """Central differences of a function of a vector."""
    at = np.asarray(at, float)
    found = np.zeros_like(at)
    for k in range(at.size):
        step = np.zeros_like(at)
        step[k] = h
        found[k] = (function(at + step) - function(at - step)) / (2 * h)
    return found


def outputs(spikes: list[tuple[int, int]], n: int = 3, dtype: Any = np.float64) -> Outputs:
    """One row with the given spikes (step, neuron)."""
    ordered = sorted(spikes)
    first = np.full((1, n), STEPS, np.int32)
    for step, neuron in reversed(ordered):
        first[0, neuron] = step
    return Outputs(
        STEPS, np.dtype(dtype), first, np.array([0, len(ordered)]),
        np.array([k for _, k in ordered], np.int32), np.array([s for s, _ in ordered], np.int32),
    )  # fmt: skip


def labels(*values: int) -> Targets:
    return Targets(np.array([values], np.int64))


def test_spike_time_mse() -> None:
    row, loss = outputs([(4, 0), (9, 0), (6, 1), (11, 2)]), SpikeTimeMSE(5, 15, 4)
    wanted = np.array([15.0, 5.0, 15.0])

    def smooth(times: Any) -> float:
        return float((((times - wanted) / 4) ** 2).sum() / 2)

    share, error = loss.rows(row, labels(1), 7)
    assert share[0] * 7 == pytest.approx(smooth(np.array([4, 6, 11])))
    assert error[0] * 7 == pytest.approx(slope(smooth, [4, 6, 11]), rel=1e-6)
    assert loss.predict(row).tolist() == [[0]]


def test_spike_time_mse_with_given_times() -> None:
    row = outputs([(4, 0), (6, 1)])
    targets = Targets(np.zeros((1, 1), np.int64), np.array([[3.5, 6.0, 9.0]]))
    share, error = SpikeTimeMSE(given=True, scale=1).rows(row, targets, 1)
    assert share[0] == pytest.approx((0.25 + 0 + 121) / 2)
    assert error.tolist() == [[0.5, 0.0, 0.0]], "a silent output has a share, but no error"
    with pytest.raises(DataError, match=r"^SpikeTimeMSE: got no wanted times, expected one for ea"):
        SpikeTimeMSE(given=True).rows(row, labels(0), 1)


@pytest.mark.parametrize("loss", [SpikeCountCrossEntropy(2.0), SpikeCountMSE(4, 1, 2.0)])
def test_counts(loss: Any) -> None:
    """dL/dn against differences; each spike's error is -(1/T) dL/dn, in step T - 1 none."""
    row = outputs([(3, 0), (5, 1), (8, 1), (STEPS - 1, 1), (4, 2)])
    counts = np.array([1.0, 3.0, 1.0])

    def smooth(n: Any) -> float:
        if isinstance(loss, SpikeCountCrossEntropy):
            return entropy(n, 2, 2.0)
        return float((((n - np.array([1.0, 1.0, 4.0])) / 2) ** 2).sum() / 2)

    share, error = loss.rows(row, labels(2), 5)
    assert share[0] * 5 == pytest.approx(smooth(counts), rel=1e-12)
    by_count = slope(smooth, counts) / -STEPS
    assert row.neuron is not None and row.step is not None
    expected = [by_count[k] * (s < STEPS - 1) for k, s in zip(row.neuron, row.step, strict=True)]
    assert error * 5 == pytest.approx(np.array(expected), rel=1e-6)
    assert loss.predict(row).tolist() == [[1]]
    right = np.flatnonzero(row.neuron == 2)
    assert error[right] > 0, "the right output is to spike more: later is worse"


@pytest.mark.parametrize("over", ["max", "mean", "exp"])
def test_a_read_outs_loss_and_the_weights_of_its_steps(over: Any) -> None:
    loss = ReadOutCrossEntropy(over, 0.3)
    values = np.array([[0.2, -0.1, 0.5]])
    row = Outputs(STEPS, np.dtype(float), np.full((1, 3), STEPS, np.int32), values=values)
    share, error = loss.rows(row, labels(1), 3)
    assert share[0] * 3 == pytest.approx(entropy(values[0], 1, 0.3), rel=1e-12)
    assert error[0] * 3 == pytest.approx(slope(lambda y: entropy(y, 1, 0.3), values[0]), rel=1e-6)
    assert loss.predict(row).tolist() == [[2]]
    weights = loss.step_weights(STEPS, np.float64)
    assert weights[0] == 0
    expected = {
        "max": [0.0] * (STEPS - 1),
        "mean": [1 / (STEPS - 1)] * (STEPS - 1),
        "exp": [math.exp(-i / STEPS) / (STEPS - 1) for i in range(1, STEPS)],
    }[over]
    assert weights[1:] == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("over", ["max", "mean", "exp"])
def test_the_gradient_of_a_whole_read_out_network_is_the_derivative(over: Any) -> None:
    """All weights of a read-out fed by inputs: gradient / dt against differences of the loss."""
    draws = np.random.default_rng(4)
    spikes = (draws.random((STEPS, 3, 4)) < 0.3).astype(np.uint8)
    weights, right = draws.normal(0.3, 1.0, (3, 4)), [0, 2, 1]
    loss = ReadOutCrossEntropy(over, 0.2)

    def value(flat: Any) -> float:
        result = evaluate(
            [flat.reshape(3, 4)], spikes, right, loss=loss, dtype=np.float64, backend="offchip"
        )
        assert result.loss is not None
        return float(result.loss)

    result = evaluate([weights], spikes, right, loss=loss, dtype=np.float64, backend="offchip")
    found = slope(value, weights.reshape(-1), 1e-6).reshape(3, 4)
    assert np.abs(found).max() > 0.01
    assert result.gradients[0] / 1e-3 == pytest.approx(found, rel=1e-5, abs=1e-8)


def test_heads_are_the_weighted_sum() -> None:
    parts = (Head(2, TTFSLoss(), 1.0), Head(3, SpikeTimeMSE(), 0.25))
    loss = Heads(parts)
    row = outputs([(4, 0), (7, 1), (3, 2), (5, 3), (9, 4)], n=5)
    share, error = loss.rows(row, labels(1, 2), 2)
    one, first = parts[0].loss.rows(outputs([(4, 0), (7, 1)], 2), labels(1), 2)
    two, second = parts[1].loss.rows(outputs([(3, 0), (5, 1), (9, 2)], 3), labels(2), 2)
    assert share[0] == one[0] + 0.25 * two[0]
    assert error.tolist() == [[*first[0], *(0.25 * second[0])]]
    assert loss.predict(row).tolist() == [[0, 0]]
    assert (loss.heads, loss.outputs, loss.reads) == (2, 5, "first")


def test_heads_over_all_spikes() -> None:
    loss = Heads((Head(1, SpikeCountMSE(), 2.0), Head(2, SpikeCountMSE())))
    row = outputs([(2, 1), (3, 0), (4, 2), (5, 0)])
    share, error = loss.rows(row, labels(0, 1), 1)
    one, first = SpikeCountMSE().rows(outputs([(3, 0), (5, 0)], 1), labels(0), 1)
    two, second = SpikeCountMSE().rows(outputs([(2, 0), (4, 1)], 2), labels(1), 1)
    assert share[0] == 2 * one[0] + two[0]
    assert error.tolist() == [second[0], 2 * first[0], second[1], 2 * first[1]]


LOSSES: list[Loss] = [
    TTFSLoss(), TTFSLoss.on_chip(), SpikeTimeMSE(), SpikeCountCrossEntropy(), SpikeCountMSE(),
    ReadOutCrossEntropy(), Heads((Head(1, SpikeCountMSE()), Head(3, SpikeCountMSE(), 0.5))),
]  # fmt: skip


@given(
    seed=st.integers(0, 2**32 - 1),
    loss=st.sampled_from(LOSSES),
    dtype=st.sampled_from([np.float32, np.float64]),
)
def test_rows_are_independent(seed: int, loss: Loss, dtype: Any) -> None:
    """One call for all rows and a call for each give the same bits."""
    draws = np.random.default_rng(seed)
    rows, n = int(draws.integers(1, 6)), 4
    dense = draws.random((rows, STEPS, n)) < 0.1
    row, step, neuron = np.nonzero(dense)
    ptr = np.concatenate([[0], np.cumsum(np.bincount(row, minlength=rows))])
    first = np.where(dense.any(1), dense.argmax(1), STEPS).astype(np.int32)
    values = draws.normal(size=(rows, n)).astype(dtype)
    label = np.stack([draws.integers(0, 1 if k == 0 and loss.heads > 1 else 3, rows)
                      for k in range(loss.heads)], axis=1)  # fmt: skip

    def part(a: int, b: int) -> tuple[Any, Any, Any]:
        own = slice(ptr[a], ptr[b])
        out = Outputs(
            STEPS, np.dtype(dtype), first[a:b], ptr[a : b + 1] - ptr[a],
            neuron[own].astype(np.int32), step[own].astype(np.int32), values[a:b],
        )  # fmt: skip
        return *loss.rows(out, Targets(label[a:b]), rows), loss.predict(out)

    whole = part(0, rows)
    for k, parts in enumerate(zip(*(part(r, r + 1) for r in range(rows)), strict=True)):
        assert np.concatenate(parts).tobytes() == np.asarray(whole[k]).tobytes()
    assert whole[0].dtype == whole[1].dtype == dtype
    assert isinstance(loss, Loss)


def test_given_errors_go_to_first_spikes_only() -> None:
    row = outputs([(3, 0), (5, 0), (STEPS - 1, 1), (6, 2)])
    found = given_errors(row, np.array([[1.0, 2.0, 3.0]]))
    assert found.tolist() == [1.0, 0.0, 3.0, 0.0]


def test_target_words() -> None:
    words = target_words([1, 2], np.array([0.5, 1.0]), np.dtype(np.float32))
    assert words.tolist() == [1, 2, 0x3F000000, 0x3F800000]
    assert target_words(3, None, np.dtype(np.float32)).tolist() == [3]


# ------------------------------------------------------------------------------ regularisers
def layer_run(weights: Any, spikes: Any, regulariser: Regulariser | None) -> Any:
    """One layer without any error from above: what is left is the regulariser's."""
    samples = spikes.shape[1]
    return evaluate(
        [weights], spikes, output_error=np.zeros((samples, weights.shape[0])),
        regularisers=regulariser, dtype=np.float64, backend="offchip",
    )  # fmt: skip


def test_the_drive_of_silent_neurons_is_the_gradient_of_its_definition() -> None:
    """-silent * gap * D_j, D_j the sum of the weights of all input spikes before step T - 1."""
    draws = np.random.default_rng(2)
    spikes = (draws.random((STEPS, 2, 4)) < 0.3).astype(np.uint8)
    weights = np.stack([np.full(4, 0.01), np.full(4, 6.0)])
    result = layer_run(weights, spikes, Regulariser(low=2.0, silent=0.7))
    counts = result.spikes[0].sum(axis=0)
    assert (counts[:, 0] == 0).all() and (counts[:, 1] > 2).all()
    seen = spikes[:-1].sum(axis=0)
    expected = -(0.7 * 2.0 * seen).sum(axis=0) / 2
    assert result.gradients[0][0] / 1e-3 == pytest.approx(expected, rel=1e-12)
    assert not result.gradients[0][1].any()


@pytest.mark.parametrize(
    ("regulariser", "sign"),
    [
        (Regulariser(high=1.0, over=0.1), 1),
        (Regulariser(low=40.0, under=0.1), -1),
        (Regulariser(late=0.1), -1),
    ],
    ids=["over", "under", "late"],
)
def test_what_a_regulariser_adds_is_what_a_loss_with_these_errors_gives(
    regulariser: Regulariser, sign: int
) -> None:
    """The terms on first spikes equal given errors; a step along the gradient lowers the term."""
    draws = np.random.default_rng(5)
    spikes = np.zeros((STEPS, 1, 4), np.uint8)
    spikes[0, 0] = 1
    weights = draws.uniform(1.8, 2.1, (3, 4)) if sign < 0 else draws.uniform(4, 5, (3, 4))
    result = layer_run(weights, spikes, regulariser)
    counts = result.spikes[0].sum(axis=0)[0].astype(int)
    first = result.first_spike_times[0]
    assert (counts >= (2 if sign > 0 else 1)).all()
    if sign < 0:
        weights_up = evaluate(
            [weights], spikes, backend="offchip", dtype=np.float64,
            output_error=[[term(regulariser, int(n)) for n in counts]],
        )  # fmt: skip
        assert (counts == 1).all(), "so that the first spikes are all"
        assert result.gradients[0] == pytest.approx(weights_up.gradients[0], rel=1e-12)
    assert (np.sign(result.gradients[0]) == sign).all()
    step = result.gradients[0] / np.abs(result.gradients[0]).max()
    moved = layer_run(weights - 1.5 * step, spikes, None)
    after = moved.spikes[0].sum(axis=0)[0].astype(int)
    if regulariser.late:
        assert (moved.first_spike_times[0] < first).any()
    else:
        assert (sign * after <= sign * counts).all() and (after != counts).any()


def test_errors_of_all_terms_are_the_derivatives_of_their_definition() -> None:
    """Every recorded spike's G against central differences, n_j counting down as spikes go later.

    One neuron spikes too little, one too much, one as wanted, one not at all, and one has a spike
    in step T - 1, which counts and gets no error.
    """
    trains = [[4], [3, 5, 9, 12, 14, 17], [2, 8], [], [6, STEPS - 1]]
    spikes = sorted((step, neuron) for neuron, steps in enumerate(trains) for step in steps)
    step, neuron = (np.array(column) for column in zip(*spikes, strict=True))
    regulariser = Regulariser(1.5, 4.5, under=0.3, over=0.7, late=0.2)  # no count on a limit

    def smooth(times: Any) -> float:
        total = 0.0
        for j, steps in enumerate(trains):
            own = times[neuron == j]
            count = len(steps) - (own - np.array(steps)).sum() / STEPS
            total += 0.3 / 2 * max(0.0, 1.5 - count) ** 2 + 0.7 / 2 * max(0.0, count - 4.5) ** 2
            total += 0.2 * own.min() / STEPS if own.size else 0.0
        return total

    batch = 5
    state = LayerState.make(
        np.zeros((len(trains), 3)), 1, spike_capacity=len(spikes), input_capacity=1,
        dtype=np.float64,
    )  # fmt: skip
    state.spikes[0, SPIKE_NEURON], state.spikes[0, SPIKE_STEP] = neuron, step
    state.counts[0, SPIKES] = len(spikes)
    share = np.zeros(1)
    regularise_rows(state, regulariser.scalars(STEPS, batch, 1e-3, np.float64), STEPS, [0], share)
    assert share[0] * batch == pytest.approx(smooth(step.astype(float)), rel=1e-12)
    expected = slope(smooth, step, 1e-5) * (step < STEPS - 1)
    assert state.spike_values[0, SPIKE_ERROR] * batch == pytest.approx(
        expected, rel=1e-6, abs=1e-12
    )
    assert np.count_nonzero(expected) == 1 + 6 + 1 + 1, "all of neuron 1, the first of 0, 2 and 4"


def term(regulariser: Regulariser, count: int) -> float:
    """The error of a neuron's first spike, from the definition (one sample)."""
    pull = regulariser.under * max(0.0, regulariser.low - count)
    return (pull + regulariser.late) / STEPS


def test_the_regularisers_share_of_the_loss() -> None:
    spikes = np.zeros((STEPS, 1, 4), np.uint8)
    spikes[0, 0] = 1
    weights = np.stack([np.full(4, 1.9), np.full(4, 0.1), np.full(4, 9.0)])
    regulariser = Regulariser(1.0, 2.0, under=0.3, over=0.5, late=0.2)
    options: dict[str, Any] = {"dtype": np.float64, "backend": "offchip"}
    plain = evaluate([weights], spikes, [0], **options)
    more = evaluate([weights], spikes, [0], regularisers=regulariser, **options)
    counts, first = plain.spikes[0].sum(axis=0)[0], plain.first_spike_times[0]
    assert counts.tolist()[:2] == [1, 0] and counts[2] > 2
    share = 0.3 / 2 * 1 + 0.5 / 2 * (counts[2] - 2.0) ** 2 + 0.2 * (first[0] + first[2]) / STEPS
    assert more.loss - plain.loss == pytest.approx(share, rel=1e-12)


def test_refusals() -> None:
    cases: list[tuple[Callable[[], Any], str]] = [
        (
            lambda: SpikeTimeMSE(5, 5),
            r"SpikeTimeMSE: got right = 5, wrong = 5, expected 0 <= right",
        ),
        (lambda: SpikeCountMSE(1, 1), r"SpikeCountMSE: got right = 1, wrong = 1, expected 0 <= wr"),
        (
            lambda: SpikeCountCrossEntropy(0),
            r"SpikeCountCrossEntropy: got scale = 0, expected a finite number above 0",
        ),
        (
            lambda: ReadOutCrossEntropy("maxi"),  # type: ignore[arg-type]
            r"ReadOutCrossEntropy: got over = 'maxi'; did you mean 'max'",
        ),
        (lambda: Heads(()), r"Heads: got no head, expected at least one"),
        (
            lambda: Heads((Head(0, TTFSLoss()), Head(1, ReadOutCrossEntropy(), -1))),
            r"Heads: got head 0 with size = 0 and weight = 1.0, .*; got head 1 .*; got heads of",
        ),
        (
            lambda: Heads(
                (Head(1, ReadOutCrossEntropy("max")), Head(1, ReadOutCrossEntropy("exp")))
            ),
            r"Heads: got heads of different kinds",
        ),
        (
            lambda: Regulariser(low=-1, over=math.inf),
            r"Regulariser: got low = -1, expected a finite number of at least 0; got over = inf",
        ),
        (
            lambda: Regulariser(low=3, high=2),
            r"Regulariser: got low = 3 and high = 2, expected low",
        ),
    ]
    for make, message in cases:
        with pytest.raises(DataError, match="^" + message):
            make()
