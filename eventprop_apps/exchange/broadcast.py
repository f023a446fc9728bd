"""New weights to all replicas: one multicast for each packet of 128 bit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from chipsim.errors import ExchangeError
from chipsim.network.api import PAYLOAD_WORDS, Deliveries
from chipsim.sim.blocks import WordBlock
from eventprop_apps.exchange.pieces import where

if TYPE_CHECKING:
    from chipsim.sim.pe import ProcessingElement


def packets_of(words: int) -> int:
    """Return the packets that carry ``words`` words."""
    return -(-words // PAYLOAD_WORDS)


def broadcast(
    pe: ProcessingElement, net: str, weights: NDArray[Any], first_packet: int = 0
) -> None:
    """Send weights as packets of 128 bit, one multicast each.

    Parameters
    ----------
    pe : ProcessingElement
    net : str
    weights : ndarray
        A piece's, or a part of it that begins with packet ``first_packet``.
    first_packet : int
    """
    words = np.ascontiguousarray(weights).reshape(-1).view(np.uint32)
    packets = packets_of(len(words))
    padded = np.zeros(packets * PAYLOAD_WORDS, dtype=np.uint32)
    padded[: len(words)] = words
    pe.send(
        net, np.arange(first_packet, first_packet + packets), padded.reshape(packets, PAYLOAD_WORDS)
    )


class WeightReceiver:
    """Collects a block's new weights from packets, each of which says where it belongs.

    Parameters
    ----------
    replica, layer, part : int
        For messages.
    target : ndarray, shape (neurons, inputs)
        The block's weights, replaced word by word.
    nets : sequence of (int, int, int), optional
        Number of each net that brings weights, and the first word and number of words that it
        brings; together they are the block, in order.
    """

    def __init__(
        self,
        replica: int,
        layer: int,
        target: NDArray[Any],
        nets: Sequence[tuple[int, int, int]],
        part: int = 0,
    ) -> None:
        self.replica = replica
        self.where = where(layer, part)
        self.block = WordBlock(target.reshape(-1).view(np.uint32), nets)

    @property
    def left(self) -> int:
        """Packets that are still missing."""
        return self.block.left

    def begin(self) -> None:
        """Expect a new set of weights."""
        self.block.begin()

    def take(self, packets: Deliveries) -> int:
        """Put packets where they belong; return how many were none of weights for this block."""
        return self.block.take(packets)

    def lost(self, pe: ProcessingElement) -> ExchangeError:
        """Return the error for words that will never arrive."""
        self.take(pe.take_packets())
        return ExchangeError(
            f"broadcast: the weights of replica {self.replica}, {self.where} are incomplete: "
            f"word {self.block.first_missing()} never arrived at {pe.label} ({self.left} of "
            f"{len(self.block.arrived)} packets are missing); look for dropped packets"
        )
