"""What a LIF layer keeps from step to step, for many rows at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from chipsim.errors import DataError

CURRENT, VOLTAGE, LAMBDA_I, LAMBDA_V = range(4)
"""Planes of ``LayerState.neuron``."""

SPIKE_NEURON, SPIKE_STEP, SPIKE_MATCHED = range(3)
"""Planes of ``LayerState.spikes``."""

SPIKE_VDOT, SPIKE_ERROR, SPIKE_JUMP = range(3)
"""Planes of ``LayerState.spike_values``."""

INPUT_INDEX, INPUT_STEP = range(2)
"""Planes of ``LayerState.inputs``."""

SPIKES, SPIKE_CURSOR, INPUTS, INPUT_CURSOR, SPIKES_LOST, INPUTS_LOST, ACTIVE = range(7)
"""Columns of ``LayerState.counts``."""


@dataclass
class LayerState:
    """The arrays of a LIF layer; a row is a core on the chip or a sample off it.

    Parameters
    ----------
    weights : ndarray, shape (rows or 1, n_out, n_in), float
        One copy a row, or one that all rows share.
    neuron : ndarray, shape (rows, 4, n_out), float
        Current I, voltage V, adjoints of the current and of the voltage.
    spikes : ndarray, shape (rows, 3, spike_capacity), int32
        Recorded own spikes, ordered by step, then neuron: neuron, step, errors matched so far.
    spike_values : ndarray, shape (rows, 3, spike_capacity), float
        Of each recorded spike: Vdot, the error G from above, scratch of the adjoint's jump.
    inputs : ndarray, shape (rows, 2, input_capacity), int32
        Recorded input spikes in the order in which they acted: index, step (of their sending,
        which is the step before the one in which they acted).
    input_errors : ndarray, shape (rows, input_capacity), float
        The error that each recorded input spike was answered with.
    counts : ndarray, shape (rows, 7), int64
        Recorded spikes, cursor of the backward pass over them, the same for inputs, spikes and
        inputs that found no room in their record, and whether the adjoint has left zero.
    gradient : ndarray, shape (rows or 1, n_out, n_in), float
        Sum over the steps done of ``-tau_s * lambda_I[i] x S_below[i]``.

    Notes
    -----
    All float arrays have one dtype, float32 or float64. A spike that finds its record full is
    still sent, and acts above, but has no part in the gradient; it is counted.
    """

    weights: NDArray[Any]
    neuron: NDArray[Any]
    spikes: NDArray[np.int32]
    spike_values: NDArray[Any]
    inputs: NDArray[np.int32]
    input_errors: NDArray[Any]
    counts: NDArray[np.int64]
    gradient: NDArray[Any]

    @classmethod
    def make(
        cls,
        weights: NDArray[Any],
        rows: int,
        *,
        spike_capacity: int,
        input_capacity: int,
        dtype: DTypeLike = np.float32,
        gradient_rows: int | None = None,
    ) -> LayerState:
        """Return a fresh state.

        Parameters
        ----------
        weights : ndarray, shape (n_out, n_in) or (rows or 1, n_out, n_in)
            Copied, in ``dtype``. A two-dimensional one is shared by all rows.
        rows : int
            Number of rows, at least 1.
        spike_capacity, input_capacity : int
            Spikes and inputs that a row can record in one sample, at least 1.
        dtype : {float32, float64}
            Type of every float array.
        gradient_rows : int, optional
            ``rows`` by default; 1 is a scratch that the rows use one after another.

        Raises
        ------
        DataError
            For a dtype, shape or size that cannot be used.
        """
        kind = np.dtype(dtype)
        if kind not in (np.dtype(np.float32), np.dtype(np.float64)):
            raise DataError(f"LayerState: got dtype {kind}, expected float32 or float64")
        own = np.array(weights if weights.ndim == 3 else weights[None], kind, order="C")
        if own.ndim != 3 or own.shape[0] not in (1, rows) or 0 in own.shape:
            raise DataError(
                f"LayerState: got weights of shape {weights.shape}, expected (n_out, n_in) or "
                f"({rows} or 1, n_out, n_in) with at least one neuron and one input"
            )
        if rows < 1 or spike_capacity < 1 or input_capacity < 1:
            raise DataError(
                f"LayerState: got {rows} rows, room for {spike_capacity} spikes and "
                f"{input_capacity} inputs, expected at least 1 of each"
            )
        _, n_out, n_in = own.shape
        grads = rows if gradient_rows is None else gradient_rows
        return cls(
            weights=own,
            neuron=np.zeros((rows, 4, n_out), kind),
            spikes=np.zeros((rows, 3, spike_capacity), np.int32),
            spike_values=np.zeros((rows, 3, spike_capacity), kind),
            inputs=np.zeros((rows, 2, input_capacity), np.int32),
            input_errors=np.zeros((rows, input_capacity), kind),
            counts=np.zeros((rows, 7), np.int64),
            gradient=np.zeros((grads, n_out, n_in), kind),
        )

    @property
    def rows(self) -> int:
        """Number of rows."""
        return int(self.counts.shape[0])

    @property
    def n_out(self) -> int:
        """Number of neurons."""
        return int(self.weights.shape[1])

    @property
    def n_in(self) -> int:
        """Number of input lines."""
        return int(self.weights.shape[2])

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the float arrays."""
        return self.weights.dtype

    @property
    def current(self) -> NDArray[Any]:
        """Synaptic currents I, shape (rows, n_out), a view."""
        return self.neuron[:, CURRENT]

    @property
    def voltage(self) -> NDArray[Any]:
        """Membrane voltages V, shape (rows, n_out), a view."""
        return self.neuron[:, VOLTAGE]

    @property
    def lambda_i(self) -> NDArray[Any]:
        """Adjoint of the currents, shape (rows, n_out), a view."""
        return self.neuron[:, LAMBDA_I]

    @property
    def lambda_v(self) -> NDArray[Any]:
        """Adjoint of the voltages, shape (rows, n_out), a view."""
        return self.neuron[:, LAMBDA_V]

    @property
    def spikes_lost(self) -> NDArray[np.int64]:
        """Spikes of each row that found no room in the record since its reset, a view."""
        return self.counts[:, SPIKES_LOST]

    @property
    def inputs_lost(self) -> NDArray[np.int64]:
        """Inputs of each row that found no room in the record since its reset, a view."""
        return self.counts[:, INPUTS_LOST]

    def recorded_spikes(self, row: int) -> list[tuple[int, int]]:
        """Return the recorded own spikes of ``row`` as (neuron, step), in recorded order."""
        n = int(self.counts[row, SPIKES])
        pairs: list[tuple[int, int]] = list(
            zip(*self.spikes[row, :SPIKE_MATCHED, :n].tolist(), strict=True)
        )
        return pairs

    def recorded_inputs(self, row: int) -> list[tuple[int, int]]:
        """Return the recorded inputs of ``row`` as (index, step), in recorded order."""
        n = int(self.counts[row, INPUTS])
        return list(zip(*self.inputs[row, :, :n].tolist(), strict=True))
