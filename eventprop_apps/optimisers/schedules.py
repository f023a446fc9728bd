"""Schedules: the factor on the learning rate, smooth over the updates of an epoch."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

from chipsim.errors import DataError


class Schedule(Protocol):
    """What an optimiser's settings ask for their learning rate."""

    def factor(self, update: int, batches_per_epoch: int) -> float:
        """Return the factor on the learning rate of update number ``update`` (from 0)."""


@dataclass(frozen=True)
class Constant:
    """The same learning rate throughout."""

    def factor(self, update: int, batches_per_epoch: int) -> float:
        """Return 1."""
        return 1.0


@dataclass(frozen=True)
class Exponential:
    """``decay`` per epoch, applied at every update: ``decay ** (update / batches_per_epoch)``.

    Parameters
    ----------
    decay : float
        In (0, 1].
    """

    decay: float = 0.95

    def __post_init__(self) -> None:
        if not 0 < self.decay <= 1:
            raise DataError(f"Exponential: got decay = {self.decay}, expected a number in (0, 1]")

    def factor(self, update: int, batches_per_epoch: int) -> float:
        """Return the factor of update number ``update``."""
        return float(self.decay ** (update / batches_per_epoch))


@dataclass(frozen=True)
class Cosine:
    """From 1 to ``floor`` along half a cosine over ``epochs``, then ``floor``.

    ``floor + (1 - floor) (1 + cos(pi min(e / epochs, 1))) / 2`` with e the epochs done, in parts.

    Parameters
    ----------
    epochs : int
        At least 1.
    floor : float
        In [0, 1].
    """

    epochs: int
    floor: float = 0.0

    def __post_init__(self) -> None:
        if self.epochs < 1 or not 0 <= self.floor <= 1:
            raise DataError(
                f"Cosine: got epochs = {self.epochs}, floor = {self.floor}, expected at least 1 "
                "epoch and a floor in [0, 1]"
            )

    def factor(self, update: int, batches_per_epoch: int) -> float:
        """Return the factor of update number ``update``."""
        done = min(update / (batches_per_epoch * self.epochs), 1.0)
        return self.floor + (1.0 - self.floor) * 0.5 * (1.0 + math.cos(math.pi * done))


@dataclass(frozen=True)
class Step:
    """Times ``decay`` after every ``every`` epochs, at once.

    Parameters
    ----------
    every : int
        At least 1.
    decay : float
        In (0, 1].
    """

    every: int
    decay: float = 0.1

    def __post_init__(self) -> None:
        if self.every < 1 or not 0 < self.decay <= 1:
            raise DataError(
                f"Step: got every = {self.every}, decay = {self.decay}, expected at least 1 epoch "
                "and a decay in (0, 1]"
            )

    def factor(self, update: int, batches_per_epoch: int) -> float:
        """Return the factor of update number ``update``."""
        return float(self.decay ** (update // (batches_per_epoch * self.every)))
