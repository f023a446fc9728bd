"""The continuous-time oracle checks itself; then both back ends approach it as dt falls."""

from __future__ import annotations

import math
from functools import partial

import numpy as np
import pytest

from tests.oracle import continuous
from tests.oracle.helpers import BACKENDS, EvaluateFn, cosine, gradients_of, timed_network

C = continuous.Constants()
STEPS_MS = (0.1, 0.02, 0.01)

# Networks whose discretised spike counts equal the continuous ones at all three steps, and whose
# neurons cross the threshold well inside (I - 1 > 0.5 at every spike).
SEEDS = (2, 3, 5, 7, 8, 9, 10)

# 2,001 steps: the default record, room for a spike in every step, would not fit a PE's SRAM.
CHIP = partial(BACKENDS["chip"], settings={"spike_records": 40})


def weighted_times(trace: continuous.Trace, dldt: np.ndarray) -> float:
    pairs = zip(dldt.tolist(), trace.first_times(), strict=True)
    return float(sum(g * t for g, t in pairs if math.isfinite(t)))


def test_spike_time_of_one_input() -> None:
    """One weight w at t = 0: V = w K (e^-t/tau_s - e^-t/tau_m) is 1 at the spike."""
    (time, current), *_ = continuous.run_neuron(np.array([9.0]), [(0.0, 0)], C)
    k = C.tau_s / (C.tau_s - C.tau_m)
    voltage = 9.0 * k * (math.exp(-time / C.tau_s) - math.exp(-time / C.tau_m))
    assert voltage == pytest.approx(1.0, abs=1e-12)
    assert current == pytest.approx(9.0 * math.exp(-time / C.tau_s), rel=1e-12)


def test_closed_form_follows_the_differential_equation() -> None:
    v, i, h = 0.2, 3.0, 1e-7
    for _ in range(20_000):  # midpoint rule to 2 ms
        half_i = i - h / 2 * i / C.tau_s
        half_v = v + h / 2 * (i - v) / C.tau_m
        v, i = v + h * (half_i - half_v) / C.tau_m, i - h * half_i / C.tau_s
    assert continuous.decay(0.2, 3.0, 2e-3, C) == pytest.approx((v, i), rel=1e-9)


@pytest.mark.parametrize("sizes", [(4, 3), (4, 6, 3), (3, 4, 4, 2)])
def test_adjoint_equals_finite_differences(sizes: tuple[int, ...]) -> None:
    weights, inputs, dldt = timed_network(5, sizes)
    trace = continuous.run(weights, inputs, C)
    assert all(sum(layer) > 2 for layer in trace.counts())
    exact = continuous.gradients(weights, trace, dldt, C)
    h = 1e-6
    for layer, w in enumerate(weights):
        scale = np.abs(exact[layer]).max()
        assert scale > 0
        for at in np.ndindex(*w.shape):
            ends = []
            for sign in (1, -1):
                moved = [x.copy() for x in weights]
                moved[layer][at] += sign * h
                ends.append(weighted_times(continuous.run(moved, inputs, C), dldt))
            slope = (ends[0] - ends[1]) / (2 * h)
            assert exact[layer][at] == pytest.approx(slope, abs=2e-7 * scale)


def check_convergence(evaluate_fn: EvaluateFn, seed: int) -> None:
    weights, inputs, dldt = timed_network(seed)
    trace = continuous.run(weights, inputs, C)
    exact = continuous.gradients(weights, trace, dldt, C)
    previous = [-1.0] * len(weights)
    for dt_ms in STEPS_MS:
        found, counts, times = gradients_of(evaluate_fn, weights, inputs, dldt, dt_ms, C)
        assert counts == trace.counts(), f"spike counts at {dt_ms} ms"
        for own, right in zip(times, trace.first_times(), strict=True):
            if math.isfinite(right):  # one step of delay a layer, and rounding up to the grid
                assert abs(own - right) <= 6 * dt_ms * 1e-3
        now = [cosine(a, b) for a, b in zip(found, exact, strict=True)]
        assert all(b > a - 1e-4 for a, b in zip(previous, now, strict=True)), (dt_ms, now)
        previous = now
    assert min(previous) >= 0.999
    for own, right in zip(found, exact, strict=True):
        assert np.linalg.norm(own) == pytest.approx(np.linalg.norm(right), rel=0.02)


@pytest.mark.parametrize("seed", SEEDS)
def test_offchip_approaches_the_exact_gradient(seed: int) -> None:
    check_convergence(BACKENDS["offchip"], seed)


def test_chip_approaches_the_exact_gradient() -> None:
    check_convergence(CHIP, SEEDS[0])


@pytest.mark.nightly
@pytest.mark.parametrize("seed", SEEDS[1:])
def test_chip_approaches_the_exact_gradient_on_further_networks(seed: int) -> None:
    check_convergence(CHIP, seed)


def test_at_one_millisecond_the_gradient_is_not_the_exact_one() -> None:
    """Why the documentation says "discretised EventProp" at the steps that are trained with."""
    weights, inputs, dldt = timed_network(4)
    trace = continuous.run(weights, inputs, C)
    exact = continuous.gradients(weights, trace, dldt, C)
    found, counts, _ = gradients_of(BACKENDS["offchip"], weights, inputs, dldt, 1.0, C)
    assert counts == trace.counts()
    assert 0.2 < cosine(found[0], exact[0]) < 0.9
