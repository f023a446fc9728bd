"""How layers are split: blocks, the SRAM and cycle models, and what the run makes of it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chipsim.errors import MappingError
from chipsim.machine.library import load_machine
from eventprop_apps import costs, evaluate
from eventprop_apps.application import build_application
from eventprop_apps.exchange import ExchangeOptions
from eventprop_apps.losses import ReadOutCrossEntropy
from eventprop_apps.memory import budgets, default_records, layer_regions
from eventprop_apps.model import Model, layer_factors
from eventprop_apps.partition import blocks, bounds, pack, unpack
from eventprop_apps.splitting import RECORDS_PER_NEURON, choose_parts, cycles_per_tick
from eventprop_apps.traffic import Traffic

LIMIT = 66 * 1024


def model(*sizes: int, **options: Any) -> Model:
    return Model.make(sizes, 10, layer_factors(len(sizes) - 1), **options)


@given(neurons=st.integers(1, 300), parts=st.integers(1, 20))
def test_parts_are_whole_and_even(neurons: int, parts: int) -> None:
    parts = min(parts, neurons)
    ends = bounds(neurons, parts)
    sizes = np.diff(ends)
    assert (ends[0], ends[-1], len(ends)) == (0, neurons, parts + 1)
    assert sizes.min() >= 1 and sizes.max() - sizes.min() <= 1


def test_blocks_follow_one_another_in_the_vector_of_weights() -> None:
    net = model(5, 7, 4, recurrent=[True, False], dtype=np.float64)
    found = blocks(net, (3, 1))
    assert [b.name for b in found] == ["layer0", "layer0.1", "layer0.2", "layer1"]
    assert [b.shape for b in found] == [(2, 12), (2, 12), (3, 12), (4, 7)]
    assert [(b.first, b.stop) for b in found] == [(0, 2), (2, 4), (4, 7), (0, 4)]
    assert [b.start for b in found] == [0, 24, 48, 84]
    assert found[0].words == 2 * 24
    assert sum(b.size for b in found) == net.weights


@given(
    sizes=st.lists(st.integers(1, 600), min_size=2, max_size=4),
    again=st.booleans(),
    readout=st.booleans(),
)
def test_the_fewest_parts_that_fit(sizes: list[int], again: bool, readout: bool) -> None:
    loss = ReadOutCrossEntropy() if readout else None
    net = Model.make(sizes, 10, layer_factors(len(sizes) - 1), loss, recurrent=again)
    records = [30, *(RECORDS_PER_NEURON * n for n in sizes[1:])]

    def need(parts: list[int], layer: int) -> int:
        own = [b for b in blocks(net, parts) if b.layer == layer]
        return max(sum(layer_regions(net, b, records).values()) for b in own)

    try:
        chosen = choose_parts(net, 30, LIMIT)
    except MappingError:
        assert any(need(sizes[1:], layer) > LIMIT for layer in range(net.layers))
        return
    for layer, count in enumerate(chosen):
        parts = list(chosen)
        assert need(parts, layer) <= LIMIT
        if count > 1:
            parts[layer] -= 1
            assert need(parts, layer) > LIMIT
    pieces = blocks(net, chosen)
    enough = default_records(net, 30, pieces, LIMIT)
    sram = budgets(net, 30, enough, 4, pieces)
    assert all(sum(sram[b.name].values()) <= LIMIT for b in pieces)


def test_small_layers_stay_whole_and_fixed_numbers_stay() -> None:
    assert choose_parts(model(5, 120, 3), 5, LIMIT) == (1, 1)
    assert choose_parts(model(60, 300, 3), 60, LIMIT) == (3, 1)
    longer = Model.make((60, 300, 3), 27, layer_factors(2))
    assert choose_parts(longer, 60, LIMIT) == (3, 1)
    assert choose_parts(longer, 60, LIMIT, least_records=27) == (4, 1)
    assert choose_parts(model(60, 300, 3), 60, LIMIT, (0, 2)) == (3, 2)
    assert choose_parts(model(60, 300, 3), 60, LIMIT, (1, 1)) == (1, 1)


def test_a_limit_of_cycles_splits_further() -> None:
    net, table = model(60, 100, 10), costs.shipped()
    whole = choose_parts(net, 60, LIMIT)
    assert whole == (1, 1)
    spikes = Traffic.assumed(net)
    finer = choose_parts(net, 60, LIMIT, costs=table, max_cycles=5000, traffic=spikes)
    largest = [b for b in blocks(net, finer) if b.part == 0]
    assert finer[0] > 1
    assert all(cycles_per_tick(net, b, 1, table, spikes) <= 5000 for b in largest)
    with pytest.raises(MappingError, match=r"takes \d+ cycles a tick, the limit is 50; allow a lo"):
        choose_parts(net, 60, LIMIT, costs=table, max_cycles=50)


def test_what_fits_no_split_says_what_is_missing() -> None:
    with pytest.raises(MappingError) as caught:
        choose_parts(model(20000, 10, 9000, 3), 20000, LIMIT)
    assert str(caught.value) == (
        "EventProp partition: 2 problems\n"
        "  - layer 0 in 10 parts of up to 1 neurons wants 240136 bytes of data memory, "
        "a PE has 67584: weights 80000, gradient 80000, state 16, spike_record 120, "
        'input_record 80000; no split by neurons makes it fit; model.split = "inputs" does, a '
        "network whose spikes act a step later, on 37 PEs; or use fewer input lines or time "
        "steps\n"
        "  - layer 2 in 3 parts of up to 1 neurons wants 144088 bytes of data memory, a PE "
        "has 67584: weights 36000, gradient 36000, state 16, spike_record 72, input_record 72000; "
        'no split by neurons makes it fit; model.split = "inputs" does, a network whose spikes '
        "act a step later, on 10 PEs; or use fewer input lines or time steps"
    )


def test_the_split_by_inputs_that_is_advised_fits() -> None:
    whole = model(20000, 10, 9000, 3, slices=[1, 0, 1])
    assert choose_parts(whole, 20000, LIMIT) == (36, 29, 9)


def test_what_fits_no_slice_says_what_is_missing() -> None:
    with pytest.raises(MappingError) as caught:
        choose_parts(model(3, 6000, 9000, slices=1), 3, LIMIT)
    assert str(caught.value) == (
        "EventProp partition: 2 problems\n"
        "  - layer 0 in 3 slices of up to 1 input lines of 6000 neurons wants 120012 bytes of data "
        "memory, a PE has 67584: weights 24000, gradient 24000, adjoint 48000, current 24000, "
        "input_record 12; use fewer neurons or time steps\n"
        "  - layer 1 in 6000 slices of up to 1 input lines of 9000 neurons wants 180040 bytes of "
        "data memory, a PE has 67584: weights 36000, gradient 36000, adjoint 72000, current "
        "36000, input_record 40; use fewer neurons or time steps"
    )
    with pytest.raises(MappingError, match=r"its 3000 neurons wants 132000 bytes.*spike_record 72"):
        choose_parts(model(3, 3000, slices=1), 3, LIMIT)
    with pytest.raises(
        MappingError, match=r"in 9000 parts of up to 1 neu.* and no split by inputs"
    ):
        choose_parts(model(9000, 9000), 9000, LIMIT)


@given(
    sizes=st.lists(st.integers(1, 600), min_size=2, max_size=3),
    again=st.booleans(),
    readout=st.booleans(),
)
def test_the_fewest_slices_that_fit(sizes: list[int], again: bool, readout: bool) -> None:
    loss = ReadOutCrossEntropy() if readout else None
    layers = len(sizes) - 1
    net = Model.make(sizes, 10, layer_factors(layers), loss, recurrent=again, slices=1)
    records = [30, *(RECORDS_PER_NEURON * n for n in sizes[1:])]

    def need(parts: list[int], layer: int) -> int:
        own = [b for b in blocks(net, parts) if b.layer == layer]
        return max(sum(layer_regions(net, b, records).values()) for b in own)

    chosen = choose_parts(net, 30, LIMIT)
    for layer, count in enumerate(chosen):
        parts = list(chosen)
        assert need(parts, layer) <= LIMIT
        if count > 1:
            parts[layer] -= 1
            assert need(parts, layer) > LIMIT
    pieces = blocks(net, chosen)
    assert sum(b.size for b in pieces) == net.weights
    enough = default_records(net, 30, pieces, LIMIT)
    sram = budgets(net, 30, enough, 4, pieces)
    held = [*(b.name for b in pieces), *(f"layer{layer}" for layer in range(layers))]
    assert all(sum(sram[name].values()) <= LIMIT for name in held)


def test_slices_take_turns_in_the_vector_of_weights() -> None:
    net = model(5, 7, 4, recurrent=[True, False], slices=[3, 0])
    pieces = blocks(net, (3, 1))
    assert [b.name for b in pieces] == ["layer0.in0", "layer0.in1", "layer0.in2", "layer1"]
    assert [b.lines for b in pieces] == [(0, 4), (4, 8), (8, 12), (0, 7)]
    assert [b.heard(0, 5, 0) for b in pieces[:3]] == [(0, 4), (4, 5), (5, 5)]
    assert [b.heard(0, 7, 5) for b in pieces[:3]] == [(0, 0), (0, 3), (3, 7)]
    arrays = [np.arange(84).reshape(7, 12), 84 + np.arange(28).reshape(4, 7)]
    vector = pack(arrays, pieces, np.float32)
    assert vector[:5].tolist() == [0, 1, 2, 3, 12]
    back = [np.zeros_like(a) for a in arrays]
    unpack(vector, pieces, back)
    assert all(np.array_equal(a, b) for a, b in zip(arrays, back, strict=True))


def test_a_limit_of_cycles_makes_more_slices_or_names_the_neurons() -> None:
    net, table = model(200, 100, slices=1), costs.shipped()
    spikes = Traffic.assumed(net)
    assert choose_parts(net, 200, 1 << 20) == (1,)
    finer = choose_parts(net, 200, 1 << 20, costs=table, max_cycles=16000, traffic=spikes)
    assert finer[0] > 1
    assert all(cycles_per_tick(net, b, 1, table, spikes) <= 16000 for b in blocks(net, finer))
    assert finer == (4,)
    with pytest.raises(MappingError, match=r"the PE with its 100 neurons takes \d+ cycles a tick"):
        choose_parts(net, 200, 1 << 20, costs=table, max_cycles=12000, traffic=spikes)


def test_nets_of_slices() -> None:
    net = model(6, 20, 4, recurrent=[True, False], slices=[2, 1])
    machine = load_machine("spinnaker2")
    parts = (2, 1)
    pieces = blocks(net, parts)
    sram = budgets(net, 6, default_records(net, 6, pieces, LIMIT), 4, pieces)
    graph = build_application(net, 1, machine, sram, parts=parts)
    ends = {str(n.name): (n.source, n.sinks, n.kind) for n in graph.nets if n.kind != "gradient"}
    assert ends["r0/spikes_in-to.layer0.in0"] == ("r0/input", ("r0/layer0.in0",), "spike")
    assert "r0/spikes_in-to.layer0.in1" not in ends  # lines 13 to 25 are own neurons only
    assert ends["r0/spikes0-to.layer0.in1"] == ("r0/layer0", ("r0/layer0.in1",), "spike")
    assert ends["r0/spikes0-to.layer1.in0"] == ("r0/layer0", ("r0/layer1.in0",), "spike")
    assert ends["r0/spikes1"] == ("r0/layer1", ("r0/loss",), "spike")
    assert ends["r0/currents0-from.1"] == ("r0/layer0.in1", ("r0/layer0",), "current")
    assert ends["r0/jumps0"] == ("r0/layer0", ("r0/layer0.in0", "r0/layer0.in1"), "error")
    assert ends["r0/errors0"] == ("r0/layer1.in0", ("r0/layer0",), "error")
    assert ends["weights0.1"][1] == ("r0/layer0.in1",)


def test_a_layer_too_wide_for_one_pe_runs_in_slices(fast: str) -> None:
    """5,000 lines to 3 neurons want two PEs for their weights; the chip decides how many."""
    draws = np.random.default_rng(1)
    weights = [draws.normal(0.3, 0.5, (3, 5000))]
    spikes = (draws.random((9, 2, 5000)) < 0.003).astype(np.uint8)
    exchange = ExchangeOptions(strategy="sharded", shards=6)
    on = evaluate(
        weights, spikes, [0, 1], backend="chip", split="inputs", network=fast,
        settings={"exchange": exchange},
    )  # fmt: skip
    slices = choose_parts(model(5000, 3, slices=1), int(spikes.sum(axis=(0, 2)).max()), LIMIT)
    assert slices == (2,)
    off = evaluate(
        weights, spikes, [0, 1], backend="offchip", split="inputs", settings={"parts": slices}
    )
    assert np.array_equal(on.spikes[0], off.spikes[0])
    assert on.loss == off.loss
    assert on.gradients[0].tobytes() == off.gradients[0].tobytes()
    assert on.gradients[0].any()


def test_wrong_parts() -> None:
    with pytest.raises(MappingError, match=r"parts: got 1 numbers, expected 2, one for each layer"):
        choose_parts(model(5, 8, 3), 5, LIMIT, (2,))
    with pytest.raises(MappingError, match=r"parts: got 4 for layer 1, expected 1 to 3, its neur"):
        choose_parts(model(5, 8, 3), 5, LIMIT, (2, 4))


def test_nets_say_what_they_carry() -> None:
    net = model(6, 20, 4, recurrent=[True, False])
    machine = load_machine("spinnaker2")
    parts = (2, 1)
    pieces = blocks(net, parts)
    sram = budgets(net, 6, default_records(net, 6, pieces, LIMIT), 4, pieces)
    spikes = Traffic((12.0, 30.0, 2.0))
    graph = build_application(net, 1, machine, sram, parts=parts, traffic=spikes)
    assert graph.phases == ("forward", "backward", "exchange")
    forward = {str(n.name): n.weight("forward") for n in graph.nets if n.kind == "spike"}
    assert forward == pytest.approx(
        {"r0/spikes_in": 1.2, "r0/spikes0": 1.5, "r0/spikes0.1": 1.5, "r0/spikes1": 0.2}
    )
    back = {str(n.name): (n.source, n.sinks) for n in graph.nets if n.kind == "error"}
    assert back["r0/own_errors0.1"] == ("r0/layer0", ("r0/layer0.1",))
    assert back["r0/errors0.1"] == ("r0/layer1", ("r0/layer0.1",))
    assert len(back) == 2 + 4 + 1
    up = next(n for n in graph.nets if n.name == "r0/spikes0.1")
    assert up.sinks == ("r0/layer1", "r0/layer0", "r0/layer0.1")


def test_a_network_too_large_for_one_pe_runs_split(fast: str) -> None:
    """300 neurons of 60 inputs: weights and gradients of 72,000 byte each take three PEs."""
    draws = np.random.default_rng(1)
    weights = [draws.normal(0.5, 1.0, (300, 60)), draws.normal(0.5, 0.5, (3, 300))]
    spikes = (draws.random((9, 2, 60)) < 0.1).astype(np.uint8)
    off = evaluate(weights, spikes, [0, 1], backend="offchip")
    exchange = ExchangeOptions(strategy="sharded", shards=6)
    on = evaluate(
        weights, spikes, [0, 1], backend="chip", network=fast, settings={"exchange": exchange}
    )
    for a, b in zip(on.spikes, off.spikes, strict=True):
        assert np.array_equal(a, b)
    assert on.loss == off.loss
    assert all(g.any() for g in on.gradients)
