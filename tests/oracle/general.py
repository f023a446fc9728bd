"""Recurrent layers, leaky read-outs and constants by layer: the equations once more, slow, dense.

Nothing here is imported from the code under test. W and R are arrays of their own. A spike acts d
steps later, d = 1, or 2 in a layer that is split by inputs:

    I[i]    = a I[i-1] + W S_below[i-d] + R S[i-d]
    Vpre[i] = b V[i-1] + (1-b) I[i];  S[i] = Vpre[i] > theta;  V[i] = Vpre[i] (1 - S[i])
    E_below[i] = W^T (lV[i+d] - lI[i+d]);  G[i] = E_above[i] + R^T (lV[i+d] - lI[i+d])
    lI[i] = a lI[i+1] + (1-a) lV[i+1]
    lV[i] = b lV[i+1] + S[i+1] (theta lV[i+1] + G[i+1]) / Vdot[i+1]
    dW -= tau_s lI[i+d-1] x S_below[i];  dR -= tau_s lI[i+d-1] x S[i]

A read-out has no spikes; dL/dV[i+1] joins lV[i+1] as -dt (1-b)/(tau_s (1-a)) dL/dV[i+1] before
step i. Its forward pass is linear in W, so its gradient can be held against finite differences.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass
class Layer:
    w: Any
    r: Any
    a: float
    b: float
    tau_s: float
    dt: float
    theta: float = 1.0
    spikes: bool = True
    kind: str = "exp"
    times: tuple[float, float] = (20.0, 5.0)
    delay: int = 1

    @property
    def joined(self) -> Any:
        """The weights as the code under test takes them."""
        return self.w if self.r is None else np.concatenate([self.w, self.r], axis=1)


def layer(
    w: Any,
    r: Any,
    kind: str,
    dt_ms: float,
    tau_m_ms: float,
    tau_s_ms: float,
    theta: float,
    spikes: bool,
) -> Layer:
    rates = (dt_ms / tau_s_ms, dt_ms / tau_m_ms)
    a, b = (1 - x if kind == "euler" else math.exp(-x) for x in rates)
    return Layer(w, r, a, b, tau_s_ms / 1e3, dt_ms / 1e3, theta, spikes, kind, (tau_m_ms, tau_s_ms))


@dataclass
class Trace:
    below: Any
    spikes: Any
    current: Any
    before: Any


def forward(net: list[Layer], inputs: Any) -> list[Trace]:
    """Run one sample, ``inputs`` (T, n_in)."""
    traces: list[Trace] = []
    below = inputs.astype(float)
    for lay in net:
        steps, n = below.shape[0], lay.w.shape[0]
        current, before, voltage, spikes = (np.zeros((steps, n)) for _ in range(4))
        for i in range(1, steps):
            current[i] = lay.a * current[i - 1]
            if i >= lay.delay:
                current[i] += lay.w @ below[i - lay.delay]
                if lay.r is not None:
                    current[i] += lay.r @ spikes[i - lay.delay]
            before[i] = lay.b * voltage[i - 1] + (1 - lay.b) * current[i]
            if lay.spikes:
                spikes[i] = before[i] > lay.theta
            voltage[i] = before[i] * (1 - spikes[i])
        traces.append(Trace(below, spikes, current, before))
        below = spikes
    return traces


def backward(net: list[Layer], traces: list[Trace], top: Any) -> list[Any]:
    """Return each layer's gradient ``[dW | dR]``.

    ``top`` (T, n): dL/dt of each output spike, or dL/dV of a read-out.
    """
    gradients = []
    error = top
    for lay, trace in zip(net[::-1], traces[::-1], strict=True):
        d_w, d_r, error = _adjoint(lay, trace, error)
        gradients.append(d_w if lay.r is None else np.concatenate([d_w, d_r], axis=1))
    return gradients[::-1]


def _adjoint(lay: Layer, trace: Trace, given: Any) -> Any:
    steps, n = trace.before.shape
    l_v, l_i, own = np.zeros((steps, n)), np.zeros((steps, n)), np.zeros((steps, n))
    d_w = np.zeros_like(lay.w)
    d_r = np.zeros((n, n))
    error_below = np.zeros(trace.below.shape)
    for i in range(steps - 2, -1, -1):
        seen = i + lay.delay  # the step in which a spike of step i acts
        if seen < steps:
            answer = l_v[seen] - l_i[seen]
            error_below[i] = lay.w.T @ answer
            if lay.r is not None:
                own[i] = lay.r.T @ answer
        if lay.spikes:
            vdot = trace.current[i + 1] - trace.before[i + 1] + 1e-10
            kick = lay.theta * l_v[i + 1] + given[i + 1] + own[i + 1]
            jump = np.where(trace.spikes[i + 1] > 0, kick / np.where(vdot == 0, 1, vdot), 0)
            l_i[i] = lay.a * l_i[i + 1] + (1 - lay.a) * l_v[i + 1]
            l_v[i] = lay.b * l_v[i + 1] + jump
        else:
            source = -lay.dt * (1 - lay.b) / (lay.tau_s * (1 - lay.a)) * given[i + 1]
            l_i[i] = lay.a * l_i[i + 1] + (1 - lay.a) * (l_v[i + 1] + source)
            l_v[i] = lay.b * (l_v[i + 1] + source)
        adjoint = l_i[seen - 1] if seen <= steps else np.zeros(n)
        d_w -= lay.tau_s * np.outer(adjoint, trace.below[i])
        d_r -= lay.tau_s * np.outer(adjoint, trace.spikes[i])
    return d_w, d_r, error_below


def readout_values(voltage: Any, over: str) -> Any:
    """Return y of each neuron and dy/dV (T, n)."""
    steps, n = voltage.shape
    slope = np.zeros((steps, n))
    if over == "max":
        for k in range(n):
            slope[1 + int(np.argmax(voltage[1:, k])), k] = 1
    else:
        for i in range(1, steps):
            slope[i] = (1 if over == "mean" else math.exp(-i / steps)) / (steps - 1)
    return (slope * voltage).sum(axis=0), slope


def cross_entropy(y: Any, label: int, scale: float, batch: int) -> Any:
    """Return one sample's share of ``mean_B -log softmax(y / scale)_label``, and dL/dy."""
    e = np.exp((y - y.max()) / scale)
    p = e / e.sum()
    return -math.log(p[label]) / batch, (p - (np.arange(len(y)) == label)) / scale / batch
