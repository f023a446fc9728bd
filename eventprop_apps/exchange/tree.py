"""A reduction tree over the layers' own PEs.

At level k = 0, 1, … the replicas whose number is a multiple of ``arity^(k+1)`` add the sums of the
``arity - 1`` replicas that follow at a distance of ``arity^k`` to their own gradient, where it
lies. When at most ``arity`` sums are left, the optimiser gathers these. Sums of a tree differ from
the sum in replica order by rounding.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from eventprop_apps.exchange.gather import gather
from eventprop_apps.exchange.options import ExchangeOptions
from eventprop_apps.exchange.pieces import Chunk, Piece

if TYPE_CHECKING:
    from chipsim.sim.pe import ProcessingElement

TREE_BARRIER = "level of the tree done"
TREE_READS = 2
"""Reads that a layer's PE keeps under way: 8 kB of buffers beside its weights and gradient."""


def children(replica: int, level: int, samples: int, arity: int) -> list[int]:
    """Return the replicas whose sums ``replica`` adds at a level; none where it is no parent."""
    stride = arity**level
    if replica % (stride * arity):
        return []
    return [child for j in range(1, arity) if (child := replica + j * stride) < samples]


def roots(samples: int, options: ExchangeOptions) -> list[int]:
    """Return the replicas whose sums the optimiser gathers."""
    return list(range(0, samples, options.arity ** options.levels(samples)))


def edges(replicas: int, options: ExchangeOptions) -> Iterator[tuple[int, int]]:
    """Yield (child, parent) of the largest tree, for nets; smaller batches use some of them."""
    for level in range(options.levels(replicas)):
        for parent in range(replicas):
            for child in children(parent, level, replicas, options.arity):
                yield child, parent


class TreeReducer:
    """The part of one layer PE in the tree.

    Parameters
    ----------
    replica : int
    piece : Piece
        The PE's whole block.
    sources : sequence of int
        Endpoint of the block's PE in each replica.
    gradient : ndarray, shape (neurons, inputs)
        The PE's own; sums are added to it in place.
    options : ExchangeOptions
    """

    def __init__(
        self,
        replica: int,
        piece: Piece,
        sources: Sequence[int],
        gradient: NDArray[Any],
        options: ExchangeOptions,
    ) -> None:
        self.replica = replica
        self.piece = piece
        self.sources = sources
        self.options = options
        self._gradient = gradient.reshape(-1)

    def add(self, chunk: Chunk, part: NDArray[Any]) -> None:
        """Add a child's sum of a chunk."""
        self._gradient[chunk.first : chunk.first + chunk.size] += part

    def finish(self, pe: ProcessingElement, chunk: Chunk) -> Generator[Any, Any, None]:
        """Do nothing: sums stay where they are."""
        yield from ()

    def run(self, pe: ProcessingElement, samples: int) -> Generator[Any, Any, None]:
        """Do all levels, with a barrier after each."""
        dtype = self._gradient.dtype
        piece = Piece(0, self.piece.layer, self.piece.part, 0, self.piece.size, self.piece.start)
        for level in range(self.options.levels(samples)):
            own = children(self.replica, level, samples, self.options.arity)
            if own and self.replica < samples:
                ends = [(child, [self.sources[child]]) for child in own]
                yield from gather(pe, [piece], ends, self, np.dtype(dtype), TREE_READS)
            yield pe.barrier(TREE_BARRIER)
