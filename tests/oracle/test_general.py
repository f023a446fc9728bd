"""Both back ends against the second transcription: recurrence, read-outs, constants by layer."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from eventprop_apps import evaluate
from eventprop_apps.losses import ReadOutCrossEntropy
from tests.oracle import general
from tests.oracle.transcription import first_times

STEPS, BATCH = 16, 3


def random_net(
    seed: int, depth: int, readout: bool, delayed: bool = False
) -> tuple[list[general.Layer], Any, Any]:
    """Return layers with constants of their own, half of them recurrent; inputs; the draws.

    With ``delayed`` about two thirds of the layers see spikes two steps later.
    """
    draws = np.random.default_rng(seed)
    sizes = [5, *(int(n) for n in draws.integers(3, 8, depth))]
    layers = []
    for number, (n_in, n_out) in enumerate(pairwise(sizes)):
        spikes = not (readout and number == depth - 1)
        w = draws.normal(4.0, 5.0, (n_out, n_in)) / np.sqrt(n_in)
        r = draws.normal(0.0, 2.0, (n_out, n_out)) / np.sqrt(n_out)
        kind = ("exp", "euler")[int(draws.integers(2))]
        own = r if spikes and draws.random() < 0.6 else None
        times = draws.uniform(8, 25), draws.uniform(3, 7)
        theta = draws.uniform(0.6, 1.4)
        layers.append(general.layer(w, own, kind, 0.8, *times, theta, spikes))
    if delayed:
        for number, lay in enumerate(layers):
            lay.delay = 1 if (seed + number) % 3 == 0 else 2
    inputs = (draws.random((STEPS, BATCH, sizes[0])) < 0.25).astype(np.uint8)
    return layers, inputs, draws


def run(backend: str, layers: list[Any], inputs: Any, loss: Any, **given: Any) -> Any:
    return evaluate(
        [lay.joined for lay in layers],
        inputs,
        factors=[lay.kind for lay in layers],
        dt_ms=0.8,
        tau_mem_ms=[lay.times[0] for lay in layers],
        tau_syn_ms=[lay.times[1] for lay in layers],
        threshold=[lay.theta for lay in layers],
        recurrent=[lay.r is not None for lay in layers],
        split=["inputs" if lay.delay == 2 else "neurons" for lay in layers],
        settings={"parts": [1 + number % 3 for number in range(len(layers))]},
        dtype=np.float64,
        backend=backend,
        **({} if loss is None else {"loss": loss}),
        **given,
    )


def close(found: list[Any], expected: list[Any]) -> bool:
    return all(
        np.abs(f - e).max() <= 1e-9 * max(np.abs(e).max(), 1e-12)
        for f, e in zip(found, expected, strict=True)
    )


@pytest.mark.parametrize("delayed", [False, True], ids=["", "by inputs"])
@pytest.mark.parametrize("seed", range(12))
def test_spiking_networks(seed: int, delayed: bool) -> None:
    layers, inputs, draws = random_net(seed, 1 + seed % 4, readout=False, delayed=delayed)
    errors = draws.normal(size=(BATCH, layers[-1].w.shape[0]))
    result = run("chip" if seed < 4 else "offchip", layers, inputs, None, output_error=errors)
    gradients = [np.zeros_like(lay.joined) for lay in layers]
    for b in range(BATCH):
        traces = general.forward(layers, inputs[:, b])
        for found, trace in zip(result.spikes, traces, strict=True):
            assert np.array_equal(found[:, b], trace.spikes)
        times = first_times(traces[-1].spikes)
        top = np.zeros(traces[-1].spikes.shape)
        for k, t in enumerate(times):
            if t < STEPS - 1:
                top[t, k] = errors[b, k]
        for total, part in zip(gradients, general.backward(layers, traces, top), strict=True):
            total += part
    assert close(result.gradients, gradients)


@pytest.mark.parametrize("delayed", [False, True], ids=["", "by inputs"])
def test_the_draws_exercise_what_they_should(delayed: bool) -> None:
    nets = [random_net(seed, 1 + seed % 4, readout=False, delayed=delayed) for seed in range(12)]
    recurrent = sum(lay.r is not None for layers, _, _ in nets for lay in layers)
    assert recurrent >= 8
    active = 0
    for layers, inputs, _ in nets:
        traces = general.forward(layers, inputs[:, 0])
        active += all(0 < trace.spikes.mean() < 0.7 for trace in traces)
    assert active >= 8


def readout_loss(layers: list[Any], inputs: Any, over: str, labels: Any) -> tuple[float, Any]:
    """Return the loss and each layer's gradient, by the transcription."""
    total, gradients = 0.0, [np.zeros_like(lay.joined) for lay in layers]
    for b in range(BATCH):
        traces = general.forward(layers, inputs[:, b])
        y, slope = general.readout_values(traces[-1].before, over)
        share, dy = general.cross_entropy(y, int(labels[b]), 0.5, BATCH)
        total += share
        for whole, part in zip(
            gradients, general.backward(layers, traces, slope * dy), strict=True
        ):
            whole += part
    return total, gradients


@pytest.mark.parametrize("delayed", [False, True], ids=["", "by inputs"])
@pytest.mark.parametrize("over", ["max", "mean", "exp"])
@pytest.mark.parametrize("seed", range(3))
def test_readouts(over: Any, seed: int, delayed: bool) -> None:
    layers, inputs, draws = random_net(100 + seed, 1 + seed, readout=True, delayed=delayed)
    labels = draws.integers(0, layers[-1].w.shape[0], BATCH)
    loss = ReadOutCrossEntropy(over, scale=0.5)
    result = run("chip" if seed == 1 else "offchip", layers, inputs, loss, labels=labels)
    expected, gradients = readout_loss(layers, inputs, over, labels)
    assert result.loss == pytest.approx(expected, rel=1e-12)
    assert close(result.gradients, gradients)
    assert np.abs(gradients[-1]).max() > 0


@pytest.mark.parametrize("delayed", [False, True], ids=["", "by inputs"])
@pytest.mark.parametrize("over", ["max", "mean", "exp"])
def test_a_readouts_gradient_is_the_derivative(over: Any, delayed: bool) -> None:
    """The gradient is dt times the central differences of the loss in the last layer's weights."""
    layers, inputs, draws = random_net(7, 2, readout=True, delayed=delayed)
    assert layers[-1].delay == (2 if delayed else 1)
    labels = draws.integers(0, layers[-1].w.shape[0], BATCH)
    loss = ReadOutCrossEntropy(over, scale=0.5)
    gradient = run("offchip", layers, inputs, loss, labels=labels).gradients[-1]
    w, h = layers[-1].w, 1e-6
    slopes = np.zeros_like(w)
    for place in np.ndindex(w.shape):
        kept = w[place]
        values = []
        for sign in (1, -1):
            w[place] = kept + sign * h
            values.append(run("offchip", layers, inputs, loss, labels=labels).loss)
        w[place] = kept
        slopes[place] = (values[0] - values[1]) / (2 * h)
    assert np.abs(slopes).max() > 0.01
    assert np.abs(gradient / 0.8e-3 - slopes).max() < 1e-7 * np.abs(slopes).max() + 1e-9
