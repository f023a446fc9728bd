"""Samples as spikes: event lists, and the arrays that people and tests like better."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from chipsim.errors import DataError


@dataclass(frozen=True)
class SpikeEvents:
    """Input spikes of many samples, sorted by sample, step, line.

    Parameters
    ----------
    index, step : ndarray, shape (events,), int32
        Input line and time step of each spike.
    start, stop : ndarray, shape (samples,), int64
        ``index[start[b]:stop[b]]`` belongs to sample b; two samples may share events.
    n_in : int
        Number of input lines.
    steps : int
        Number of time steps T.
    """

    index: NDArray[np.int32]
    step: NDArray[np.int32]
    start: NDArray[np.int64]
    stop: NDArray[np.int64]
    n_in: int
    steps: int

    def __len__(self) -> int:
        return int(self.start.size)

    def take(self, samples: NDArray[Any] | slice) -> SpikeEvents:
        """Return some samples, in the order given; the events themselves are shared."""
        start = np.ascontiguousarray(self.start[samples])
        stop = np.ascontiguousarray(self.stop[samples])
        return SpikeEvents(self.index, self.step, start, stop, self.n_in, self.steps)

    def longest(self) -> int:
        """Return the largest number of spikes in a sample."""
        return int((self.stop - self.start).max(initial=0))

    def dense(self) -> NDArray[np.uint8]:
        """Return the spikes as an array of 0 and 1, shape (steps, samples, n_in)."""
        spikes = np.zeros((self.steps, len(self), self.n_in), np.uint8)
        for b in range(len(self)):
            part = slice(self.start[b], self.stop[b])
            spikes[self.step[part], b, self.index[part]] = 1
        return spikes

    @classmethod
    def from_dense(cls, spikes: ArrayLike) -> SpikeEvents:
        """Return the events of an array of 0 and 1, shape (steps, samples, n_in).

        Raises
        ------
        DataError
            For another shape or other values.
        """
        array = np.asarray(spikes)
        if array.ndim != 3 or array.shape[0] < 2 or array.shape[1] < 1 or array.shape[2] < 1:
            raise DataError(
                f"spikes: got an array of shape {array.shape}, expected (T, B, n_in) with at "
                "least 2 steps, 1 sample and 1 line"
            )
        if not np.isin(array, (0, 1)).all():
            raise DataError("spikes: got values other than 0 and 1; an entry is a spike or none")
        sample, step, index = np.nonzero(np.swapaxes(array, 0, 1))
        edge = np.searchsorted(sample, np.arange(array.shape[1] + 1)).astype(np.int64)
        return cls(
            index.astype(np.int32), step.astype(np.int32), edge[:-1], edge[1:],
            int(array.shape[2]), int(array.shape[0]),
        )  # fmt: skip

    @classmethod
    def from_times(cls, times: ArrayLike, steps: int) -> SpikeEvents:
        """Return the events of one spike per line: ``times`` of shape (samples, n_in), in steps.

        Raises
        ------
        DataError
            For a time outside 0..steps - 1.
        """
        array = np.asarray(times)
        if array.ndim != 2 or steps < 2 or array.size == 0:
            raise DataError(
                f"spike times: got shape {array.shape} and {steps} steps, expected "
                "(samples, lines) and at least 2 steps"
            )
        if array.min() < 0 or array.max() >= steps:
            raise DataError(
                f"spike times: got {array.min()}..{array.max()}, expected steps 0..{steps - 1}"
            )
        samples, n_in = array.shape
        order = np.argsort(array, axis=1, kind="stable")
        edge = np.arange(samples + 1, dtype=np.int64) * n_in
        return cls(
            order.astype(np.int32).reshape(-1),
            np.take_along_axis(array, order, axis=1).astype(np.int32).reshape(-1),
            edge[:-1], edge[1:], int(n_in), steps,
        )  # fmt: skip


@dataclass(frozen=True)
class Dataset:
    """Samples, their labels and their encoding.

    Parameters
    ----------
    name : str
        For messages and summaries.
    x : ndarray, shape (samples, features), float64
        The samples before encoding.
    label : ndarray, shape (samples,) or (samples, heads), int64
        Class of each sample, or one label for each head of outputs.
    classes : int
        Number of classes, summed over the heads.
    events : SpikeEvents
        The samples as spikes.
    wanted : ndarray, shape (samples, n_out), float64, optional
        Wanted spike time of each output [steps], for a loss that takes such.
    """

    name: str
    x: NDArray[Any]
    label: NDArray[np.int64]
    classes: int
    events: SpikeEvents
    wanted: NDArray[np.float64] | None = None

    def __len__(self) -> int:
        return int(self.label.shape[0])

    def take(self, samples: NDArray[np.int64]) -> Dataset:
        """Return some samples, in the order given; their spikes are shared."""
        return replace(
            self,
            x=self.x[samples],
            label=self.label[samples],
            events=self.events.take(samples),
            wanted=None if self.wanted is None else self.wanted[samples],
        )

    @property
    def steps(self) -> int:
        """Number of time steps T of a sample."""
        return self.events.steps

    @property
    def n_in(self) -> int:
        """Number of input lines."""
        return self.events.n_in
