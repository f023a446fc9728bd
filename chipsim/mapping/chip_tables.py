"""Tables of chips, by which packet routers send core-to-core packets (SpiNNaker1: point to point).

A router's table has an entry for each of the 65,536 possible chips (hardware.md §2): three bits
that name one of six links, the router's own chip, or nothing. SpiNNaker2's core-to-core packets
carry a 16-bit chip and an 8-bit core address; how its routers keep their tables is not published,
so that both chips have the same here.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from chipsim.errors import MappingError, RouteError
from chipsim.machine.chip_routes import chips_of
from chipsim.machine.model import Machine

NOWHERE = 6
"""An entry for chips that do not exist or cannot be reached; a packet for them is dropped."""
LOCAL = 7
"""The router's own chip."""
ADDRESSES = 1 << 16

U8 = NDArray[np.uint8]


class ChipTables:
    """The tables of all routers of a machine.

    Parameters
    ----------
    machine : Machine
    rows : dict of int to ndarray of uint8, shape (chips,), optional
        Tables that differ from the usual ones, by chip: an entry for each destination chip, 0 to 5
        for a link (E, NE, N, W, SW, S), :data:`NOWHERE` or :data:`LOCAL`.

    Raises
    ------
    RouteError
        If the machine has no packet routers.
    MappingError
        For a table of another shape, or an entry above 7.

    Notes
    -----
    The usual tables hold a shortest way round all faults, as the system software fills them: the
    first step of :meth:`chipsim.machine.chips.Chips.path`. Entries are worked out when they are
    asked for, O(length of the way); the tables of a machine of n chips would have n² of them.
    """

    def __init__(self, machine: Machine, rows: Mapping[int, U8] | None = None) -> None:
        self.machine = machine
        self._chips = chips_of(machine)
        self.rows: dict[int, U8] = dict(rows or {})
        for chip, row in self.rows.items():
            wrong = row.shape != (len(self._chips),) or not 0 <= chip < len(self._chips)
            if wrong or int(row.max(initial=0)) > LOCAL:
                raise MappingError(
                    f"{machine.name}: table of chips of chip {chip}",
                    [
                        f"got shape {row.shape} and entries up to {int(row.max(initial=0))}; "
                        f"expected ({len(self._chips)},), entries from 0 to {LOCAL} and a chip "
                        f"below {len(self._chips)}"
                    ],
                )

    def entry(self, chip: int, dest: int) -> int:
        """Return what the table of ``chip`` says about packets to the chip ``dest``."""
        if chip in self.rows:
            return int(self.rows[chip][dest])
        if chip == dest:
            return LOCAL
        try:
            return self._chips.path(chip, dest)[0]
        except RouteError:
            return NOWHERE

    def row(self, chip: int) -> U8:
        """Return the table of ``chip``, an entry for each destination chip.

        Notes
        -----
        O(chips × length of a way).
        """
        count = len(self._chips)
        return np.array([self.entry(chip, dest) for dest in range(count)], dtype=np.uint8)

    def by_address(self, chip: int) -> U8:
        """Return the table of ``chip`` as the hardware addresses it, uint8 of shape (65536,).

        A chip's address is its column and its row in 8 bits each, column first.
        """
        found = np.full(ADDRESSES, NOWHERE, dtype=np.uint8)
        x, y = self._chips.x.astype(np.int64), self._chips.y.astype(np.int64)
        if int(max(x.max(), y.max())) > 255:
            raise MappingError(
                f"{self.machine.name}: table of chips",
                [
                    f"the machine has {self._chips.width} x {self._chips.height} chips; an address "
                    "holds 256 x 256"
                ],
            )
        found[x << 8 | y] = self.row(chip)
        return found

    def changed(self, chip: int, dest: int, way: int) -> ChipTables:
        """Return tables in which one entry differs."""
        row = self.row(chip)
        row[dest] = way
        return ChipTables(self.machine, {**self.rows, chip: row})
