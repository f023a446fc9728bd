"""Notices that a traffic run can deadlock, or has."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

from chipsim.machine.model import UNBOUNDED, Machine, PortKind
from chipsim.machine.route import Route
from chipsim.machine.synthetic import DeadlockWarning
from chipsim.network import deadlock
from chipsim.network.api import Network

PATIENCE_CYCLES = 1000
"""Cycles without a delivery, or of waiting at one place, before a deadlock is looked for."""


def can_deadlock(machine: Machine, routes: Sequence[Route] | None) -> bool:
    """Return whether the routes could close a circle of waiting, and warn if they do.

    Parameters
    ----------
    machine : Machine
    routes : sequence of Route or None
        All that can occur; None if they are too many to be analysed, which counts as yes.

    Warns
    -----
    DeadlockWarning
        With the channels of the circle.
    """
    link = machine.port_kind == PortKind.LINK
    if not (machine.port_capacity[link] != UNBOUNDED).any():
        return False
    if routes is None:
        if machine.extras.get("torus", 0):
            warnings.warn(
                f"{machine.name}: routes round a ring of finite FIFOs can deadlock; the run ends "
                "if they do; set noc.fifo_packets=unbounded to rule it out",
                DeadlockWarning,
                stacklevel=2,
            )
        return True
    cycle = deadlock.find_cycle(deadlock.dependency_graph(machine, routes))
    if cycle:
        warnings.warn(
            f"{machine.name}: these routes can deadlock: {len(cycle)} channels depend on each "
            f"other in a circle, {deadlock.name_cycle(machine, cycle)}; the run ends if they do; "
            "set noc.fifo_packets=unbounded to rule it out",
            DeadlockWarning,
            stacklevel=2,
        )
    return bool(cycle)


class StallWatch:
    """Looks at a network between two advances.

    Parameters
    ----------
    network : Network
    cycle_ps : int
    possible : bool
        Whether a circle can close; if not, only a quiet network is looked at.

    Notes
    -----
    Looking costs a pass over everything in flight, source queues included. It is done when nothing
    has been delivered for :data:`PATIENCE_CYCLES`, and else (for a deadlock in a corner) at times
    that double.
    """

    def __init__(self, network: Network, cycle_ps: int, possible: bool) -> None:
        self._network = network
        self._possible = possible
        self._patience_ps = PATIENCE_CYCLES * cycle_ps
        self._ended = -1
        self._since_ps = 0
        self._next_ps = 2 * self._patience_ps

    def look(self, now_ps: int) -> None:
        """Look, now that the network has reached ``now_ps``.

        Raises
        ------
        DeadlockError
            Naming the packets that wait for each other.
        """
        if not self._possible:
            return
        counts = self._network.counters()
        ended = counts.delivered + counts.dropped + counts.overwritten
        if ended != self._ended or not counts.in_flight:
            self._ended, self._since_ps = ended, now_ps
        if now_ps - self._since_ps >= self._patience_ps or now_ps >= self._next_ps:
            deadlock.check(self._network, now_ps, self._patience_ps)
            self._since_ps = now_ps
            self._next_ps = max(self._next_ps, 2 * now_ps)

    def ended(self, now_ps: int) -> None:
        """Look at the end of a run that has not delivered everything.

        Raises
        ------
        DeadlockError
            If a part of what is left can never move again.
        """
        deadlock.check_quiet(self._network, now_ps)
        if self._possible:
            deadlock.check(self._network, now_ps, 0)
