"""Row kernels: the order of sums, independence of rows, records, late and stray packets."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chipsim.errors import DataError, ProgramError
from eventprop_apps.kernels import (
    OPERATIONS,
    Factors,
    LayerState,
    backward_rows,
    forward_rows,
    reset_rows,
    store_errors,
)
from tests.eventprop.literal import LiteralLayer

DTYPES = [np.float32, np.float64]


def make(weights: Any, rows: int = 1, dtype: Any = np.float32, capacity: int = 64) -> LayerState:
    return LayerState.make(
        np.asarray(weights), rows, spike_capacity=capacity, input_capacity=capacity, dtype=dtype
    )


def csr(lists: list[list[int]]) -> tuple[Any, Any]:
    return np.cumsum([0, *map(len, lists)]), [n for part in lists for n in part]


def named(ops: Any) -> dict[str, int]:
    return {k: v for k, v in zip(OPERATIONS, ops.tolist(), strict=True) if v}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", ["exp", "euler"])
def test_bits_of_the_contract(dtype: Any, kind: str) -> None:
    """Forward, gradient and errors equal the literal order of operations, to the last bit."""
    draws = np.random.default_rng(3)
    weights = draws.normal(1.0, 1.5, (37, 6)).astype(dtype)
    constants = Factors.make(kind)
    factors = constants.array(dtype)
    state, literal = make(weights, dtype=dtype, capacity=1000), LiteralLayer(weights, constants)
    steps = 40
    fired = []
    for i in range(steps):
        inputs = sorted(np.flatnonzero(draws.random(6) < 0.3).tolist()) if i else []
        _, out, _ = forward_rows(state, factors, i, [0], *csr([inputs]))
        assert out.tolist() == literal.forward(i, inputs)
        fired += [(int(n), i) for n in out]
    assert len(fired) > 100
    assert state.current[0].tolist() == literal.current
    assert state.voltage[0].tolist() == literal.voltage
    answered = 0
    for i in range(steps - 2, -1, -1):
        answers = [(n, i + 1, dtype(draws.normal())) for n, s in fired if s == i + 1]
        literal.error.update({(n, s): e for n, s, e in answers})
        values = np.array([e for *_, e in answers], dtype)
        found, _ = store_errors(
            state, [0], [0, len(answers)], [n for n, *_ in answers], [s for _, s, _ in answers],
            values, i,
        )  # fmt: skip
        assert found.tolist() == [[len(answers), 0, 0]]
        _, index, step, value, _ = backward_rows(state, factors, i, [0])
        assert list(zip(index.tolist(), value.tolist(), strict=True)) == literal.backward(i)
        assert step.tolist() == [i - 1] * len(index)
        answered += len(index)
    assert answered > 40
    assert state.lambda_i[0].tolist() == literal.lambda_i
    assert state.lambda_v[0].tolist() == literal.lambda_v
    assert state.gradient[0].tobytes() == literal.gradient.tobytes()


@given(
    seed=st.integers(0, 2**32 - 1),
    rows=st.integers(1, 6),
    shared=st.booleans(),
    dtype=st.sampled_from(DTYPES),
    groups=st.integers(1, 3),
)
def test_rows_are_independent(seed: int, rows: int, shared: bool, dtype: Any, groups: int) -> None:
    """One call for all rows, calls for groups of rows in any order, cores that drift: same bits."""
    draws = np.random.default_rng(seed)
    n_out, n_in, steps = 5, 4, 12
    weights = draws.normal(2, 2, (1 if shared else rows, n_out, n_in))
    inputs = [
        [np.flatnonzero(row).tolist() for row in step]
        for step in draws.random((steps, rows, n_in)) < 0.3
    ]
    errors = draws.normal(size=(steps, n_out)).astype(dtype)
    factors = Factors.make().array(dtype)
    together, apart = make(weights, rows, dtype), make(weights, rows, dtype)
    members = [np.flatnonzero(np.arange(rows) % groups == g)[::-1].tolist() for g in range(groups)]

    def run(state: LayerState, group: list[int]) -> list[Any]:
        seen: list[Any] = []
        for i in range(1, steps):
            drained = [inputs[i - 1][r] for r in group]
            ptr, out, ops = forward_rows(state, factors, i, group, *csr(drained))
            seen += [
                (r, i, out[ptr[k] : ptr[k + 1]].tolist(), ops[k].tolist())
                for k, r in enumerate(group)
            ]
        for i in range(steps - 2, -1, -1):
            own = [[n for n, s in state.recorded_spikes(r) if s == i + 1] for r in group]
            ptr, neuron = csr(own)
            value = np.array([errors[i + 1, n] for n in neuron], dtype)
            store_errors(state, group, ptr, neuron, [i + 1] * len(neuron), value, i)
            ptr, index, step, value, ops = backward_rows(state, factors, i, group)
            seen += [
                (r, i, index[part].tolist(), step[part].tolist(), value[part].tolist(),
                 ops[k].tolist())
                for k, r in enumerate(group)
                for part in [slice(ptr[k], ptr[k + 1])]
            ]  # fmt: skip
        return seen

    one = run(together, list(range(rows)))
    other = [entry for group in members if group for entry in run(apart, group)]
    assert sorted(one, key=str) == sorted(other, key=str)
    for name in ("neuron", "spikes", "spike_values", "inputs", "input_errors", "counts"):
        assert getattr(together, name).tobytes() == getattr(apart, name).tobytes(), name
    assert together.gradient.tobytes() == apart.gradient.tobytes()


def test_a_step_per_row() -> None:
    """A core that fell behind does its own step in the same call."""
    state = make([[30.0]], rows=2)
    factors = Factors.make().array(np.float32)
    ptr, out, _ = forward_rows(state, factors, np.array([3, 7]), [0, 1], [0, 1, 2], [0, 0])
    assert (ptr.tolist(), out.tolist()) == ([0, 1, 2], [0, 0])
    assert [state.recorded_spikes(r) for r in (0, 1)] == [[(0, 3)], [(0, 7)]]
    assert [state.recorded_inputs(r) for r in (0, 1)] == [[(0, 2)], [(0, 6)]]


def test_threshold_is_strict() -> None:
    factors = Factors(a=0.5, b=0.5, one_minus_a=0.5, one_minus_b=0.5, tau_s=5e-3)
    for weight, spikes in ((2.0, []), (np.nextafter(np.float32(2), np.float32(3)), [0])):
        state = make([[weight]])
        _, out, _ = forward_rows(state, factors.array(np.float32), 1, [0], [0, 1], [0])
        assert out.tolist() == spikes
        assert state.voltage[0, 0] == (0.0 if spikes else 1.0)


def test_operation_counts() -> None:
    """3 neurons, inputs 0 and 1: every count by hand."""
    state = make(np.array([[21.0, 0.0], [0.0, 0.0], [21.0, 0.0]]))
    factors = Factors.make().array(np.float32)
    _, out, ops = forward_rows(state, factors, 1, [0], [0, 2], [0, 1])
    assert out.tolist() == [0, 2]
    assert named(ops[0]) == {
        "synaptic_event": 6, "neuron_update": 3, "spike_record": 2, "input_record": 2,
    }  # fmt: skip
    forward_rows(state, factors, 2, [0], [0, 0], [])
    _, ops = store_errors(state, [0], [0, 1], [2], [1], np.ones(1, np.float32), 1)
    assert named(ops[0]) == {"error_lookup": 1}
    *_, ops = backward_rows(state, factors, 1, [0])
    assert named(ops[0]) == {"adjoint_update": 3, "error_term": 6}
    *_, ops = backward_rows(state, factors, 0, [0])
    assert named(ops[0]) == {"adjoint_update": 3, "adjoint_jump": 2, "gradient_update": 6}
    *_, ops = backward_rows(state, factors, 0, [0], want_errors=False)
    assert "error_term" not in named(ops[0])


def test_late_spike_acts_and_counts_in_the_step_that_drains_it() -> None:
    """A spike of step 1 that is drained in step 4 gives what one of step 3 gives on time."""
    factors = Factors.make().array(np.float64)
    late, on_time = (make([[30.0], [20.0]], dtype=np.float64) for _ in range(2))
    for state in (late, on_time):
        for i in range(1, 6):
            forward_rows(state, factors, i, [0], [0, int(i == 4)], [0] * (i == 4))
    assert late.recorded_inputs(0) == [(0, 3)]
    assert late.neuron.tobytes() == on_time.neuron.tobytes()
    _, index, step, _, _ = backward_rows(late, factors, 4, [0])
    assert (index.tolist(), step.tolist()) == ([0], [3])


def test_stray_errors_have_no_effect_and_are_counted() -> None:
    factors = Factors.make().array(np.float32)
    state = make([[30.0]])
    forward_rows(state, factors, 1, [0], [0, 1], [0])
    forward_rows(state, factors, 2, [0], [0, 0], [])
    forward_rows(state, factors, 3, [0], [0, 0], [])
    assert state.recorded_spikes(0)[0] == (0, 1)
    one = np.ones(1, np.float32)
    found, _ = store_errors(state, [0], [0, 1], [0], [9], one, 2)
    assert found.tolist() == [[0, 1, 0]]  # no spike in step 9
    found, _ = store_errors(state, [0], [0, 1], [0], [1], one, -1)
    assert found.tolist() == [[0, 0, 1]]  # step 0 of the adjoint, which uses it, is done
    for i in (2, 1, 0):
        backward_rows(state, factors, i, [0])
    assert not state.gradient.any()
    found, _ = store_errors(state, [0], [0, 1], [0], [1], one, 0)
    assert found.tolist() == [[1, 0, 0]]  # the last moment


def test_errors_of_one_spike_add_up() -> None:
    """A split layer above sends several partial errors for a spike."""
    state = make([[30.0]])
    forward_rows(state, Factors.make().array(np.float32), 1, [0], [0, 1], [0])
    values = np.array([0.1, 0.2, 0.3], np.float32)
    found, _ = store_errors(state, [0], [0, 3], [0, 0, 0], [1, 1, 1], values, 0)
    assert found.tolist() == [[3, 0, 0]]
    assert state.spike_values[0, 1, 0] == values[0] + values[1] + values[2]


def test_full_records_are_counted_and_the_spikes_still_sent() -> None:
    state = make(np.full((4, 1), 30.0), capacity=3)
    factors = Factors.make().array(np.float32)
    _, out, _ = forward_rows(state, factors, 1, [0], [0, 1], [0])
    assert out.tolist() == [0, 1, 2, 3]
    assert state.recorded_spikes(0) == [(0, 1), (1, 1), (2, 1)]
    for i in (2, 3, 4):
        forward_rows(state, factors, i, [0], [0, 1], [0])
    assert state.spikes_lost.tolist()[0] > 0
    assert state.inputs_lost.tolist() == [1]
    reset_rows(state, [0])
    assert state.spikes_lost.tolist() == state.inputs_lost.tolist() == [0]


def test_reset_keeps_the_other_rows_and_on_request_the_gradient() -> None:
    state = make([[30.0]], rows=2)
    state.gradient[:] = 1
    state.neuron[:] = 1
    reset_rows(state, [1])
    assert state.gradient.ravel().tolist() == [1, 0]
    assert state.neuron.sum(axis=(1, 2)).tolist() == [4, 0]
    reset_rows(state, [0], clear_gradient=False)
    assert state.gradient.ravel().tolist() == [1, 0]
    assert not state.neuron.any()


def test_step_zero_without_inputs_leaves_zero() -> None:
    state = make([[30.0]])
    _, out, _ = forward_rows(state, Factors.make().array(np.float32), 0, [0], [0, 0], [])
    assert out.size == 0
    assert not state.neuron.any()


def test_refusals() -> None:
    state = make([[1.0, 2.0]])
    factors = Factors.make().array(np.float32)
    with pytest.raises(ProgramError, match=r"^forward_rows: got input lines 5\.\.5, expected 0"):
        forward_rows(state, factors, 1, [0], [0, 1], [5])
    with pytest.raises(ProgramError, match=r"^store_errors: got row pointers of length 3 that end"):
        store_errors(state, [0], [0, 0, 0], [], [], np.zeros(0), 1)
    with pytest.raises(DataError, match=r"^LayerState: got dtype float16, expected float32 or"):
        make([[1.0]], dtype=np.float16)
    with pytest.raises(DataError, match=r"^LayerState: got weights of shape \(3, 1, 1\), expected"):
        make(np.ones((3, 1, 1)), rows=2)
    with pytest.raises(DataError, match=r"^LayerState: got 1 rows, room for 0 spikes and 0 inputs"):
        make([[1.0]], capacity=0)


def test_factors() -> None:
    exp, euler = Factors.make("exp"), Factors.make("euler")
    assert exp.a == math.exp(-1 / 5) and exp.b == math.exp(-1 / 20)
    assert (euler.a, euler.b) == (0.8, 0.95)
    assert exp.array(np.float32)[2] == np.float32(1 - math.exp(-1 / 5))
    assert exp.array(np.float32)[2] != 1 - exp.array(np.float32)[0]  # cast once, not twice
    assert exp.tau_s == 5e-3
    with pytest.raises(DataError, match=r"^factors: got 'exq'; did you mean 'exp'\?$"):
        Factors.make("exq")
    with pytest.raises(DataError, match=r"^factors: got tau_mem_ms = 0\.0, expected a"):
        Factors.make(tau_mem_ms=0.0)
    with pytest.raises(DataError, match=r'take a shorter step or "exp"$'):
        Factors.make("euler", dt_ms=6.0)
    assert Factors.make("exp", dt_ms=6.0).a == math.exp(-6 / 5)
