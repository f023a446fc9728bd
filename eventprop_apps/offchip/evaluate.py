"""The off-chip back end of :func:`eventprop_apps.evaluate`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from chipsim.errors import DataError
from eventprop_apps.data.dataset import SpikeEvents
from eventprop_apps.losses.ttfs import TTFSLoss
from eventprop_apps.model import Model, layer_factors, recurrent_layers
from eventprop_apps.offchip.batch import run_batch
from eventprop_apps.offchip.network import OffchipNetwork


@dataclass(frozen=True)
class Evaluation:
    """Spikes, gradients and loss of a network on a batch.

    Parameters
    ----------
    spikes : list of ndarray, shape (T, B, n), uint8
        Spikes of each layer, 0 or 1.
    first_spike_times : ndarray, shape (B, n_out), int32
        Step of each output neuron's first spike; T where silent.
    gradients : list of ndarray, shape (n_out, n_in)
        Sum over the batch; zero where neither labels nor errors were given.
    loss : float or None
        Mean over the batch, regularisers included; None where no labels were given.
    values : ndarray, shape (B, n_out), or None
        What a leaky read-out gave.
    """

    spikes: list[NDArray[np.uint8]]
    first_spike_times: NDArray[np.int32]
    gradients: list[NDArray[Any]]
    loss: float | None
    values: NDArray[Any] | None = None


def evaluate_offchip(
    weights: Sequence[ArrayLike],
    spikes: ArrayLike,
    labels: ArrayLike | None = None,
    output_error: ArrayLike | None = None,
    *,
    factors: str | Sequence[str] = "exp",
    dt_ms: float = 1.0,
    tau_mem_ms: float | Sequence[float] = 20.0,
    tau_syn_ms: float | Sequence[float] = 5.0,
    threshold: float | Sequence[float] = 1.0,
    recurrent: bool | Sequence[bool] = False,
    regularisers: Any = None,
    slices: int | Sequence[int] = 0,
    loss: Any = None,
    targets: ArrayLike | None = None,
    dtype: DTypeLike = np.float32,
) -> Evaluation:
    """Run a network on a batch, forward and backward, without a chip.

    Parameters
    ----------
    weights : sequence of array_like, shape (n_out, n_in)
        One array a layer, lowest first; of a recurrent one ``[W | R]``, (n_out, n_in + n_out).
    spikes : array_like, shape (T, B, n_in)
        Input spikes, 0 or 1.
    labels : array_like of int, shape (B,) or (B, heads), optional
        Right outputs, for the gradient of ``loss``.
    output_error : array_like, shape (B, n_out), optional
        dL/dt per step at each output neuron's first spike (of a read-out: dL/dy), instead of
        labels.
    factors, dt_ms, tau_mem_ms, tau_syn_ms, threshold
        As `eventprop_apps.model.layer_factors`: one value, or one a layer.
    recurrent : bool or sequence of bool
        One for all LIF layers, or one a layer.
    regularisers : Regulariser or sequence of Regulariser or None, optional
        One for all LIF layers, or one a layer.
    slices : int or sequence of int
        As `Model.slices`: above 0 for a layer that is split by inputs.
    loss : Loss, optional
        ``TTFSLoss(xi=1.5, alpha=0.01, beta=100.0)`` by default; times in steps.
    targets : array_like, shape (B, n_out), optional
        Wanted values, for a loss that wants them.
    dtype : {float32, float64}
        Type of the arithmetic.

    Raises
    ------
    DataError
        For arrays that do not fit or values out of their range.
    """
    arrays = [np.asarray(w, np.float64) for w in weights]
    events = SpikeEvents.from_dense(spikes)
    judge: Any = loss or TTFSLoss()
    model = model_of_arrays(
        arrays, events, judge, dtype, factors=factors, dt_ms=dt_ms, tau_mem_ms=tau_mem_ms,
        tau_syn_ms=tau_syn_ms, threshold=threshold, recurrent=recurrent, regularisers=regularisers,
        slices=slices,
    )  # fmt: skip
    network = OffchipNetwork.of_model(model, arrays, len(events))
    result = run_batch(network, events, labels, output_error, loss=judge, targets=targets)
    gradients = result.gradients or [np.zeros(s, network.dtype) for s in network.shapes]
    values = None if result.outputs.values is None else result.outputs.values.copy()
    return Evaluation(
        network.spikes(len(events), events.steps),
        result.first_spike_times,
        gradients,
        result.loss,
        values,
    )


def model_of_arrays(
    weights: Sequence[NDArray[Any]],
    events: SpikeEvents,
    loss: Any,
    dtype: DTypeLike,
    *,
    recurrent: bool | Sequence[bool] = False,
    regularisers: Any = None,
    slices: int | Sequence[int] = 0,
    factors: Any = "exp",
    **constants: Any,
) -> Model:
    """Return the model that arrays of weights and per-layer constants describe.

    Parameters
    ----------
    weights, loss, dtype, recurrent, regularisers, slices, factors
        As `evaluate_offchip`.
    events : SpikeEvents
        Give the input lines and time steps.
    **constants
        ``dt_ms``, ``tau_mem_ms``, ``tau_syn_ms``, ``threshold``.

    Raises
    ------
    DataError
        For what does not fit.
    """
    decays = layer_factors(len(weights), factors, **constants)
    sizes = network_sizes(weights, events.n_in, recurrent, loss)
    return Model.make(
        sizes, events.steps, decays, loss, dtype, recurrent=recurrent, regularisers=regularisers,
        slices=slices,
    )  # fmt: skip


def network_sizes(
    weights: Sequence[NDArray[Any]], n_in: int, recurrent: bool | Sequence[bool], loss: Any
) -> tuple[int, ...]:
    """Return input lines and neurons of each layer, once the weights fit them and each other.

    Raises
    ------
    DataError
        Naming all arrays that do not fit.
    """
    problems = [
        f"weights[{i}] has shape {w.shape}; expected (n_out, n_in)"
        for i, w in enumerate(weights)
        if w.ndim != 2
    ]
    if not weights:
        problems.append("no weights; expected one array a layer")
    if problems:
        raise DataError("evaluate: " + "; ".join(problems))
    sizes = (n_in, *(w.shape[0] for w in weights))
    again = recurrent_layers(recurrent, len(weights), loss.reads == "values")
    for i, w in enumerate(weights):
        own = i < len(again) and again[i]
        if w.shape[1] != sizes[i] + own * sizes[i + 1]:
            problems.append(
                f"weights[{i}] has {w.shape[1]} inputs; the layer below has {sizes[i]} lines"
                + (f", and the layer itself, recurrent, {sizes[i + 1]} neurons" if own else "")
            )
    if problems:
        raise DataError("evaluate: " + "; ".join(problems))
    return sizes
