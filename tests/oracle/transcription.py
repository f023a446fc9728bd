"""The equations of the discretised model, written down a second time: slow, dense, float64.

Nothing here is imported from the code under test. Dense traces of every quantity are kept and
indexed as in the equations, so that each line can be held against them by eye:

    I[i]    = a I[i-1] + W S_below[i-1]
    Vpre[i] = b V[i-1] + (1-b) I[i];  S[i] = Vpre[i] > 1;  V[i] = Vpre[i] (1 - S[i])
    E_below[i] = W^T (lV[i+1] - lI[i+1])
    lI[i] = a lI[i+1] + (1-a) lV[i+1]
    lV[i] = b lV[i+1] + S[i+1] (lV[i+1] + G[i+1]) / Vdot[i+1];  Vdot[i] = I[i] - Vpre[i] + 1e-10
    dW   -= tau_s lI[i] x S_below[i]
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass
class Result:
    spikes: list[Any]
    first_spike_times: Any
    gradients: list[Any]
    loss: float | None


def decay_factors(kind: str, dt_ms: float, tau_mem_ms: float, tau_syn_ms: float) -> Any:
    if kind == "euler":
        return 1 - dt_ms / tau_syn_ms, 1 - dt_ms / tau_mem_ms
    assert kind == "exp"
    return math.exp(-dt_ms / tau_syn_ms), math.exp(-dt_ms / tau_mem_ms)


def run_layer(weights: Any, below: Any, a: float, b: float) -> Any:
    """Return S, I, Vpre of shape (T, n) for one sample's input spikes (T, n_in)."""
    steps, n = below.shape[0], weights.shape[0]
    current, before, voltage, spikes = (np.zeros((steps, n)) for _ in range(4))
    for i in range(1, steps):
        current[i] = a * current[i - 1] + weights @ below[i - 1]
        before[i] = b * voltage[i - 1] + (1 - b) * current[i]
        spikes[i] = before[i] > 1.0
        voltage[i] = before[i] * (1 - spikes[i])
    return spikes, current, before


def adjoint_layer(
    weights: Any, below: Any, trace: Any, error: Any, a: float, b: float, tau_s: float
) -> Any:
    """Return dW (n, n_in) and E_below (T, n_in) for one sample's errors (T, n)."""
    spikes, current, before = trace
    steps, n = spikes.shape
    lambda_v, lambda_i = np.zeros((steps, n)), np.zeros((steps, n))
    gradient, error_below = np.zeros_like(weights), np.zeros_like(below, dtype=float)
    for i in range(steps - 2, -1, -1):
        error_below[i] = weights.T @ (lambda_v[i + 1] - lambda_i[i + 1])
        vdot = current[i + 1] - before[i + 1] + 1e-10
        jump = (lambda_v[i + 1] + error[i + 1]) / np.where(spikes[i + 1] > 0, vdot, 1.0)
        lambda_i[i] = a * lambda_i[i + 1] + (1 - a) * lambda_v[i + 1]
        lambda_v[i] = b * lambda_v[i + 1] + spikes[i + 1] * jump
        gradient -= tau_s * np.outer(lambda_i[i], below[i])
    return gradient, error_below


def first_times(spikes: Any) -> Any:
    steps, n = spikes.shape
    return np.array([next((i for i in range(steps) if spikes[i, k]), steps) for k in range(n)])


def ttfs(times: Any, label: int, batch: int, steps: int, loss: dict[str, Any]) -> Any:
    """Return one sample's share of the loss and dL/dt, by the formula of the facts.

    ``loss``: xi, alpha, beta in steps; ``spiked_only``: the softmax runs over those that spiked.
    """
    xi, alpha, beta = loss["xi"], loss["alpha"], loss["beta"]
    counted = [k for k in range(len(times)) if not loss.get("spiked_only") or times[k] < steps]
    total = sum(math.exp(-times[k] / xi) for k in counted)
    p = [math.exp(-t / xi) / total if k in counted else 0.0 for k, t in enumerate(times)]
    entropy = times[label] / xi + math.log(total) if counted else math.log(len(times))
    late = math.exp(times[label] / beta)
    value = (entropy + alpha * (late - 1)) / batch
    grad = [
        ((float(k == label) - p[k]) / xi + float(k == label) * alpha / beta * late) / batch
        for k in range(len(times))
    ]
    return value, [0.0 if t >= steps - 1 else g for g, t in zip(grad, times, strict=True)]


def discretised(
    weights: list[Any],
    spikes: Any,
    labels: Any = None,
    output_error: Any = None,
    *,
    factors: str = "exp",
    dt_ms: float = 1.0,
    tau_mem_ms: float = 20.0,
    tau_syn_ms: float = 5.0,
    loss: dict[str, Any] | None = None,
) -> Result:
    """The model on a batch: arguments as ``eventprop_apps.evaluate``, the loss as a dict."""
    a, b = decay_factors(factors, dt_ms, tau_mem_ms, tau_syn_ms)
    spikes = np.asarray(spikes, float)
    steps, batch, _ = spikes.shape
    chosen = {"xi": 1.5, "alpha": 0.01, "beta": 100.0} if loss is None else loss
    gradients = [np.zeros_like(w) for w in weights]
    all_spikes: list[Any] = [np.zeros((steps, batch, w.shape[0])) for w in weights]
    all_times, total = [], 0.0
    for sample in range(batch):
        below, traces = [spikes[:, sample]], []
        for layer, w in enumerate(weights):
            traces.append(run_layer(w, below[-1], a, b))
            below.append(traces[-1][0])
            all_spikes[layer][:, sample] = traces[-1][0]
        times = first_times(below[-1])
        all_times.append(times)
        if labels is not None:
            value, slope = ttfs(times, labels[sample], batch, steps, chosen)
            total += value
        else:
            pairs = zip(times, output_error[sample], strict=True)
            slope = [0.0 if t >= steps - 1 else g for t, g in pairs]
        error = np.zeros((steps, weights[-1].shape[0]))
        for k, t in enumerate(times):
            if t < steps:
                error[t, k] = slope[k]
        for layer in range(len(weights) - 1, -1, -1):
            part, error = adjoint_layer(
                weights[layer], below[layer], traces[layer], error, a, b, tau_syn_ms * 1e-3
            )
            gradients[layer] += part
    return Result(
        all_spikes, np.array(all_times), gradients, None if labels is None else float(total)
    )
