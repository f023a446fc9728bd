"""Networks of every form: chip and off-chip give the same bits; splits the same spikes."""

from __future__ import annotations

import warnings
from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings

from chipsim.testing.tamper import Drop
from tests.eventprop_chip.cases import Watch, differences
from tests.eventprop_chip.networks import Form, forms

TOLERANCE = {"float32": 3e-6, "float64": 1e-14}
"""Largest |difference| of a layer's gradient over its largest |value| (DESIGN section 7)."""


def both(form: Form, **options: Any) -> tuple[Any, Any]:
    watch = Watch()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # an overflow shows alike in both
        off = form.run("offchip")
        chip = form.run("chip", probes=[watch, *options.pop("probes", [])], **options)
    return chip, off


def apart(form: Form, chip: Any, off: Any) -> list[str]:
    """Return what a split may not change, and gradients that are farther apart than it may."""
    found = [text for text in differences(chip, off) if not text.startswith(("gradients", "loss"))]
    if chip.loss != pytest.approx(off.loss, rel=1e-5):
        found.append("loss")
    for layer, (one, other) in enumerate(zip(chip.gradients, off.gradients, strict=True)):
        largest = np.abs(other).max()
        if np.isfinite(largest) and np.abs(one - other).max() > TOLERANCE[form.dtype] * largest:
            found.append(f"gradient of layer {layer}")
    return found


@pytest.mark.parametrize(
    "examples",
    [
        pytest.param(40, id="some"),
        pytest.param(1500, id="many", marks=pytest.mark.nightly),
    ],
)
def test_chip_equals_offchip(examples: int, fast: str) -> None:
    moved = 0

    @settings(max_examples=examples)
    @given(form=forms())
    def check(form: Form) -> None:
        nonlocal moved
        chip, off = both(form, network=fast)
        assert differences(chip, off) == []
        if chip.values is not None:
            assert chip.values.tobytes() == off.values.tobytes()
        moved += all(g.any() for g in chip.gradients)

    check()
    assert moved >= examples // 4, "too few draws exercise the whole of both passes"


@pytest.mark.parametrize(
    "examples",
    [
        pytest.param(30, id="some"),
        pytest.param(600, id="many", marks=pytest.mark.nightly),
    ],
)
def test_splits_give_the_same_spikes(examples: int, fast: str) -> None:
    @settings(max_examples=examples)
    @given(form=forms(split=True))
    def check(form: Form) -> None:
        chip, off = both(form, network=fast)
        assert apart(form, chip, off) == []
        if chip.values is not None:
            assert chip.values.tobytes() == off.values.tobytes()

    check()


@pytest.mark.parametrize(
    "examples",
    [
        pytest.param(30, id="some"),
        pytest.param(600, id="many", marks=pytest.mark.nightly),
    ],
)
def test_slices_equal_offchip(examples: int, fast: str) -> None:
    """Layers split by inputs, in as many slices off the chip: the same bits, gradients included."""
    moved = 0

    @settings(max_examples=examples)
    @given(form=forms(by_inputs=True))
    def check(form: Form) -> None:
        nonlocal moved
        chip, off = both(form, network=fast)
        assert differences(chip, off) == []
        if chip.values is not None:
            assert chip.values.tobytes() == off.values.tobytes()
        moved += "inputs" in form.split and all(g.any() for g in chip.gradients)

    check()
    assert moved >= examples // 6, "too few draws exercise the whole of both passes"


NAMED = {
    "recurrent": Form(2, (4, 6, 3), (True, False)),
    "recurrent output": Form(3, (4, 6, 5, 3), (False, True, True), steps=14, dtype="float64"),
    "read-out": Form(5, (4, 6, 3), (True, False), "max"),
    "read-out alone": Form(6, (4, 3), (False,), "exp"),
    "heads": Form(7, (4, 6, 5), (False, False), heads=(3, 2)),
    "counts, regularised": Form(8, (4, 6, 3), (False, True), "count", regularised=True),
    "by layer": Form(9, (4, 6, 3), (True, False), by_layer=True),
    "two parts": Form(1, (4, 8, 4), (False, False), parts=(2, 2)),
    "four parts, recurrent": Form(2, (4, 8, 3), (True, False), parts=(4, 1)),
    "eight parts": Form(3, (4, 8, 8, 4), (True, False, True), parts=(8, 4, 2), steps=14),
    "a read-out in parts": Form(5, (4, 8, 5), (True, False), "max", parts=(8, 2)),
}
BOTH = ("inputs", "inputs")
SLICED = {
    "slices": Form(1, (6, 8, 4), (False, False), parts=(2, 3), split=BOTH, steps=16),
    "recurrent slices": Form(
        2, (5, 8, 4), (True, False), parts=(3, 2), split=("inputs", "neurons"), steps=16
    ),
    "slices of a split layer": Form(
        3, (5, 8, 7, 4), (True, True, False), parts=(2, 5, 1), steps=16,
        split=("neurons", "inputs", "inputs"),
    ),
    "driven": Form(4, (5, 8, 4), (True, False), parts=(2, 3), split=BOTH, regularised=True),
    "a read-out in slices": Form(5, (5, 8, 4), (True, False), "exp", parts=(2, 3), split=BOTH),
    "a maximum, float64": Form(
        6, (5, 8, 4), (False, False), "max", parts=(1, 3), split=BOTH, dtype="float64"
    ),
}  # fmt: skip


@pytest.mark.parametrize("form", NAMED.values(), ids=NAMED.keys())
def test_named_forms_on_either_network(form: Form, network: str) -> None:
    chip, off = both(form, network=network)
    assert (apart(form, chip, off) if form.parts else differences(chip, off)) == []
    assert all(g.any() for g in chip.gradients)


@pytest.mark.parametrize("form", SLICED.values(), ids=SLICED.keys())
def test_slices_on_either_network(form: Form, network: str) -> None:
    chip, off = both(form, network=network)
    assert (apart(form, chip, off) if "neurons" in form.split else differences(chip, off)) == []
    assert all(g.any() for g in chip.gradients)


def test_a_split_by_inputs_is_another_network(fast: str) -> None:
    """Its first output spikes come later: by a step for each layer that is split so, or more."""
    form = SLICED["slices"]
    plain = replace(form, split=(), parts=()).run("chip", network=fast)
    one = replace(form, split=("inputs", "neurons"), parts=(2, 1)).run("chip", network=fast)
    two = form.run("chip", network=fast)
    first = [int(np.flatnonzero(r.spikes[-1].any(axis=(1, 2)))[0]) for r in (plain, one, two)]
    assert first == [first[0], first[0] + 1, first[0] + 2]


def test_slices_differ_by_rounding_only(fast: str) -> None:
    """Off the chip with another number of slices: the sums' order differs, and nothing else."""
    form = replace(SLICED["slices"], sizes=(6, 24, 10), batch=4)
    chip = form.run("chip", network=fast)
    whole = replace(form, parts=(1, 1)).run("offchip")
    assert apart(form, chip, whole) == []
    assert differences(chip, whole) != []


@pytest.mark.parametrize("parts", [2, 4, 8])
def test_a_split_in_2_4_and_8(parts: int, fast: str) -> None:
    form = Form(11, (6, 24, 10), (False, False), steps=16, batch=4, parts=(parts, parts))
    chip, off = both(form, network=fast)
    assert apart(form, chip, off) == []
    assert all((g != 0).mean() > 0.3 for g in chip.gradients)


def test_error_sums_of_two_splits_differ_in_their_last_bits(fast: str) -> None:
    """The tolerance is not there for nothing: the parts' sums are rounded on their own."""
    form = Form(12, (6, 8, 16), (False, False), steps=16, batch=4, parts=(1, 8))
    chip, off = both(form, network=fast)
    assert differences(chip, off) == ["gradients of layer 0"]
    assert apart(form, chip, off) == []


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        *product(["recurrent", "read-out", "eight parts"], ["spike", "error"]),
        *product(["recurrent slices", "a read-out in slices"], ["spike", "error", "current"]),
    ],
)
def test_a_lost_packet_changes_the_result(kind: str, name: str, fast: str) -> None:
    form = (NAMED | SLICED)[name]
    whole = form.run("chip", network=fast)
    changed = 0
    for nth in range(0, 40, 3):
        probe = Drop(kind, nth)
        changed += bool(differences(form.run("chip", network=fast, probes=[probe]), whole))
        if changed == 2:
            return
    raise AssertionError("fewer than two of the packets matter")


def test_late_currents_are_counted_and_change_the_result(fast: str) -> None:
    form, watch = SLICED["slices"], Watch()
    chip = form.run("chip", network=fast, probes=[watch], settings={"tick_us": 4})
    late = watch.simulation.tracer.late
    assert late["current"] > 0 and late["spike"] > 0
    assert differences(chip, form.run("offchip"))


def test_late_packets_are_counted_and_change_the_result(fast: str) -> None:
    form, watch = NAMED["eight parts"], Watch()
    off = form.run("offchip")
    chip = form.run("chip", network=fast, probes=[watch], settings={"tick_us": 4})
    assert watch.simulation.tracer.late["spike"] > 0
    assert differences(chip, off)
