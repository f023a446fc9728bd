"""Closed handlers with all that a trace has of them, held back until there is a block of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from chipsim.sim.handlers import LOGGED, log_handlers
from chipsim.sim.whole import settle_logged
from chipsim.trace.schema import OPERATION

if TYPE_CHECKING:
    from chipsim.sim.cores import Cores
    from chipsim.sim.operations import Operations

_COLUMNS = (
    "pe",
    "tick",
    "start_ps",
    "done_ps",
    "busy_ps",
    "cycles",
    "packets_in",
    "packets_out",
    "overrun",
    "fifo_peak",
    "level",
    "phase",
    "batch",
)


class HandlerLog:
    """Handlers of many calls, as columns for :meth:`chipsim.trace.recorder.Recorder.ticks`.

    Parameters
    ----------
    room : int
        The most rows, or one for each core.
    cores : Cores
    operations : Operations
        What their open handlers are charged for.
    """

    def __init__(self, room: int, cores: Cores, operations: Operations) -> None:
        assert len(_COLUMNS) == LOGGED
        self._cores = cores
        self._operations = operations
        self._names = (*_COLUMNS, *(f"{OPERATION}{name}" for name in operations.names))
        self._room = max(room, len(cores.endpoint))
        self._held = np.zeros((len(self._names), self._room), dtype=np.int64)
        self.rows = 0
        self.phase, self.batch = 0, -1

    def enter(self, phase: int, batch: int) -> None:
        """Say which phase and batch the handlers that are closed from now on belong to."""
        self.phase, self.batch = phase, batch

    def has_room(self, count: int) -> bool:
        """Return whether ``count`` more fit."""
        return self.rows + count <= self._room

    def add(self, cores: NDArray[np.int32]) -> None:
        """Add the handlers of some cores, which have just been closed."""
        operations = self._operations
        log_handlers(
            self._held, self.rows, self._cores.data, self._cores.endpoint, cores,
            operations.table, operations.closing, self.phase, self.batch,
        )  # fmt: skip
        self.rows += len(cores)

    def settle(self, directory: NDArray[np.int64], now_ps: int, totals: NDArray[np.int64]) -> None:
        """Close every handler that has ended, and add it; there must be room for all cores'."""
        cores, operations = self._cores, self._operations
        self.rows = settle_logged(
            directory, cores.data, cores.port, now_ps, totals, self._held, self.rows,
            cores.endpoint, operations.table, operations.closing, self.phase, self.batch,
        )  # fmt: skip

    def take(self) -> dict[str, NDArray[Any]]:
        """Return the columns, which are good until more is added, and forget the rows."""
        held, self.rows = self._held[:, : self.rows], 0
        return dict(zip(self._names, held, strict=True))
