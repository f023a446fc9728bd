"""What a phase costs: figures of all phases add up to the summary's, and lie where they belong."""

from __future__ import annotations

from typing import Any

import pytest

from chipsim.cli.summary import render
from chipsim.experiment import resolve
from chipsim.mapping.application import KINDS

SMALL = {
    "model.layers": [5, 12, 3],
    "data.train_samples": 12,
    "data.test_samples": 3,
    "train.batch": 4,
    "train.epochs": 1,
}
TRAINED, TESTED = 12, 3


def run(**more: Any) -> tuple[dict[str, Any], Any]:
    from chipsim.sim.trace import PHASES
    from chipsim.trace.recorder import Recorder
    from eventprop_apps.training import training_run

    experiment = resolve("yinyang", SMALL | more)
    training = training_run(experiment, Recorder(kinds=KINDS, phases=PHASES), None, lambda _: None)
    return training.run(), training.chip.simulation


@pytest.fixture(
    scope="module",
    params=[
        {},
        {"train.exchange": "sharded", "train.shards": 2, "optimizer.clip_norm": 0.1},
        {"train.exchange": "tree", "train.arity": 2, "train.optimiser_state": "dram"},
        {"tick.us": 15},
    ],
    ids=["gather", "sharded", "tree in DRAM", "short ticks"],
)
def summary_and_simulation(request: pytest.FixtureRequest) -> tuple[dict[str, Any], Any]:
    return run(**request.param)


def test_phases_add_up(summary_and_simulation: tuple[dict[str, Any], Any]) -> None:
    summary, simulation = summary_and_simulation
    rows = summary["cost_by_phase"].values()
    total = {name: sum(row["packets"][name] for row in rows) for name in KINDS}
    assert total == {name: summary["packets"].get(name, 0) for name in KINDS}
    assert sum(row["bytes"] for row in rows) == 16 * sum(total.values())
    assert sum(row["packet_hops"] for row in rows) == summary["packet_hops"]
    assert sum(row["us"] for row in rows) == pytest.approx(1e6 * summary["simulated_s"], rel=1e-12)
    # Cycles are those that cores were charged, which the account of energy rests on.
    assert sum(row["cycles"] for row in rows) == int(simulation.cores.awake_cycles.sum())
    for part, energy in summary["energy_mj"].items():
        if part != "total":
            own = sum(row["energy_mj"][part] for row in rows)
            assert own == pytest.approx(energy, rel=1e-9), part


def test_packets_lie_in_their_phases(
    summary_and_simulation: tuple[dict[str, Any], Any],
) -> None:
    summary, _ = summary_and_simulation
    rows = summary["cost_by_phase"]
    sent = summary["packets"]
    if summary["late_spikes"] == summary["late_errors"] == 0:
        assert (
            rows["forward"]["packets"]["spike"] + rows["test"]["packets"]["spike"]
            == (sent["spike"])
        )
        assert rows["backward"]["packets"]["error"] == sent["error"] > 0
    state = summary["exchange"]["state"]
    if state == "sram":
        # The update has those that carry sums of squares from shard to shard, for the clipping.
        squares = rows["update"]["packets"]["gradient"]
        assert squares in (0, 2 * summary["batches"])
        assert rows["gather"]["packets"]["gradient"] == sent["gradient"] - squares > 0
    assert rows["broadcast"]["packets"]["weight"] == sent["weight"] > 0
    steps = 27
    for phase in ("forward", "backward"):  # T ticks each, and waiting for barriers and samples
        ticks = rows[phase]["ticks"] / (TRAINED / 4)
        if not summary["tick_overruns"]:
            assert steps - 1 <= ticks <= steps + 4, phase
    one = rows["update"]["per_sample"]
    assert one["cycles"] == rows["update"]["cycles"] / TRAINED > 0
    assert rows["test"]["per_sample"]["cycles"] == rows["test"]["cycles"] / TESTED


def test_the_update_is_the_optimisers_own_work() -> None:
    """96 weights of 12 neurons, 80 cycles each (an assumed figure), in each of three batches."""
    summary, _ = run()
    rows = summary["cost_by_phase"]
    weights = 12 * 5 + 3 * 12
    assert rows["update"]["cycles"] == 3 * 80 * weights
    assert rows["gather"]["cycles"] >= 3 * 8 * weights * 4  # gradient_add, four replicas


def test_the_table_shows_each_phase() -> None:
    text = render("yinyang", run()[0])
    table = text.split("per sample, by phase")[1]
    for name in ("forward", "backward", "gather", "update", "broadcast", "test", "energy [uJ]"):
        assert name in table
