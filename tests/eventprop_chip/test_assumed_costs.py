"""Every assumed cost of EventProp's operations changes a result when it is set.

As ``tests/sim/test_assumed_figures.py`` holds it of the machine's figures: for each operation
there is a training in which it is charged; with another number of cycles, set as a user sets it,
the run says something else, and lists the operation as set by the user.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest

from chipsim.errors import ExperimentError
from chipsim.experiment.resolve import resolve
from chipsim.mapping.application import KINDS
from chipsim.sim.account import account
from chipsim.sim.trace import PHASES
from chipsim.trace.recorder import Recorder
from eventprop_apps.costs import shipped
from eventprop_apps.data.yinyang import yinyang
from eventprop_apps.training import TrainingRun

SMALL = {
    "train.epochs": 1,
    "train.batch": 2,
    "data.train_samples": 2,
    "data.test_samples": 2,
    "model.layers": [5, 12, 3],
    "optimizer.lr": 0.02,
    "optimizer.clip_norm": 1e-4,
}
WAYS: dict[str, dict[str, Any]] = {
    "adam": {},
    "adamw": {"optimizer.name": "adamw"},
    "sgd": {"optimizer.name": "sgd"},
    "slices": {"model.split": "inputs", "model.parts": [2, 1]},
}
ELSEWHERE = {"adamw_update": "adamw", "sgd_update": "sgd", "current_add": "slices",
             "jump_add": "slices"}  # fmt: skip
"""Operations that Adam with whole layers has no use for, and where they are charged."""


def trained(way: str, sets: dict[str, Any]) -> dict[str, Any]:
    """Train a batch and return what the simulation says of itself."""
    values: Any = resolve("yinyang", {**SMALL, **WAYS[way], **sets}, 1).values
    encoding = {"steps": values.model.steps, "t_min": values.data.first_step}
    train, test = (yinyang(2, seed, **encoding) for seed in (1, 2))
    recorder = Recorder(kinds=KINDS, phases=PHASES)
    run = TrainingRun(values, 1, train, test, recorder, None, lambda values: None)
    run.run()
    simulation = run.chip.simulation
    return {**account(simulation), "counters": simulation.provenance()}


@cache
def usual(way: str) -> dict[str, Any]:
    return trained(way, {})


def kind_of(found: dict[str, Any], operation: str) -> str:
    """Return the kind with which the operation is listed."""
    kinds = {row["name"]: row["kind"] for row in found["assumptions"]}
    return str(kinds[f"cycles.{operation}"])


@pytest.mark.parametrize("operation", sorted(shipped()))
def test_changing_it_changes_the_result(operation: str) -> None:
    assert shipped()[operation].kind == "A"
    way = ELSEWHERE.get(operation, "adam")
    before = usual(way)
    assert kind_of(before, operation) == "A"
    cycles = shipped()[operation].cycles + 1000
    after = trained(way, {f"costs.{operation}": cycles})
    assert kind_of(after, operation) == "U"
    same = {name for name in before if before[name] == after[name]}
    assert not same & {"energy_mj", "counters"}


def test_what_is_no_operation_is_refused_with_a_hint() -> None:
    with pytest.raises(ExperimentError) as error:
        resolve(
            "yinyang", {"costs.adam_updat": 9, "costs.spike_decode": -1, "costs.jump_add": True}
        )
    assert list(error.value.problems) == [
        "--set costs.adam_updat: unknown operation; did you mean 'adam_update'?",
        "--set costs.spike_decode: got -1, expected a whole number of cycles, at least 0",
        "--set costs.jump_add: got True, expected a whole number of cycles, at least 0",
    ]
