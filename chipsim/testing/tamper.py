"""Probes that meddle: they drop, delay or alter the n-th packet of a kind.

A test that a result depends on every packet loses one of them on purpose and sees the result, or
a counter, change::

    probe = Drop("spike", 3)
    evaluate(weights, spikes, labels, probes=[probe])
    assert probe.hits == 1
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from chipsim.mapping.application import KINDS
from chipsim.network.api import Sends
from chipsim.network.instant import PROGRAM, at
from chipsim.sim.simulation import Simulation

Where = Callable[[Sends], NDArray[np.bool_]]
"""Which rows count, besides being of the kind."""


def data_flits(sends: Sends) -> NDArray[np.bool_]:
    """Choose the flits of DMA transfers, and not the requests."""
    return np.asarray(sends.key % 2 == 1)


def requests(sends: Sends) -> NDArray[np.bool_]:
    """Choose the requests of DMA reads."""
    return np.asarray(sends.key % 2 == 0)


class Tamper:
    """Finds the n-th packet of a kind; what happens to it is the subclass's affair.

    Parameters
    ----------
    kind : str
        One of :data:`chipsim.mapping.application.KINDS`.
    nth : int
        Which of them, from 0, in the order of sending; -1: every one.
    where : callable, optional
        Chooses among the kind's packets (:func:`data_flits`, :func:`requests`, your own).

    Attributes
    ----------
    hits : int
        Packets meddled with.
    seen : int
        Packets of the kind so far.
    rows : list of Sends
        The packets met, as they were before.
    """

    def __init__(self, kind: str, nth: int = 0, where: Where | None = None) -> None:
        self.kind = KINDS.index(kind)
        self.nth = nth
        self.where = where
        self.hits = 0
        self.seen = 0
        self.rows: list[Sends] = []
        self.simulation: Simulation | None = None

    def on_start(self, simulation: Simulation) -> None:
        """Note the simulation, which knows the kinds of nets."""
        self.simulation = simulation

    def on_sends(self, sends: Sends) -> Sends | None:
        """Meddle with the packet, if it is among these."""
        assert self.simulation is not None
        wanted = self.simulation.tracer.kind_of_net[sends.net] == self.kind
        if self.where is not None:
            wanted &= self.where(sends)
        found = np.flatnonzero(wanted)
        first, self.seen = self.seen, self.seen + len(found)
        if self.nth >= 0:
            found = found[np.arange(first, self.seen) == self.nth]
        if not len(found):
            return None
        self.hits += len(found)
        chosen = np.zeros(len(sends), dtype=np.bool_)
        chosen[found] = True
        self.rows.append(sends.select(chosen))
        return self.change(sends, chosen)

    def change(self, sends: Sends, chosen: NDArray[np.bool_]) -> Sends:
        """Return what is sent instead."""
        raise NotImplementedError


class Drop(Tamper):
    """Loses the packet, with all its copies, before it enters the network."""

    def change(self, sends: Sends, chosen: NDArray[np.bool_]) -> Sends:
        """Return the others."""
        return sends.select(~chosen)


class Delay(Tamper):
    """Holds the packet back and sends it later, past the sender's own order.

    Parameters
    ----------
    kind, nth, where : see :class:`Tamper`
    delay_ps : int
        How much later [ps], at least 1.
    """

    def __init__(
        self, kind: str, nth: int = 0, where: Where | None = None, *, delay_ps: int
    ) -> None:
        super().__init__(kind, nth, where)
        self.delay_ps = delay_ps

    def change(self, sends: Sends, chosen: NDArray[np.bool_]) -> Sends:
        """Return the others; the packet follows."""
        simulation = self.simulation
        assert simulation is not None
        held = sends.select(chosen)
        when = int(held.earliest_ps.min()) + self.delay_ps
        at(simulation.env, when, PROGRAM, lambda: self._release(held, when))
        return sends.select(~chosen)

    def _release(self, held: Sends, when: int) -> None:
        simulation = self.simulation
        assert simulation is not None
        # It was counted as lost to a probe when it was held back; now it is an ordinary packet.
        simulation.tracer.probe_dropped -= int(simulation.leaves_of(held.route).sum())
        simulation.synchronise()
        later = np.full(len(held), when + 1, dtype=np.int64)
        simulation.network.send(replace(held, earliest_ps=later))


class Alter(Tamper):
    """Changes bits of the packet's key or payload.

    Parameters
    ----------
    kind, nth, where : see :class:`Tamper`
    key_xor : int
        Bits of the key to flip.
    payload_xor : int
        Bits of a payload word to flip.
    word : int
        Which word.
    """

    def __init__(
        self,
        kind: str,
        nth: int = 0,
        where: Where | None = None,
        *,
        key_xor: int = 0,
        payload_xor: int = 0,
        word: int = 0,
    ) -> None:
        super().__init__(kind, nth, where)
        self.key_xor, self.payload_xor, self.word = key_xor, payload_xor, word

    def change(self, sends: Sends, chosen: NDArray[np.bool_]) -> Sends:
        """Return all of them, one altered."""
        key, payload = sends.key.copy(), sends.payload.copy()
        key[chosen] ^= np.uint32(self.key_xor)
        payload[chosen, self.word] ^= np.uint32(self.payload_xor)
        return replace(sends, key=key, payload=payload)
