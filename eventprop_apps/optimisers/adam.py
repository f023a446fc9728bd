"""Adam with L2 decay and a smooth exponential learning-rate schedule."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import DTypeLike, NDArray

from chipsim.compiled import compiled
from chipsim.errors import DataError
from eventprop_apps.optimisers.schedules import Schedule

BETA1, GAIN1, BETA2, GAIN2, RATE, INV_ROOT, EPS, DECAY = range(8)
"""Places of an update's scalars in the array that the kernel gets."""


@compiled
def _adam(
    w: NDArray[Any], g: NDArray[Any], m: NDArray[Any], v: NDArray[Any], scalars: NDArray[Any]
) -> None:
    for k in range(w.size):
        grad = g[k] + scalars[DECAY] * w[k]
        m[k] = scalars[BETA1] * m[k] + scalars[GAIN1] * grad
        v[k] = scalars[BETA2] * v[k] + scalars[GAIN2] * (grad * grad)
        w[k] -= scalars[RATE] * (m[k] / (np.sqrt(v[k]) * scalars[INV_ROOT] + scalars[EPS]))


@compiled
def _add(total: NDArray[Any], gradients: NDArray[Any]) -> None:
    for r in range(gradients.shape[0]):
        for k in range(total.size):
            total[k] += gradients[r, k]


def sum_replicas(gradients: NDArray[Any], total: NDArray[Any] | None = None) -> NDArray[Any]:
    """Return ``acc = 0; acc += g`` over replicas in ascending order, element by element.

    Parameters
    ----------
    gradients : ndarray, shape (replicas, words)
        One row a replica.
    total : ndarray, shape (words,), optional
        What replicas before these have summed to; changed in place and returned.
    """
    if total is None:
        total = np.zeros(gradients.shape[1], gradients.dtype)
    _add(total, np.ascontiguousarray(gradients))
    return total


@dataclass(frozen=True)
class AdamSettings:
    """Settings of `Adam`; the defaults are those of the authors' off-chip code.

    Parameters
    ----------
    lr : float
        Learning rate at the first update, above 0.
    beta1, beta2 : float
        Decay of the first and second moment, in [0, 1).
    eps : float
        Added to the root of the second moment, above 0.
    weight_decay : float
        Lambda of the L2 term ``lambda * W`` that is added to the gradient (not decoupled).
    lr_decay : float
        Factor of the learning rate per epoch, applied smoothly at every batch, in (0, 1].
    schedule : Schedule, optional
        Another schedule instead of ``lr_decay``.

    Raises
    ------
    DataError
        For a value out of its range.
    """

    lr: float = 0.0019
    beta1: float = 0.9
    beta2: float = 0.999
    eps: float = 1e-8
    weight_decay: float = 6.5e-7
    lr_decay: float = 0.95
    schedule: Schedule | None = None

    def __post_init__(self) -> None:
        checks = (
            ("lr", self.lr > 0, "above 0"),
            ("beta1", 0 <= self.beta1 < 1, "in [0, 1)"),
            ("beta2", 0 <= self.beta2 < 1, "in [0, 1)"),
            ("eps", self.eps > 0, "above 0"),
            ("weight_decay", self.weight_decay >= 0, "of at least 0"),
            ("lr_decay", 0 < self.lr_decay <= 1, "in (0, 1]"),
        )
        problems = [
            f"{name} = {getattr(self, name)!r}, expected a finite number {expected}"
            for name, good, expected in checks
            if not (good and math.isfinite(getattr(self, name)))
        ]
        if problems:
            raise DataError("Adam: got " + "; got ".join(problems))

    def rate(self, update: int, batches_per_epoch: int) -> float:
        """Return the learning rate of update number ``update`` (from 0)."""
        if self.schedule is not None:
            return self.lr * self.schedule.factor(update, batches_per_epoch)
        return float(self.lr * self.lr_decay ** (update / batches_per_epoch))

    def make(self, words: int, batches_per_epoch: int, dtype: DTypeLike = np.float32) -> Adam:
        """Return a fresh optimiser for ``words`` weights."""
        return Adam(self, words, batches_per_epoch, dtype)

    def scalars(self, update: int, batches_per_epoch: int, dtype: DTypeLike) -> NDArray[Any]:
        """Return an update's scalars, computed in float64 and cast once to ``dtype``.

        Parameters
        ----------
        update : int
            Number of updates done before this one.
        batches_per_epoch : int
            Updates in an epoch, for the schedule.
        dtype : {float32, float64}
            Type of the weights.
        """
        values = np.zeros(8, np.float64)
        values[BETA1], values[GAIN1] = self.beta1, 1 - self.beta1
        values[BETA2], values[GAIN2] = self.beta2, 1 - self.beta2
        values[RATE] = self.rate(update, batches_per_epoch) / (1 - self.beta1 ** (update + 1))
        values[INV_ROOT] = 1 / math.sqrt(1 - self.beta2 ** (update + 1))
        values[EPS], values[DECAY] = self.eps, self.weight_decay
        return values.astype(dtype)


def adam_update(
    w: NDArray[Any], g: NDArray[Any], m: NDArray[Any], v: NDArray[Any], scalars: NDArray[Any]
) -> None:
    """Update weights and moments in place, element by element, so that chunking changes no bit.

    Parameters
    ----------
    w, g, m, v : ndarray, shape (words,)
        Weights, summed gradient, first and second moment; contiguous, of one dtype.
    scalars : ndarray, shape (8,)
        ``AdamSettings.scalars(update, batches_per_epoch, dtype)``.
    """
    _adam(w, g, m, v, scalars)


@dataclass
class Adam:
    """State of Adam over one flat vector of weights.

    Parameters
    ----------
    settings : AdamSettings
        Rates and decays.
    words : int
        Number of weights.
    batches_per_epoch : int
        Updates in an epoch, for the schedule.
    dtype : {float32, float64}
        Type of weights and moments.
    """

    settings: AdamSettings
    words: int
    batches_per_epoch: int
    dtype: DTypeLike = np.float32
    updates: int = 0
    m: NDArray[Any] = field(init=False, repr=False)
    v: NDArray[Any] = field(init=False, repr=False)
    operation: ClassVar[str] = "adam_update"

    def __post_init__(self) -> None:
        if self.words < 1 or self.batches_per_epoch < 1:
            raise DataError(
                f"Adam: got {self.words} weights and {self.batches_per_epoch} batches an epoch, "
                "expected at least 1 of each"
            )
        self.m = np.zeros(self.words, self.dtype)
        self.v = np.zeros(self.words, self.dtype)

    def next_scalars(self) -> NDArray[Any]:
        """Return the scalars of the update that comes next."""
        return self.settings.scalars(self.updates, self.batches_per_epoch, self.dtype)

    def update_part(
        self, weights: NDArray[Any], gradient: NDArray[Any], start: int, scalars: NDArray[Any]
    ) -> None:
        """Update ``weights``, the words from ``start`` on, in place; does not count the update."""
        part = slice(start, start + weights.size)
        adam_update(weights, gradient, self.m[part], self.v[part], scalars)

    def update(self, weights: NDArray[Any], gradient: NDArray[Any]) -> None:
        """Update all ``weights`` (flat, contiguous) in place and count the update."""
        self.update_part(weights, gradient, 0, self.next_scalars())
        self.updates += 1

    def moments(self) -> list[NDArray[Any]]:
        """Return the first and the second moment, shape (words,) each, as views."""
        return [self.m, self.v]

    def state(self) -> dict[str, Any]:
        """Return what a checkpoint needs."""
        return {"updates": self.updates, "m": self.m.copy(), "v": self.v.copy()}

    def restore(self, state: dict[str, Any]) -> None:
        """Continue from a checkpoint's ``state()``."""
        self.updates = int(state["updates"])
        self.m[:] = state["m"]
        self.v[:] = state["v"]


def flatten(arrays: list[NDArray[Any]], dtype: DTypeLike) -> NDArray[Any]:
    """Return the layers' arrays as one contiguous vector, layer by layer, row by row."""
    return np.concatenate([np.asarray(a, dtype).reshape(-1) for a in arrays])


def unflatten(vector: NDArray[Any], shapes: list[tuple[int, int]]) -> list[NDArray[Any]]:
    """Return views of ``vector`` in the layers' ``shapes``."""
    views, at = [], 0
    for n_out, n_in in shapes:
        views.append(vector[at : at + n_out * n_in].reshape(n_out, n_in))
        at += n_out * n_in
    return views
