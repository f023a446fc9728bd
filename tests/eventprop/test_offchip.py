"""The off-chip back end: the bits of the contract for any batch; training."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chipsim.errors import DataError
from eventprop_apps import TTFSLoss
from eventprop_apps.data import SpikeEvents, initial_weights, yinyang
from eventprop_apps.kernels import Factors
from eventprop_apps.offchip import (
    OffchipNetwork,
    Trainer,
    TrainSettings,
    evaluate_offchip,
    run_batch,
)
from eventprop_apps.offchip.network import START_CAPACITY
from eventprop_apps.optimisers import AdamSettings
from tests.eventprop.literal import run_literal


def draw(seed: int, sizes: list[int], steps: int, batch: int) -> Any:
    draws = np.random.default_rng(seed)
    weights = [
        draws.normal(4.0, 4.0, (sizes[k + 1], sizes[k])) / np.sqrt(sizes[k])
        for k in range(len(sizes) - 1)
    ]
    spikes = draws.random((steps, batch, sizes[0])) < 0.2
    return weights, spikes, draws.normal(size=(batch, sizes[-1]))


@settings(max_examples=25)
@given(
    seed=st.integers(0, 2**32 - 1),
    sizes=st.lists(st.integers(1, 7), min_size=2, max_size=5),
    steps=st.integers(2, 20),
    batch=st.integers(1, 3),
    kind=st.sampled_from(["exp", "euler"]),
    dtype=st.sampled_from([np.float32, np.float64]),
)
def test_bits_of_the_contract(
    seed: int, sizes: list[int], steps: int, batch: int, kind: str, dtype: Any
) -> None:
    """Layer by layer in Numba equals step by step, layer by layer, scalar by scalar."""
    weights, spikes, errors = draw(seed, sizes, steps, batch)
    result = evaluate_offchip(weights, spikes, output_error=errors, factors=kind, dtype=dtype)
    totals = [np.zeros(w.shape, dtype) for w in weights]
    for b in range(batch):
        times = result.first_spike_times[b].tolist()
        dldt = {(n, t): dtype(errors[b, n]) for n, t in enumerate(times) if t < steps - 1}
        fired, gradients = run_literal(
            [w.astype(dtype) for w in weights], Factors.make(kind), spikes[:, b], dldt
        )
        for k, own in enumerate(fired):
            assert own == list(
                zip(*(a.tolist() for a in np.nonzero(result.spikes[k][:, b])), strict=True)
            )
            totals[k] = totals[k] + gradients[k]
    for found, right in zip(result.gradients, totals, strict=True):
        assert found.tobytes() == (right + dtype(0)).tobytes()


def test_samples_of_a_batch_do_not_meet() -> None:
    weights, spikes, errors = draw(5, [6, 20, 3], 25, 9)
    whole = evaluate_offchip(weights, spikes, output_error=errors)
    total = [np.zeros_like(g) for g in whole.gradients]
    for b in range(9):
        one = evaluate_offchip(weights, spikes[:, b : b + 1], output_error=errors[b : b + 1])
        for k in range(2):
            assert np.array_equal(one.spikes[k][:, 0], whole.spikes[k][:, b])
            total[k] += one.gradients[k]
    for own, right in zip(whole.gradients, total, strict=True):
        assert own.tobytes() == right.tobytes()


def test_records_grow_when_a_sample_needs_it() -> None:
    """30 neurons that fire at nearly every step overflow the first record; nothing is lost."""
    weights = [np.full((30, 1), 60.0), np.full((2, 30), 0.3)]
    spikes = np.ones((20, 1, 1))
    result = evaluate_offchip(weights, spikes, output_error=[[1.0, -1.0]])
    assert result.spikes[0].sum() == 30 * 19 > 4 * START_CAPACITY
    _, gradients = run_literal(
        [w.astype(np.float32) for w in weights], Factors.make(), spikes[:, 0],
        {(0, int(result.first_spike_times[0, 0])): np.float32(1),
         (1, int(result.first_spike_times[0, 1])): np.float32(-1)},
    )  # fmt: skip
    for own, right in zip(result.gradients, gradients, strict=True):
        assert own.tobytes() == right.tobytes()


def test_without_labels_or_errors_only_the_forward_pass_runs() -> None:
    weights, spikes, _ = draw(6, [4, 5, 3], 12, 2)
    result = evaluate_offchip(weights, spikes)
    assert result.loss is None
    assert [g.shape for g in result.gradients] == [(5, 4), (3, 5)]
    assert not any(g.any() for g in result.gradients)


def test_a_network_is_reused_and_its_weights_may_change() -> None:
    weights, spikes, errors = draw(7, [4, 6, 3], 15, 4)
    network = OffchipNetwork(weights, [Factors.make()] * 2, 4)
    events = SpikeEvents.from_dense(spikes)
    first = run_batch(network, events, output_error=errors)
    again = run_batch(network, events, output_error=errors)
    assert [g.tobytes() for g in first.gradients] == [g.tobytes() for g in again.gradients]
    part = run_batch(network, events.take(slice(1, 3)), output_error=errors[1:3])
    assert np.array_equal(part.first_spike_times, first.first_spike_times[1:3])
    network.weights[0][:] = 0
    assert (run_batch(network, events).first_spike_times == 15).all()


def trained(seed: int, epochs: int, **changes: Any) -> Trainer:
    train, test = yinyang(660, 42), yinyang(300, 40)
    chosen = TrainSettings(epochs=epochs, **changes)
    trainer = Trainer(initial_weights(seed, (5, 40, 3)), train, test, chosen, seed=seed)
    trainer.run()
    return trainer


def test_training_learns_and_repeats() -> None:
    one, two = (trained(1, 8, adam=AdamSettings(lr=0.01)) for _ in range(2))
    assert one.history == two.history
    assert all(a.tobytes() == b.tobytes() for a, b in zip(one.weights, two.weights, strict=True))
    before, after = one.history[0], one.history[-1]
    assert after.loss < before.loss
    assert after.test_accuracy is not None and after.test_accuracy > 0.55  # a guess has 0.33
    assert trained(2, 1).history[0] != one.history[0]


def test_an_update_is_gradient_then_adam() -> None:
    """One update of the trainer, done by hand from evaluate and Adam's formula."""
    train = yinyang(22, 42)
    start = initial_weights(3, (5, 30, 3))
    trainer = Trainer(start, train, None, TrainSettings(dtype=np.float64), seed=3)
    samples = np.arange(22)[::-1].copy()
    trainer.run_update(samples, train.label[samples])
    result = evaluate_offchip(
        start, train.events.take(samples).dense(), train.label[samples], dtype=np.float64
    )
    s = trainer.settings.adam
    for new, old, gradient in zip(trainer.weights, start, result.gradients, strict=True):
        g = gradient + s.weight_decay * old
        step = s.lr * g / (np.abs(g) + s.eps)  # the first update of Adam
        assert new == pytest.approx(old - step, rel=1e-9)


def test_evaluation_does_not_depend_on_its_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    trainer = trained(4, 1)
    test = yinyang(300, 40)
    expected = trainer.predict(test)
    monkeypatch.setattr("eventprop_apps.offchip.trainer.EVALUATION_ROWS", 7)
    assert np.array_equal(trainer.predict(test), expected)


def test_refusals() -> None:
    weights, spikes, errors = draw(8, [4, 5, 3], 12, 2)
    with pytest.raises(DataError, match=r"^got labels and output_error, expected one of them at"):
        evaluate_offchip(weights, spikes, [0, 1], errors)
    with pytest.raises(DataError, match=r"^labels: got 0\.\.3, expected 0\.\.2 for 3 outputs$"):
        evaluate_offchip(weights, spikes, [0, 3])
    with pytest.raises(
        DataError, match=r"^labels: got shape \(3,\) of int64, expected 2 integers$"
    ):
        evaluate_offchip(weights, spikes, [0, 1, 2])
    with pytest.raises(DataError, match=r"^output_error: got shape \(1, 3\), expected \(2, 3\)$"):
        evaluate_offchip(weights, spikes, output_error=errors[:1])
    with pytest.raises(DataError, match=r"^evaluate: weights\[1\] has 5 inputs; the layer below h"):
        evaluate_offchip([weights[0][:4], weights[1]], spikes)
    with pytest.raises(DataError, match=r"^weights: layer 0 holds values that are not finite$"):
        evaluate_offchip([weights[0] * np.nan, weights[1]], spikes)
    with pytest.raises(DataError, match=r"^evaluate: no weights; expected one array a layer$"):
        evaluate_offchip([], spikes)
    with pytest.raises(DataError, match=r"^evaluate: weights\[0\] has 3 inputs; the layer belo"):
        evaluate_offchip([weights[0][:, :3]], spikes)
    with pytest.raises(DataError, match=r"^TrainSettings: got -1 epochs in batches of 22, expecte"):
        TrainSettings(epochs=-1)


def test_the_loss_is_chosen() -> None:
    weights, spikes, _ = draw(9, [4, 5, 3], 12, 2)
    one = evaluate_offchip(weights, spikes, [0, 1], loss=TTFSLoss(xi=0.5))
    assert one.loss != evaluate_offchip(weights, spikes, [0, 1]).loss
