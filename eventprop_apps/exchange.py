"""The exchange between batches: gradients to the optimiser by DMA, weights back as one multicast.

Gradients are read in chunks, chunk after chunk from all replicas in replica order, because the
gradients of all replicas do not fit the optimiser's SRAM at once (84 kB for 22 replicas of
5-120-3). Sums are taken in replica order, element by element, so they equal the off-chip sum bit
for bit. A missing word is an error that names replica and word.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from chipsim.errors import ExchangeError
from chipsim.network.api import PAYLOAD_WORDS, Deliveries

if TYPE_CHECKING:
    from chipsim.sim.memory import Transfer
    from chipsim.sim.pe import ProcessingElement
    from eventprop_apps.model import Model

CHUNK_WORDS = 1024
"""Words of a gradient read: 4 kB, so that four outstanding buffers take 16 kB of SRAM."""


def words_of(model: Model, layer: int) -> int:
    """Return the 32-bit words of a layer's weights."""
    out, into = model.shape(layer)
    return out * into * model.word_count


def packets_of(model: Model, layer: int) -> int:
    """Return the packets of 128 bit that carry a layer's weights."""
    return -(-words_of(model, layer) // PAYLOAD_WORDS)


@dataclass(frozen=True)
class Chunk:
    """A part of a layer's weights: words ``start`` to ``start + words``."""

    layer: int
    start: int
    words: int


def chunks(model: Model, chunk_words: int = CHUNK_WORDS) -> list[Chunk]:
    """Return the parts in which gradients are gathered, layer after layer."""
    return [
        Chunk(layer, start, min(chunk_words, words_of(model, layer) - start))
        for layer in range(model.layers)
        for start in range(0, words_of(model, layer), chunk_words)
    ]


def gather(
    pe: ProcessingElement,
    model: Model,
    sources: list[list[int]],
    sums: list[NDArray[Any]],
    outstanding: int,
) -> Generator[Any, Any, None]:
    """Add the gradients of all replicas to ``sums``, as effects of the optimiser's PE.

    Parameters
    ----------
    pe : ProcessingElement
        The optimiser's.
    model : Model
    sources : list of list of int
        Endpoint by replica and layer.
    sums : list of ndarray, shape (n_out * n_in,)
        Per layer, in the model's dtype; changed in place.
    outstanding : int
        Reads kept under way.
    """
    window: deque[tuple[Transfer, int, Chunk]] = deque()
    for replica, chunk in _reads(model, len(sources)):
        if len(window) == outstanding:
            yield from _add_first(pe, model, window, sums)
        label = f"gradient of replica {replica}, layer {chunk.layer}"
        transfer = pe.dma_read(
            sources[replica][chunk.layer], "gradient", chunk.start, chunk.words, label
        )
        window.append((transfer, replica, chunk))
    while window:
        yield from _add_first(pe, model, window, sums)


def _reads(model: Model, replicas: int) -> Iterator[tuple[int, Chunk]]:
    for chunk in chunks(model):
        for replica in range(replicas):
            yield replica, chunk


def _add_first(
    pe: ProcessingElement,
    model: Model,
    window: deque[tuple[Transfer, int, Chunk]],
    sums: list[NDArray[Any]],
) -> Generator[Any, Any, None]:
    transfer, replica, chunk = window.popleft()

    def lost(_: ProcessingElement) -> ExchangeError:
        return ExchangeError(
            f"gather: the gradient of replica {replica}, layer {chunk.layer} is incomplete: "
            f"word {int(transfer.missing()[0])} never arrived at {pe.label} "
            f"({len(transfer.missing())} of words {chunk.start} to "
            f"{chunk.start + chunk.words - 1} are missing); look for dropped packets"
        )

    words = yield pe.wait(transfer, on_stall=lost)
    first = chunk.start // model.word_count
    part = words.view(model.dtype)
    sums[chunk.layer][first : first + len(part)] += part
    yield pe.compute(gradient_add=len(words))


def broadcast(pe: ProcessingElement, net: str, weights: NDArray[Any]) -> None:
    """Send a layer's weights as packets of 128 bit, one multicast each."""
    words = np.ascontiguousarray(weights).reshape(-1).view(np.uint32)
    packets = -(-len(words) // PAYLOAD_WORDS)
    padded = np.zeros(packets * PAYLOAD_WORDS, dtype=np.uint32)
    padded[: len(words)] = words
    pe.send(net, np.arange(packets), padded.reshape(packets, PAYLOAD_WORDS))


class WeightReceiver:
    """Collects a layer's new weights from packets, each of which says where it belongs.

    Parameters
    ----------
    replica, layer : int
        For messages.
    target : ndarray, shape (n_out, n_in)
        The layer's weights, replaced word by word.
    """

    def __init__(self, replica: int, layer: int, target: NDArray[Any]) -> None:
        self.replica = replica
        self.layer = layer
        self._words = target.reshape(-1).view(np.uint32)
        self._packets = -(-len(self._words) // PAYLOAD_WORDS)
        self._mask = (1 << max(1, (self._packets - 1).bit_length())) - 1
        self._seen = np.zeros(self._packets, dtype=np.bool_)

    @property
    def left(self) -> int:
        """Packets that are still missing."""
        return int((~self._seen).sum())

    def begin(self) -> None:
        """Expect a new set of weights."""
        self._seen[:] = False

    def take(self, packets: Deliveries) -> None:
        """Put packets where they belong."""
        number = packets.key.astype(np.int64) & self._mask
        self._seen[number] = True
        place = number[:, None] * PAYLOAD_WORDS + np.arange(PAYLOAD_WORDS)
        keep = place < len(self._words)
        self._words[place[keep]] = packets.payload[keep]

    def lost(self, pe: ProcessingElement) -> ExchangeError:
        """Return the error for words that will never arrive."""
        self.take(pe.take_packets())
        missing = np.flatnonzero(~self._seen)
        first = int(missing[0]) * PAYLOAD_WORDS if len(missing) else -1
        return ExchangeError(
            f"broadcast: the weights of replica {self.replica}, layer {self.layer} are incomplete: "
            f"word {first} never arrived at {pe.label} ({len(missing)} of {self._packets} packets "
            "are missing); look for dropped packets"
        )
