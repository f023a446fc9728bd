"""A workload: which packets are created when, whatever network then carries them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from chipsim import seeds
from chipsim.errors import NetworkError, did_you_mean
from chipsim.machine.model import Machine
from chipsim.network.traffic.arrivals import Arrivals, Bernoulli, Poisson, Spiking
from chipsim.network.traffic.destinations import SPATIAL, Destinations, Pattern, destinations
from chipsim.network.traffic.nodes import Nodes
from chipsim.network.traffic.spec import Parameter, Spec, bind, parse
from chipsim.units import FOREVER

I64 = NDArray[np.int64]


class Workload(Protocol):
    """What a run injects."""

    @property
    def nodes(self) -> int:
        """Nodes that rates are counted by."""

    @property
    def flows(self) -> int:
        """Number of possible flows; a flow is what shares one route."""

    @property
    def copies(self) -> int:
        """The most destinations that a packet can have."""

    def blocks(self, end_ps: int) -> Iterator[tuple[I64, I64]]:
        """Yield creation times [ps] and flows of all packets before ``end_ps``, by time.

        Every call begins anew.
        """

    def ends(self, flow: int) -> tuple[int, tuple[int, ...]]:
        """Return the endpoints of a flow: source, destinations."""

    def used(self, most: int) -> I64 | None:
        """Return the flows that can occur, in ascending order; None if more than ``most``."""


@dataclass(frozen=True)
class Synthetic:
    """Arrivals and destinations, each drawn from a stream of its own."""

    arrivals: Arrivals
    destinations: Destinations
    seed: int

    @property
    def nodes(self) -> int:
        """Nodes that rates are counted by."""
        return len(self.destinations.nodes)

    @property
    def flows(self) -> int:
        """Number of possible flows."""
        return self.destinations.flows

    @property
    def copies(self) -> int:
        """The most destinations that a packet can have."""
        return self.destinations.copies

    def blocks(self, end_ps: int = FOREVER) -> Iterator[tuple[I64, I64]]:
        """Yield creation times [ps] and flows, by time; every call begins anew."""
        to = seeds.rng(self.seed, "traffic", "destinations")
        at = seeds.rng(self.seed, "traffic", "arrivals")
        for time_ps, source in self.arrivals.blocks(at, end_ps):
            flow = self.destinations.draw(source, to)
            sends = flow >= 0
            yield (time_ps, flow) if sends.all() else (time_ps[sends], flow[sends])

    def ends(self, flow: int) -> tuple[int, tuple[int, ...]]:
        """Return the endpoints of a flow: source, destinations."""
        return self.destinations.ends(flow)

    def used(self, most: int) -> I64 | None:
        """Return the flows that can occur, in ascending order; None if more than ``most``."""
        return self.destinations.used(most)


_TO = Parameter("to", str, "uniform", "the pattern of the destinations")
TEMPORAL: dict[str, tuple[str, tuple[Parameter, ...]]] = {
    "poisson": ("Poisson arrivals in continuous time", (_TO,)),
    "spiking": (
        "bursts at ticks: neurons that spike together",
        (
            Parameter("period", int, 1000, "cycles from tick to tick", low=1),
            Parameter("neurons", int, 64, "neurons per node", low=1),
            _TO,
        ),
    ),
}
"""Patterns that change when packets come; ``to`` names where they go."""

PATTERNS: dict[str, Pattern | tuple[str, tuple[Parameter, ...]]] = {
    **SPATIAL,
    **TEMPORAL,
    "replay": ("the packets of a recorded run or a CSV file, at their times", ()),
}
"""Every pattern's name."""


def synthetic(pattern: str, machine: Machine, rate: float, seed: int) -> Synthetic:
    """Return the workload of a pattern by name.

    Parameters
    ----------
    pattern : str
        For example ``uniform``, ``multicast:4``, ``spiking(period=500, to=multicast(4))``.
    machine : Machine
    rate : float
        Packets per node and cycle of ``noc.clock_mhz``.
    seed : int

    Raises
    ------
    NetworkError
        For an unknown pattern or argument, or one that the machine or the rate does not suit.
    """
    spec = parse(pattern)
    check_name(spec)
    nodes = Nodes.of(machine)
    clock = machine.description.number("noc.clock_mhz")
    once = seeds.rng(seed, "traffic", "once")
    if spec.name not in TEMPORAL:
        to = destinations(spec, nodes, once)
        return Synthetic(Bernoulli(len(nodes), rate, clock), to, seed)
    values = bind(spec, TEMPORAL[spec.name][1])
    to = destinations(str(values["to"]), nodes, once)
    if spec.name == "poisson":
        return Synthetic(Poisson(len(nodes), rate, clock), to, seed)
    period, neurons = int(values["period"]), int(values["neurons"])
    if rate * period > neurons:
        raise NetworkError(
            f"pattern spiking: {rate:g} packets per cycle need {rate * period:g} spikes a tick of "
            f"{period} cycles; expected at most neurons = {neurons}; raise neurons or lower the "
            "rate"
        )
    return Synthetic(Spiking(len(nodes), rate, clock, period, neurons), to, seed)


def check_name(spec: Spec) -> None:
    """Refuse a pattern that does not exist.

    Raises
    ------
    NetworkError
        With the nearest name.
    """
    if spec.name not in PATTERNS:
        raise NetworkError(f"unknown pattern {spec.name!r}{did_you_mean(spec.name, PATTERNS)}")
