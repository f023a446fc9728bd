"""Training without a chip, in the order of updates that the chip has."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from chipsim.errors import DataError
from eventprop_apps.data.batches import batches
from eventprop_apps.data.dataset import Dataset
from eventprop_apps.kernels.factors import Factors
from eventprop_apps.losses.api import Outputs
from eventprop_apps.losses.ttfs import TTFSLoss
from eventprop_apps.model import Model
from eventprop_apps.offchip.batch import BatchResult, run_batch
from eventprop_apps.offchip.network import OffchipNetwork, check_layers
from eventprop_apps.optimisers.adam import AdamSettings
from eventprop_apps.optimisers.api import OptimiserSettings
from eventprop_apps.optimisers.clip import clip_factor, clip_gradient
from eventprop_apps.partition import blocks, pack, unpack

EVALUATION_ROWS = 256
"""Samples evaluated in one call; no result depends on it."""


@dataclass(frozen=True)
class TrainSettings:
    """How to train.

    Parameters
    ----------
    epochs, batch : int
        Passes over the training set, and samples in an update.
    drop_last : bool
        Leave out an incomplete last batch.
    factors, dt_ms, tau_mem_ms, tau_syn_ms
        As in `Factors.make`, for all layers.
    loss : Loss
        Loss of a batch.
    adam : AdamSettings
        The optimiser's settings.
    dtype : {float32, float64}
        Type of the arithmetic.
    optimiser : OptimiserSettings, optional
        Another optimiser (`SGDSettings`, `AdamWSettings`) instead of ``adam``.
    clip_norm : float, optional
        Largest norm of a batch's gradient over all layers; not clipped by default.
    patience : int
        Stop after so many epochs without a better validation accuracy; 0 never stops early.
    """

    epochs: int = 39
    batch: int = 22
    drop_last: bool = True
    factors: str = "exp"
    dt_ms: float = 1.0
    tau_mem_ms: float = 20.0
    tau_syn_ms: float = 5.0
    loss: Any = field(default_factory=TTFSLoss)
    adam: AdamSettings = field(default_factory=AdamSettings)
    dtype: DTypeLike = np.float32
    optimiser: OptimiserSettings | None = None
    clip_norm: float | None = None
    patience: int = 0

    def __post_init__(self) -> None:
        if self.epochs < 0 or self.batch < 1:
            raise DataError(
                f"TrainSettings: got {self.epochs} epochs in batches of {self.batch}, expected at "
                "least 0 epochs and batches of at least 1"
            )
        if self.patience < 0:
            raise DataError(
                f"TrainSettings: got patience = {self.patience}, expected at least 0 epochs"
            )
        if self.clip_norm is not None:
            clip_factor(1.0, self.clip_norm)


@dataclass(frozen=True)
class EpochRecord:
    """What an epoch gave.

    Parameters
    ----------
    epoch : int
        Number, from 1.
    loss : float
        Mean of the batches' losses, each before its update.
    train_accuracy : float
        Share of the trained samples that were right before their update.
    test_accuracy : float or None
        Share of the test samples that are right after the epoch.
    spikes_per_sample : tuple of float
        Mean number of spikes of each layer in training.
    validation_accuracy : float or None
        Share of the validation samples that are right after the epoch.
    """

    epoch: int
    loss: float
    train_accuracy: float
    test_accuracy: float | None
    spikes_per_sample: tuple[float, ...]
    validation_accuracy: float | None = None


class Trainer:
    """Trains a network on a data set.

    Parameters
    ----------
    weights : sequence of ndarray, shape (n_out, n_in)
        Initial weights, copied.
    train : Dataset
        Training samples.
    test : Dataset, optional
        Evaluated after every epoch.
    settings : TrainSettings, optional
        How to train.
    seed : int
        The run's seed: it orders the samples.
    validation : Dataset, optional
        Evaluated after every epoch; decides which weights are best and when to stop early.
    model : Model, optional
        Another network than plain LIF layers with the settings' constants: it says layers,
        factors, loss and dtype, and the settings' own are not looked at.

    Raises
    ------
    DataError
        For early stopping without a validation set, or weights that do not fit.

    Notes
    -----
    The last batch, where it is kept and incomplete, is averaged over its own size.
    """

    def __init__(
        self,
        weights: Sequence[NDArray[Any]],
        train: Dataset,
        test: Dataset | None = None,
        settings: TrainSettings | None = None,
        *,
        seed: int = 0,
        validation: Dataset | None = None,
        model: Model | None = None,
    ) -> None:
        self.settings = settings or TrainSettings()
        self.train_set, self.test_set, self.seed = train, test, seed
        self.validation_set = validation
        s = self.settings
        if s.patience and validation is None:
            raise DataError(
                f"Trainer: got patience = {s.patience} without validation samples, which decide "
                "when to stop; give validation=..., or patience = 0"
            )
        self.given_model = model
        self.model = _plain_model(weights, train.steps, s) if model is None else model
        self.network = OffchipNetwork.of_model(self.model, weights, s.batch)
        self._evaluator = OffchipNetwork.of_model(self.model, weights, EVALUATION_ROWS)
        first = batches(seed, 0, len(train), s.batch, drop_last=s.drop_last)
        dtype = self.model.dtype
        self._pieces = blocks(self.model, self.model.counts)
        self._vector = pack(self.network.weights, self._pieces, dtype)
        self.optimiser = (s.optimiser or s.adam).make(self._vector.size, len(first), dtype)
        self.history: list[EpochRecord] = []
        self._best = self._vector.copy()
        self._best_epoch = 0

    @property
    def weights(self) -> list[NDArray[Any]]:
        """Copies of the current weights, shape (n_out, n_in) each."""
        return [w.copy() for w in self.network.weights]

    @property
    def best_weights(self) -> list[NDArray[Any]]:
        """Copies of the weights with the best validation accuracy, the earliest of equals.

        Without validation samples, those after the last epoch.
        """
        best = self.weights
        unpack(self._best, self._pieces, best)
        return best

    @property
    def best_epoch(self) -> int:
        """Number of the epoch that gave the best weights, from 1; 0 before the first."""
        return self._best_epoch

    @property
    def stopped(self) -> bool:
        """Whether all epochs are done, or ``patience`` epochs have brought nothing better."""
        s, done = self.settings, len(self.history)
        return done >= s.epochs or (s.patience > 0 and done - self._best_epoch >= s.patience)

    def run(self, progress: Callable[[EpochRecord], None] | None = None) -> list[EpochRecord]:
        """Train the epochs that are missing; return the history of all."""
        while not self.stopped:
            record = self.run_epoch()
            if progress is not None:
                progress(record)
        return self.history

    def run_epoch(self) -> EpochRecord:
        """Train one epoch and evaluate it."""
        s = self.settings
        epoch = len(self.history)
        losses, right, seen = 0.0, 0, 0
        spikes = [0] * len(self.network.layers)
        order = batches(self.seed, epoch, len(self.train_set), s.batch, drop_last=s.drop_last)
        for samples in order:
            labels = self.train_set.label[samples]
            result = self._update(samples, labels)
            losses += float(result.loss or 0.0)
            right += self._right(result.outputs, labels)
            seen += samples.size
            spikes = [a + b for a, b in zip(spikes, self._spike_counts(samples.size), strict=True)]
        test = None if self.test_set is None else self.accuracy(self.test_set)
        held = None if self.validation_set is None else self.accuracy(self.validation_set)
        record = EpochRecord(
            epoch + 1,
            losses / len(order),
            right / (seen * self.model.loss.heads),
            test,
            tuple(n / seen for n in spikes),
            held,
        )
        self._note(record)
        return record

    def _note(self, record: EpochRecord) -> None:
        """Keep the record, and the weights if they are the best so far."""
        held = record.validation_accuracy
        before = None
        if self._best_epoch:
            before = self.history[self._best_epoch - 1].validation_accuracy
        self.history.append(record)
        if held is None or before is None or held > before:
            self._best[:] = self._vector
            self._best_epoch = record.epoch

    def run_update(
        self, samples: NDArray[np.int64], labels: NDArray[np.int64]
    ) -> tuple[float, NDArray[np.int32]]:
        """Do one update on some training samples; return its loss and first spike times."""
        result = self._update(samples, labels)
        assert result.loss is not None
        return result.loss, result.first_spike_times

    def _update(self, samples: NDArray[np.int64], labels: NDArray[np.int64]) -> BatchResult:
        events = self.train_set.events.take(samples)
        wanted = self.train_set.wanted if self.model.loss.wants_values else None
        result = run_batch(
            self.network, events, labels, loss=self.model.loss,
            targets=None if wanted is None else wanted[samples],
        )  # fmt: skip
        gradient = pack(result.gradients, self._pieces, self.model.dtype)
        if self.settings.clip_norm is not None:
            clip_gradient(gradient, self.settings.clip_norm)
        self.optimiser.update(self._vector, gradient)
        self._set_weights(self.network)
        return result

    def _right(self, outputs: Outputs, labels: NDArray[np.int64]) -> int:
        """Return how many labels are right, over all heads."""
        chosen = self.model.loss.predict(outputs)
        return int((chosen == labels.reshape(chosen.shape)).sum())

    def predict(self, data: Dataset) -> NDArray[np.int64]:
        """Return the predicted class of every sample; one column a head where there are several."""
        self._set_weights(self._evaluator)
        found = []
        loss = self.model.loss
        for at in range(0, len(data), EVALUATION_ROWS):
            events = data.events.take(slice(at, at + EVALUATION_ROWS))
            first = self._evaluator.forward(events)
            found.append(loss.predict(self._evaluator.outputs(first, events.steps, loss.reads)))
        columns = np.concatenate(found)
        return columns[:, 0] if loss.heads == 1 else columns

    def accuracy(self, data: Dataset) -> float:
        """Return the share of samples whose label is predicted; the mean over the heads."""
        return float((self.predict(data) == data.label).mean())

    def state(self) -> dict[str, Any]:
        """Return what a checkpoint needs, between epochs: named arrays and plain values.

        See `eventprop_apps.offchip.checkpoint` for files.
        """
        return {
            "weights": self._vector.copy(),
            "best": self._best.copy(),
            "best_epoch": self._best_epoch,
            "optimiser": self.optimiser.state(),
            "history": list(self.history),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Continue from ``state()`` of a trainer with the same settings, data and seed.

        Raises
        ------
        DataError
            For a network of another size.
        """
        for name in ("weights", "best"):
            if state[name].shape != self._vector.shape or state[name].dtype != self._vector.dtype:
                raise DataError(
                    f"restore: got {state[name].size} {name} of {state[name].dtype}, expected "
                    f"{self._vector.size} of {self._vector.dtype}"
                )
        self._vector[:], self._best[:] = state["weights"], state["best"]
        self._best_epoch = int(state["best_epoch"])
        self.optimiser.restore(state["optimiser"])
        self.history = list(state["history"])
        self._set_weights(self.network)

    def _set_weights(self, network: OffchipNetwork) -> None:
        unpack(self._vector, self._pieces, network.weights)

    def _spike_counts(self, rows: int) -> list[int]:
        return self.network.spike_counts(rows)


def _plain_model(weights: Sequence[NDArray[Any]], steps: int, settings: TrainSettings) -> Model:
    """Return the model of LIF layers that all have the settings' constants."""
    s = settings
    check_layers(weights)
    factors = Factors.make(
        s.factors, dt_ms=s.dt_ms, tau_mem_ms=s.tau_mem_ms, tau_syn_ms=s.tau_syn_ms
    )
    sizes = (weights[0].shape[1], *(w.shape[0] for w in weights))
    return Model.make(sizes, steps, factors, s.loss, s.dtype)
