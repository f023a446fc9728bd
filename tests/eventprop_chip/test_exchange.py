"""Exchange strategies and optimisers on the chip, against the update off it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np
import pytest

from chipsim.errors import ExchangeError
from chipsim.machine.library import load_machine
from chipsim.sim.account import account
from chipsim.testing.tamper import Alter, Drop
from eventprop_apps.chip import ChipOptions, ChipRun
from eventprop_apps.data.dataset import SpikeEvents
from eventprop_apps.evaluation import sample_of
from eventprop_apps.exchange import ExchangeOptions, chunks, cut
from eventprop_apps.exchange.tree import children, roots
from eventprop_apps.kernels.factors import Factors
from eventprop_apps.losses.ttfs import TTFSLoss
from eventprop_apps.model import Model
from eventprop_apps.offchip.batch import OffchipNetwork, run_batch
from eventprop_apps.optimisers import (
    AdamSettings,
    AdamWSettings,
    Exponential,
    SGDSettings,
    clip_gradient,
)
from eventprop_apps.optimisers.adam import flatten
from eventprop_apps.partition import blocks
from eventprop_apps.programs.plan import Job
from tests.eventprop_chip.cases import Case

CASE = Case(21, (5, 9, 3), steps=12, batch=6, rate=0.3, scale=14.0)
UPDATES = 3

OPTIMISERS: dict[str, tuple[Any, float | None]] = {
    "adam": (AdamSettings(lr=0.05), None),
    "adam, clipped": (AdamSettings(lr=0.05), 1e-4),
    "adamw, schedule": (AdamWSettings(lr=0.05, schedule=Exponential(0.5)), None),
    "sgd, clipped": (SGDSettings(lr=20.0, momentum=0.8, weight_decay=0.01), 1e-4),
    "sgd, nesterov": (SGDSettings(lr=20.0, nesterov=True), None),
}
EXACT = {
    "gather": ExchangeOptions(),
    "gather, dram": ExchangeOptions(state="dram"),
    "one shard": ExchangeOptions("sharded", shards=1),
    "three shards": ExchangeOptions("sharded", shards=3),
    "six shards, dram": ExchangeOptions("sharded", shards=6, state="dram"),
}


def on_chip(
    exchange: ExchangeOptions,
    settings: Any = OPTIMISERS["adam"],
    *probes: object,
    case: Case = CASE,
    dtype: str = "float32",
    **options: Any,
) -> ChipRun:
    """Return a finished run of some updates with the same samples."""
    model = Model.make(case.sizes, case.steps, Factors.make("exp"), TTFSLoss(), dtype)
    events = SpikeEvents.from_dense(case.spikes)
    labels = case.targets["labels"]

    def jobs() -> Iterator[Job]:
        for _ in range(UPDATES):
            yield Job(
                events=[sample_of(events, b) for b in range(case.batch)],
                targets=[np.array([label], dtype=np.uint32) for label in labels],
                samples=np.arange(case.batch, dtype=np.int32),
                backward=True,
                update=True,
                batch=case.batch,
            )

    maker, clip = settings
    run = ChipRun(
        model,
        load_machine("spinnaker2"),
        case.weights,
        jobs(),
        ChipOptions(case.batch, exchange=exchange, **options),
        input_capacity=events.longest(),
        optimiser=maker.make(model.weights, 2, model.dtype),
        clip_norm=clip,
        probes=probes,
    )
    run.run()
    return run


def off_chip(settings: Any, case: Case = CASE, dtype: str = "float32") -> tuple[Any, Any]:
    """Return weights and optimiser after the same updates off the chip."""
    network = OffchipNetwork(case.weights, [Factors.make("exp")] * 2, case.batch, dtype=dtype)
    events = SpikeEvents.from_dense(case.spikes)
    maker, clip = settings
    vector = flatten(network.weights, dtype)
    optimiser = maker.make(len(vector), 2, np.dtype(dtype))
    for _ in range(UPDATES):
        result = run_batch(network, events, case.targets["labels"], loss=TTFSLoss())
        gradient = flatten(result.gradients, dtype)
        assert np.abs(gradient).max() > 0
        if clip is not None:
            assert clip_gradient(gradient, clip) > clip, "the limit is meant to act"
        optimiser.update(vector, gradient)
        start = 0
        for own in network.weights:
            own[:] = vector[start : start + own.size].reshape(own.shape)
            start += own.size
    return vector, optimiser


@pytest.mark.parametrize("exchange", EXACT.values(), ids=EXACT.keys())
@pytest.mark.parametrize("settings", OPTIMISERS.values(), ids=OPTIMISERS.keys())
def test_sums_in_replica_order_have_the_bits_of_the_update_off_the_chip(
    exchange: ExchangeOptions, settings: Any
) -> None:
    run = on_chip(exchange, settings)
    vector, optimiser = off_chip(settings)
    assert run.master.weights.tobytes() == vector.tobytes()
    assert run.master.optimiser is not None
    assert run.master.optimiser.updates == optimiser.updates == UPDATES
    for own, other in zip(run.master.optimiser.moments(), optimiser.moments(), strict=True):
        assert own.tobytes() == other.tobytes()
    for kernel in run.layers:  # what the PEs hold is what the optimisers hold
        block = kernel.block
        held = run.master.weights[block.start : block.start + block.size]
        assert all(row.tobytes() == held.tobytes() for row in kernel.state.weights)


@pytest.mark.parametrize("parts", [(2, 1), (3, 3)])
def test_layers_on_several_pes(parts: tuple[int, ...]) -> None:
    """Gradients of splits agree normwise, so the update is compared with one PE's by value."""
    exchange = ExchangeOptions("sharded", shards=2)
    run = on_chip(exchange, parts=parts)
    vector, _ = off_chip(OPTIMISERS["adam"])
    assert np.abs(run.master.weights - vector).max() < 1e-4 * np.abs(vector).max()


def test_float64_in_shards_and_dram() -> None:
    run = on_chip(ExchangeOptions("sharded", shards=3, state="dram"), dtype="float64")
    vector, _ = off_chip(OPTIMISERS["adam"], dtype="float64")
    assert run.master.weights.tobytes() == vector.tobytes()


@pytest.mark.parametrize("arity", [2, 3, 8])
@pytest.mark.parametrize("state", ["sram", "dram"])
def test_a_tree_agrees_normwise(arity: int, state: Any) -> None:
    case = Case(22, (5, 9, 3), steps=12, batch=11, rate=0.3, scale=14.0)
    settings = (SGDSettings(lr=1.0, momentum=0.0), None)
    run = on_chip(ExchangeOptions("tree", arity=arity, state=state), settings, case=case)
    vector, _ = off_chip(settings, case)
    start = flatten([np.asarray(w, np.float32) for w in case.weights], np.float32)
    step = np.abs(vector - start).max()
    assert step > 0
    assert np.abs(run.master.weights - vector).max() <= 2e-5 * step + 2e-7


@pytest.mark.parametrize("arity", [2, 3, 4, 7])
@pytest.mark.parametrize("samples", [1, 2, 5, 22, 37])
def test_every_replica_is_in_the_tree_once(arity: int, samples: int) -> None:
    options = ExchangeOptions("tree", arity=arity)
    held = {replica: [replica] for replica in range(samples)}
    for level in range(options.levels(samples)):
        for parent in range(samples):
            for child in children(parent, level, samples, arity):
                held[parent] += held.pop(child)
    assert list(held) == roots(samples, options)
    assert len(held) <= arity
    assert sorted(replica for own in held.values() for replica in own) == list(range(samples))


@pytest.mark.parametrize("shards", [1, 2, 5, 30])
def test_pieces_cover_all_weights_once(shards: int) -> None:
    model = Model.make((5, 9, 3), 12, Factors.make("exp"), TTFSLoss(), np.float32)
    held = blocks(model, (2, 1))
    pieces = [piece for own in cut(held, shards) for piece in own]
    numbers = [n for piece in pieces for n in range(piece.start, piece.start + piece.size)]
    assert numbers == list(range(model.weights))
    for piece in pieces:
        block = held[piece.block]
        assert block.start + piece.first == piece.start
    moved = [n for c in chunks(pieces, 1, 8) for n in range(c.start, c.start + c.size)]
    assert moved == numbers


def test_state_in_dram_is_traffic_and_is_what_counts() -> None:
    """Sums are written and read, moments read and written; what DRAM gives is what is used."""
    exchange = ExchangeOptions(state="dram")
    run = on_chip(exchange)
    weights = CASE.sizes[0] * CASE.sizes[1] + CASE.sizes[1] * CASE.sizes[2]
    assert run.simulation.transfers.dram_bytes_moved == UPDATES * weights * 4 * 6
    inside = on_chip(ExchangeOptions())
    assert inside.simulation.transfers.dram_bytes_moved == 0
    assert account(run.simulation)["simulated_s"] > account(inside.simulation)["simulated_s"]
    altered = on_chip(exchange, OPTIMISERS["adam"], _AlterDram())
    assert (altered.master.weights != run.master.weights).any()


class _AlterDram:
    """Change one moment where it lies in DRAM, between the first batch and the second."""

    def on_start(self, simulation: Any) -> None:
        self.simulation = simulation

    def on_phase(self, phase: str, batch: int, now: int) -> None:
        if batch == 1 and phase == "forward":
            memory = self.simulation.memory(self.simulation.endpoint_of["dram0"]).sram
            memory.words(memory.number("optimiser.moment1"), 0, 1)[0] = 0x40000000  # 2.0


def test_lost_words_are_named_in_every_strategy() -> None:
    with pytest.raises(ExchangeError, match=r"gather: the gradient of replica \d, layer 0 is inco"):
        on_chip(ExchangeOptions("tree", arity=2), OPTIMISERS["adam"], Drop("gradient", 0, _data))
    with pytest.raises(ExchangeError, match=r"broadcast: the weights of replica 0, layer 0 are in"):
        on_chip(ExchangeOptions("sharded", shards=3), OPTIMISERS["adam"], Drop("weight", 1))
    # Without the norm no shard updates, and the layers, which wait for weights, are asked first.
    with pytest.raises(ExchangeError, match=r"broadcast: the weights of replica 0, layer 0 are in"):
        on_chip(
            ExchangeOptions("sharded", shards=3),
            OPTIMISERS["adam, clipped"],
            Drop("gradient", 0, lambda sends: sends.net == _net("norm0")),
        )


def _data(sends: Any) -> Any:
    return sends.key % 2 == 1


@cache
def _net(name: str) -> int:
    run = on_chip(ExchangeOptions("sharded", shards=3), OPTIMISERS["adam, clipped"])
    return int(run.simulation.net_index[name])


def test_an_altered_sum_changes_the_tree() -> None:
    tree = ExchangeOptions("tree", arity=2)
    straight = on_chip(tree)
    altered = on_chip(tree, OPTIMISERS["adam"], Alter("gradient", 0, _data, payload_xor=1 << 30))
    assert (altered.master.weights != straight.master.weights).any()
