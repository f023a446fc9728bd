"""What an experiment's sections describe: model, weights, optimiser, and how the chip runs it."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from eventprop_apps.data.init import initial_weights
from eventprop_apps.experiment import TrainingModel
from eventprop_apps.model import Model
from eventprop_apps.offchip.weights import load_weights
from eventprop_apps.optimisers.api import Optimiser
from eventprop_apps.options import ChipOptions


def model_of(values: TrainingModel) -> Model:
    """Return the model that an experiment's sections describe."""
    section = values.model
    return Model.make(
        section.layers,
        section.steps,
        section.layer_factors(),
        values.model_loss(),
        section.dtype,
        recurrent=section.recurrences(),
        regularisers=values.loss.regulariser(),
        slices=section.slices(),
    )


def initial_weights_of(values: TrainingModel, model: Model, seed: int) -> list[NDArray[Any]]:
    """Return the weights of the file that ``init.weights`` names, or drawn ones."""
    if values.init.weights is not None:
        return load_weights(values.init.weights, model.sizes, model.recurrent)
    return drawn_weights(values, seed)


def drawn_weights(values: TrainingModel, seed: int) -> list[NDArray[Any]]:
    """Return the initial weights that a seed draws."""
    mean, deviation = values.init.recurrent_scales or (0.0, 1.0)
    return list(
        initial_weights(
            seed,
            values.model.layers,
            [(m, s) for m, s in values.init.scales],
            recurrent=values.model.recurrences(),
            recurrent_scales=(mean, deviation),
        )
    )


def optimiser_of(values: TrainingModel, model: Model, batches_per_epoch: int) -> Optimiser:
    """Return the optimiser that an experiment's sections describe."""
    settings = values.optimizer.settings(values.train.epochs)
    return settings.make(model.weights, batches_per_epoch, model.dtype)


def chip_options_of(values: TrainingModel, seed: int) -> ChipOptions:
    """Return how the chip runs an experiment; ``auto`` is the chip's usual tick here."""
    mapping, model = values.mapping, values.model
    return ChipOptions(
        replicas=values.train.batch,
        transport=mapping.transport,
        network=values.network.model,
        placer=mapping.placer,
        router=mapping.router or "default",
        mapping_file=mapping.file or "",
        chips=mapping.chips,
        seed=seed,
        tick_us=None if values.tick.us == "auto" else values.tick.us,
        timers=values.tick.timers(),
        parts=tuple(model.parts),
        max_cycles=model.max_cycles,
        expected_spikes=model.expected_spikes,
        least_records=model.least_records,
        exchange=values.train.options(),
    )
