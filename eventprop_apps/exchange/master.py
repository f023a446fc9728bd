"""What the optimiser PEs hold together: weights, summed gradients, state; and where these lie."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from eventprop_apps.exchange.pieces import Chunk, Piece, chunks
from eventprop_apps.optimisers.api import Optimiser
from eventprop_apps.optimisers.clip import add_squares

if TYPE_CHECKING:
    from chipsim.sim.memory import Transfer
    from chipsim.sim.pe import ProcessingElement


class Master:
    """Weights, sums and state of all weights, in one vector each; a shard uses its part.

    Parameters
    ----------
    weights : ndarray, shape (words,)
        Initial weights, copied.
    optimiser : Optimiser or None
        None gathers only (gradients for whoever reads them).
    clip_norm : float or None
        Largest norm of a batch's gradient.

    Attributes
    ----------
    sums : ndarray, shape (words,)
        Gradients summed in the current batch.
    keep_sums : bool
        Whether sums go on from batch to batch.
    on_stage : callable
        Is told by each optimiser PE that it begins the ``update``, and the ``broadcast``.
    """

    def __init__(
        self, weights: NDArray[Any], optimiser: Optimiser | None, clip_norm: float | None = None
    ) -> None:
        self.weights = weights.copy()
        self.sums = np.zeros_like(self.weights)
        self.optimiser = optimiser
        self.clip_norm = clip_norm
        self.keep_sums = False
        self.on_stage: Callable[[str], None] = lambda stage: None
        self._scalars: tuple[int, NDArray[Any]] | None = None

    def scalars(self, job: int) -> NDArray[Any]:
        """Return the scalars of a job's update, the same for all shards, and count it once."""
        assert self.optimiser is not None
        if self._scalars is None or self._scalars[0] != job:
            self._scalars = (job, self.optimiser.next_scalars())
            self.optimiser.updates += 1
        return self._scalars[1]


class Store:
    """Where an optimiser PE has the sums and moments of its weights.

    Parameters
    ----------
    master : Master
    pieces : sequence of Piece
        The weights.
    """

    def __init__(self, master: Master, pieces: Sequence[Piece]) -> None:
        self.master = master
        self.pieces = pieces

    def clear(self) -> None:
        """Begin a batch."""
        for piece in self.pieces:
            self.master.sums[piece.start : piece.start + piece.size] = 0

    def add(self, chunk: Chunk, part: NDArray[Any]) -> None:
        """Add a replica's gradient of a chunk to its sum."""
        self.master.sums[chunk.start : chunk.start + chunk.size] += part

    def finish(self, pe: ProcessingElement, chunk: Chunk) -> Generator[Any, Any, None]:
        """End a chunk: all replicas' gradients have been added."""
        raise NotImplementedError

    def squares(self, pe: ProcessingElement, total: float) -> Generator[Any, Any, float]:
        """Return ``total`` plus the squares of this shard's sums."""
        raise NotImplementedError

    def update(
        self, pe: ProcessingElement, scalars: NDArray[Any], factor: float
    ) -> Generator[Any, Any, None]:
        """Update this shard's weights, with gradients times ``factor``."""
        raise NotImplementedError


class SramStore(Store):
    """Sums and moments in the optimiser PE's own memory."""

    def finish(self, pe: ProcessingElement, chunk: Chunk) -> Generator[Any, Any, None]:
        """Do nothing: sums stay where they are."""
        yield from ()

    def squares(self, pe: ProcessingElement, total: float) -> Generator[Any, Any, float]:
        """Return ``total`` plus the squares of this shard's sums."""
        words = 0
        for piece in self.pieces:
            total = add_squares(self.master.sums[piece.start : piece.start + piece.size], total)
            words += piece.size
        yield pe.compute(square_add=words)
        return total

    def update(
        self, pe: ProcessingElement, scalars: NDArray[Any], factor: float
    ) -> Generator[Any, Any, None]:
        """Update this shard's weights."""
        master = self.master
        assert master.optimiser is not None
        words = 0
        for piece in self.pieces:
            part = slice(piece.start, piece.start + piece.size)
            scale(master.sums[part], factor)
            master.optimiser.update_part(
                master.weights[part], master.sums[part], piece.start, scalars
            )
            words += piece.size
        if factor != 1.0:
            yield pe.compute(clip_scale=words)
        yield pe.compute(**{master.optimiser.operation: words})


class DramStore(Store):
    """Sums and moments in DRAM; a chunk at a time passes through the optimiser PE.

    Parameters
    ----------
    master : Master
    pieces : sequence of Piece
    endpoint : int
        The DRAM interface.
    prefix : str
        Begins the names of the regions there: ``<prefix>.sums``, ``<prefix>.moment0`` ….
    """

    def __init__(self, master: Master, pieces: Sequence[Piece], endpoint: int, prefix: str) -> None:
        super().__init__(master, pieces)
        self.endpoint = endpoint
        self.prefix = prefix
        self.base = pieces[0].start if pieces else 0
        self._words = master.weights.dtype.itemsize // 4

    @property
    def moments(self) -> list[NDArray[Any]]:
        """The state's arrays over all weights: what passes through this PE lies in its part."""
        return [] if self.master.optimiser is None else self.master.optimiser.moments()

    def regions(self) -> dict[str, NDArray[Any]]:
        """Return what lies in DRAM at the start, by region."""
        size = sum(piece.size for piece in self.pieces)
        part = slice(self.base, self.base + size)
        held = {f"{self.prefix}.sums": np.zeros(size, self.master.sums.dtype)}
        for number, moment in enumerate(self.moments):
            held[f"{self.prefix}.moment{number}"] = moment[part].copy()
        return held

    def finish(self, pe: ProcessingElement, chunk: Chunk) -> Generator[Any, Any, None]:
        """Write a chunk's sum to DRAM."""
        yield pe.wait(self._write(pe, "sums", self.master.sums, chunk))

    def squares(self, pe: ProcessingElement, total: float) -> Generator[Any, Any, float]:
        """Return ``total`` plus the squares of this shard's sums, read back."""
        for chunk in chunks(self.pieces, self._words):
            yield from self._read(pe, "sums", self.master.sums, chunk)
            part = self.master.sums[chunk.start : chunk.start + chunk.size]
            total = add_squares(part, total)
            yield pe.compute(square_add=chunk.size)
        return total

    def update(
        self, pe: ProcessingElement, scalars: NDArray[Any], factor: float
    ) -> Generator[Any, Any, None]:
        """Update this shard's weights, chunk after chunk."""
        master = self.master
        assert master.optimiser is not None
        for chunk in chunks(self.pieces, self._words):
            part = slice(chunk.start, chunk.start + chunk.size)
            yield from self._read(pe, "sums", master.sums, chunk)
            for number, moment in enumerate(self.moments):
                yield from self._read(pe, f"moment{number}", moment, chunk)
            scale(master.sums[part], factor)
            if factor != 1.0:
                yield pe.compute(clip_scale=chunk.size)
            master.optimiser.update_part(
                master.weights[part], master.sums[part], chunk.start, scalars
            )
            yield pe.compute(**{master.optimiser.operation: chunk.size})
            writes = [
                self._write(pe, f"moment{number}", moment, chunk)
                for number, moment in enumerate(self.moments)
            ]
            for transfer in writes:
                yield pe.wait(transfer)

    def _read(
        self, pe: ProcessingElement, name: str, target: NDArray[Any], chunk: Chunk
    ) -> Generator[Any, Any, None]:
        offset, count = (chunk.start - self.base) * self._words, chunk.size * self._words
        region = f"{self.prefix}.{name}"
        words = yield pe.wait(
            pe.dma_read(self.endpoint, region, offset, count, f"{name} from DRAM")
        )
        target[chunk.start : chunk.start + chunk.size] = words.view(target.dtype)

    def _write(
        self, pe: ProcessingElement, name: str, source: NDArray[Any], chunk: Chunk
    ) -> Transfer:
        part = np.ascontiguousarray(source[chunk.start : chunk.start + chunk.size])
        offset = (chunk.start - self.base) * self._words
        region = f"{self.prefix}.{name}"
        return pe.dma_write(self.endpoint, region, offset, part.view(np.uint32), f"{name} to DRAM")


def scale(values: NDArray[Any], factor: float) -> None:
    """Multiply in place, as off the chip: the factor is cast once, and 1 changes nothing."""
    if factor != 1.0:
        values *= values.dtype.type(factor)
