"""Cross-entropy over the voltages of a leaky read-out that never spikes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal, get_args

import numpy as np
from numpy.typing import DTypeLike, NDArray

from chipsim.errors import DataError, did_you_mean
from eventprop_apps.losses.api import Outputs, Targets
from eventprop_apps.losses.common import best, positive, softmax_rows

Over = Literal["max", "mean", "exp"]


@dataclass(frozen=True)
class ReadOutCrossEntropy:
    """Cross-entropy over a value of each output's voltage: ``mean_B -log softmax(y/scale)_label``.

    Parameters
    ----------
    over : {"max", "mean", "exp"}
        How y_k follows from V[i, k], i = 1 .. T - 1: its largest value, its mean, or
        ``sum_i e^(-i/T) V[i, k] / (T - 1)``, in which early voltages count more.
    scale : float
        Voltage that counts as one (the threshold of a spiking neuron is 1), above 0.

    Notes
    -----
    ``dL/dy_k = (1/B) (p_k - 1{k = label}) / scale``; the read-out's PE turns it into dL/dV.

    References
    ----------
    Nowotny, Turner, Knight 2022, arXiv 2212.01232, for losses of this kind.
    """

    over: Over = "max"
    scale: float = 0.1

    reads: ClassVar[Literal["values"]] = "values"
    heads: ClassVar[int] = 1
    wants_values: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if self.over not in get_args(Over):
            raise DataError(
                f"ReadOutCrossEntropy: got over = {self.over!r}"
                f"{did_you_mean(self.over, get_args(Over))}"
            )
        positive("ReadOutCrossEntropy", scale=self.scale)

    @property
    def statistic(self) -> Literal["max", "weighted"]:
        """How y follows from the voltages."""
        return "max" if self.over == "max" else "weighted"

    def step_weights(self, steps: int, dtype: DTypeLike) -> NDArray[Any]:
        """Return the weight of each step's voltage, shape (steps,)."""
        weights = np.zeros(steps, np.float64)
        if self.over == "mean":
            weights[1:] = 1 / (steps - 1)
        elif self.over == "exp":
            weights[1:] = np.exp(-np.arange(1, steps) / steps) / (steps - 1)
        return weights.astype(dtype)

    def rows(
        self, outputs: Outputs, targets: Targets, batch: int
    ) -> tuple[NDArray[Any], NDArray[Any]]:
        """See `eventprop_apps.losses.api.Loss`."""
        assert outputs.values is not None
        return softmax_rows(outputs.values, targets.label[:, 0], self.scale, batch)

    def predict(self, outputs: Outputs) -> NDArray[np.int64]:
        """Return the output with the largest value, the lowest on ties."""
        assert outputs.values is not None
        return best(outputs.values)
