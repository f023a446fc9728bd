"""How the weights are cut: into the parts of optimiser PEs, and these into chunks to be moved."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from eventprop_apps.partition import Block

CHUNK_WORDS = 1024
"""Words moved by one transfer: 4 kB, so that four outstanding buffers take 16 kB of SRAM."""

ALIGN = 4
"""Numbers to which shards' ends are rounded, so that all packets but a block's last are full."""


@dataclass(frozen=True)
class Piece:
    """The part of a block's weights that one optimiser PE serves.

    Attributes
    ----------
    block : int
        Number of the block among a replica's.
    layer, part : int
        What the block holds.
    first, size : int
        First number within the block, and how many.
    start : int
        Place of the first number in the vector of all weights.
    """

    block: int
    layer: int
    part: int
    first: int
    size: int
    start: int

    @property
    def where(self) -> str:
        """Name for messages."""
        return where(self.layer, self.part)


@dataclass(frozen=True)
class Chunk:
    """What one transfer moves: ``size`` numbers from ``first`` on within a piece's block."""

    piece: Piece
    first: int
    size: int

    @property
    def start(self) -> int:
        """Place of the first number in the vector of all weights."""
        return self.piece.start + self.first - self.piece.first


def where(layer: int, part: int) -> str:
    """Return ``layer 0``, or ``layer 0, part 1`` where the part is not the first."""
    return f"layer {layer}" + (f", part {part}" if part else "")


def cut(blocks: Sequence[Block], shards: int) -> list[list[Piece]]:
    """Return the pieces of each shard, in the order of the weights.

    Parameters
    ----------
    blocks : sequence of Block
        Of a replica, in order; they lie one after another in the vector of all weights.
    shards : int
        Optimiser PEs; their parts differ by a few numbers.
    """
    total = sum(block.size for block in blocks)
    ends = [total * s // shards // ALIGN * ALIGN for s in range(shards)] + [total]
    pieces: list[list[Piece]] = []
    for low, high in pairwise(ends):
        own = []
        for number, block in enumerate(blocks):
            first, stop = max(low, block.start), min(high, block.start + block.size)
            if first < stop:
                own.append(
                    Piece(number, block.layer, block.part, first - block.start, stop - first, first)
                )
        pieces.append(own)
    return pieces


def chunks(pieces: Sequence[Piece], word_count: int, chunk_words: int = CHUNK_WORDS) -> list[Chunk]:
    """Return the transfers that move some pieces, in order.

    Parameters
    ----------
    pieces : sequence of Piece
    word_count : int
        32-bit words of a number.
    chunk_words : int
        Words of a transfer.
    """
    step = chunk_words // word_count
    return [
        Chunk(piece, first, min(step, piece.first + piece.size - first))
        for piece in pieces
        for first in range(piece.first, piece.first + piece.size, step)
    ]
