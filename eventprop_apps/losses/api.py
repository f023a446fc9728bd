"""What every loss, read-out and regulariser offers, to both back ends.

A row is a sample: off the chip one of a batch, on the chip one replica. Rows are independent, and
within a row the order of every sum is fixed (spikes by step, then neuron; outputs ascending; heads
in order), so that a call for many rows and a call for each give the same bits.

Three kinds of outputs can be judged. A loss says by ``reads`` which it needs:

``first``
    The step of each output neuron's first spike. Errors are dL/dt [1/step] at that spike.
``spikes``
    All output spikes. Errors are dL/dt [1/step] of every spike, in the order given.
``values``
    One value y_k for each neuron of a leaky read-out (`ReadOutLoss`). Errors are dL/dy_k.

No error is given to a spike in step T - 1: no adjoint step could use it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

Reads = Literal["first", "spikes", "values"]
"""What of the outputs a loss judges."""


@dataclass(frozen=True)
class Outputs:
    """The outputs of some rows.

    Attributes
    ----------
    steps : int
        Number of time steps T.
    dtype : dtype
        Type of the arithmetic.
    first : ndarray, shape (rows, n_out), int32
        Step of each output neuron's first spike, T where silent; all T for a read-out.
    ptr : ndarray, shape (rows + 1,), int64, or None
        Spikes ``ptr[r]:ptr[r + 1]`` belong to row r. Only where the loss reads ``spikes``.
    neuron, step : ndarray, shape (ptr[-1],), int32, or None
        Of each spike, sorted by row, step, neuron.
    values : ndarray, shape (rows, n_out), or None
        What a leaky read-out gave. Only where the loss reads ``values``.
    """

    steps: int
    dtype: np.dtype[Any]
    first: NDArray[np.int32]
    ptr: NDArray[np.int64] | None = None
    neuron: NDArray[np.int32] | None = None
    step: NDArray[np.int32] | None = None
    values: NDArray[Any] | None = None

    def __len__(self) -> int:
        return int(self.first.shape[0])


@dataclass(frozen=True)
class Targets:
    """What the outputs of some rows should be.

    Attributes
    ----------
    label : ndarray, shape (rows, heads), int64
        The right output of each head, counted from the head's first.
    value : ndarray, shape (rows, n_out), or None
        A wanted value for each output (spike times [steps]) where ``Loss.wants_values``.
    """

    label: NDArray[np.int64]
    value: NDArray[Any] | None = None


@runtime_checkable
class Loss(Protocol):
    """A loss over output spikes or read-out values, mean over the batch."""

    @property
    def reads(self) -> Reads:
        """What of the outputs it judges."""

    @property
    def heads(self) -> int:
        """Number of labels of a sample (1, but for `Heads`)."""

    @property
    def wants_values(self) -> bool:
        """Whether a sample's target is a value for each output besides its label."""

    def rows(
        self, outputs: Outputs, targets: Targets, batch: int
    ) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return each row's share of the batch's loss, and the errors.

        Parameters
        ----------
        outputs : Outputs
        targets : Targets
        batch : int
            Number of samples that the loss is the mean of (also of those in other rows).

        Returns
        -------
        shares : ndarray, shape (rows,), outputs.dtype
            To be summed over the batch's rows, ascending.
        errors : ndarray, outputs.dtype
            By ``reads``: ``first`` and ``values`` (rows, n_out), ``spikes`` (ptr[-1],).
        """

    def predict(self, outputs: Outputs) -> NDArray[np.int64]:
        """Return the output chosen by each row and head, shape (rows, heads); lowest on ties."""


@runtime_checkable
class ReadOutLoss(Loss, Protocol):
    """A loss over the voltages of a leaky read-out that never spikes (``reads`` is ``values``).

    The read-out's PE keeps one number for each neuron, ``y_k``, and sends that alone:

    ``max``
        ``y_k`` is the largest V[i, k] over i = 1 .. T - 1, the first on ties:
        ``dL/dV[i, k] = dL/dy_k`` at that step, 0 elsewhere. (V[0] is 0 by definition and has no
        part, or outputs that stay negative would get no gradient.)
    ``weighted``
        ``y_k = sum over i = 1 .. T - 1, ascending, of w[i] V[i, k]``, so that
        ``dL/dV[i, k] = dL/dy_k w[i]``.
    """

    @property
    def statistic(self) -> Literal["max", "weighted"]:
        """How ``y`` follows from the voltages."""

    def step_weights(self, steps: int, dtype: DTypeLike) -> NDArray[Any]:
        """Return w, shape (steps,), computed in float64 and cast once; zeros for ``max``."""


def given_errors(outputs: Outputs, error: NDArray[Any]) -> NDArray[Any]:
    """Return errors given from outside as a loss would: by ``reads`` of the outputs.

    Parameters
    ----------
    outputs : Outputs
    error : ndarray, shape (rows, n_out)
        dL/dt [1/step] at each output's first spike, or dL/dy of a read-out.

    Returns
    -------
    ndarray
        As the errors of `Loss.rows`: of spikes, all but the first get 0, and so does a first one
        in step T - 1.
    """
    found = np.array(error, outputs.dtype)
    if outputs.values is not None:
        return found
    found[outputs.first >= outputs.steps - 1] = 0
    if outputs.ptr is None or outputs.neuron is None or outputs.step is None:
        return found
    rows = np.repeat(np.arange(len(outputs)), np.diff(outputs.ptr))
    is_first = outputs.step == outputs.first[rows, outputs.neuron]
    spread: NDArray[Any] = np.where(is_first, found[rows, outputs.neuron], outputs.dtype.type(0))
    return spread


def target_words(
    label: ArrayLike, value: ArrayLike | None, dtype: np.dtype[Any]
) -> NDArray[np.uint32]:
    """Return a sample's target as the words that its loss program gets: labels, then values."""
    words = np.atleast_1d(np.asarray(label)).astype(np.uint32)
    if value is None:
        return words
    return np.concatenate([words, np.ascontiguousarray(value, dtype).view(np.uint32)])
