"""The nodes that make traffic: a machine's PEs, in the order that patterns number them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from chipsim.errors import NetworkError
from chipsim.machine.model import Machine


@dataclass(frozen=True)
class Nodes:
    """The PEs of a machine.

    Attributes
    ----------
    machine : Machine
    endpoints : ndarray of int32, shape (nodes,)
        In machine order: on a mesh by row, then column, so that node n stands at
        (n mod width, n div width).
    """

    machine: Machine
    endpoints: NDArray[np.int32]

    @classmethod
    def of(cls, machine: Machine) -> Nodes:
        """Return the nodes of ``machine``."""
        return cls(machine, machine.pes())

    def __len__(self) -> int:
        return len(self.endpoints)

    def grid(self, pattern: str) -> tuple[int, int]:
        """Return width and height.

        Raises
        ------
        NetworkError
            If the machine is no full grid with one PE a tile.
        """
        machine = self.machine
        width, height = machine.grid_width, machine.grid_height
        tile = machine.endpoint_y[self.endpoints] * width + machine.endpoint_x[self.endpoints]
        if len(self) != width * height or not np.array_equal(tile, np.arange(len(self))):
            raise NetworkError(
                f"pattern {pattern}: {machine.name} has {len(self)} PEs on a floor of {width} x "
                f"{height} tiles; expected one PE on every tile; use a mesh or torus, or a pattern "
                "without places (uniform, permutation, hotspot, multicast)"
            )
        return width, height

    def square(self, pattern: str) -> int:
        """Return the side of a square grid.

        Raises
        ------
        NetworkError
            If the machine is none.
        """
        width, height = self.grid(pattern)
        if width != height:
            raise NetworkError(
                f"pattern {pattern}: {self.machine.name} is {width} x {height}; expected a square "
                f"mesh or torus; use mesh-{width}x{width}, or another pattern"
            )
        return width

    def bits(self, pattern: str) -> int:
        """Return the number of bits of a node's number.

        Raises
        ------
        NetworkError
            If the number of nodes is no power of two.
        """
        bits = len(self).bit_length() - 1
        if len(self) != 1 << bits:
            raise NetworkError(
                f"pattern {pattern}: {self.machine.name} has {len(self)} nodes; expected a power "
                f"of two (the pattern moves the bits of a node's number), such as {1 << bits} or "
                f"{2 << bits}"
            )
        return bits
