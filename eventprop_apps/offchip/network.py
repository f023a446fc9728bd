"""A network run off the chip, a batch at a time and layer after layer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from chipsim.errors import DataError
from eventprop_apps.data.dataset import SpikeEvents
from eventprop_apps.kernels.factors import Factors
from eventprop_apps.kernels.readout import ReadoutState
from eventprop_apps.kernels.state import INPUTS_LOST, SPIKES, SPIKES_LOST, LayerState
from eventprop_apps.losses.api import Outputs, Reads
from eventprop_apps.losses.regularisers import Regulariser
from eventprop_apps.model import Model, lines_of
from eventprop_apps.offchip import general, passes
from eventprop_apps.offchip.readout import readout_backward_pass, readout_forward_pass
from eventprop_apps.partition import bounds

START_CAPACITY = 64
"""Spikes of a sample that a layer has room for at first; doubled whenever it was too little."""


class OffchipNetwork:
    """The layers' states for batches of up to ``rows`` samples.

    Parameters
    ----------
    weights : sequence of ndarray, shape (n_out, n_in)
        One array a layer, lowest first; copied. A recurrent layer's is ``[W | R]``, of shape
        (n_out, n_in + n_out).
    factors : sequence of Factors
        One a layer.
    rows : int
        Largest batch.
    dtype : {float32, float64}
        Type of the arithmetic.
    recurrent : sequence of bool, optional
        One a layer; none is recurrent by default.
    regularisers : sequence of Regulariser or None, optional
        One a layer.
    readout : Loss, optional
        Makes the last layer a leaky read-out, with this loss's statistic.
    slices : sequence of int, optional
        As `Model.slices`.

    Raises
    ------
    DataError
        For layers that do not fit each other.
    """

    def __init__(
        self,
        weights: Sequence[NDArray[Any]],
        factors: Sequence[Factors],
        rows: int,
        *,
        dtype: DTypeLike = np.float32,
        recurrent: Sequence[bool] = (),
        regularisers: Sequence[Regulariser | None] = (),
        readout: Any = None,
        slices: Sequence[int] = (),
    ) -> None:
        self.recurrent = tuple(recurrent) or (False,) * len(weights)
        check_layers(weights, self.recurrent)
        if len(factors) != len(weights):
            raise DataError(f"got {len(factors)} sets of factors for {len(weights)} layers")
        self.dtype = np.dtype(dtype)
        self.dt_s = [f.dt_s for f in factors]
        self.factors = [f.array(self.dtype) for f in factors]
        self.regularisers = tuple(regularisers) or (None,) * len(weights)
        self.layers = [
            LayerState.make(
                w, rows, spike_capacity=START_CAPACITY, input_capacity=START_CAPACITY,
                dtype=self.dtype, gradient_rows=1,
            )
            for w in weights
        ]  # fmt: skip
        self.rows = rows
        self._slices = [
            np.array(bounds(s.n_in, count)[1:] if count else [], np.int64)
            for s, count in zip(self.layers, tuple(slices) or (0,) * len(weights), strict=True)
        ]
        self.regulariser_shares: list[NDArray[Any]] = []
        self._plain = [np.zeros(0, self.dtype)] * len(weights)
        self._drives = self._plain
        self._regularised = any(r is not None and r.acts for r in self.regularisers)
        self._readout_of = readout
        self.readout: ReadoutState | None = None

    @classmethod
    def of_model(cls, model: Model, weights: Sequence[NDArray[Any]], rows: int) -> OffchipNetwork:
        """Return the network that a model describes.

        Raises
        ------
        DataError
            For weights of other shapes.
        """
        shapes = [w.shape for w in weights]
        wanted = [model.shape(layer) for layer in range(model.layers)]
        if shapes != wanted:
            raise DataError(f"weights: got shapes {shapes}, expected {wanted}")
        return cls(
            weights, model.factors, rows, dtype=model.dtype, recurrent=model.recurrent,
            regularisers=model.regularisers, readout=model.loss if model.readout else None,
            slices=model.slices,
        )  # fmt: skip

    @property
    def weights(self) -> list[NDArray[Any]]:
        """The weights of each layer, shape (n_out, n_in), as views that may be written to."""
        return [layer.weights[0] for layer in self.layers]

    @property
    def shapes(self) -> list[tuple[int, int]]:
        """(n_out, n_in) of each layer's weights."""
        return [(layer.n_out, layer.n_in) for layer in self.layers]

    def lines(self, number: int) -> int:
        """Return the input lines of a layer from below."""
        s = self.layers[number]
        return s.n_in - s.n_out if self.recurrent[number] else s.n_in

    # ------------------------------------------------------------------------------- forward
    def forward(self, events: SpikeEvents) -> NDArray[np.int32]:
        """Run the forward pass of a batch; return the output's first spike times (B, n_out)."""
        rows = len(events)
        if rows > self.rows or events.n_in != self.lines(0):
            raise DataError(
                f"forward: got {rows} samples of {events.n_in} lines, expected at most "
                f"{self.rows} samples of {self.lines(0)} lines"
            )
        flow = events
        for number in range(len(self.layers)):
            self._forward_layer(number, flow)
            if number + 1 < len(self.layers):
                flow = self._events_of(number, rows, events.steps)
        top = self.layers[-1]
        first = np.empty((rows, top.n_out), np.int32)
        passes.first_spikes(top.spikes, top.counts, first, events.steps)
        return first

    def outputs(self, first: NDArray[np.int32], steps: int, reads: Reads) -> Outputs:
        """Return what a loss judges of the batch just run forward.

        Parameters
        ----------
        first : ndarray, shape (B, n_out), int32
            Returned by `forward`.
        steps : int
            Number of time steps T.
        reads : str
            ``Loss.reads``.
        """
        rows = first.shape[0]
        if reads == "values":
            assert self.readout is not None
            return Outputs(steps, self.dtype, first, values=self.readout.value[:rows].copy())
        if reads == "first":
            return Outputs(steps, self.dtype, first)
        top = self._events_of(len(self.layers) - 1, rows, steps)
        ptr = np.append(top.start, top.stop[-1:] if rows else 0).astype(np.int64)
        return Outputs(steps, self.dtype, first, ptr, top.index, top.step)

    def _forward_layer(self, number: int, flow: SpikeEvents) -> None:
        s = self.layers[number]
        if flow.longest() > s.inputs.shape[2]:
            s = self._resized(number, s.spikes.shape[2], flow.longest())
        while True:
            self._run_forward(number, s, flow)
            again = self.recurrent[number]  # else there is room for all inputs
            if not (
                s.counts[: len(flow), SPIKES_LOST].any()
                or (again and s.counts[: len(flow), INPUTS_LOST].any())
            ):
                return
            own = s.spikes.shape[2] if again else 0
            longer = max(s.inputs.shape[2], flow.longest() + 2 * own)
            s = self._resized(number, 2 * s.spikes.shape[2], longer)

    def _run_forward(self, number: int, s: LayerState, flow: SpikeEvents) -> None:
        given = (flow.index, flow.step, flow.start, flow.stop)
        factors, ends, delay = self.factors[number], self._slices[number], self._delay(number)
        if self._is_readout(number):
            r = self._values(flow.steps)
            readout_forward_pass(
                s.weights, s.neuron, s.inputs, s.counts, factors, r.value, r.best, r.weights,
                ends, delay, flow.steps, *given,
            )  # fmt: skip
        elif self.recurrent[number] or ends.size:
            general.general_forward_pass(
                s.weights, s.neuron, s.spikes, s.spike_values, s.inputs, s.counts, factors,
                ends, delay, flow.steps, self.lines(number), *given,
            )  # fmt: skip
        else:
            passes.forward_pass(
                s.weights, s.neuron, s.spikes, s.spike_values, s.inputs, s.counts, factors,
                flow.steps, *given,
            )  # fmt: skip

    def _is_readout(self, number: int) -> bool:
        return self._readout_of is not None and number == len(self.layers) - 1

    def _delay(self, number: int) -> int:
        """Return after how many steps a spike acts in a layer."""
        return 2 if self._slices[number].size else 1

    def _values(self, steps: int) -> ReadoutState:
        """Return the read-out's state, made when the number of steps is known."""
        weighted = self._readout_of.statistic == "weighted"
        if self.readout is None or (weighted and self.readout.weights.size != steps):
            n_out = self.layers[-1].n_out
            self.readout = ReadoutState.of_loss(
                self._readout_of, self.rows, n_out, steps, self.dtype
            )
        return self.readout

    # ------------------------------------------------------------------------------ backward
    def backward(
        self,
        first: NDArray[np.int32],
        errors: NDArray[Any],
        steps: int,
        *,
        reads: Reads = "first",
        batch: int | None = None,
    ) -> list[NDArray[Any]]:
        """Run the adjoint pass of the batch just run forward; return each layer's gradient.

        Parameters
        ----------
        first : ndarray, shape (B, n_out), int32
            Returned by `forward`.
        errors : ndarray
            A loss's errors; see `eventprop_apps.losses.api`.
        steps : int
            Number of time steps T.
        reads : str
            ``Loss.reads`` of the loss that the errors are from.
        batch : int, optional
            Samples that the loss is the mean of (for regularisers); B by default.
        """
        rows = first.shape[0]
        if self._regularised:
            self._regularise(rows, steps, rows if batch is None else batch)
        self._take_output_errors(first, errors, reads)
        gradients = []
        for number in range(len(self.layers) - 1, -1, -1):
            s = self.layers[number]
            total = np.empty((s.n_out, s.n_in), self.dtype)
            self._run_backward(number, s, steps, rows, total)
            if number > 0:
                self._pass_errors(number, s, rows)
            gradients.append(total)
        return gradients[::-1]

    def _take_output_errors(
        self, first: NDArray[np.int32], errors: NDArray[Any], reads: Reads
    ) -> None:
        top, rows = self.layers[-1], first.shape[0]
        if reads == "values":
            assert self.readout is not None
            self.readout.error[:rows] = errors
        elif reads == "first":
            passes.take_output_errors(top.spikes, top.spike_values, top.counts, first, errors)
        else:
            start = np.zeros(rows, np.int64)
            np.cumsum(top.counts[: rows - 1, SPIKES], out=start[1:])
            general.take_spike_errors(top.spike_values, top.counts, start, errors)

    def _regularise(self, rows: int, steps: int, batch: int) -> None:
        self.regulariser_shares = []
        self._drives = list(self._plain)
        for number, regulariser in enumerate(self.regularisers):
            if regulariser is not None and regulariser.acts:
                s = self.layers[number]
                scalars = regulariser.scalars(steps, batch, self.dt_s[number], self.dtype)
                shares = np.zeros(rows, self.dtype)
                general.regularise_pass(
                    s.spikes, s.spike_values, s.counts, scalars, steps, shares, s.n_out
                )
                self.regulariser_shares.append(shares)
                self._drives[number] = scalars

    def _run_backward(
        self, number: int, s: LayerState, steps: int, rows: int, total: NDArray[Any]
    ) -> None:
        factors = self.factors[number]
        want_errors = number > 0
        if self._is_readout(number):
            r = self._values(steps)
            readout_backward_pass(
                s.weights, s.neuron, s.inputs, s.input_errors, s.counts, s.gradient, factors,
                r.error, r.best, r.weights, steps, rows, want_errors, total,
            )  # fmt: skip
        elif self.recurrent[number] or self._drives[number].size:
            general.general_backward_pass(
                s.weights, s.neuron, s.spikes, s.spike_values, s.inputs, s.input_errors, s.counts,
                s.gradient, factors, self._drives[number], steps, rows, self.lines(number),
                want_errors or self.recurrent[number], self._delay(number), total,
            )  # fmt: skip
        else:
            passes.backward_pass(
                s.weights, s.neuron, s.spikes, s.spike_values, s.inputs, s.input_errors, s.counts,
                s.gradient, factors, steps, rows, want_errors, total,
            )  # fmt: skip

    def _pass_errors(self, number: int, s: LayerState, rows: int) -> None:
        below = self.layers[number - 1]
        if self.recurrent[number]:
            general.take_errors_below(
                below.spike_values, s.input_errors, s.inputs, s.counts, rows, self.lines(number)
            )
        else:
            passes.take_errors(below.spike_values, s.input_errors, s.counts, rows)

    # ------------------------------------------------------------------------------- records
    def spikes(self, rows: int, steps: int) -> list[NDArray[np.uint8]]:
        """Return each layer's spikes of the batch just run, shape (T, B, n_out), 0 or 1."""
        return [
            passes.dense_spikes(layer.spikes, layer.counts, rows, steps, layer.n_out)
            for layer in self.layers
        ]

    def spike_counts(self, rows: int) -> list[int]:
        """Return each layer's number of spikes in the batch just run."""
        return [int(layer.counts[:rows, SPIKES].sum()) for layer in self.layers]

    def _resized(self, number: int, spikes: int, inputs: int) -> LayerState:
        old = self.layers[number]
        new = LayerState.make(
            old.weights, self.rows, spike_capacity=spikes, input_capacity=inputs,
            dtype=self.dtype, gradient_rows=1,
        )  # fmt: skip
        new.weights = old.weights  # views of them have been handed out
        self.layers[number] = new
        return new

    def _events_of(self, number: int, rows: int, steps: int) -> SpikeEvents:
        s = self.layers[number]
        total = int(s.counts[:rows, SPIKES].sum())
        index, step = np.empty(total, np.int32), np.empty(total, np.int32)
        start, stop = np.empty(rows, np.int64), np.empty(rows, np.int64)
        passes.events_of(s.spikes, s.counts, rows, index, step, start, stop)
        return SpikeEvents(index, step, start, stop, s.n_out, steps)


def check_layers(weights: Sequence[NDArray[Any]], recurrent: Sequence[bool] = ()) -> None:
    """Refuse weights that are no network of layers one after the other.

    Raises
    ------
    DataError
        For no layer, another shape, layers that do not fit each other, or values not finite.
    """
    again = tuple(recurrent) or (False,) * len(weights)
    if not weights:
        raise DataError("weights: got no layer, expected at least one array (n_out, n_in)")
    if len(again) != len(weights):
        raise DataError(f"recurrent: names {len(again)} layers, expected {len(weights)}")
    for number, w in enumerate(weights):
        if w.ndim != 2 or 0 in w.shape:
            raise DataError(
                f"weights: got shape {w.shape} for layer {number}, expected (n_out, n_in)"
            )
        if again[number] and w.shape[1] <= w.shape[0]:
            raise DataError(
                f"weights: layer {number} is recurrent with shape {w.shape}, expected [W | R] of "
                f"shape ({w.shape[0]}, n_in + {w.shape[0]})"
            )
        if number:
            below = weights[number - 1].shape[0]
            expected = lines_of((below, w.shape[0]), again[number:], 0)
            if w.shape[1] != expected:
                raise DataError(
                    f"weights: layer {number} has {w.shape[1]} inputs, but layer {number - 1} has "
                    f"{below} neurons" + (f", and itself {w.shape[0]}" if again[number] else "")
                )
        if not np.isfinite(w).all():
            raise DataError(f"weights: layer {number} holds values that are not finite")
