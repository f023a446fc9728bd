"""Replicas on several chips of a board train as they do off the chip, bit for bit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from chipsim.errors import MappingError
from eventprop_apps.training import TrainingRun
from tests.eventprop_chip.test_training import trainings

BOARD = {"machine.name": "spinnaker2-48", "mapping.placer": "spread"}


def same(sets: dict[str, Any]) -> TrainingRun:
    """Train on chips and off them, hold them equal, and return the run."""
    on, off = trainings("compiled", {**BOARD, **sets}, 1)
    for ours, theirs in zip(on.chip.weights, off.weights, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    summary = on.summary()
    assert summary["late_spikes"] == summary["late_errors"] == summary["copies_in_flight"] == 0
    assert summary["copies_delivered"] == summary["copies_expected"]
    return on


def chips_of(run: TrainingRun) -> set[int]:
    """Return the chips with a vertex."""
    machine = run.chip.simulation.machine
    return {int(machine.endpoint_chip[end]) for end in run.chip.mapping.placement.values()}


@pytest.mark.parametrize("exchange", ["gather", "sharded"])
def test_two_chips(exchange: str) -> None:
    sets = {"mapping.chips": 2, "train.exchange": exchange, "train.epochs": 1}
    if exchange == "sharded":
        sets["train.shards"] = 2
    run = same(sets)
    assert chips_of(run) == {0, 1}
    loads = run.summary()
    links, routers = loads["links"], loads["routers"]
    # Only one neighbour pair talks: replicas of chip 1 with host and optimiser on chip 0.
    assert links["used"] == 2 and links["alive"] > 200
    assert 0 < links["busy_mean"] < links["busy_max"] < 1
    assert routers["packets"] > links["packets"] > 0 and routers["table_entries_max"] >= 1


def test_a_number_of_chips_needs_the_placer_that_knows_it() -> None:
    with pytest.raises(MappingError, match=r"mapping.chips = 2: .*take mapping.placer"):
        trainings("compiled", {**BOARD, "mapping.chips": 2, "mapping.placer": "paper"}, 1)


def test_too_many_replicas_for_the_chips() -> None:
    sets = {**BOARD, "mapping.chips": 2, "train.batch": 76, "data.train_samples": 76}
    with pytest.raises(MappingError, match=r"76 groups over 2 chips .* take 38, but 37 fit"):
        trainings("compiled", sets, 1)


@pytest.mark.nightly
@pytest.mark.parametrize("exchange", ["gather", "sharded"])
def test_forty_eight_chips(exchange: str) -> None:
    sets = {"train.batch": 200, "data.train_samples": 400, "train.exchange": exchange}
    run = same({**sets, "train.epochs": 2, "model.layers": [5, 120, 3]})
    assert chips_of(run) == set(range(48))
    assert run.summary()["links"]["used"] == 2 * 47  # a tree to all chips, and back along it


def test_several_chips_are_in_the_summary_and_one_is_not() -> None:
    run, _ = trainings("compiled", {"train.epochs": 1}, 1)
    assert "links" not in run.summary()
