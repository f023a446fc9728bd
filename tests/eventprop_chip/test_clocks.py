"""Clock levels and timers under a training: what may change is time and energy, or is counted."""

from __future__ import annotations

from typing import Any

import pytest

from chipsim.experiment.resolve import resolve
from chipsim.mapping.application import KINDS
from chipsim.sim.trace import PHASES
from chipsim.trace.recorder import Recorder
from eventprop_apps.training import TrainingRun, training_run

SMALL = {
    "train.epochs": 1,
    "train.batch": 2,
    "data.train_samples": 4,
    "data.test_samples": 2,
    "model.layers": [5, 8, 3],
}


def run(**sets: Any) -> TrainingRun:
    given = {name.replace("__", "."): value for name, value in sets.items()}
    recorder = Recorder(kinds=KINDS, phases=PHASES)
    made = training_run(resolve("yinyang", SMALL | given, 0), recorder, None, lambda values: None)
    made.run()
    return made


@pytest.fixture(scope="module")
def plain() -> TrainingRun:
    return run()


@pytest.mark.parametrize(
    "sets",
    [
        {"machine__pe.dvfs": "auto", "machine__pe.dvfs_threshold_packets": 3},
        {"machine__pe.dvfs": "low"},
        {"tick__drift_ppm": 20.0},
    ],
    ids=["auto", "low", "drift"],
)
def test_clocks_that_meet_their_deadlines_change_no_weight(
    sets: dict[str, Any], plain: TrainingRun
) -> None:
    other = run(**sets)
    simulation = other.chip.simulation
    assert simulation.tick_log.overruns == 0
    assert sum(simulation.tracer.late.values()) == 0
    assert [w.tobytes() for w in other.chip.weights] == [w.tobytes() for w in plain.chip.weights]
    assert (simulation.cores.high_ps.sum() > 0) == (sets.get("machine__pe.dvfs") != "low")


def test_phases_let_packets_arrive_before_their_tick(plain: TrainingRun) -> None:
    """A receiver whose timer is later finds a spike in the tick it was sent in; it is counted."""
    other = run(tick__phase="tdma", tick__spread=0.5)
    assert other.chip.simulation.timers is not None
    assert sum(other.chip.simulation.tracer.late.values()) > 0
    assert sum(plain.chip.simulation.tracer.late.values()) == 0
