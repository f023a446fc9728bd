"""Training on the chip is training off it: the same weights, losses and accuracies, bit for bit."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from chipsim.errors import ExchangeError
from chipsim.experiment.resolve import resolve
from chipsim.machine.library import load_machine
from chipsim.mapping.application import KINDS
from chipsim.sim.account import account
from chipsim.sim.trace import PHASES
from chipsim.testing.tamper import Alter, Delay, Drop
from chipsim.trace.recorder import Recorder
from eventprop_apps.chip import ChipOptions, ChipRun
from eventprop_apps.data.dataset import SpikeEvents
from eventprop_apps.data.init import initial_weights
from eventprop_apps.data.yinyang import yinyang
from eventprop_apps.described import initial_weights_of
from eventprop_apps.evaluation import sample_of
from eventprop_apps.kernels.factors import Factors
from eventprop_apps.losses.ttfs import TTFSLoss
from eventprop_apps.model import Model
from eventprop_apps.offchip import OffchipNetwork, run_batch
from eventprop_apps.offchip.trainer import Trainer, TrainSettings
from eventprop_apps.optimisers.adam import Adam, AdamSettings, flatten
from eventprop_apps.programs.plan import Job
from eventprop_apps.training import TrainingRun
from tests.eventprop_chip.cases import Case

SMALL = {
    "train.epochs": 2,
    "train.batch": 4,
    "data.train_samples": 14,
    "data.test_samples": 6,
    "model.layers": [5, 16, 3],
    "optimizer.lr": 0.02,
}


def trainings(network: str, sets: dict[str, Any], seed: int) -> tuple[TrainingRun, Trainer]:
    """Return a training run on the chip and the same off it, both done."""
    experiment = resolve("yinyang", {**SMALL, **sets, "network.model": network}, seed)
    values: Any = experiment.values
    encoding = {"steps": values.model.steps, "t_min": values.data.first_step}
    train = yinyang(values.data.train_samples, values.data.train_seed, **encoding)
    test = yinyang(values.data.test_samples, values.data.test_seed, **encoding)
    recorder = Recorder(kinds=KINDS, phases=PHASES)
    on = TrainingRun(values, seed, train, test, recorder, None, lambda values: None)
    on.run()
    loss, optimizer = values.loss, values.optimizer
    off = Trainer(
        initial_weights(seed, values.model.layers, values.init.scales),
        train,
        test,
        TrainSettings(
            epochs=values.train.epochs,
            batch=values.train.batch,
            factors=values.model.factors,
            loss=(
                TTFSLoss(loss.xi, loss.alpha, loss.beta)
                if loss.form == "offchip"
                else TTFSLoss.on_chip(loss.tau0_ms, loss.tau1_ms, loss.alpha, dt_ms=1.0)
            ),
            adam=AdamSettings(
                lr=optimizer.lr,
                lr_decay=optimizer.lr_decay,
                weight_decay=optimizer.weight_decay,
            ),
            dtype=values.model.dtype,
        ),
        seed=seed,
    )
    off.run()
    return on, off


VARIANTS: dict[str, dict[str, Any]] = {
    "default": {},
    "by the packet router": {"mapping.transport": "router_multicast"},
    "float64, euler": {"model.dtype": "float64", "model.factors": "euler"},
    "on-chip loss, decay": {"loss.form": "onchip", "optimizer.weight_decay": 0.01},
    "three layers": {
        "model.layers": [5, 9, 8, 3],
        "init.scales": [[3.2, 3.2], [4.0, 3.0], [5.2, 2.8]],
    },
    "one sample a batch": {"train.batch": 1, "data.train_samples": 5},
}


@pytest.mark.parametrize("sets", VARIANTS.values(), ids=VARIANTS.keys())
def test_training_on_the_chip_equals_training_off_it(sets: dict[str, Any], fast: str) -> None:
    on, off = trainings(fast, sets, 3)
    for layer, (chip, plain) in enumerate(zip(on.chip.weights, off.weights, strict=True)):
        assert chip.dtype == plain.dtype
        assert chip.tobytes() == plain.tobytes(), f"layer {layer}"
        # What the PEs hold is what the optimiser holds.
        for row in on.chip.layers[layer].state.weights:
            assert row.tobytes() == chip.tobytes()
    assert any(
        (new != old).any()
        for new, old in zip(
            off.weights, initial_weights(3, on.model.sizes, on.values.init.scales), strict=True
        )
    )
    assert len(on.epochs) == len(off.history) == 2
    for epoch, record in zip(on.epochs, off.history, strict=True):
        assert epoch.train.accuracy == record.train_accuracy
        assert epoch.test.accuracy == record.test_accuracy
        assert epoch.train.loss / epoch.batches == record.loss


FORMS: dict[str, dict[str, Any]] = {
    "recurrent": {"model.recurrent": [True, False]},
    "both recurrent": {"model.recurrent": [True, True], "init.recurrent_scales": [0.1, 0.5]},
    "constants by layer": {
        "model.tau_mem_ms_by_layer": [12.0, 20.0],
        "model.tau_syn_ms_by_layer": [4.0, 6.0],
        "model.threshold_by_layer": [0.8, 1.2],
    },
    "a split output layer": {"model.parts": [1, 3]},
    "slices": {
        "model.parts": [3, 5],
        "model.split": "inputs",
        "model.recurrent": [True, False],
        "optimizer.clip_norm": 1e-4,
    },
}


@pytest.mark.parametrize("sets", FORMS.values(), ids=FORMS.keys())
def test_forms_of_networks_train_alike(sets: dict[str, Any], fast: str) -> None:
    """Splitting the top layer rounds the hidden layer's errors anew; else the bits are equal."""
    experiment = resolve("yinyang", {**SMALL, **sets, "network.model": fast}, 3)
    values: Any = experiment.values
    encoding = {"steps": values.model.steps, "t_min": values.data.first_step}
    train = yinyang(values.data.train_samples, values.data.train_seed, **encoding)
    recorder = Recorder(kinds=KINDS, phases=PHASES)
    on = TrainingRun(values, 3, train, train, recorder, None, lambda values: None)
    start = initial_weights_of(values, on.model, 3)
    on.run()
    adam = AdamSettings(lr=0.02, weight_decay=6.5e-7)
    chosen = TrainSettings(epochs=2, batch=4, adam=adam, clip_norm=values.optimizer.clip_norm)
    off = Trainer(start, train, train, chosen, seed=3, model=on.model)
    off.run()
    rounds = values.model.parts and values.model.split == "neurons"
    assert [w.shape for w in on.chip.weights] == [w.shape for w in start]
    for chip, plain, before in zip(on.chip.weights, off.weights, start, strict=True):
        assert (plain != before).any()
        if rounds:
            assert np.abs(chip - plain).max() < 1e-3 * np.abs(plain).max()
        else:
            assert chip.tobytes() == plain.tobytes()
    if not rounds:
        losses = [epoch.train.loss / epoch.batches for epoch in on.epochs]
        assert losses == [record.loss for record in off.history]


def test_on_the_simpy_network(network: str) -> None:
    on, off = trainings(network, {"train.epochs": 1, "data.train_samples": 4}, 8)
    assert [w.tobytes() for w in on.chip.weights] == [w.tobytes() for w in off.weights]


@pytest.mark.nightly
def test_the_whole_network_for_some_batches(fast: str) -> None:
    sets = {"model.layers": [5, 120, 3], "train.batch": 22, "data.train_samples": 220}
    on, off = trainings(fast, {**sets, "train.epochs": 2, "data.test_samples": 100}, 1)
    assert [w.tobytes() for w in on.chip.weights] == [w.tobytes() for w in off.weights]


# ---------------------------------------------------------------- the exchange, tampered with
CASE = Case(21, (4, 6, 3), steps=12, batch=3, rate=0.25, scale=14.0)


def update(
    network: str, *probes: object, settings: dict[str, Any] | None = None, **options: Any
) -> tuple[ChipRun, list[Any]]:
    """Do one update on the chip, then an evaluation of the same samples; return what it gave."""
    model = Model.make(CASE.sizes, CASE.steps, Factors.make("exp"), TTFSLoss(), np.float32)
    events = SpikeEvents.from_dense(CASE.spikes)
    labels = CASE.targets["labels"]

    def jobs() -> Iterator[Job]:
        for training in (True, False):
            yield Job(
                events=[sample_of(events, b) for b in range(3)],
                targets=[np.array([label], dtype=np.uint32) for label in labels],
                samples=np.arange(3, dtype=np.int32),
                backward=training,
                update=training,
                batch=3,
            )

    run = ChipRun(
        model,
        load_machine("spinnaker2", settings),
        CASE.weights,
        jobs(),
        ChipOptions(3, network=network, **options),
        input_capacity=events.longest(),
        optimiser=Adam(AdamSettings(lr=0.05), model.weights, 1, np.float32),
        on_done=lambda number, job: firsts.append(run.loss.first.copy()),
        probes=probes,
    )
    firsts: list[Any] = []
    run.run()
    return run, firsts


def off_chip() -> tuple[list[Any], Any]:
    """Return the weights after that update, and the first spike times they give."""
    network = OffchipNetwork(CASE.weights, [Factors.make("exp")] * 2, 3, dtype=np.float32)
    events = SpikeEvents.from_dense(CASE.spikes)
    result = run_batch(network, events, CASE.targets["labels"], loss=TTFSLoss())
    vector = flatten(network.weights, np.float32)
    adam = Adam(AdamSettings(lr=0.05), len(vector), 1, np.float32)
    adam.update(vector, flatten(result.gradients, np.float32))
    start = 0
    for own in network.weights:
        own[:] = vector[start : start + own.size].reshape(own.shape)
        start += own.size
    return [w.copy() for w in network.weights], network.forward(events).copy()


def test_an_update_and_what_it_changes(network: str) -> None:
    run, (before, after) = update(network)
    weights, first = off_chip()
    assert [w.tobytes() for w in run.weights] == [w.tobytes() for w in weights]
    assert (after == first).all()
    assert (before != after).any(), "the update is seen in the next batch"


@pytest.mark.parametrize(("nth", "layer", "word"), [(0, 0, 0), (2, 0, 8), (6, 1, 0), (10, 1, 16)])
def test_a_lost_weight_packet_names_replica_and_word(
    nth: int, layer: int, word: int, fast: str
) -> None:
    """24 words are 6 packets, 18 words are 5; every replica misses them, the first is named."""
    with pytest.raises(ExchangeError) as caught:
        update(fast, Drop("weight", nth))
    place = f"PE(1,1,{layer + 1}) (r0/layer{layer})"
    assert str(caught.value) == (
        f"broadcast: the weights of replica 0, layer {layer} are incomplete: word {word} never "
        f"arrived at {place} (1 of {6 - layer} packets are missing); look for dropped packets"
    )


def test_weights_that_the_network_drops_are_named_too(fast: str) -> None:
    """A receive FIFO of one packet, and no time to empty it between two packets."""
    settings = {"pe.rx_fifo_packets": 1, "pe.cycles.send_per_qpe": 1}
    with pytest.raises(ExchangeError, match=r"broadcast: the weights of replica \d, layer \d are"):
        update(fast, settings=settings)


@pytest.mark.parametrize("packets", [8, 64])
def test_a_small_receive_fifo_is_enough_for_a_receiver_that_keeps_up(
    packets: int, fast: str
) -> None:
    run, (_, after) = update(fast, settings={"pe.rx_fifo_packets": packets})
    weights, first = off_chip()
    assert [w.tobytes() for w in run.weights] == [w.tobytes() for w in weights]
    assert (after == first).all()


def test_an_altered_weight_packet_alters_the_replicas_weights(fast: str) -> None:
    run, _ = update(fast, Alter("weight", 3, word=2, payload_xor=1 << 23))
    for replica in range(3):
        held = run.layers[0].state.weights[replica].reshape(-1).view(np.uint32)
        sent = run.weights[0].reshape(-1).view(np.uint32)
        other = np.flatnonzero(held != sent)
        assert other.tolist() == [4 * 3 + 2]
        assert int(held[14] ^ sent[14]) == 1 << 23
    assert run.layers[1].state.weights[0].tobytes() == run.weights[1].tobytes()


def test_a_late_weight_packet_delays_the_next_batch_and_nothing_else(fast: str) -> None:
    straight, (_, expected) = update(fast)
    late, (_, after) = update(fast, Delay("weight", 4, delay_ps=3_000_000_000))
    assert (after == expected).all()
    assert [w.tobytes() for w in late.weights] == [w.tobytes() for w in straight.weights]
    longer = account(late.simulation)["simulated_s"] - account(straight.simulation)["simulated_s"]
    assert 0.0029999 < longer < 0.0030001
    assert account(late.simulation)["late_spikes"] == 0


def test_an_altered_gradient_alters_the_update(fast: str) -> None:
    straight, _ = update(fast)
    altered, _ = update(
        fast, Alter("gradient", 0, lambda sends: sends.key % 2 == 1, payload_xor=1 << 31)
    )
    different = [(a != b).sum() for a, b in zip(altered.weights, straight.weights, strict=True)]
    assert different == [1, 0]
