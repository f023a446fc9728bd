"""From drained packets to kernel inputs: decode keys, refuse strangers, group by row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chipsim.network.api import Deliveries
from eventprop_apps.keys import ErrorKey, SpikeKey, bits_for
from eventprop_apps.programs.decode import decode_errors, decode_spikes, row_pointers

Ints = NDArray[np.int64]


ASTRAY = "Packets_without_effect"
"""The provenance counter of a core for what :class:`Strays` counts of a kernel."""


@dataclass
class Strays:
    """Packets that arrived in a phase or batch that is not theirs, or that answer no spike.

    Attributes
    ----------
    stale_phase : int
        Spikes or errors of another batch, or of a phase that is over.
    unmatched_errors : int
        Errors that name no recorded spike.
    passed_errors : int
        Errors whose step has passed: without effect.
    """

    stale_phase: int = 0
    unmatched_errors: int = 0
    passed_errors: int = 0


def pointers(row: NDArray[Any], rows: int) -> Ints:
    """Return the CSR pointers of sorted row positions."""
    return row_pointers(row, rows)


def spikes_of(
    inbox: Deliveries, key: SpikeKey, is_spike: NDArray[np.bool_], parity: int, strays: Strays
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Return (row position, neuron) of the spikes of this batch; the rest is counted.

    Parameters
    ----------
    inbox : Deliveries
        Sorted by row, then key.
    key : SpikeKey
    is_spike : ndarray of bool, shape (nets + 1,)
        Which nets carry the spikes that are wanted here.
    parity : int
        The batch's parity.
    strays : Strays
    """
    position, neuron = decode_spikes(
        inbox.row, inbox.net, inbox.key, is_spike, parity, bits_for(key.neurons)
    )
    strays.stale_phase += len(inbox) - len(position)
    return position, neuron


def errors_of(
    inbox: Deliveries,
    key: ErrorKey,
    is_error: NDArray[np.bool_],
    parity: int,
    dtype: np.dtype[Any],
    strays: Strays,
) -> tuple[NDArray[np.int32], Ints, Ints, NDArray[Any]]:
    """Return (row position, step, neuron, value) of the errors of this batch."""
    place, step, neuron = decode_errors(
        inbox.net, inbox.key, is_error, parity, bits_for(key.neurons), bits_for(key.steps)
    )
    if len(place) < len(inbox):
        strays.stale_phase += len(inbox) - len(place)
        inbox = inbox.select(place)
    return inbox.row, step, neuron, numbers(inbox.payload, dtype)


def numbers(payload: NDArray[np.uint32], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Return the number that each packet carries in its first words."""
    words = dtype.itemsize // 4
    return np.ascontiguousarray(payload[:, :words]).view(dtype).reshape(-1)
