"""The chips of a machine: where each begins in the machine's arrays, its links, its neighbours."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from chipsim.errors import RouteError
from chipsim.machine.layout import DIRECTIONS, VECTORS, Layout, shortest, steps_of

I32 = NDArray[np.int32]
NONE = -1


@dataclass(frozen=True, eq=False)
class Chips:
    """Chips with packet routers, by number.

    Attributes
    ----------
    layout : Layout
        Coordinates, boards, neighbours.
    alive : ndarray of bool, shape (chips,)
    entry, pool : ndarray of int32, shape (chips,)
        Input node and output node of each packet router.
    link : ndarray of int32, shape (chips, 6)
        Outgoing channel by direction (E, NE, N, W, SW, S), -1 where there is no live link.
    neighbour : ndarray of int32, shape (chips, 6)
        Chip at the far end of each live link, else -1.
    host : ndarray of int32, shape (chips,)
        Host endpoint, -1 on chips without an Ethernet port.
    first_node, first_channel, first_endpoint : ndarray of int32, shape (chips,)
        Where a chip's own nodes, channels and endpoints begin.
    lut_start : ndarray of int32, shape (chips,)
        First row of a chip's look-up tables in the machine's ``lut``; equal chips share theirs.
    """

    layout: Layout
    alive: NDArray[np.bool_]
    entry: I32
    pool: I32
    link: I32
    neighbour: I32
    host: I32
    first_node: I32
    first_channel: I32
    first_endpoint: I32
    lut_start: I32

    def __len__(self) -> int:
        return self.layout.chips

    @property
    def x(self) -> I32:
        """Columns of the chips, int32 of shape (chips,)."""
        return self.layout.x

    @property
    def y(self) -> I32:
        """Rows of the chips, int32 of shape (chips,)."""
        return self.layout.y

    @property
    def board(self) -> I32:
        """Boards of the chips, int32 of shape (chips,)."""
        return self.layout.board

    @property
    def ethernet(self) -> I32:
        """The Ethernet chip of each chip's board, int32 of shape (chips,)."""
        return self.layout.ethernet

    @property
    def width(self) -> int:
        """Columns of the grid of chips."""
        return self.layout.width

    @property
    def height(self) -> int:
        """Rows of the grid of chips."""
        return self.layout.height

    @property
    def wrap(self) -> bool:
        """Whether the grid's edges are joined."""
        return self.layout.wrap

    def at(self, x: int, y: int) -> int:
        """Return the chip at (x, y); MachineError if there is none."""
        return self.layout.at(x, y)

    def label(self, chip: int) -> str:
        """Return a name such as ``chip(3,4)``."""
        return f"chip({int(self.x[chip])},{int(self.y[chip])})"

    def path(self, source: int, dest: int) -> list[int]:
        """Return the directions of the default way between two chips.

        Raises
        ------
        RouteError
            If dead links and chips leave no way; it names those that stand in the way.

        Notes
        -----
        A shortest way: diagonal steps first, then steps in x, then in y. On a torus the shorter way
        round, of equal ones that with steps to the east, then to the north. Where a dead link or
        chip interrupts it, a shortest live way, that takes the step of the default way wherever
        that is on one, else the first direction. O(length); round a fault O(chips), once a
        destination.
        """
        found: list[int] = []
        at = source
        for direction in straight(self, source, dest):
            at = int(self.neighbour[at, direction])
            if at < 0:
                return self._round_faults(source, dest)
            found.append(direction)
        return found

    def walk(self, source: int, directions: list[int]) -> list[int]:
        """Return the chips on a way, its source first."""
        found = [source]
        for direction in directions:
            found.append(int(self.neighbour[found[-1], direction]))
        return found

    def _round_faults(self, source: int, dest: int) -> list[int]:
        for chip in (source, dest):
            if not self.alive[chip]:
                raise RouteError(f"{self.label(chip)} is dead (faults.chips)")
        far = _distances(self, dest)
        if far[source] < 0:
            raise RouteError(
                f"no way from {self.label(source)} to {self.label(dest)}: "
                f"{_in_the_way(self, _distances(self, source), far)}"
            )
        found: list[int] = []
        at = source
        while at != dest:
            steps = self.neighbour[at]
            nearer = [d for d in range(6) if steps[d] >= 0 and far[steps[d]] == far[at] - 1]
            wanted = straight(self, at, dest)[0]
            found.append(wanted if wanted in nearer else nearer[0])
            at = int(steps[found[-1]])
        return found


def straight(chips: Chips, source: int, dest: int) -> list[int]:
    """Return the directions of the default way on a grid without faults: diagonal, x, y."""
    dx, dy = displacement(chips.layout, source, dest)
    diagonal = 0
    if dx * dy > 0:
        diagonal = min(abs(dx), abs(dy))
    found = [1 if dx > 0 else 4] * diagonal
    sign = 1 if dx > 0 else -1
    dx, dy = dx - sign * diagonal, dy - sign * diagonal
    found += [0 if dx > 0 else 3] * abs(dx)
    return found + [2 if dy > 0 else 5] * abs(dy)


def displacement(layout: Layout, source: int, dest: int) -> tuple[int, int]:
    """Return (dx, dy) of a shortest way; of equal ones that to the east, then to the north."""
    dx = int(layout.x[dest]) - int(layout.x[source])
    dy = int(layout.y[dest]) - int(layout.y[source])
    if not layout.wrap:
        return dx, dy
    return shortest(dx, dy, layout.width, layout.height)


@lru_cache(maxsize=256)
def _distances(chips: Chips, dest: int) -> I32:
    """Return the live links from every chip to ``dest``, -1 where there is no way."""
    far = np.full(len(chips), NONE, dtype=np.int32)
    far[dest] = 0
    front = np.array([dest])
    step = 0
    while len(front):
        step += 1
        beside = np.unique(chips.neighbour[front])  # links die both ways, so this is who reaches us
        front = beside[(beside >= 0) & (far[beside] < 0)]
        far[front] = step
    return far


_SHOWN = 6


def _in_the_way(chips: Chips, from_source: I32, from_dest: I32) -> str:
    """Name the dead chips and links round the smaller of the two parts."""
    layout = chips.layout
    far = min(from_source, from_dest, key=lambda part: int((part >= 0).sum()))
    faults = []
    for chip in np.flatnonzero(far >= 0).tolist():
        for direction, name in enumerate(DIRECTIONS):
            there = int(layout.neighbour[chip, direction])
            if there >= 0 and far[there] < 0:
                dead = not chips.alive[there]
                label = chips.label(there if dead else chip)
                faults.append(f"dead {label}" if dead else f"dead link {label} {name}")
    faults = list(dict.fromkeys(faults))
    more = f" and {len(faults) - _SHOWN} more" if len(faults) > _SHOWN else ""
    return f"in the way: {', '.join(faults[:_SHOWN])}{more} (faults.*)"


__all__ = ["DIRECTIONS", "VECTORS", "Chips", "displacement", "shortest", "steps_of", "straight"]
