"""One batch off the chip: forward, the loss, and backward."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from chipsim.errors import DataError
from eventprop_apps.data.dataset import SpikeEvents
from eventprop_apps.losses.api import Outputs, Targets, given_errors
from eventprop_apps.losses.heads import Heads
from eventprop_apps.losses.ttfs import TTFSLoss
from eventprop_apps.offchip.network import OffchipNetwork


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
        Loss of the batch, regularisers included; None where no labels were given.
    outputs : Outputs
        What the loss judged.
    """

    first_spike_times: NDArray[np.int32]
    gradients: list[NDArray[Any]]
    loss: float | None
    outputs: Outputs


def check_labels(labels: ArrayLike, samples: int, heads: Sequence[int]) -> NDArray[np.int64]:
    """Return labels as int64, one column a head.

    Parameters
    ----------
    labels : array_like of int, shape (samples,) or (samples, heads)
    samples : int
    heads : sequence of int
        Outputs of each head.

    Raises
    ------
    DataError
        For another number of labels, or one that is no output.
    """
    array = np.asarray(labels)
    if array.ndim == 1 and len(heads) == 1:
        array = array[:, None]
    if array.shape != (samples, len(heads)) or not np.issubdtype(array.dtype, np.integer):
        raise DataError(
            f"labels: got shape {np.shape(labels)} of {array.dtype}, expected {samples} integers"
            + (f" for each of {len(heads)} heads" if len(heads) > 1 else "")
        )
    for head, n_out in enumerate(heads if samples else ()):
        own = array[:, head]
        if own.min() < 0 or own.max() >= n_out:
            raise DataError(
                f"labels: got {own.min()}..{own.max()}, expected 0..{n_out - 1} for {n_out} outputs"
                + (f" of head {head}" if len(heads) > 1 else "")
            )
    return array.astype(np.int64)


def head_sizes(loss: Any, n_out: int) -> tuple[int, ...]:
    """Return the outputs of each of a loss's heads.

    Raises
    ------
    DataError
        If they are not the network's.
    """
    sizes = tuple(part.size for part in loss.parts) if isinstance(loss, Heads) else (n_out,)
    if sum(sizes) != n_out:
        raise DataError(
            f"loss: got heads of {list(sizes)} outputs, expected {n_out} together, the neurons of "
            "the last layer"
        )
    return sizes


def check_targets(loss: Any, targets: ArrayLike | None, samples: int, n_out: int) -> Any:
    """Return a loss's wanted values as float64 (samples, n_out), or None where it wants none.

    Raises
    ------
    DataError
        For values that are missing, not wanted, or of another shape.
    """
    if not loss.wants_values:
        if targets is not None:
            raise DataError(f"targets: got values, but {type(loss).__name__} takes labels only")
        return None
    array = np.asarray(targets, np.float64) if targets is not None else np.zeros(0)
    if array.shape != (samples, n_out):
        raise DataError(f"targets: got shape {array.shape}, expected ({samples}, {n_out})")
    return array


def run_batch(
    network: OffchipNetwork,
    events: SpikeEvents,
    labels: ArrayLike | None = None,
    output_error: ArrayLike | None = None,
    *,
    loss: Any = None,
    targets: ArrayLike | None = None,
) -> BatchResult:
    """Run one batch forward and, with labels or errors, backward.

    Parameters
    ----------
    network : OffchipNetwork
        Its states are overwritten; its weights are not changed.
    events : SpikeEvents
        Input spikes of B samples.
    labels : array_like of int, shape (B,) or (B, heads), optional
        Then the loss is computed and its gradient.
    output_error : array_like, shape (B, n_out), optional
        dL/dt per step at each output neuron's first spike (of a read-out: dL/dy), instead of
        labels.
    loss : Loss, optional
        The loss for labels; ``TTFSLoss()`` by default.
    targets : array_like, shape (B, n_out), optional
        Wanted values, for a loss that wants them besides labels.

    Raises
    ------
    DataError
        For labels together with errors, or arrays that do not fit.
    """
    if labels is not None and output_error is not None:
        raise DataError("got labels and output_error, expected one of them at most")
    samples, n_out = len(events), network.layers[-1].n_out
    judge: Any = loss or TTFSLoss()
    first = network.forward(events)
    outputs = network.outputs(first, events.steps, judge.reads)
    if labels is not None:
        right = check_labels(labels, samples, head_sizes(judge, n_out))
        wanted = check_targets(judge, targets, samples, n_out)
        value = None if wanted is None else wanted.astype(network.dtype)
        shares, errors = judge.rows(outputs, Targets(right, value), samples)
        total: float | None = float(sum(shares.tolist()))
    elif output_error is not None:
        error = np.asarray(output_error)
        if error.shape != (samples, n_out):
            raise DataError(f"output_error: got shape {error.shape}, expected ({samples}, {n_out})")
        errors, total = given_errors(outputs, error), None
    else:
        return BatchResult(first, [], None, outputs)
    gradients = network.backward(first, errors, events.steps, reads=judge.reads)
    if total is not None:
        total += sum(float(sum(part.tolist())) for part in network.regulariser_shares)
    return BatchResult(first, gradients, total, outputs)
