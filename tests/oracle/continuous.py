"""Exact LIF neurons in continuous time, event by event, and their exact adjoint.

Nothing here is imported from the code under test. Between events both equations have closed forms

    tau_m V' = -V + I,  tau_s I' = -I           (an input spike adds its weight to I)

and a spike is where V reaches 1, found by bisection on the rising flank; then V = 0. In reversed
time ``tau_m lV' = -lV``, ``tau_s lI' = -lI + lV``; at a spike ``lV += (lV + G)/(I - 1)``; an input
spike through the weight w is answered with ``w (lV - lI)`` and adds ``-tau_s lI`` to dL/dw
(Wunderlich & Pehle 2021, doi 10.1038/s41598-021-91786-z). Times in seconds, tau_s < tau_m.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

Event = tuple[float, int]
"""(time, line or neuron)."""


@dataclass(frozen=True)
class Constants:
    tau_m: float = 20e-3
    tau_s: float = 5e-3
    t_end: float = 20e-3


def decay(v: float, i: float, s: float, c: Constants) -> tuple[float, float]:
    """Return V and I after a time ``s`` without events."""
    k = c.tau_s / (c.tau_s - c.tau_m)
    fast, slow = math.exp(-s / c.tau_s), math.exp(-s / c.tau_m)
    return k * i * fast + (v - k * i) * slow, i * fast


def crossing(v: float, i: float, s_max: float, c: Constants) -> float | None:
    """Return the first time in (0, s_max] at which V reaches 1, or None.

    V rises at first if I > V, and has one maximum; if it falls at first it never reaches 1,
    because I decays faster than V.
    """
    if i <= v:
        return None
    k = c.tau_s / (c.tau_s - c.tau_m)
    ratio = -k * i * c.tau_m / (c.tau_s * (v - k * i))
    peak = math.log(ratio) / (1 / c.tau_s - 1 / c.tau_m) if ratio > 1 else 0.0
    hi = min(peak, s_max)
    if decay(v, i, hi, c)[0] <= 1.0:
        return None
    lo = 0.0
    for _ in range(80):
        mid = (lo + hi) / 2
        lo, hi = (lo, mid) if decay(v, i, mid, c)[0] > 1.0 else (mid, hi)
    return hi


def run_neuron(weights: Any, inputs: list[Event], c: Constants) -> list[tuple[float, float]]:
    """Return (time, I) of each spike of one neuron; ``inputs`` sorted by time."""
    t, v, i = 0.0, 0.0, 0.0
    spikes = []
    for t_next, line in [*inputs, (c.t_end, -1)]:
        while (s := crossing(v, i, t_next - t, c)) is not None:
            _, i = decay(v, i, s, c)
            v, t = 0.0, t + s
            spikes.append((t, i))
        v, i = decay(v, i, t_next - t, c)
        t = t_next
        if line >= 0:
            i += weights[line]
    return spikes


def adjoint_neuron(
    weights: Any,
    inputs: list[Event],
    spikes: list[tuple[float, float]],
    errors: list[float],
    c: Constants,
) -> tuple[Any, list[float]]:
    """Return dL/dw (n_in,) and the answer to each input spike, for the errors of own spikes."""
    events = [(t, 1, k) for k, (t, _) in enumerate(inputs)]
    events += [(t, 0, k) for k, (t, _) in enumerate(spikes)]
    gradient, answers = np.zeros(len(weights)), [0.0] * len(inputs)
    t, lv, li = c.t_end, 0.0, 0.0
    q = c.tau_m / (c.tau_m - c.tau_s)
    for t_event, is_input, k in sorted(events, reverse=True):
        fast, slow = math.exp(-(t - t_event) / c.tau_s), math.exp(-(t - t_event) / c.tau_m)
        lv, li = lv * slow, li * fast + lv * q * (slow - fast)
        t = t_event
        if is_input:
            line = inputs[k][1]
            gradient[line] -= c.tau_s * li
            answers[k] = weights[line] * (lv - li)
        else:
            lv += (lv + errors[k]) / (spikes[k][1] - 1.0)
    return gradient, answers


@dataclass
class Trace:
    """Spikes of a network on one sample: per layer and neuron, (time, I) in order."""

    inputs: list[Event]
    spikes: list[list[list[tuple[float, float]]]]

    def events(self, layer: int) -> list[Event]:
        """Return all spikes below ``layer``, sorted by time."""
        if layer == 0:
            return sorted(self.inputs)
        return sorted((t, n) for n, own in enumerate(self.spikes[layer - 1]) for t, _ in own)

    def counts(self) -> list[list[int]]:
        return [[len(own) for own in layer] for layer in self.spikes]

    def first_times(self) -> list[float]:
        """Return the first spike time of each output neuron; infinity where silent."""
        return [own[0][0] if own else math.inf for own in self.spikes[-1]]


def run(weights: list[Any], inputs: list[Event], c: Constants) -> Trace:
    trace = Trace(inputs, [])
    for layer, w in enumerate(weights):
        events = trace.events(layer)
        trace.spikes.append([run_neuron(row, events, c) for row in w])
    return trace


def gradients(weights: list[Any], trace: Trace, dldt: Any, c: Constants) -> list[Any]:
    """Return dL/dW of each layer for ``dldt`` (n_out,) at the first output spikes."""
    errors: list[list[float]] = [
        [dldt[n] if k == 0 else 0.0 for k in range(len(own))]
        for n, own in enumerate(trace.spikes[-1])
    ]
    found = []
    for layer in range(len(weights) - 1, -1, -1):
        events = trace.events(layer)
        total = [0.0] * len(events)
        gradient = np.zeros_like(weights[layer])
        for n, row in enumerate(weights[layer]):
            gradient[n], answers = adjoint_neuron(row, events, trace.spikes[layer][n], errors[n], c)
            total = [x + y for x, y in zip(total, answers, strict=True)]
        found.append(gradient)
        if layer:
            place = {event: k for k, event in enumerate(events)}
            errors = [
                [total[place[t, n]] for t, _ in o] for n, o in enumerate(trace.spikes[layer - 1])
            ]
    return found[::-1]
