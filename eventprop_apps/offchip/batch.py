"""A feed-forward network of LIF layers, run a batch at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from chipsim.errors import DataError
from eventprop_apps.data.dataset import SpikeEvents
from eventprop_apps.kernels.factors import Factors
from eventprop_apps.kernels.state import SPIKES, SPIKES_LOST, LayerState
from eventprop_apps.losses.ttfs import TTFSLoss, first_spike_errors
from eventprop_apps.offchip import passes

START_CAPACITY = 64
"""Spikes of a sample that a layer has room for at first; doubled whenever it was too little."""


@dataclass(frozen=True)
class BatchResult:
    """What a batch gave.

    Parameters
    ----------
    first_spike_times : ndarray, shape (B, n_out), int32
        Step of each output neuron's first spike; T where silent.
    gradients : list of ndarray, shape (n_out, n_in)
        Sum over the samples, ascending; empty without labels and without errors.
    loss : float or None
        Loss of the batch; None where no labels were given.
    """

    first_spike_times: NDArray[np.int32]
    gradients: list[NDArray[Any]]
    loss: float | None


class OffchipNetwork:
    """The layers' states for batches of up to ``rows`` samples.

    Parameters
    ----------
    weights : sequence of ndarray, shape (n_out, n_in)
        One array a layer, lowest first; copied.
    factors : sequence of Factors
        One a layer.
    rows : int
        Largest batch.
    dtype : {float32, float64}
        Type of the arithmetic.

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
    ) -> None:
        check_layers(weights)
        if len(factors) != len(weights):
            raise DataError(f"got {len(factors)} sets of factors for {len(weights)} layers")
        self.dtype = np.dtype(dtype)
        self.factors = [f.array(self.dtype) for f in factors]
        self.layers = [
            LayerState.make(
                w, rows, spike_capacity=START_CAPACITY, input_capacity=START_CAPACITY,
                dtype=self.dtype, gradient_rows=1,
            )
            for w in weights
        ]  # fmt: skip
        self.rows = rows

    @property
    def weights(self) -> list[NDArray[Any]]:
        """The weights of each layer, shape (n_out, n_in), as views that may be written to."""
        return [layer.weights[0] for layer in self.layers]

    @property
    def shapes(self) -> list[tuple[int, int]]:
        """(n_out, n_in) of each layer."""
        return [(layer.n_out, layer.n_in) for layer in self.layers]

    def forward(self, events: SpikeEvents) -> NDArray[np.int32]:
        """Run the forward pass of a batch; return the output's first spike times (B, n_out)."""
        rows = len(events)
        if rows > self.rows or events.n_in != self.layers[0].n_in:
            raise DataError(
                f"forward: got {rows} samples of {events.n_in} lines, expected at most "
                f"{self.rows} samples of {self.layers[0].n_in} lines"
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

    def backward(self, first: NDArray[np.int32], dldt: NDArray[Any], steps: int) -> list[Any]:
        """Run the adjoint pass of the batch just run forward; return each layer's gradient."""
        rows = first.shape[0]
        top = self.layers[-1]
        passes.take_output_errors(top.spikes, top.spike_values, top.counts, first, dldt)
        gradients = []
        for number in range(len(self.layers) - 1, -1, -1):
            s = self.layers[number]
            total = np.empty((s.n_out, s.n_in), self.dtype)
            passes.backward_pass(
                s.weights, s.neuron, s.spikes, s.spike_values, s.inputs, s.input_errors, s.counts,
                s.gradient, self.factors[number], steps, rows, 0 if number else s.n_in, total,
            )  # fmt: skip
            if number > 0:
                below = self.layers[number - 1]
                passes.take_errors(below.spike_values, s.input_errors, s.counts, rows)
            gradients.append(total)
        return gradients[::-1]

    def spikes(self, rows: int, steps: int) -> list[NDArray[np.uint8]]:
        """Return each layer's spikes of the batch just run, shape (T, B, n_out), 0 or 1."""
        return [
            passes.dense_spikes(layer.spikes, layer.counts, rows, steps, layer.n_out)
            for layer in self.layers
        ]

    def spike_counts(self, rows: int) -> list[int]:
        """Return each layer's number of spikes in the batch just run."""
        return [int(layer.counts[:rows, SPIKES].sum()) for layer in self.layers]

    def _forward_layer(self, number: int, flow: SpikeEvents) -> None:
        s = self.layers[number]
        if flow.longest() > s.inputs.shape[2]:
            s = self._resized(number, s.spikes.shape[2], flow.longest())
        while True:
            passes.forward_pass(
                s.weights, s.neuron, s.spikes, s.spike_values, s.inputs, s.counts,
                self.factors[number], flow.steps, flow.index, flow.step, flow.start, flow.stop,
            )  # fmt: skip
            if not s.counts[: len(flow), SPIKES_LOST].any():
                return
            s = self._resized(number, 2 * s.spikes.shape[2], s.inputs.shape[2])

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


def check_layers(weights: Sequence[NDArray[Any]]) -> None:
    """Refuse weights that are no feed-forward network of LIF layers.

    Raises
    ------
    DataError
        For no layer, another shape, layers that do not fit each other, or values not finite.
    """
    if not weights:
        raise DataError("weights: got no layer, expected at least one array (n_out, n_in)")
    for number, w in enumerate(weights):
        if w.ndim != 2 or 0 in w.shape:
            raise DataError(
                f"weights: got shape {w.shape} for layer {number}, expected (n_out, n_in)"
            )
        if number and w.shape[1] != weights[number - 1].shape[0]:
            raise DataError(
                f"weights: layer {number} has {w.shape[1]} inputs, but layer {number - 1} has "
                f"{weights[number - 1].shape[0]} neurons"
            )
        if not np.isfinite(w).all():
            raise DataError(f"weights: layer {number} holds values that are not finite")


def check_labels(labels: ArrayLike, samples: int, n_out: int) -> NDArray[np.int64]:
    """Return labels as int64.

    Raises
    ------
    DataError
        For another number of labels, or one that is no output.
    """
    array = np.asarray(labels)
    if array.shape != (samples,) or not np.issubdtype(array.dtype, np.integer):
        raise DataError(
            f"labels: got shape {array.shape} of {array.dtype}, expected {samples} integers"
        )
    if samples and (array.min() < 0 or array.max() >= n_out):
        raise DataError(
            f"labels: got {array.min()}..{array.max()}, expected 0..{n_out - 1} for {n_out} outputs"
        )
    return array.astype(np.int64)


def run_batch(
    network: OffchipNetwork,
    events: SpikeEvents,
    labels: ArrayLike | None = None,
    output_error: ArrayLike | None = None,
    *,
    loss: TTFSLoss | None = None,
) -> BatchResult:
    """Run one batch forward and, with labels or errors, backward.

    Parameters
    ----------
    network : OffchipNetwork
        Its states are overwritten; its weights are not changed.
    events : SpikeEvents
        Input spikes of B samples.
    labels : array_like of int, shape (B,), optional
        Then the loss is computed and its gradient.
    output_error : array_like, shape (B, n_out), optional
        dL/dt per step at each output neuron's first spike, instead of labels.
    loss : TTFSLoss, optional
        The loss for labels; ``TTFSLoss()`` by default.

    Raises
    ------
    DataError
        For labels together with errors, or arrays that do not fit.
    """
    if labels is not None and output_error is not None:
        raise DataError("got labels and output_error, expected one of them at most")
    samples, n_out = len(events), network.layers[-1].n_out
    first = network.forward(events)
    if labels is not None:
        right = check_labels(labels, samples, n_out)
        parts, dldt = (loss or TTFSLoss()).loss_rows(
            first, right, samples, steps=events.steps, dtype=network.dtype
        )
        value: float | None = float(sum(parts.tolist()))
    elif output_error is not None:
        error = np.asarray(output_error)
        if error.shape != (samples, n_out):
            raise DataError(f"output_error: got shape {error.shape}, expected ({samples}, {n_out})")
        dldt = first_spike_errors(first, error, steps=events.steps, dtype=network.dtype)
        value = None
    else:
        return BatchResult(first, [], None)
    return BatchResult(first, network.backward(first, dldt, events.steps), value)
