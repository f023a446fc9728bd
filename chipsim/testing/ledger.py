"""Conservation of copies, per key: everything that is sent ends once, or is still on its way.

The ledger writes down what goes into a network and what comes out of it, key by key, on its own;
it believes none of the network's counters and then compares them with its own books.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chipsim.network.api import Deliveries, Sends
from chipsim.sim.simulation import Simulation

Counts = dict[int, int]

_BOOKS = "_ledger_of_the_tests"


class Ledger:
    """The books of one simulation's network.

    It is a probe (give it to the simulation as the last one), or it is put on a simulation that
    exists already, with :meth:`attach`, before anything is sent.

    Examples
    --------
    >>> from chipsim.testing.scripted import scripted_simulation
    >>> def idle(pe):
    ...     yield pe.next_tick()
    >>> ledger = Ledger()
    >>> simulation = scripted_simulation({"a": idle}, network="simpy", probes=[ledger])
    >>> simulation.run()
    >>> ledger.check()
    {'expected': 0, 'taken': 0, 'dropped': 0, 'in_flight': 0, 'in_inboxes': 0}
    """

    def __init__(self) -> None:
        self.simulation: Simulation | None = None
        self._books: dict[str, Counts] = {"expected": {}, "taken": {}, "dropped": {}}
        self._before = (0, 0, 0)

    @classmethod
    def attach(cls, simulation: Simulation) -> Ledger:
        """Return a new ledger of a simulation that has sent nothing yet."""
        ledger = cls()
        ledger.on_start(simulation)
        return ledger

    def on_start(self, simulation: Simulation) -> None:
        """Listen to the network's send, take and take_drops; nothing may pass them by."""
        self.simulation = simulation
        simulation.short_cuts = False
        network: Any = simulation.network
        network.send = self._listen(network.send, self._sent)
        network.take = self._listen(network.take, None)
        network.take_drops = self._listen(network.take_drops, None, "dropped")
        if hasattr(network, "restore"):
            network.restore = self._taking_over(network.restore)

    def _taking_over(self, restore: Callable[..., Any]) -> Callable[..., Any]:
        """Take the counters of a checkpoint for granted: its network is empty."""

        def restored(*arguments: Any) -> None:
            restore(*arguments)
            assert self.simulation is not None
            counters = self.simulation.network.counters()
            assert not counters.in_flight, f"{counters.in_flight} copies are in flight"
            lost = counters.dropped + counters.overwritten
            self._before = (counters.expected, counters.delivered, lost)

        return restored

    def check(self) -> dict[str, int]:
        """Compare the books with the network's state now, and return their totals.

        Raises
        ------
        AssertionError
            Naming every key with more copies ended than expected, or a total that does not fit.
        """
        simulation = self.simulation
        assert simulation is not None, "the ledger was not given to a simulation"
        simulation.synchronise()
        simulation.tracer.drops()
        left = dict(self._books["expected"])
        flying = simulation.network.in_flight()
        on_the_way = _count({}, flying.key)
        for book in (self._books["taken"], self._books["dropped"], on_the_way):
            for key, count in book.items():
                left[key] = left.get(key, 0) - count
        wrong = {key: count for key, count in left.items() if count < 0}
        assert not wrong, f"more copies ended than were sent, by key: {wrong}"
        totals = {name: sum(book.values()) for name, book in self._books.items()}
        totals["in_flight"] = len(flying.key)
        totals["in_inboxes"] = self._waiting(simulation)
        assert sum(left.values()) == totals["in_inboxes"], (
            f"{sum(left.values())} copies are neither taken nor dropped nor on their way, but "
            f"inboxes hold {totals['in_inboxes']}; by key: {_nonzero(left)}"
        )
        self._compare_counters(simulation, totals)
        return totals

    def _waiting(self, simulation: Simulation) -> int:
        return sum(simulation.network.waiting(i) for i in range(2 * simulation.machine.endpoints))

    def _compare_counters(self, simulation: Simulation, totals: dict[str, int]) -> None:
        counters = simulation.network.counters()
        lost = counters.dropped + counters.overwritten
        told = (counters.expected, counters.delivered, lost)
        found = (*(n - k for n, k in zip(told, self._before, strict=True)), counters.in_flight)
        ended = totals["taken"] + totals["in_inboxes"]
        ours = (totals["expected"], ended, totals["dropped"], totals["in_flight"])
        assert found == ours, (
            "the network counts (expected, delivered, lost, in flight) = "
            f"{found}, the ledger {ours}"
        )

    def _sent(self, sends: Sends) -> None:
        assert self.simulation is not None
        leaves = self.simulation.leaves_of(sends.route)
        _count(self._books["expected"], np.repeat(sends.key, leaves))

    def _listen(
        self,
        method: Callable[..., Any],
        after: Callable[[Sends], None] | None,
        book: str = "taken",
    ) -> Callable[..., Any]:
        def heard(*arguments: Any) -> Any:
            result = method(*arguments)
            if after is not None:
                after(*arguments)  # only if it was not refused
            if isinstance(result, Deliveries) and len(result):
                _count(self._books[book], result.key)
            return result

        return heard


def _count(book: Counts, keys: NDArray[np.uint32]) -> Counts:
    found, counts = np.unique(keys, return_counts=True)
    for key, count in zip(found.tolist(), counts.tolist(), strict=True):
        book[key] = book.get(key, 0) + count
    return book


def _nonzero(book: Counts) -> Counts:
    return {key: count for key, count in book.items() if count}


def watch_simulations(patch: Any) -> None:
    """Keep a ledger of every simulation that is made from now on, checked after each run.

    Parameters
    ----------
    patch : object
        With ``setattr(target, name, value)``, as pytest's ``monkeypatch``.
    """
    make, run = Simulation.__init__, Simulation.run

    def watched_make(self: Simulation, *arguments: Any, **options: Any) -> None:
        make(self, *arguments, **options)
        # Kept by the simulation itself: books that outlive it would keep its network in memory.
        setattr(self, _BOOKS, Ledger.attach(self))

    def watched_run(self: Simulation, *arguments: Any, **options: Any) -> None:
        try:
            run(self, *arguments, **options)
        finally:
            getattr(self, _BOOKS).check()

    patch.setattr(Simulation, "__init__", watched_make)
    patch.setattr(Simulation, "run", watched_run)
