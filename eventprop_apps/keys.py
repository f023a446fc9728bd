"""What stands in a packet's key, below its net's base.

``spike``: batch parity, neuron. ``error``: batch parity, step of the spike that is answered,
neuron. ``current``: batch parity, group of neurons. The phase stands in the net's base, since
spikes and errors are nets of their own; with the parity a straggler of another phase or batch is
seen. ``weight``: number of the packet in the layer's train.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]


@cache
def bits_for(count: int) -> int:
    """Return the bits that number ``count`` things."""
    return max(1, (count - 1).bit_length())


@dataclass(frozen=True)
class SpikeKey:
    """Key offsets of a layer's spikes."""

    neurons: int

    @property
    def bits(self) -> int:
        """Bits of the net's key block."""
        return bits_for(self.neurons) + 1

    def encode(self, parity: int, neuron: NDArray[Any]) -> Ints:
        """Return key offsets."""
        return neuron.astype(np.int64) | (parity << bits_for(self.neurons))

    def decode(self, key: NDArray[np.uint32]) -> tuple[Ints, Ints]:
        """Return (parity, neuron) of keys."""
        low = bits_for(self.neurons)
        wide = key.astype(np.int64)
        return (wide >> low) & 1, wide & ((1 << low) - 1)


@dataclass(frozen=True)
class CurrentKey:
    """Key offsets of a slice's sums of currents: batch parity, group of ``width`` neurons."""

    neurons: int
    width: int

    @property
    def groups(self) -> int:
        """Packets that carry the sums of all neurons."""
        return -(-self.neurons // self.width)

    @property
    def bits(self) -> int:
        """Bits of the net's key block."""
        return bits_for(self.groups) + 1

    def encode(self, parity: int, group: NDArray[Any]) -> Ints:
        """Return key offsets."""
        return group.astype(np.int64) | (parity << bits_for(self.groups))

    def decode(self, key: NDArray[np.uint32]) -> tuple[Ints, Ints]:
        """Return (parity, group) of keys."""
        low = bits_for(self.groups)
        wide = key.astype(np.int64)
        return (wide >> low) & 1, wide & ((1 << low) - 1)


@dataclass(frozen=True)
class ErrorKey:
    """Key offsets of the errors sent to a layer."""

    neurons: int
    steps: int

    @property
    def bits(self) -> int:
        """Bits of the net's key block."""
        return bits_for(self.neurons) + bits_for(self.steps) + 1

    def encode(self, parity: int, step: NDArray[Any], neuron: NDArray[Any]) -> Ints:
        """Return key offsets."""
        low = bits_for(self.neurons)
        high = parity << (low + bits_for(self.steps))
        return neuron.astype(np.int64) | (step.astype(np.int64) << low) | high

    def decode(self, key: NDArray[np.uint32]) -> tuple[Ints, Ints, Ints]:
        """Return (parity, step, neuron) of keys."""
        low, mid = bits_for(self.neurons), bits_for(self.steps)
        wide = key.astype(np.int64)
        neuron = wide & ((1 << low) - 1)
        return (wide >> (low + mid)) & 1, (wide >> low) & ((1 << mid) - 1), neuron
