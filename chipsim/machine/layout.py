"""Where chips stand on boards, and which are neighbours: geometry alone, no hardware.

Chips stand on a triangular grid: chip (x, y) has six neighbours, east (x + 1, y), north-east
(x + 1, y + 1), north (x, y + 1) and the three opposite ones. A 48-chip board is the hexagon of
SpiNN-5; three boards at (0, 0), (4, 8) and (8, 4) make a *triad*, which tiles the plane in steps of
12 chips (SpiNNMachine ``version_5.py``, ``version_248.py``).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chipsim.errors import MachineError

I32 = NDArray[np.int32]

DIRECTIONS = ("E", "NE", "N", "W", "SW", "S")
"""Names of the six links of a chip, in the order of their numbers."""

VECTORS = ((1, 0), (1, 1), (0, 1), (-1, 0), (-1, -1), (0, -1))
"""Step of each direction."""

BOARD_ROWS = ((0, 4), (0, 5), (0, 6), (0, 7), (1, 7), (2, 7), (3, 7), (4, 7))
"""First and last x of each row of a 48-chip board, from y = 0."""

TRIAD = 12
"""Chips along a side of a triad."""

TRIAD_BOARDS = ((0, 0), (4, 8), (8, 4))
"""Where the three boards of a triad begin: the places of their Ethernet chips."""

MOST_CHIPS = 1_048_576


def opposite(direction: int) -> int:
    """Return the number of the link that leads back."""
    return (direction + 3) % 6


@dataclass(frozen=True)
class Layout:
    """Chips of one machine by number.

    Attributes
    ----------
    x, y : ndarray of int32, shape (chips,)
        Coordinates.
    board : ndarray of int32, shape (chips,)
        Number of each chip's board.
    ethernet : ndarray of int32, shape (chips,)
        The chip with the Ethernet port of each chip's board.
    width, height : int
        Size of the grid.
    wrap : bool
        Whether the grid's edges are joined.
    """

    x: I32
    y: I32
    board: I32
    ethernet: I32
    width: int
    height: int
    wrap: bool

    @property
    def chips(self) -> int:
        """Number of chips."""
        return len(self.x)

    @cached_property
    def grid(self) -> I32:
        """Chip by [y, x], -1 where there is none; int32 of shape (height, width)."""
        grid = np.full((self.height, self.width), -1, dtype=np.int32)
        grid[self.y, self.x] = np.arange(self.chips, dtype=np.int32)
        return grid

    @cached_property
    def neighbour(self) -> I32:
        """Chip at the other end of each link, -1 where there is none; int32 of (chips, 6)."""
        found = np.full((self.chips, 6), -1, dtype=np.int32)
        for direction, (dx, dy) in enumerate(VECTORS):
            x: NDArray[Any] = self.x + dx
            y: NDArray[Any] = self.y + dy
            if self.wrap:
                x, y = x % self.width, y % self.height
            inside = (x >= 0) & (x < self.width) & (y >= 0) & (y < self.height)
            found[inside, direction] = self.grid[y[inside], x[inside]]
        return found

    @cached_property
    def long(self) -> NDArray[np.bool_]:
        """Whether each link leads to another board; bool of shape (chips, 6)."""
        there = np.where(self.neighbour >= 0, self.neighbour, 0)
        found: NDArray[np.bool_] = self.board[there] != self.board[:, None]
        return found & (self.neighbour >= 0)

    def at(self, x: int, y: int) -> int:
        """Return the chip at (x, y).

        Raises
        ------
        MachineError
            If there is none.
        """
        if 0 <= x < self.width and 0 <= y < self.height and self.grid[y, x] >= 0:
            return int(self.grid[y, x])
        raise MachineError(
            f"no chip at ({x}, {y}); {self.chips} chips stand on a grid of {self.width} x "
            f"{self.height}, which `chipsim machine` draws"
        )


@lru_cache(maxsize=1)
def board_chips() -> tuple[tuple[int, int], ...]:
    """Return (x, y) of the 48 chips of a board, by row, then column."""
    return tuple((x, y) for y, (a, b) in enumerate(BOARD_ROWS) for x in range(a, b + 1))


def one_chip() -> Layout:
    """Return a single chip."""
    zero = np.zeros(1, dtype=np.int32)
    return Layout(zero, zero, zero, zero, 1, 1, wrap=False)


def one_board() -> Layout:
    """Return a 48-chip board; its Ethernet chip is chip 0 at (0, 0)."""
    x, y = np.array(board_chips(), dtype=np.int32).T
    zero = np.zeros(len(x), dtype=np.int32)
    return Layout(x.copy(), y.copy(), zero, zero, 8, 8, wrap=False)


def triads(across: int, up: int) -> Layout:
    """Return ``across`` x ``up`` triads, joined at the edges.

    Chips are numbered board by board, boards by triad (by row, then column) and in the triad in
    the order (0, 0), (4, 8), (8, 4); on a board by row, then column. O(chips).

    Raises
    ------
    MachineError
        If that is no size, or more than :data:`MOST_CHIPS` chips.
    """
    _check_size("triads", across, up, 1, TRIAD * TRIAD)
    width, height = TRIAD * across, TRIAD * up
    local = np.array(board_chips(), dtype=np.int32)
    corner = np.array(TRIAD_BOARDS, dtype=np.int32)
    ty, tx = np.divmod(np.arange(across * up, dtype=np.int32), np.int32(across))
    x0 = (TRIAD * tx[:, None] + corner[:, 0]).ravel()
    y0 = (TRIAD * ty[:, None] + corner[:, 1]).ravel()
    x = ((x0[:, None] + local[:, 0]) % width).ravel().astype(np.int32)
    y = ((y0[:, None] + local[:, 1]) % height).ravel().astype(np.int32)
    board = np.repeat(np.arange(len(x0), dtype=np.int32), len(local))
    ethernet = board * np.int32(len(local))
    return Layout(x, y, board, ethernet, width, height, wrap=True)


def torus(width: int, height: int) -> Layout:
    """Return a torus of chips: triads of boards where both sides are multiples of 12.

    Of other sizes no torus of boards exists: all links are taken as on-board ones, chips are
    numbered by row, then column, and chip (0, 0) alone has an Ethernet port.

    Raises
    ------
    MachineError
        If a side is below 3 (a chip would be its own neighbour or twice another's), or there are
        more than :data:`MOST_CHIPS` chips.
    """
    _check_size("torus", width, height, 3, 1)
    if width % TRIAD == 0 and height % TRIAD == 0:
        return triads(width // TRIAD, height // TRIAD)
    y, x = np.divmod(np.arange(width * height, dtype=np.int32), np.int32(width))
    zero = np.zeros(len(x), dtype=np.int32)
    return Layout(x, y, zero, zero, width, height, wrap=True)


def steps_of(dx: int, dy: int) -> int:
    """Return the links of a shortest way over (dx, dy) on the triangular grid."""
    return max(abs(dx), abs(dy)) if dx * dy > 0 else abs(dx) + abs(dy)


def shortest(dx: int, dy: int, width: int, height: int) -> tuple[int, int]:
    """Return the step equal to (dx, dy) on a torus that needs the fewest links; of equal ones that
    to the east, then to the north.
    """
    dx, dy = dx % width, dy % height
    options = [(u, v) for u in (dx, dx - width) for v in (dy, dy - height)]
    return min(options, key=lambda step: steps_of(*step))


def _check_size(what: str, across: int, up: int, least: int, chips_each: int) -> None:
    if min(across, up) < least or across * up * chips_each > MOST_CHIPS:
        raise MachineError(
            f"{what} of {across} x {up}: expected at least {least} each way and at most "
            f"{MOST_CHIPS} chips in all; choose another size"
        )
