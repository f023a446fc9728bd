"""Gradients to an optimiser PE: read by DMA in chunks, from all replicas, in replica order.

The gradients of all replicas do not fit the optimiser's SRAM at once (84 kB for 22 replicas of
5-120-3). Sums are taken in replica order, element by element, so they equal the off-chip sum bit
for bit. A missing word is an error that names replica and word.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from chipsim.errors import ExchangeError
from eventprop_apps.exchange.pieces import Chunk, Piece, chunks

if TYPE_CHECKING:
    from chipsim.sim.memory import Transfer
    from chipsim.sim.pe import ProcessingElement


class Sink(Protocol):
    """Takes gradients, chunk after chunk, each from every replica in order."""

    def add(self, chunk: Chunk, part: NDArray[Any]) -> None:
        """Add a replica's gradient of a chunk."""

    def finish(self, pe: ProcessingElement, chunk: Chunk) -> Generator[Any, Any, None]:
        """Do what is left when all replicas' gradients of a chunk have been added."""


def gather(
    pe: ProcessingElement,
    pieces: Sequence[Piece],
    sources: Sequence[tuple[int, Sequence[int]]],
    sink: Sink,
    dtype: np.dtype[Any],
    outstanding: int,
) -> Generator[Any, Any, None]:
    """Add the gradients of replicas, as effects of the optimiser's PE.

    Parameters
    ----------
    pe : ProcessingElement
        The optimiser's.
    pieces : sequence of Piece
        What this PE gathers.
    sources : sequence of (int, sequence of int)
        Replicas to read from, in the order of the sum, and the endpoints of their blocks.
    sink : Sink
    dtype : dtype
        Of the gradients.
    outstanding : int
        Reads kept under way.
    """
    words = dtype.itemsize // 4
    window: deque[tuple[Transfer, int, Chunk]] = deque()
    last = sources[-1][0]
    for chunk in chunks(pieces, words):
        for replica, ends in sources:
            if len(window) == outstanding:
                yield from _add_first(pe, window, sink, dtype, last)
            label = f"gradient of replica {replica}, {chunk.piece.where}"
            transfer = pe.dma_read(
                ends[chunk.piece.block], "gradient", chunk.first * words, chunk.size * words, label
            )
            window.append((transfer, replica, chunk))
    while window:
        yield from _add_first(pe, window, sink, dtype, last)


def _add_first(
    pe: ProcessingElement,
    window: deque[tuple[Transfer, int, Chunk]],
    sink: Sink,
    dtype: np.dtype[Any],
    last: int,
) -> Generator[Any, Any, None]:
    transfer, replica, chunk = window.popleft()
    count = dtype.itemsize // 4

    def lost(_: ProcessingElement) -> ExchangeError:
        return ExchangeError(
            f"gather: the gradient of replica {replica}, {chunk.piece.where} is incomplete: "
            f"word {int(transfer.missing()[0])} never arrived at {pe.label} "
            f"({len(transfer.missing())} of words {chunk.first * count} to "
            f"{(chunk.first + chunk.size) * count - 1} are missing); look for dropped packets"
        )

    words = yield pe.wait(transfer, on_stall=lost)
    sink.add(chunk, words.view(dtype))
    yield pe.compute(gradient_add=len(words))
    if replica == last:
        yield from sink.finish(pe, chunk)
