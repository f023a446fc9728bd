"""The jobs of a training: batches of training samples, then all test samples, epoch by epoch."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from eventprop_apps.data.batches import batches
from eventprop_apps.data.dataset import Dataset
from eventprop_apps.evaluation import sample_of
from eventprop_apps.losses.api import target_words
from eventprop_apps.model import Model
from eventprop_apps.programs.plan import Job


class TrainingJobs:
    """The jobs of a training, made as they are asked for.

    Parameters
    ----------
    model : Model
    train, test : Dataset
    epochs, batch : int
    seed : int
        Orders the training samples.
    """

    def __init__(
        self, model: Model, train: Dataset, test: Dataset, epochs: int, batch: int, seed: int
    ) -> None:
        self.model, self.train, self.test = model, train, test
        self.epochs, self.batch, self.seed = epochs, batch, seed

    def order(self, epoch: int) -> list[NDArray[np.int64]]:
        """Return the batches of an epoch: numbers of training samples."""
        return batches(self.seed, epoch, len(self.train), self.batch)

    def __iter__(self) -> Iterator[Job]:
        for epoch in range(self.epochs):
            for samples in self.order(epoch):
                yield self._job(self.train, samples, training=True)
            for start in range(0, len(self.test), self.batch):
                stop = min(start + self.batch, len(self.test))
                yield self._job(self.test, np.arange(start, stop), training=False)

    def _job(self, data: Dataset, samples: NDArray[np.int64], training: bool) -> Job:
        wanted = data.wanted if self.model.loss.wants_values else None
        return Job(
            events=[sample_of(data.events, int(b)) for b in samples],
            targets=[
                target_words(data.label[b], None if wanted is None else wanted[b], self.model.dtype)
                for b in samples
            ],
            samples=samples.astype(np.int32),
            backward=training,
            update=training,
            batch=len(samples),
        )
