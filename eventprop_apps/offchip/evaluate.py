"""The off-chip back end of :func:`eventprop_apps.evaluate`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from eventprop_apps.data.dataset import SpikeEvents
from eventprop_apps.kernels.factors import Factors
from eventprop_apps.losses.ttfs import TTFSLoss
from eventprop_apps.offchip.batch import OffchipNetwork, run_batch


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
        Mean over the batch; None where no labels were given.
    """

    spikes: list[NDArray[np.uint8]]
    first_spike_times: NDArray[np.int32]
    gradients: list[NDArray[Any]]
    loss: float | None


def evaluate_offchip(
    weights: Sequence[ArrayLike],
    spikes: ArrayLike,
    labels: ArrayLike | None = None,
    output_error: ArrayLike | None = None,
    *,
    factors: str = "exp",
    dt_ms: float = 1.0,
    tau_mem_ms: float = 20.0,
    tau_syn_ms: float = 5.0,
    loss: TTFSLoss | None = None,
    dtype: DTypeLike = np.float32,
) -> Evaluation:
    """Run a network on a batch, forward and backward, without a chip.

    Parameters
    ----------
    weights : sequence of array_like, shape (n_out, n_in)
        One array a layer, lowest first.
    spikes : array_like, shape (T, B, n_in)
        Input spikes, 0 or 1.
    labels : array_like of int, shape (B,), optional
        Right outputs, for the gradient of ``loss``.
    output_error : array_like, shape (B, n_out), optional
        dL/dt per step at each output neuron's first spike, instead of labels.
    factors : {"exp", "euler"}
        Form of the decay factors.
    dt_ms, tau_mem_ms, tau_syn_ms : float
        Step and time constants [ms].
    loss : TTFSLoss, optional
        ``TTFSLoss(xi=1.5, alpha=0.01, beta=100.0)`` by default; times in steps.
    dtype : {float32, float64}
        Type of the arithmetic.

    Raises
    ------
    DataError
        For arrays that do not fit or values out of their range.
    """
    arrays = [np.asarray(w, np.float64) for w in weights]
    events = SpikeEvents.from_dense(spikes)
    constants = Factors.make(factors, dt_ms=dt_ms, tau_mem_ms=tau_mem_ms, tau_syn_ms=tau_syn_ms)
    network = OffchipNetwork(arrays, [constants] * len(arrays), len(events), dtype=dtype)
    result = run_batch(network, events, labels, output_error, loss=loss)
    gradients = result.gradients or [np.zeros(s, network.dtype) for s in network.shapes]
    return Evaluation(
        network.spikes(len(events), events.steps), result.first_spike_times, gradients, result.loss
    )
