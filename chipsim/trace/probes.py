"""Probes: objects that see, or change, what happens, through any of five optional methods.

A probe implements the methods it wants and no others; an event that no probe listens to costs one
look at an empty tuple. A probe that only looks cannot change a run's result.

Methods
-------
``on_start(simulation)``
    Once, when the simulation has been built and before anything is sent: for probes that need the
    names of nets, or the network itself.
``on_sends(sends)``
    Before packets enter the network: columns as of :class:`chipsim.network.api.Sends`. Returns
    None, or other sends to use instead (a probe that drops, delays or alters packets).
``on_deliveries(deliveries)``
    After a program's packets were taken from the network and before it sees them: columns as of
    :class:`chipsim.network.api.Deliveries`. Returns None, or others to use instead.
``on_tick(tick, time_ps)``
    At every tick, before any program runs.
``on_phase(phase, batch, time_ps)``
    When the application says that it enters a phase.

Examples
--------
>>> class Ticks:
...     count = 0
...     def on_tick(self, tick, time_ps):
...         self.count += 1
>>> ticks = Ticks()
>>> Probes([ticks]).tick(0, 1_000_000_000)
>>> ticks.count
1
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from chipsim.errors import TraceError, did_you_mean

Columns = TypeVar("Columns")

METHODS = ("on_start", "on_sends", "on_deliveries", "on_tick", "on_phase")
"""What a probe may implement."""


class Probes:
    """The probes of a run, in the order in which they were given.

    Raises
    ------
    TraceError
        If an object has none of the methods, or one whose name begins with ``on_`` and that is
        none of them (it would never be called).
    """

    def __init__(self, probes: Iterable[object] = ()) -> None:
        self.objects = tuple(probes)
        for probe in self.objects:
            _check(probe)
        self.on_start = self._methods("on_start")
        self.on_sends = self._methods("on_sends")
        self.on_deliveries = self._methods("on_deliveries")
        self.on_tick = self._methods("on_tick")
        self.on_phase = self._methods("on_phase")

    def start(self, simulation: object) -> None:
        """Show the simulation to every probe that asks for it."""
        for method in self.on_start:
            method(simulation)

    def sends(self, sends: Columns) -> Columns:
        """Show sends to every probe in turn and return what is to be sent."""
        for method in self.on_sends:
            changed = method(sends)
            sends = sends if changed is None else changed
        return sends

    def deliveries(self, deliveries: Columns) -> Columns:
        """Show deliveries to every probe in turn and return what the program gets."""
        for method in self.on_deliveries:
            changed = method(deliveries)
            deliveries = deliveries if changed is None else changed
        return deliveries

    def tick(self, tick: int, time_ps: int) -> None:
        """Tell every probe of a tick."""
        for method in self.on_tick:
            method(tick, time_ps)

    def phase(self, phase: str, batch: int, time_ps: int) -> None:
        """Tell every probe of a phase."""
        for method in self.on_phase:
            method(phase, batch, time_ps)

    def _methods(self, name: str) -> tuple[Callable[..., Any], ...]:
        return tuple(getattr(p, name) for p in self.objects if hasattr(p, name))


def _check(probe: object) -> None:
    name = type(probe).__name__
    for attribute in dir(probe):
        if attribute.startswith("on_") and attribute not in METHODS:
            hint = did_you_mean(attribute, METHODS)
            raise TraceError(f"probe {name}: unknown method {attribute}{hint}")
    if not any(hasattr(probe, method) for method in METHODS):
        raise TraceError(
            f"probe {name}: got an object without any of {', '.join(METHODS)}; "
            "implement at least one"
        )
