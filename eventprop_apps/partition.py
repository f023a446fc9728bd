"""Which neurons, and so which weights, each layer PE of a replica holds.

A layer that does not fit one PE is split by neurons: part k holds the rows ``first`` to ``stop``
of the layer's weights. A layer that the model splits by inputs lies in slices: slice k holds the
columns ``lines`` of all neurons, and one more PE, without weights, has the neurons themselves.

In the vector of all weights block follows block, each row by row, so that every block is one
contiguous piece of it. Where no layer lies in slices, that is layer after layer, row by row.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

if TYPE_CHECKING:
    from eventprop_apps.model import Model


@dataclass(frozen=True)
class Block:
    """The weights that one layer PE of a replica holds.

    Attributes
    ----------
    layer, part : int
        Layer, and number of the part within it, from 0.
    first, stop : int
        The part's neurons: ``first`` to ``stop - 1``.
    shape : tuple of int
        (neurons of the part, inputs); a recurrent layer's inputs are those from below, then its
        own neurons.
    words : int
        32-bit words of the part's weights.
    start : int
        Number of the part's first weight in the vector of all layers' weights.
    lines : tuple of int
        The part's input lines, from and to (exclusive).
    sliced : bool
        Whether the layer is split by inputs.
    """

    layer: int
    part: int
    first: int
    stop: int
    shape: tuple[int, int]
    words: int
    start: int
    lines: tuple[int, int]
    sliced: bool = False

    @property
    def size(self) -> int:
        """Number of the part's weights."""
        return self.shape[0] * self.shape[1]

    @property
    def name(self) -> str:
        """``layer0``, ``layer0.1`` where ``part`` is not 0, or ``layer0.in1`` of a slice."""
        if self.sliced:
            return f"layer{self.layer}.in{self.part}"
        return f"layer{self.layer}" + (f".{self.part}" if self.part else "")

    def heard(self, first: int, stop: int, line: int) -> tuple[int, int]:
        """Return which neurons of ``first`` to ``stop - 1`` spike on this block's lines.

        Parameters
        ----------
        first, stop : int
            Neurons of a part of the layer that sends.
        line : int
            Input line of that layer's neuron 0.
        """
        low, high = (min(max(end - line, first), stop) for end in self.lines)
        return low, high


def bounds(neurons: int, parts: int) -> list[int]:
    """Return the first neuron of each part, then ``neurons``; parts differ by one at most."""
    return [neurons * part // parts for part in range(parts + 1)]


def blocks(model: Model, parts: Sequence[int] | None = None) -> list[Block]:
    """Return the blocks of a replica, layer after layer, part after part.

    Parameters
    ----------
    model : Model
    parts : sequence of int, optional
        Number of parts (or slices) of each layer; one each by default.
    """
    found: list[Block] = []
    start = 0
    for layer in range(model.layers):
        out, into = model.shape(layer)
        count = 1 if parts is None else parts[layer]
        sliced = model.sliced(layer)
        for part, ends in enumerate(pairwise(bounds(into if sliced else out, count))):
            rows, lines = ((0, out), ends) if sliced else (ends, (0, into))
            shape = (rows[1] - rows[0], lines[1] - lines[0])
            size = shape[0] * shape[1]
            words = size * model.word_count
            found.append(Block(layer, part, *rows, shape, words, start, lines, sliced))
            start += size
    return found


def neurons_block(model: Model, layer: int) -> Block:
    """Return the PE that has the neurons of a layer in slices: a block without weights."""
    neurons = model.sizes[layer + 1]
    return Block(layer, 0, 0, neurons, (neurons, 0), 0, 0, (0, 0))


def pack(arrays: Sequence[NDArray[Any]], pieces: Sequence[Block], dtype: DTypeLike) -> NDArray[Any]:
    """Return one array a layer, shape (n_out, n_in), as the vector of all blocks' weights."""
    return np.concatenate(
        [
            np.asarray(arrays[b.layer][b.first : b.stop, slice(*b.lines)], dtype).reshape(-1)
            for b in pieces
        ]
    )


def unpack(vector: NDArray[Any], pieces: Sequence[Block], arrays: Sequence[NDArray[Any]]) -> None:
    """Write the vector of all blocks' weights into one array a layer."""
    for b in pieces:
        part = vector[b.start : b.start + b.size].reshape(b.shape)
        arrays[b.layer][b.first : b.stop, slice(*b.lines)] = part
