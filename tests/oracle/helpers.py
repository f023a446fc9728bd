"""Both back ends behind one signature, and networks to hold them against the oracles."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np

from eventprop_apps import evaluate
from tests.oracle import continuous

EvaluateFn = Callable[..., Any]

BACKENDS: dict[str, EvaluateFn] = {
    "offchip": partial(evaluate, backend="offchip"),
    "chip": partial(evaluate, backend="chip"),
    "chip, simpy": partial(evaluate, backend="chip", network="simpy"),
}


def random_network(
    seed: int, sizes: tuple[int, ...], steps: int, batch: int, rate: float = 0.15
) -> tuple[list[Any], Any, Any, Any]:
    """Return weights, input spikes (T, B, n_in), labels (B,) and output errors (B, n_out).

    The weights keep every layer active without all neurons firing in step.
    """
    draws = np.random.default_rng(seed)
    weights = [
        draws.normal(4.0, 4.0, (n_out, n_in)) / np.sqrt(n_in) for n_in, n_out in pairwise(sizes)
    ]
    spikes = (draws.random((steps, batch, sizes[0])) < rate).astype(np.uint8)
    labels = draws.integers(0, sizes[-1], batch)
    return weights, spikes, labels, draws.normal(size=(batch, sizes[-1]))


def timed_network(
    seed: int, sizes: tuple[int, ...] = (4, 6, 3)
) -> tuple[list[Any], list[continuous.Event], Any]:
    """Return weights, inputs on a grid of whole milliseconds, and dL/dt of the first spikes."""
    draws = np.random.default_rng(seed)
    weights = [
        draws.normal(2.2, 1.2, (n_out, n_in)) * 2.0 / np.sqrt(n_in)
        for n_in, n_out in pairwise(sizes)
    ]
    inputs = [
        (float(t) * 1e-3, line)
        for line in range(sizes[0])
        for t in np.sort(draws.choice(np.arange(1, 12), 2, replace=False))
    ]
    return weights, inputs, draws.normal(size=sizes[-1])


def on_grid(inputs: list[continuous.Event], n_in: int, dt_ms: float, t_end: float) -> Any:
    """Return the input spikes as (T, 1, n_in) for steps of ``dt_ms`` that end at ``t_end``."""
    spikes = np.zeros((round(t_end / (dt_ms * 1e-3)) + 1, 1, n_in), np.uint8)
    for t, line in inputs:
        spikes[round(t / (dt_ms * 1e-3)), 0, line] = 1
    return spikes


def gradients_of(
    evaluate_fn: EvaluateFn,
    weights: list[Any],
    inputs: list[continuous.Event],
    dldt: Any,
    dt_ms: float,
    c: continuous.Constants,
) -> tuple[list[Any], list[list[int]], list[float]]:
    """Return a back end's gradients, spike counts per layer and neuron, and first times [s]."""
    result = evaluate_fn(
        weights,
        on_grid(inputs, weights[0].shape[1], dt_ms, c.t_end),
        output_error=np.asarray(dldt)[None],
        dt_ms=dt_ms,
        tau_mem_ms=c.tau_m * 1e3,
        tau_syn_ms=c.tau_s * 1e3,
        dtype=np.float64,
    )
    counts = [layer.sum(axis=(0, 1)).tolist() for layer in result.spikes]
    return result.gradients, counts, (result.first_spike_times[0] * dt_ms * 1e-3).tolist()


def cosine(a: Any, b: Any) -> float:
    return float((a * b).sum() / (np.linalg.norm(a) * np.linalg.norm(b)))
