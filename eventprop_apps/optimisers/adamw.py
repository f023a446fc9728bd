"""AdamW: Adam whose weight decay acts on the weights, apart from the gradient.

References
----------
Loshchilov, Hutter 2019, arXiv 1711.05101.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import DTypeLike, NDArray

from eventprop_apps.optimisers.adam import DECAY, Adam, AdamSettings

KEEP = 8
"""Place of ``1 - lr weight_decay`` behind Adam's own scalars."""


@dataclass(frozen=True)
class AdamWSettings(AdamSettings):
    """Settings of `AdamW`: those of Adam, but ``weight_decay`` is decoupled.

    Notes
    -----
    ``w *= 1 - rate weight_decay``, then Adam's step without decay, as PyTorch does it: the decay
    follows the schedule and is not divided by the root of the second moment.
    """

    weight_decay: float = 1e-2

    def scalars(self, update: int, batches_per_epoch: int, dtype: DTypeLike) -> NDArray[Any]:
        """Return Adam's scalars without decay, and the factor on the weights behind them."""
        values = super().scalars(update, batches_per_epoch, np.float64)
        values[DECAY] = 0.0
        keep = 1.0 - self.rate(update, batches_per_epoch) * self.weight_decay
        return np.append(values, keep).astype(dtype)

    def make(self, words: int, batches_per_epoch: int, dtype: DTypeLike = np.float32) -> AdamW:
        """Return a fresh optimiser for ``words`` weights."""
        return AdamW(self, words, batches_per_epoch, dtype)


class AdamW(Adam):
    """State of AdamW over one flat vector of weights; see `Adam` for its parameters."""

    operation: ClassVar[str] = "adamw_update"

    def update_part(
        self, weights: NDArray[Any], gradient: NDArray[Any], start: int, scalars: NDArray[Any]
    ) -> None:
        """Update ``weights``, the words from ``start`` on, in place; does not count the update."""
        weights *= scalars[KEEP]
        super().update_part(weights, gradient, start, scalars)
