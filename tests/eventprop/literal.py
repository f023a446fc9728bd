"""The order of sums, spelled out with NumPy scalars: every result is rounded where it is written.

Python evaluates one operation at a time, so nothing here can be fused, re-associated or
vectorised. Kernels have to give these very bits.
"""

from __future__ import annotations

from typing import Any

import numpy as np


class LiteralLayer:
    """One LIF layer and its adjoint for one sample, in the scalar type of ``weights``."""

    def __init__(self, weights: Any, factors: Any) -> None:
        self.w = weights
        self.kind = weights.dtype.type
        names = ("a", "b", "one_minus_a", "one_minus_b", "tau_s", "threshold")
        self.f = {name: self.kind(getattr(factors, name)) for name in names}
        self.tiny = self.kind(1e-10)
        n = weights.shape[0]
        zero = self.kind(0)
        self.current, self.voltage = [zero] * n, [zero] * n
        self.lambda_i, self.lambda_v = [zero] * n, [zero] * n
        self.gradient = np.zeros_like(weights)
        self.vdot: dict[tuple[int, int], Any] = {}
        self.inputs: dict[int, list[int]] = {}
        self.error: dict[tuple[int, int], Any] = {}

    def forward(self, i: int, inputs: list[int]) -> list[int]:
        self.inputs[i - 1] = list(inputs)
        fired = []
        for n in range(len(self.current)):
            acc = self.kind(0)
            for j in inputs:
                acc = acc + self.w[n, j]
            self.current[n] = self.f["a"] * self.current[n] + acc
            before = self.f["b"] * self.voltage[n] + self.f["one_minus_b"] * self.current[n]
            if before > self.f["threshold"]:
                self.vdot[n, i] = self.current[n] - before + self.tiny
                self.voltage[n] = self.kind(0)
                fired.append(n)
            else:
                self.voltage[n] = before
        return fired

    def backward(self, i: int) -> list[tuple[int, Any]]:
        jumps = {}
        for n in range(len(self.current)):
            if (n, i + 1) in self.vdot:
                above = self.error.get((n, i + 1), self.kind(0))
                kept = self.f["threshold"] * self.lambda_v[n]
                jumps[n] = (kept + above) / self.vdot[n, i + 1]
        for n in range(len(self.current)):
            before = self.lambda_v[n]
            self.lambda_i[n] = self.f["a"] * self.lambda_i[n] + self.f["one_minus_a"] * before
            self.lambda_v[n] = self.f["b"] * before
            if n in jumps:
                self.lambda_v[n] = self.lambda_v[n] + jumps[n]
        for j in self.inputs.get(i, []):
            for n in range(len(self.current)):
                self.gradient[n, j] = self.gradient[n, j] - self.f["tau_s"] * self.lambda_i[n]
        answers = []
        for j in self.inputs.get(i - 1, []):
            acc = self.kind(0)
            for n in range(len(self.current)):
                acc = acc + self.w[n, j] * (self.lambda_v[n] - self.lambda_i[n])
            answers.append((j, acc))
        return answers


def run_literal(
    weights: list[Any], factors: Any, spikes: Any, dldt: Any
) -> tuple[list[list[tuple[int, int]]], list[Any]]:
    """Return spikes (step, neuron) and gradient of each layer for one sample, layer by step.

    ``spikes``: (T, n_in); ``dldt``: {(neuron, step): dL/dt} of the output layer.
    """
    steps = spikes.shape[0]
    layers = [LiteralLayer(w, factors) for w in weights]
    fired: list[list[tuple[int, int]]] = [[] for _ in layers]
    below: list[list[int]] = [[] for _ in range(len(layers) + 1)]
    for i in range(1, steps):
        sent: list[list[int]] = [np.flatnonzero(spikes[i - 1]).tolist()]
        for k, layer in enumerate(layers):
            sent.append(layer.forward(i, sent[0] if k == 0 else below[k]))
            fired[k] += [(i, n) for n in sent[-1]]
        below = sent
    layers[-1].error = dict(dldt)
    for i in range(steps - 2, -1, -1):
        for k in range(len(layers) - 1, -1, -1):
            answers = layers[k].backward(i)
            if k:
                layers[k - 1].error.update({(j, i - 1): e for j, e in answers})
    return fired, [layer.gradient for layer in layers]
