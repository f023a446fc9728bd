"""Stochastic gradient descent with momentum and L2 decay."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import DTypeLike, NDArray

from chipsim.errors import DataError
from eventprop_apps.optimisers.schedules import Constant, Schedule

RATE, MOMENTUM, DECAY = range(3)
"""Places of an update's scalars."""


@dataclass(frozen=True)
class SGDSettings:
    """Settings of `SGD`.

    Parameters
    ----------
    lr : float
        Learning rate, before the schedule's factor, above 0.
    momentum : float
        What is left of the velocity after an update, in [0, 1).
    nesterov : bool
        Step along the gradient plus the velocity to come, instead of the velocity.
    weight_decay : float
        Lambda of the L2 term ``lambda * W`` that is added to the gradient.
    schedule : Schedule
        Constant by default.

    Raises
    ------
    DataError
        For a value out of its range.
    """

    lr: float = 0.01
    momentum: float = 0.9
    nesterov: bool = False
    weight_decay: float = 0.0
    schedule: Schedule = field(default_factory=Constant)

    def __post_init__(self) -> None:
        checks = (
            ("lr", self.lr > 0, "above 0"),
            ("momentum", 0 <= self.momentum < 1, "in [0, 1)"),
            ("weight_decay", self.weight_decay >= 0, "of at least 0"),
        )
        problems = [
            f"{name} = {getattr(self, name)!r}, expected a finite number {expected}"
            for name, good, expected in checks
            if not (good and math.isfinite(getattr(self, name)))
        ]
        if problems:
            raise DataError("SGD: got " + "; got ".join(problems))

    def rate(self, update: int, batches_per_epoch: int) -> float:
        """Return the learning rate of update number ``update`` (from 0)."""
        return self.lr * self.schedule.factor(update, batches_per_epoch)

    def make(self, words: int, batches_per_epoch: int, dtype: DTypeLike = np.float32) -> SGD:
        """Return a fresh optimiser for ``words`` weights."""
        return SGD(self, words, batches_per_epoch, dtype)


@dataclass
class SGD:
    """State of SGD over one flat vector of weights.

    Parameters
    ----------
    settings : SGDSettings
    words : int
        Number of weights.
    batches_per_epoch : int
        Updates in an epoch, for the schedule.
    dtype : {float32, float64}
        Type of weights and velocity.

    Notes
    -----
    ``g += weight_decay w``; ``v = momentum v + g``; ``w -= rate v``, or with Nesterov
    ``w -= rate (g + momentum v)``. Plain NumPy: every operation works element by element and is
    rounded on its own, so chunks give the same bits.
    """

    settings: SGDSettings
    words: int
    batches_per_epoch: int
    dtype: DTypeLike = np.float32
    updates: int = 0
    v: NDArray[Any] = field(init=False, repr=False)
    operation: ClassVar[str] = "sgd_update"

    def __post_init__(self) -> None:
        if self.words < 1 or self.batches_per_epoch < 1:
            raise DataError(
                f"SGD: got {self.words} weights and {self.batches_per_epoch} batches an epoch, "
                "expected at least 1 of each"
            )
        self.v = np.zeros(self.words, self.dtype)

    def next_scalars(self) -> NDArray[Any]:
        """Return the scalars of the update that comes next."""
        s = self.settings
        rate = s.rate(self.updates, self.batches_per_epoch)
        return np.array([rate, s.momentum, s.weight_decay], np.float64).astype(self.dtype)

    def update_part(
        self, weights: NDArray[Any], gradient: NDArray[Any], start: int, scalars: NDArray[Any]
    ) -> None:
        """Update ``weights``, the words from ``start`` on, in place; does not count the update."""
        velocity = self.v[start : start + weights.size]
        own = gradient + scalars[DECAY] * weights
        velocity *= scalars[MOMENTUM]
        velocity += own
        step = own + scalars[MOMENTUM] * velocity if self.settings.nesterov else velocity
        weights -= scalars[RATE] * step

    def update(self, weights: NDArray[Any], gradient: NDArray[Any]) -> None:
        """Update all ``weights`` (flat, contiguous) in place and count the update."""
        self.update_part(weights, gradient, 0, self.next_scalars())
        self.updates += 1

    def moments(self) -> list[NDArray[Any]]:
        """Return the velocity, shape (words,), as a view."""
        return [self.v]

    def state(self) -> dict[str, Any]:
        """Return what a checkpoint needs."""
        return {"updates": self.updates, "v": self.v.copy()}

    def restore(self, state: dict[str, Any]) -> None:
        """Continue from a checkpoint's ``state()``."""
        self.updates = int(state["updates"])
        self.v[:] = state["v"]
