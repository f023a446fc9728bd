"""Memory traffic: transfers, and the responders that serve them.

A read is a request packet to the target's memory and a train of one-flit replies back; a write is
a train of flits there. Responders hold reply buffers of their own (unbounded source ports), so a
reply never waits for room behind a request. Words are read from and written to the memory when the
packets arrive: what was dropped is missing, what was altered arrives altered.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import simpy
from numpy.typing import NDArray

from chipsim.network.api import PAYLOAD_WORDS, Deliveries
from chipsim.sim import served
from chipsim.sim.flits import collect, collect_whole, only_key, run_ends
from chipsim.sim.sram import Sram

if TYPE_CHECKING:
    from chipsim.sim.service import MemoryService
    from chipsim.sim.simulation import Simulation


_NO_FLITS = np.zeros(1, dtype=np.bool_)
_NO_WORDS = np.zeros(0, dtype=np.uint32)
"""Where a request's flit goes: it brings nothing that is stored."""


@dataclass(eq=False)
class Transfer:
    """One read or write of remote memory.

    Attributes
    ----------
    number : int
        Its number; requests travel under key ``2 * number``, data under ``2 * number + 1``. A
        flit's place in the transfer stands in its ``tag`` (on the chip: in its address).
    net : int
        The net that its data is accounted to.
    write : bool
    requester, target : int
        Endpoints.
    region, offset : int
        Region number at the target, and first word.
    words : ndarray of uint32
        Data: sent, or filled as replies arrive.
    label : str
        For messages.
    event : simpy.Event
        Of its end; see :attr:`done`.
    lead : int
        Words of the first flit before the transfer's own: an unaligned transfer moves all flits
        that it touches.
    arrived : ndarray of bool, shape (flits,)
        Which flits have arrived.
    left : int
        Flits that have not; not kept while the transfer is quiet.
    quiet_at : MemoryPort or None
        Where it is awaited while compiled code may end it, since nobody waits for that.
    """

    number: int
    net: int
    write: bool
    requester: int
    target: int
    region: int
    offset: int
    words: NDArray[np.uint32]
    label: str
    event: simpy.Event
    lead: int = 0
    arrived: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, dtype=np.bool_))
    left: int = 0
    quiet_at: MemoryPort | None = None

    @property
    def done(self) -> simpy.Event:
        """The event of its end. Who looks at it may wait for it: the end is told from then on."""
        if self.quiet_at is not None:
            self.quiet_at.tell_ends()
        return self.event

    def __post_init__(self) -> None:
        self.left = -(-(self.lead + len(self.words)) // PAYLOAD_WORDS)
        self.arrived = np.zeros(self.left, dtype=np.bool_)

    def missing(self) -> NDArray[np.int64]:
        """Return the numbers of the words (from ``offset``) that have not arrived."""
        words = np.repeat(~self.arrived, PAYLOAD_WORDS)[self.lead :][: len(self.words)]
        return np.flatnonzero(words) + self.offset


def flit_rows(words: NDArray[np.uint32], lead: int = 0) -> NDArray[np.uint32]:
    """Return words, after ``lead`` empty ones, as rows of one flit each, shape (flits, 4)."""
    if lead:
        words = np.concatenate([np.zeros(lead, dtype=np.uint32), words])
    flits = -(-len(words) // PAYLOAD_WORDS)
    if flits * PAYLOAD_WORDS == len(words):
        return words.reshape(flits, PAYLOAD_WORDS).copy()
    rows = np.zeros(flits * PAYLOAD_WORDS, dtype=np.uint32)
    rows[: len(words)] = words
    return rows.reshape(flits, PAYLOAD_WORDS)


class MemoryPort:
    """An endpoint's memory side: serves requests, and collects replies and writes.

    Parameters
    ----------
    simulation : Simulation
    service : MemoryService
        What compiled code serves of it.
    endpoint : int
    sram : Sram
        The memory behind it.
    latency_ps : int
        From a request's arrival to the first reply's start [ps], at least 1.
    flit_ps : int
        Time per flit at the memory [ps]; 0 where the NoC is the limit.
    """

    def __init__(
        self,
        simulation: Simulation,
        service: MemoryService,
        endpoint: int,
        sram: Sram,
        latency_ps: int,
        flit_ps: int = 0,
    ) -> None:
        self.simulation = simulation
        self.endpoint = endpoint
        self.sram = sram
        self.latency_ps = latency_ps
        self.flit_ps = flit_ps
        self.inbox = 2 * endpoint + 1
        self._inboxes = np.array([self.inbox], dtype=np.int32)
        self.incoming: dict[int, Transfer] = {}
        self.serves = False
        self._armed = False
        self._service = service
        self._row = service.add(self)
        self._quiet: Transfer | None = None

    @property
    def bytes_moved(self) -> int:
        """Bytes read from and written to the memory."""
        return self._service.ports.item(self._row, served.BYTES)

    @bytes_moved.setter
    def bytes_moved(self, count: int) -> None:
        self._service.ports[self._row, served.BYTES] = count

    @property
    def free_ps(self) -> int:
        """When the memory has sent and taken all that it has to [ps]."""
        return self._service.ports.item(self._row, served.FREE_PS)

    @free_ps.setter
    def free_ps(self, time: int) -> None:
        self._service.ports[self._row, served.FREE_PS] = time

    def expect(self, transfer: Transfer, quietly: bool = False) -> None:
        """Collect a transfer's flits as they arrive here.

        Where it is the only one, it can be awaited ``quietly``: nobody is told of its end before
        somebody looks at :attr:`Transfer.done`.
        """
        self.tell_ends()
        alone = not (self.serves or self.incoming or self.flit_ps)
        self.incoming[transfer.number] = transfer
        self.arm()
        if quietly and alone and self.simulation.directory is not None:
            transfer.quiet_at, self._quiet = self, transfer
            self._service.await_write(self._row, transfer, self._memory_of(transfer))

    def tell_ends(self) -> None:
        """Await the quiet transfer, if there is one, like any other."""
        transfer, self._quiet = self._quiet, None
        if transfer is not None:
            transfer.quiet_at = None
            transfer.left = self._service.ports.item(self._row, served.LEFT)
            self._service.ports[self._row, served.SERVING] = served.NOTHING

    def ended_quietly(self) -> None:
        """Forget the quiet transfer, which compiled code has ended; nobody waits for it."""
        transfer, self._quiet = self._quiet, None
        assert transfer is not None
        transfer.quiet_at = None
        transfer.left = 0
        self._armed = False
        self.simulation.watches.forget_inbox(self.inbox)
        del self.incoming[transfer.number]
        self.simulation.transfers.forget(transfer)

    def serve(self) -> None:
        """Answer read requests from now on."""
        if self.serves:
            return
        self.tell_ends()
        self.serves = True
        if not self.flit_ps:
            self._service.await_requests(self._row)
        self.arm()

    def arm(self, now: int | None = None) -> None:
        """Watch the memory inbox until the next packet that changes anything."""
        if self._armed or not (self.serves or self.incoming):
            return
        count = 1
        if not self.serves:
            count = next(iter(self.incoming.values())).left
        self._armed = True
        self.simulation.watches.memory(self.inbox, count, self._on_packets, now)

    def _on_packets(self, now: int) -> None:
        self.tell_ends()
        self._armed = False
        if not self._take_whole(now):
            self._take_columns(now)
        self.arm(now)

    def _take_whole(self, now: int) -> bool:
        """Take a request or flits of one transfer by the short cut, if there is nothing else."""
        simulation = self.simulation
        if simulation.directory is None or self.flit_ps:
            return False
        key = only_key(simulation.directory, self.inbox)
        if key < 0:
            return False
        transfer = None
        arrived, memory, lead = _NO_FLITS, _NO_WORDS, 0
        if key % 2:
            transfer = self.incoming.get(key // 2)
            if transfer is None:
                return False
            arrived, memory, lead = transfer.arrived, self._memory_of(transfer), transfer.lead
        taken = simulation.tracer.take_whole(
            collect_whole, self._inboxes, now, arrived, memory, lead
        )
        if taken is None:
            return False
        if transfer is None:
            self._reply(simulation.transfers.open[key // 2], now)
        else:
            self._count(transfer, taken[1], taken[2], now)
        return True

    def _take_columns(self, now: int) -> None:
        """Take whatever is there."""
        packets = self.simulation.drain_memory(self._inboxes, now)
        keys = packets.key
        if len(keys) and keys.item(0) == keys.item(-1):  # as a rule, all of one transfer
            self._take(keys.item(0), packets, slice(None), now)
            return
        # Sorted by key: the packets of a transfer stand together.
        start = 0
        for stop in run_ends(keys).tolist():
            self._take(keys.item(start), packets, slice(start, stop), now)
            start = stop

    def _take(self, key: int, packets: Deliveries, part: slice, now: int) -> None:
        """Answer a request, or store flits, all of one transfer."""
        if key % 2 == 0:
            self._reply(self.simulation.transfers.open[key // 2], now)
            return
        done = now
        if self.flit_ps:
            done = self._accept(packets.time_ps[part], now)
        self._collect(key // 2, packets.tag[part], packets.payload[part], done)

    def _reply(self, transfer: Transfer, now: int) -> None:
        words = self.sram.words(transfer.region, transfer.offset, len(transfer.words))
        start = max(now + self.latency_ps, self.free_ps)
        self.free_ps = start + self.flit_ps * transfer.left
        self.bytes_moved += 4 * len(words)
        self.simulation.transfers.send_flits(
            self.endpoint, transfer.requester, transfer, words, start, self.flit_ps, now
        )

    def _accept(self, times: NDArray[np.int64], now: int) -> int:
        """Return when a memory with a rate of its own has taken flits that arrived by now [ps].

        They wait in its buffer, one after another, behind the replies that it has begun.
        """
        order = np.sort(times)
        left = len(order) - np.arange(len(order), dtype=np.int64)
        last = int((order + left * self.flit_ps).max())
        self.free_ps = max(last, self.free_ps + len(order) * self.flit_ps)
        return max(now, self.free_ps)

    def _collect(
        self, number: int, flit: NDArray[np.int32], payload: NDArray[np.uint32], now: int
    ) -> None:
        """Store flits of a transfer where they belong."""
        transfer = self.incoming.get(number)
        if transfer is not None:
            memory = self._memory_of(transfer)
            fresh, words = collect(transfer.arrived, memory, flit, payload, transfer.lead)
            self._count(transfer, fresh, words, now)

    def _memory_of(self, transfer: Transfer) -> NDArray[np.uint32]:
        """Return where a transfer's words are to be stored here."""
        if transfer.write:
            return self.sram.words(transfer.region, transfer.offset, len(transfer.words))
        return transfer.words

    def _count(self, transfer: Transfer, fresh: int, words: int, now: int) -> None:
        """Count flits that were stored; finish the transfer with the last one."""
        transfer.left -= fresh
        if transfer.write:
            self.bytes_moved += 4 * words
        if transfer.left == 0:
            del self.incoming[transfer.number]
            self.simulation.transfers.finish(transfer, now)
