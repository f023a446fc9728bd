"""Short cuts of compiled code do not show: training with and without them is the same to the bit.

The tests of other folders keep books of single packets, which switches short cuts off.
"""

from __future__ import annotations

from typing import Any

import pytest

from chipsim.experiment import resolve
from chipsim.mapping.application import KINDS
from chipsim.sim.account import account
from chipsim.sim.trace import PHASES
from chipsim.trace.recorder import Recorder
from eventprop_apps.data.yinyang import yinyang
from eventprop_apps.experiment import YinYangModel
from eventprop_apps.training import TrainingRun

SHARDED = {"train.exchange": "sharded", "train.shards": 3, "optimizer.clip_norm": 0.01}
CASES: dict[str, dict[str, Any]] = {
    "gather": {},
    "shards, clipped": SHARDED,
    "tree": {"train.exchange": "tree"},
    "state in DRAM": {"train.optimiser_state": "dram"},
    "handlers too long": {"tick.us": 6},
    "drift": {"tick.phase": "random", "tick.spread": 0.3, "tick.drift_ppm": 200},
    "two clock levels": {"machine.pe.dvfs": "auto"},
    "router multicast": {"mapping.transport": "router_multicast"},
    "a small receive FIFO": {"machine.pe.rx_fifo_packets": 300},
    "an odd last batch": {"data.train_samples": 40},
}
SMALL = {"data.train_samples": 44, "data.test_samples": 22, "train.epochs": 1}


def train(settings: dict[str, Any], short_cuts: bool) -> TrainingRun:
    values = resolve("yinyang", SMALL | settings, 1).values
    assert isinstance(values, YinYangModel)
    steps = {"steps": values.model.steps, "t_min": values.data.first_step}
    samples = [
        yinyang(count, seed, **steps)
        for count, seed in (
            (values.data.train_samples, values.data.train_seed),
            (values.data.test_samples, values.data.test_seed),
        )
    ]
    recorder = Recorder(kinds=KINDS, phases=PHASES)
    run = TrainingRun(values, 1, *samples, recorder, None, lambda _: None)
    run.chip.simulation.short_cuts = short_cuts
    run.run()
    return run


def findings(run: TrainingRun) -> dict[str, Any]:
    """Return what a run came to, down to the bits and to each core's books."""
    chip, simulation = run.chip, run.chip.simulation
    carried = simulation.network.carried()
    return {
        "account": account(simulation),
        "weights": [weights.tobytes() for weights in chip.weights],
        "gradients": [gradient.tobytes() for gradient in chip.gradients],
        "records": [
            (k.state.spikes.tobytes(), k.state.inputs.tobytes(), k.state.counts.tobytes())
            for k in chip.layers
        ],
        "epochs": [repr(epoch) for epoch in run.epochs],
        "strays": chip.strays,
        "phases": chip.phases.summary(),
        "exchange": chip.exchange_meter.summary(),
        "cores": simulation.cores.data.tolist(),
        "sequence": simulation.sequence.tolist(),
        "handlers": simulation.tick_log.totals.tolist(),
        "operations": simulation.costs.used,
        "channels": (carried.channel_packets.tolist(), carried.channel_flits.tolist()),
    }


def handlers_done_whole(run: TrainingRun) -> int:
    simulation = run.chip.simulation
    groups = [
        simulation.group_of(kernel, simulation.pes[name])
        for kernel, name in (
            (run.chip.input, "r0/input"),
            (run.chip.layers[0], "r0/layer0"),
            (run.chip.layers[1], "r0/layer1"),
            (run.chip.loss, "r0/loss"),
        )
    ]
    return min(0 if group.whole is None else group.whole.handlers for group in groups)


@pytest.mark.parametrize("case", CASES)
def test_short_cuts_do_not_show(case: str) -> None:
    short, long = (train(CASES[case], short_cuts) for short_cuts in (True, False))
    assert handlers_done_whole(short) > 0
    assert handlers_done_whole(long) == 0
    assert long.chip.simulation.directory is None
    found, expected = findings(short), findings(long)
    assert [name for name in found if found[name] != expected[name]] == []


def test_the_reference_network_says_the_same() -> None:
    short, long = train({}, True), train({"network.model": "simpy"}, True)
    found, expected = findings(short), findings(long)
    assert [name for name in found if found[name] != expected[name]] == []


@pytest.mark.nightly
def test_short_cuts_in_double_precision() -> None:
    short, long = (train({"model.dtype": "float64"}, short_cuts) for short_cuts in (True, False))
    assert handlers_done_whole(short) > 0
    assert findings(short) == findings(long)
