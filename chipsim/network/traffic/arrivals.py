"""When packets are created, and at which node: open loop, whatever the network can take.

Each process is drawn for the whole machine at once, packet by packet in order of time, so that the
work is that of its packets and not of its cycles, and so that a run of twice the length begins with
the very same packets.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from chipsim.units import FOREVER, PS_PER_US, cycles, cycles_array

BLOCK = 16_384
"""Packets that are drawn at once; part of what a seed means, so not for tuning."""

_MOST_GAP = 1 << 34
"""Trials; the times of a block then stay within 64 bit, whatever the clock."""

I64 = NDArray[np.int64]


class Arrivals(Protocol):
    """A stochastic process of packets."""

    def blocks(self, rng: np.random.Generator, end_ps: int = FOREVER) -> Iterator[tuple[I64, I64]]:
        """Yield (creation time [ps], position of the source among the nodes), by time.

        Every packet created before ``end_ps`` is yielded, and none after it.
        """


@dataclass(frozen=True)
class Bernoulli:
    """In every cycle every node creates a packet with probability ``rate``.

    Attributes
    ----------
    nodes : int
        Number of nodes.
    rate : float
        Packets per node and cycle. Above 1 (where the channels are faster than a flit a cycle) a
        cycle holds ``ceil(rate)`` trials.
    clock_mhz : float
        The clock whose cycles are meant.
    """

    nodes: int
    rate: float
    clock_mhz: float

    def blocks(self, rng: np.random.Generator, end_ps: int = FOREVER) -> Iterator[tuple[I64, I64]]:
        """Yield creation times [ps] and sources.

        Notes
        -----
        The trials of all nodes and cycles stand in one row; the gap to the next success is
        geometric. That is the same process as a draw per trial and costs a draw per packet.
        """
        trials = max(1, ceil(self.rate))
        chance = self.rate / trials
        a_cycle = self.nodes * trials
        # A gap beyond the end need not be exact; cut there, the sum of a block fits its integers.
        longest = min(_MOST_GAP, int(end_ps * self.clock_mhz / PS_PER_US + 2) * a_cycle)
        last, time_ps = -1, np.zeros(1, dtype=np.int64)
        while chance > 0 and time_ps[-1] < end_ps:
            gaps = np.minimum(rng.geometric(chance, size=BLOCK), longest)
            at = last + np.cumsum(gaps)
            last = int(at[-1])
            time_ps = cycles_array(at // a_cycle, self.clock_mhz)
            yield _before(end_ps, time_ps, at % self.nodes)


@dataclass(frozen=True)
class Poisson:
    """Every node is a Poisson process of ``rate`` packets per cycle, in continuous time."""

    nodes: int
    rate: float
    clock_mhz: float

    def blocks(self, rng: np.random.Generator, end_ps: int = FOREVER) -> Iterator[tuple[I64, I64]]:
        """Yield creation times [ps], rounded down, and sources.

        Notes
        -----
        The sum of Poisson processes is one, and which node a packet comes from is uniform.
        """
        cycle_ps = PS_PER_US / self.clock_mhz
        now = 0.0
        while self.rate > 0 and now < end_ps:
            gaps = rng.exponential(cycle_ps / (self.rate * self.nodes), size=BLOCK)
            at = now + np.cumsum(gaps)
            now = float(at[-1])
            time_ps = np.minimum(at, FOREVER).astype(np.int64)
            yield _before(end_ps, time_ps, rng.integers(self.nodes, size=BLOCK))


@dataclass(frozen=True)
class Spiking:
    """Bursts at ticks: every ``period`` cycles the neurons of all nodes spike at one instant.

    Attributes
    ----------
    period : int
        Cycles from tick to tick; the first tick is at 0.
    neurons : int
        Neurons per node; each spikes in a tick with probability ``rate * period / neurons``, so
        that a node creates ``rate`` packets per cycle in the mean.
    """

    nodes: int
    rate: float
    clock_mhz: float
    period: int
    neurons: int

    def blocks(self, rng: np.random.Generator, end_ps: int = FOREVER) -> Iterator[tuple[I64, I64]]:
        """Yield creation times [ps] and sources, a tick a block."""
        chance = self.rate * self.period / self.neurons
        tick, at_ps = 0, 0
        while chance > 0 and at_ps < end_ps:
            spikes = rng.binomial(self.neurons, chance, size=self.nodes)
            source = np.repeat(np.arange(self.nodes), spikes)
            yield np.full(len(source), at_ps, dtype=np.int64), source
            tick += 1
            at_ps = cycles(tick * self.period, self.clock_mhz)


def _before(end_ps: int, time_ps: I64, source: I64) -> tuple[I64, I64]:
    """Return the packets before the end."""
    if time_ps[-1] < end_ps:
        return time_ps, source
    keep = int(np.searchsorted(time_ps, end_ps))
    return time_ps[:keep], source[:keep]
