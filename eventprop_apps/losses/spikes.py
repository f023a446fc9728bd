"""Losses over spike times and spike counts of spiking outputs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from chipsim.errors import DataError
from eventprop_apps.losses.api import Outputs, Targets
from eventprop_apps.losses.common import (
    best,
    positive,
    softmax_rows,
    spike_counts,
    square_rows,
)


@dataclass(frozen=True)
class SpikeTimeMSE:
    """Squared distance of first spike times from wanted ones.

    ``L = mean_B sum_k ((t_k - w_k) / scale)^2 / 2``, t_k the step of output k's first spike, or T
    where it was silent; ``dL/dt_k = (1/B) (t_k - w_k) / scale^2``.

    Parameters
    ----------
    right, wrong : float
        Wanted step of the label's output and of the others, ``right`` below ``wrong``.
    scale : float
        Time that counts as one [steps], above 0.
    given : bool
        Samples bring a wanted step for each output (`Targets.value`) instead.

    Notes
    -----
    A silent output has a share in the value, but no spike that an error could move; a first spike
    in step T - 1 gets none either.
    """

    right: float = 5.0
    wrong: float = 20.0
    scale: float = 10.0
    given: bool = False

    reads: ClassVar[Literal["first"]] = "first"
    heads: ClassVar[int] = 1

    def __post_init__(self) -> None:
        positive("SpikeTimeMSE", scale=self.scale)
        if not (self.given or 0 <= self.right < self.wrong < np.inf):
            raise DataError(
                f"SpikeTimeMSE: got right = {self.right}, wrong = {self.wrong}, expected "
                "0 <= right < wrong, since the output that spikes first is the predicted one"
            )

    @property
    def wants_values(self) -> bool:
        """Whether samples bring wanted times."""
        return self.given

    def rows(
        self, outputs: Outputs, targets: Targets, batch: int
    ) -> tuple[NDArray[Any], NDArray[Any]]:
        """See `eventprop_apps.losses.api.Loss`."""
        times = outputs.first.astype(outputs.dtype)
        if self.given:
            if targets.value is None:
                raise DataError("SpikeTimeMSE: got no wanted times, expected one for each output")
            wanted = targets.value
        else:
            wanted = by_label(targets, outputs, self.right, self.wrong)
        shares, errors = square_rows(times, wanted, self.scale, batch)
        errors[outputs.first >= outputs.steps - 1] = 0
        return shares, errors

    def predict(self, outputs: Outputs) -> NDArray[np.int64]:
        """Return the output that spiked first, the lowest on ties."""
        return best(-outputs.first)


@dataclass(frozen=True)
class SpikeCountCrossEntropy:
    """Cross-entropy over spike counts: ``L = mean_B -log softmax(n / scale)_label``.

    Parameters
    ----------
    scale : float
        Spikes that count as one, above 0.

    Notes
    -----
    A count does not change when a spike moves, so it has no derivative in time. Put for it is
    ``dn_k/dt = -1/T`` for each spike: a layer driven more strongly spikes earlier and more often,
    so "earlier" stands for "more". Every spike of output k in steps 0 .. T - 2 gets the error
    ``-(1/T) dL/dn_k``. docs/losses.md says what this reaches and what not: a silent output has
    no spike that could carry it.
    """

    scale: float = 1.0

    reads: ClassVar[Literal["spikes"]] = "spikes"
    heads: ClassVar[int] = 1
    wants_values: ClassVar[bool] = False

    def __post_init__(self) -> None:
        positive("SpikeCountCrossEntropy", scale=self.scale)

    def rows(
        self, outputs: Outputs, targets: Targets, batch: int
    ) -> tuple[NDArray[Any], NDArray[Any]]:
        """See `eventprop_apps.losses.api.Loss`."""
        counts = spike_counts(outputs)
        shares, slopes = softmax_rows(counts, targets.label[:, 0], self.scale, batch)
        return shares, per_spike(outputs, slopes)

    def predict(self, outputs: Outputs) -> NDArray[np.int64]:
        """Return the output that spiked most often, the lowest on ties."""
        return best(spike_counts(outputs))


@dataclass(frozen=True)
class SpikeCountMSE:
    """Squared distance of spike counts: ``L = mean_B sum_k ((n_k - w_k) / scale)^2 / 2``.

    Parameters
    ----------
    right, wrong : float
        Wanted spikes of the label's output and of the others, ``right`` above ``wrong``.
    scale : float
        Spikes that count as one, above 0.

    Notes
    -----
    The derivative of a count is `SpikeCountCrossEntropy`'s.
    """

    right: float = 3.0
    wrong: float = 1.0
    scale: float = 1.0

    reads: ClassVar[Literal["spikes"]] = "spikes"
    heads: ClassVar[int] = 1
    wants_values: ClassVar[bool] = False

    def __post_init__(self) -> None:
        positive("SpikeCountMSE", scale=self.scale)
        if not 0 <= self.wrong < self.right < np.inf:
            raise DataError(
                f"SpikeCountMSE: got right = {self.right}, wrong = {self.wrong}, expected "
                "0 <= wrong < right, since the output that spikes most is the predicted one"
            )

    def rows(
        self, outputs: Outputs, targets: Targets, batch: int
    ) -> tuple[NDArray[Any], NDArray[Any]]:
        """See `eventprop_apps.losses.api.Loss`."""
        wanted = by_label(targets, outputs, self.right, self.wrong)
        shares, slopes = square_rows(spike_counts(outputs), wanted, self.scale, batch)
        return shares, per_spike(outputs, slopes)

    def predict(self, outputs: Outputs) -> NDArray[np.int64]:
        """Return the output that spiked most often, the lowest on ties."""
        return best(spike_counts(outputs))


def by_label(targets: Targets, outputs: Outputs, right: float, wrong: float) -> NDArray[Any]:
    """Return ``right`` at each row's label and ``wrong`` elsewhere, shape (rows, n_out)."""
    wanted = np.full(outputs.first.shape, wrong, outputs.dtype)
    wanted[np.arange(len(outputs)), targets.label[:, 0]] = right
    return wanted


def per_spike(outputs: Outputs, slopes: NDArray[Any]) -> NDArray[Any]:
    """Return the error of each spike from dL/dn_k, shape (rows, n_out): ``-(1/T) dL/dn_k``."""
    assert outputs.ptr is not None and outputs.neuron is not None and outputs.step is not None
    rows = np.repeat(np.arange(len(outputs)), np.diff(outputs.ptr))
    slope = np.asarray(-1 / outputs.steps, outputs.dtype)
    errors: NDArray[Any] = slopes[rows, outputs.neuron] * slope
    errors[outputs.step >= outputs.steps - 1] = 0
    return errors
