"""Where a program's packets come from and go to, when layers lie on several PEs.

Keys hold layer-wide neuron numbers, whichever part of a layer sends. Sums depend on the order of
their terms, so what comes on several nets is sorted: spikes by input line, errors by the rank of
their source (the parts of the layer above by index, then the parts of the own layer).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from chipsim.network.api import Deliveries
from eventprop_apps.keys import ErrorKey, SpikeKey
from eventprop_apps.programs.inbox import Strays, errors_of, numbers, spikes_of

if TYPE_CHECKING:
    from chipsim.sim.program import StepCall
    from chipsim.sim.sends import SendPlan

Ints = NDArray[np.int64]


class SpikeSources:
    """The nets that bring a program its spikes, and the input lines that they are.

    Parameters
    ----------
    nets : int
        Number of the application's nets.
    """

    def __init__(self, nets: int) -> None:
        self.groups: list[tuple[SpikeKey, NDArray[np.bool_], int]] = []
        self.several = False
        self._nets = nets

    def add(self, nets: Sequence[int], key: SpikeKey, first_line: int = 0) -> None:
        """Expect spikes on ``nets``, one a row; neuron n is input line ``first_line + n``."""
        for known, wanted, line in self.groups:
            if known == key and line == first_line:
                wanted[list(nets)] = True
                self.several = True
                return
        wanted = np.zeros(self._nets + 1, dtype=np.bool_)
        wanted[list(nets)] = True
        self.groups.append((key, wanted, first_line))
        self.several = len(self.groups) > 1 or first_line != 0

    def take(
        self, inbox: Deliveries, parity: int, strays: Strays
    ) -> tuple[NDArray[np.int32], NDArray[Any]]:
        """Return (row position, input line) of this batch's spikes, sorted; count the rest."""
        if not self.several:
            key, wanted, _ = self.groups[0]
            return spikes_of(inbox, key, wanted, parity, strays)
        place, line = self._places(inbox, parity, strays)
        order = np.lexsort((line, inbox.row[place]))
        return inbox.row[place][order], line[order]

    def take_values(
        self, inbox: Deliveries, parity: int, dtype: np.dtype[Any], strays: Strays
    ) -> tuple[NDArray[np.int32], NDArray[Any], NDArray[Any]]:
        """Return (row position, neuron, value) of packets that carry a number, sorted."""
        place, line = self._places(inbox, parity, strays)
        order = np.lexsort((line, inbox.row[place]))
        place, line = place[order], line[order]
        return inbox.row[place], line, numbers(inbox.payload[place], dtype)

    def _places(self, inbox: Deliveries, parity: int, strays: Strays) -> tuple[Ints, Ints]:
        line = np.full(len(inbox), -1, dtype=np.int64)
        for key, nets, first_line in self.groups:
            sent_parity, neuron = key.decode(inbox.key)
            own = nets[inbox.net] & (sent_parity == parity)
            line[own] = neuron[own] + first_line
        place = np.flatnonzero(line >= 0)
        strays.stale_phase += len(line) - len(place)
        return place, line[place]


class SpikeTargets:
    """The nets on which a program's spikes leave: one to all that take every spike, and others.

    Parameters
    ----------
    everywhere : SendPlan or None
        A net a row, to the PEs that hold weights from all of the layer's neurons.
    slices : sequence of (SendPlan, int, int)
        Nets to slices, and which neurons each one has weights from: from and to (exclusive).
    """

    def __init__(
        self, everywhere: SendPlan | None, slices: Sequence[tuple[SendPlan, int, int]] = ()
    ) -> None:
        self.everywhere = everywhere
        self.slices = tuple(slices)

    @property
    def alone(self) -> SendPlan | None:
        """The one net a row that takes all spikes, if there is no other."""
        return None if self.slices else self.everywhere

    def send(
        self,
        call: StepCall,
        position: NDArray[np.int32],
        neuron: NDArray[Any],
        offset: NDArray[np.int64],
        tag: NDArray[np.int32],
        payload: NDArray[np.uint32] | None = None,
    ) -> None:
        """Send one packet a neuron on each net that wants it; rows as `StepCall.send`."""
        if self.everywhere is not None:
            call.send(self.everywhere, position, offset, payload, tag)
        for plan, first, stop in self.slices:
            own = (neuron >= first) & (neuron < stop)
            call.send(plan, position[own], offset[own], None, tag[own])


class ErrorSources:
    """The nets that bring a program its errors.

    Parameters
    ----------
    nets : int
        Number of the application's nets.
    key : ErrorKey
        Of the layer, whichever its part.
    first : int
        The part's first neuron.
    """

    def __init__(self, nets: int, key: ErrorKey, first: int = 0) -> None:
        self.key = key
        self.first = first
        self.wanted = np.zeros(nets + 1, dtype=np.bool_)
        self._rank = np.zeros(nets + 1, dtype=np.int64)
        self._ranks = 0

    def add(self, nets: Sequence[int]) -> None:
        """Expect errors on ``nets``, one a row; they are added after those of earlier calls."""
        self.wanted[list(nets)] = True
        self._rank[list(nets)] = self._ranks
        self._ranks += 1

    @property
    def several(self) -> bool:
        """Whether errors come from several parts, so that their order is not that of their keys."""
        return self._ranks > 1

    def take(
        self, inbox: Deliveries, parity: int, dtype: np.dtype[Any], strays: Strays
    ) -> tuple[NDArray[np.int32], Ints, Ints, NDArray[Any]]:
        """Return (row position, step, neuron of the part, value) in the order of the sums."""
        if self.several:
            inbox = inbox.select(np.lexsort((self._rank[inbox.net], inbox.row)))
        row, step, neuron, value = errors_of(inbox, self.key, self.wanted, parity, dtype, strays)
        return row, step, neuron - self.first if self.first else neuron, value


class ErrorTargets:
    """The PEs that own the neurons of a layer, and the nets of errors to them.

    Parameters
    ----------
    key : ErrorKey
        Of the layer.
    plans : sequence of (SendPlan, int, int)
        A net a row, for each part of the layer, and its neurons: from and to (exclusive).
    """

    def __init__(self, key: ErrorKey, plans: Sequence[tuple[SendPlan, int, int]]) -> None:
        self.key = key
        self.plans = [plan for plan, _, _ in plans]
        self.ranges = [(first, stop) for _, first, stop in plans]

    def send(
        self,
        call: StepCall,
        parity: int,
        position: NDArray[np.int32],
        step: NDArray[Any],
        neuron: NDArray[Any],
        value: NDArray[Any],
        tag: NDArray[np.int32],
    ) -> None:
        """Send each error to the PE that owns its neuron; rows ascending, as `StepCall.send`."""
        if not len(position):
            return
        offset = self.key.encode(parity, step, neuron)
        words = np.ascontiguousarray(value).view(np.uint32).reshape(len(position), -1)
        if len(self.plans) == 1:
            call.send(self.plans[0], position, offset, words, tag)
            return
        for plan, (first, stop) in zip(self.plans, self.ranges, strict=True):
            own = (neuron >= first) & (neuron < stop)
            call.send(plan, position[own], offset[own], words[own], tag[own])
