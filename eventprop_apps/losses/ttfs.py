"""Time-to-first-spike cross-entropy, in the off-chip and the on-chip form."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from chipsim.compiled import compiled
from chipsim.errors import DataError
from eventprop_apps.losses.api import Outputs, Targets
from eventprop_apps.losses.common import best

FORMS = ("offchip", "onchip")

INV_XI, ALPHA, INV_BETA, ALPHA_BETA, INV_BATCH, ONE = range(6)
"""Places of the loss's scalars in the array that its kernel gets."""


@dataclass(frozen=True)
class TTFSLoss:
    """Cross-entropy of first spike times; times in steps.

    ``L = mean_B[-log softmax(-t/xi)_label] + alpha * mean_B[exp(t_label/beta) - 1]``, with t the
    step of an output neuron's first spike, or T where it was silent.

    Parameters
    ----------
    xi : float
        Scale of the softmax [steps], above 0.
    alpha : float
        Weight of the term that makes the label's spike early, at least 0.
    beta : float
        Scale of that term [steps], above 0.
    form : {"offchip", "onchip"}
        Whether the softmax runs over all outputs or over those that spiked only.

    Raises
    ------
    DataError
        For a value out of its range.

    Notes
    -----
    ``dL/dt_k = (1/B) [(1{k = label} - p_k)/xi + 1{k = label} (alpha/beta) exp(t_label/beta)]``
    per step; zero for silent neurons and for ``t_k = T - 1``, whose error no backward step could
    use. A silent label has a constant share in the loss. In the on-chip form its spike counts as
    one at T against the sum over those that spiked, and a sample without any output spike has
    the loss of a guess, log(n_out); neither choice touches the gradient.
    """

    xi: float = 1.5
    alpha: float = 0.01
    beta: float = 100.0
    form: Literal["offchip", "onchip"] = "offchip"

    reads: ClassVar[Literal["first"]] = "first"
    heads: ClassVar[int] = 1
    wants_values: ClassVar[bool] = False

    def __post_init__(self) -> None:
        problems = [
            f"{name} = {value!r}, expected a finite number {'above' if strict else 'of at least'} 0"
            for name, value, strict in (
                ("xi", self.xi, True),
                ("alpha", self.alpha, False),
                ("beta", self.beta, True),
            )
            if not (math.isfinite(value) and (value > 0 or (value == 0 and not strict)))
        ]
        if self.form not in FORMS:
            problems.append(f"form = {self.form!r}, expected one of {', '.join(FORMS)}")
        if problems:
            raise DataError("TTFSLoss: got " + "; got ".join(problems))

    @classmethod
    def on_chip(
        cls,
        tau0_ms: float = 0.5,
        tau1_ms: float = 6.4,
        alpha: float = 3e-3,
        *,
        dt_ms: float = 1.0,
    ) -> TTFSLoss:
        """Return the form of the paper's loss program, with its times given in milliseconds.

        Parameters
        ----------
        tau0_ms, tau1_ms : float
            The scales ``xi`` and ``beta`` [ms].
        alpha : float
            As in the class.
        dt_ms : float
            Length of a step [ms].

        Notes
        -----
        The value of the loss does not depend on the unit of time. Its gradient here is per step;
        the one per second is this divided by the step in seconds.
        """
        if not dt_ms > 0:
            raise DataError(f"TTFSLoss: got dt_ms = {dt_ms}, expected a number above 0")
        return cls(tau0_ms / dt_ms, alpha, tau1_ms / dt_ms, "onchip")

    def scalars(self, batch: int, dtype: DTypeLike) -> NDArray[Any]:
        """Return the scalar factors, computed in float64 and cast once to ``dtype``."""
        values = np.zeros(6, np.float64)
        values[INV_XI], values[ALPHA], values[INV_BETA] = 1 / self.xi, self.alpha, 1 / self.beta
        values[ALPHA_BETA], values[INV_BATCH], values[ONE] = self.alpha / self.beta, 1 / batch, 1
        return values.astype(dtype)

    def rows(
        self, outputs: Outputs, targets: Targets, batch: int
    ) -> tuple[NDArray[Any], NDArray[Any]]:
        """See `eventprop_apps.losses.api.Loss`."""
        return self.loss_rows(
            outputs.first, targets.label[:, 0], batch, steps=outputs.steps, dtype=outputs.dtype
        )

    def predict(self, outputs: Outputs) -> NDArray[np.int64]:
        """Return the output that spiked first, the lowest on ties."""
        return best(-outputs.first)

    def loss_rows(
        self,
        first_spike_times: ArrayLike,
        labels: ArrayLike,
        batch: int,
        *,
        steps: int,
        dtype: DTypeLike = np.float32,
    ) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return each row's share of the batch's loss, and dL/dt.

        Parameters
        ----------
        first_spike_times : array_like of int, shape (rows, n_out)
            Step of the first spike; ``steps`` where silent.
        labels : array_like of int, shape (rows,)
            The right output of each row.
        batch : int
            Number of samples that the loss is the mean of (also of those in other rows).
        steps : int
            Number of time steps T.
        dtype : {float32, float64}
            Type of the arithmetic.

        Returns
        -------
        loss : ndarray, shape (rows,)
            To be summed over the batch's rows.
        dldt : ndarray, shape (rows, n_out)
            dL/dt per step.
        """
        times = np.ascontiguousarray(first_spike_times, np.int32)
        loss = np.zeros(times.shape[0], dtype)
        dldt = np.zeros(times.shape, dtype)
        _ttfs(
            times, np.ascontiguousarray(labels, np.int64), steps, self.scalars(batch, dtype),
            self.form == "onchip", loss, dldt,
        )  # fmt: skip
        return loss, dldt


@compiled
def _ttfs(
    times: NDArray[np.int32],
    labels: NDArray[np.int64],
    steps: int,
    scalars: NDArray[Any],
    spiked_only: bool,
    loss: NDArray[Any],
    dldt: NDArray[Any],
) -> None:
    one = scalars[ONE]
    zero = one - one
    for r in range(times.shape[0]):
        label = labels[r]
        earliest = times[r].min()
        grad = dldt[r]
        total = zero
        for k in range(grad.size):
            if not spiked_only or times[r, k] < steps:
                grad[k] = times[r, k] - earliest  # through the array: an exact cast to its dtype
                grad[k] = np.exp(-grad[k] * scalars[INV_XI])
                total += grad[k]
            else:
                grad[k] = zero
        if total == zero:
            for _ in range(grad.size):
                total += one
        loss[r] = times[r, label] - earliest
        entropy = loss[r] * scalars[INV_XI] + np.log(total)
        loss[r] = times[r, label]
        late = np.exp(loss[r] * scalars[INV_BETA])
        loss[r] = (entropy + scalars[ALPHA] * (late - one)) * scalars[INV_BATCH]
        for k in range(grad.size):
            p = grad[k] / total
            if times[r, k] >= steps - 1:
                grad[k] = zero
            elif k == label:
                g = (one - p) * scalars[INV_XI] + scalars[ALPHA_BETA] * late
                grad[k] = g * scalars[INV_BATCH]
            else:
                grad[k] = (zero - p) * scalars[INV_XI] * scalars[INV_BATCH]


@compiled
def note_first(
    first: NDArray[np.int32],
    rows: NDArray[np.int64],
    steps: NDArray[np.int64],
    ptr: NDArray[np.int64],
    index: NDArray[np.int32],
) -> None:
    """Do :func:`note_first_spikes` with a step a row."""
    for r in range(rows.size):
        for e in range(ptr[r], ptr[r + 1]):
            if steps[r] < first[rows[r], index[e]]:
                first[rows[r], index[e]] = steps[r]


def note_first_spikes(
    first_spike_times: NDArray[np.int32],
    step: int | NDArray[Any],
    rows: ArrayLike,
    in_ptr: ArrayLike,
    in_index: ArrayLike,
) -> None:
    """Keep the first step at which each output was seen, as the loss program does.

    Parameters
    ----------
    first_spike_times : ndarray, shape (rows, n_out), int32
        Changed in place; T, the number of steps, means silent so far.
    step : int or ndarray, shape (len(rows),)
        Step that the drained spikes belong to: the one before the step that drains them.
    rows, in_ptr, in_index : array_like of int
        As in `eventprop_apps.kernels.forward_rows`.
    """
    at = np.ascontiguousarray(rows, np.int64)
    steps = np.array(np.broadcast_to(np.asarray(step, np.int64), at.shape))
    note_first(
        first_spike_times, at, steps, np.ascontiguousarray(in_ptr, np.int64),
        np.ascontiguousarray(in_index, np.int32),
    )  # fmt: skip


def first_spike_errors(
    first_spike_times: ArrayLike, output_error: ArrayLike, *, steps: int, dtype: DTypeLike
) -> NDArray[Any]:
    """Return given errors as a loss would: zero at silent neurons and at first spikes in T - 1.

    Parameters
    ----------
    first_spike_times : array_like of int, shape (rows, n_out)
        Step of the first spike; ``steps`` where silent.
    output_error : array_like, shape (rows, n_out)
        dL/dt per step at each output neuron's first spike.
    steps : int
        Number of time steps T.
    dtype : {float32, float64}
        Type of the result.
    """
    error = np.array(output_error, dtype)
    error[np.asarray(first_spike_times) >= steps - 1] = 0
    return error


def predictions(first_spike_times: NDArray[Any]) -> NDArray[np.int64]:
    """Return the output that spiked first in each row, the lowest on ties."""
    best: NDArray[np.int64] = np.argmin(first_spike_times, axis=1).astype(np.int64)
    return best
