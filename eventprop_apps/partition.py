"""Which neurons, and so which weights, each layer PE of a replica holds.

A layer that does not fit one PE is split by neurons: part k holds the rows ``first`` to ``stop``
of the layer's weights. Rows lie one after another in the layer's vector of weights, so a part is
one contiguous piece of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

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
    """

    layer: int
    part: int
    first: int
    stop: int
    shape: tuple[int, int]
    words: int
    start: int

    @property
    def size(self) -> int:
        """Number of the part's weights."""
        return self.shape[0] * self.shape[1]

    @property
    def name(self) -> str:
        """``layer0``, or ``layer0.1`` where ``part`` is not 0; unique within a replica."""
        return f"layer{self.layer}" + (f".{self.part}" if self.part else "")


def bounds(neurons: int, parts: int) -> list[int]:
    """Return the first neuron of each part, then ``neurons``; parts differ by one at most."""
    return [neurons * part // parts for part in range(parts + 1)]


def blocks(model: Model, parts: Sequence[int] | None = None) -> list[Block]:
    """Return the blocks of a replica, layer after layer, part after part.

    Parameters
    ----------
    model : Model
    parts : sequence of int, optional
        Number of parts of each layer; one each by default.
    """
    found: list[Block] = []
    start = 0
    for layer in range(model.layers):
        out, into = model.shape(layer)
        ends = bounds(out, 1 if parts is None else parts[layer])
        for part, (first, stop) in enumerate(pairwise(ends)):
            size = (stop - first) * into
            found.append(
                Block(
                    layer, part, first, stop, (stop - first, into), size * model.word_count, start
                )
            )
            start += size
    return found
