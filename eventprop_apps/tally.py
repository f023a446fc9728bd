"""What is counted of a training: losses and right classifications, epoch by epoch."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray


@dataclass
class Tally:
    """What one epoch's batches gave.

    Attributes
    ----------
    loss : float
        Sum of the batches' losses, each before its update.
    right : list of int
        Samples that each head of outputs classified right.
    seen : int
        All samples.
    """

    loss: float = 0.0
    right: list[int] = field(default_factory=list)
    seen: int = 0

    @property
    def accuracy(self) -> float:
        """Share of samples classified right, the mean over the heads; 0 before the first."""
        return sum(self.right) / (self.seen * len(self.right)) if self.seen else 0.0

    @property
    def by_head(self) -> list[float]:
        """Share of samples that each head classified right."""
        return [right / self.seen for right in self.right]

    def count(self, right: NDArray[np.bool_]) -> None:
        """Count samples, given which heads were right: shape (samples, heads)."""
        before = self.right or [0] * right.shape[1]
        self.right = [a + int(b) for a, b in zip(before, right.sum(axis=0), strict=True)]
        self.seen += right.shape[0]


@dataclass
class Epoch:
    """Training and test of one epoch."""

    train: Tally = field(default_factory=Tally)
    test: Tally = field(default_factory=Tally)
    batches: int = 0
