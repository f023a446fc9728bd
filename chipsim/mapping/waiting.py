"""Whether the routes of a mapping could close a circle of waiting, and through which channels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from chipsim.machine.dependencies import dependency_graph, find_cycle, name_cycle
from chipsim.mapping.mapping import Mapping


@dataclass(frozen=True)
class Waiting:
    """Channels that depend on each other in a circle.

    Attributes
    ----------
    cycle : str
        A circle of channels through the routes, whatever the sizes of FIFOs; empty if there is
        none: then no set of packets on these routes can ever deadlock.
    held : str
        A circle of which every FIFO is finite and every router waits for ever: on the machine as
        it is, packets can deadlock. Empty if there is none.
    """

    cycle: str
    held: str

    def as_dict(self) -> dict[str, Any]:
        """Return ``channel_cycle`` (the circle, ``none``) and ``can_deadlock``."""
        return {"channel_cycle": self.held or self.cycle or "none", "can_deadlock": bool(self.held)}


def waiting(mapping: Mapping) -> Waiting:
    """Return the circles of waiting of a mapping's routes.

    Notes
    -----
    O(branches of all routes). Looks at packets alone: a program that stops reading until its own
    sends are accepted can close a circle through its PE
    (:func:`chipsim.network.deadlock.check_routes` takes such edges).
    """
    machine = mapping.machine
    routes = [route for every in mapping.routes.values() for route in every]
    graph = dependency_graph(machine, routes)
    found = [find_cycle(graph, all_edges=every) for every in (True, False)]
    cycle, held = (name_cycle(machine, channels) if channels else "" for channels in found)
    return Waiting(cycle, held)
