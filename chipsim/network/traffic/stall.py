"""Notices that a traffic run can deadlock, or has."""

from __future__ import annotations

from collections.abc import Sequence

from chipsim.errors import DeadlockError
from chipsim.machine.model import Machine
from chipsim.machine.route import Route
from chipsim.network.api import Network

PATIENCE_CYCLES = 1000
"""Cycles without a delivery after which a run is looked at for deadlock."""


def warn_of_cycles(machine: Machine, routes: Sequence[Route]) -> None:
    """Warn if the routes' channels depend on each other in a circle and FIFOs are finite."""


class StallWatch:
    """Looks at a network between two advances."""

    def __init__(self, network: Network, cycle_ps: int) -> None:
        self._network = network
        self._patience_ps = PATIENCE_CYCLES * cycle_ps
        self._ended = -1
        self._since_ps = 0

    def look(self, now_ps: int) -> None:
        """Look, now that the network has reached ``now_ps``."""
        counts = self._network.counters()
        ended = counts.delivered + counts.dropped + counts.overwritten
        if ended != self._ended or not counts.in_flight:
            self._ended, self._since_ps = ended, now_ps

    def quiet(self, now_ps: int) -> None:
        """Say why nothing will happen any more."""
        raise DeadlockError("quiet")
