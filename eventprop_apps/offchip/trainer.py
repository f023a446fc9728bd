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
from eventprop_apps.losses.ttfs import TTFSLoss, predictions
from eventprop_apps.offchip.batch import OffchipNetwork, run_batch
from eventprop_apps.optimisers.adam import Adam, AdamSettings, flatten, unflatten

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
    loss : TTFSLoss
        Loss of a batch.
    adam : AdamSettings
        The optimiser's settings.
    dtype : {float32, float64}
        Type of the arithmetic.
    """

    epochs: int = 39
    batch: int = 22
    drop_last: bool = True
    factors: str = "exp"
    dt_ms: float = 1.0
    tau_mem_ms: float = 20.0
    tau_syn_ms: float = 5.0
    loss: TTFSLoss = field(default_factory=TTFSLoss)
    adam: AdamSettings = field(default_factory=AdamSettings)
    dtype: DTypeLike = np.float32

    def __post_init__(self) -> None:
        if self.epochs < 0 or self.batch < 1:
            raise DataError(
                f"TrainSettings: got {self.epochs} epochs in batches of {self.batch}, expected at "
                "least 0 epochs and batches of at least 1"
            )


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
    """

    epoch: int
    loss: float
    train_accuracy: float
    test_accuracy: float | None
    spikes_per_sample: tuple[float, ...]


class Trainer:
    """Trains a feed-forward network on a data set.

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
    ) -> None:
        self.settings = settings or TrainSettings()
        self.train_set, self.test_set, self.seed = train, test, seed
        s = self.settings
        constants = Factors.make(
            s.factors, dt_ms=s.dt_ms, tau_mem_ms=s.tau_mem_ms, tau_syn_ms=s.tau_syn_ms
        )
        per_layer = [constants] * len(weights)
        self.network = OffchipNetwork(weights, per_layer, s.batch, dtype=s.dtype)
        self._evaluator = OffchipNetwork(weights, per_layer, EVALUATION_ROWS, dtype=s.dtype)
        first = batches(seed, 0, len(train), s.batch, drop_last=s.drop_last)
        self._vector = flatten(self.network.weights, s.dtype)
        self.adam = Adam(s.adam, self._vector.size, len(first), s.dtype)
        self.history: list[EpochRecord] = []

    @property
    def weights(self) -> list[NDArray[Any]]:
        """Copies of the current weights, shape (n_out, n_in) each."""
        return [w.copy() for w in self.network.weights]

    def run(self, progress: Callable[[EpochRecord], None] | None = None) -> list[EpochRecord]:
        """Train the epochs that are missing; return the history of all."""
        while len(self.history) < self.settings.epochs:
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
            loss, times = self.run_update(samples, labels)
            losses += loss
            right += int((predictions(times) == labels).sum())
            seen += samples.size
            spikes = [a + b for a, b in zip(spikes, self._spike_counts(samples.size), strict=True)]
        test = None if self.test_set is None else self.accuracy(self.test_set)
        record = EpochRecord(
            epoch + 1, losses / len(order), right / seen, test, tuple(n / seen for n in spikes)
        )
        self.history.append(record)
        return record

    def run_update(
        self, samples: NDArray[np.int64], labels: NDArray[np.int64]
    ) -> tuple[float, NDArray[np.int32]]:
        """Do one update on some training samples; return its loss and first spike times."""
        events = self.train_set.events.take(samples)
        result = run_batch(self.network, events, labels, loss=self.settings.loss)
        assert result.loss is not None
        self.adam.update(self._vector, flatten(result.gradients, self.settings.dtype))
        self._set_weights(self.network)
        return result.loss, result.first_spike_times

    def predict(self, data: Dataset) -> NDArray[np.int64]:
        """Return the predicted class of every sample."""
        self._set_weights(self._evaluator)
        found = []
        for at in range(0, len(data), EVALUATION_ROWS):
            events = data.events.take(slice(at, at + EVALUATION_ROWS))
            found.append(predictions(self._evaluator.forward(events)))
        return np.concatenate(found)

    def accuracy(self, data: Dataset) -> float:
        """Return the share of samples whose label's output spikes first."""
        return float((self.predict(data) == data.label).mean())

    def _set_weights(self, network: OffchipNetwork) -> None:
        parts = unflatten(self._vector, network.shapes)
        for own, part in zip(network.weights, parts, strict=True):
            own[:] = part

    def _spike_counts(self, rows: int) -> list[int]:
        return self.network.spike_counts(rows)
