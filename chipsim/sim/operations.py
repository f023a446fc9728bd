"""Cycles by operation of the open handlers, kept only where each handler is recorded."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from chipsim.sim.costs import CostTable
from chipsim.sim.handlers import charge_operations

I64 = NDArray[np.int64]


class Operations:
    """What the open handler of each core was charged for.

    Parameters
    ----------
    cores : int
    costs : CostTable
        Every operation that a run can charge.

    Attributes
    ----------
    names : tuple of str
        The operations, in the order of the table's columns.
    table : ndarray of int64, shape (cores, operations)
        Cycles so far, without those of ``closing``.
    closing : ndarray of int64, shape (2, 2)
        Column and cost of what a handler is known by when it ends: that a tick started it, and
        each packet that it sent.
    """

    def __init__(self, cores: int, costs: CostTable) -> None:
        self.names = tuple(costs.costs)
        self.table = np.zeros((cores, len(self.names)), dtype=np.int64)
        self._costs = costs
        self._column = {name: number for number, name in enumerate(self.names)}
        known = ("tick_overhead", "send_per_qpe")
        self.closing = np.array([[self._column[name], costs.cost(name)] for name in known])
        self._columns: dict[tuple[str, ...], I64] = {}

    def begin(self, core: int) -> None:
        """Forget what a core did before the handler that it opens."""
        self.table[core] = 0

    def charge(self, core: int, operations: Mapping[str, int]) -> None:
        """Add operations of one core, by name."""
        for name, count in operations.items():
            self.table[core, self._column[name]] += int(count) * self._costs.cost(name)

    def step(
        self, cores: NDArray[np.int32], names: tuple[str, ...], counts: I64, costs: I64
    ) -> None:
        """Take a kernel's counts, shape (cores, operations), for the handlers it has opened."""
        charge_operations(self.table, cores, self.columns(names), counts, costs)

    def columns(self, names: tuple[str, ...]) -> I64:
        """Return the table's columns of some operations."""
        columns = self._columns.get(names)
        if columns is None:
            found = [self._column[name] for name in names]
            columns = self._columns[names] = np.array(found, dtype=np.int64)
        return columns
