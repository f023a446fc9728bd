"""Memory transfers: who has which memory, engine and link, and what is under way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import simpy
from numpy.typing import NDArray

from chipsim.errors import NetworkError, ProgramError
from chipsim.machine.model import EndpointKind
from chipsim.machine.routes import unicast
from chipsim.network.api import PAYLOAD_WORDS, PlainSends
from chipsim.network.instant import happen_all, ring
from chipsim.sim.dma import DmaEngine
from chipsim.sim.expand import train
from chipsim.sim.flits import send_words
from chipsim.sim.host import HostLink
from chipsim.sim.memory import MemoryPort, Transfer, flit_rows
from chipsim.sim.sends import plain_sends
from chipsim.sim.service import MemoryService
from chipsim.sim.settings import DmaSettings, HostSettings, MemorySettings
from chipsim.sim.sram import Sram

if TYPE_CHECKING:
    from chipsim.sim.simulation import Simulation


class Transfers:
    """Memories, DMA engines and the host link of a simulation, made on first use.

    Attributes
    ----------
    open : dict of int to Transfer
        Transfers under way, by number.
    service : MemoryService
        What compiled code serves of them.
    """

    def __init__(self, simulation: Simulation) -> None:
        self.simulation = simulation
        self.open: dict[int, Transfer] = {}
        self.service = MemoryService(simulation)
        self._count = 0
        self._pe_at = {pe.endpoint: pe for pe in simulation.pe_list}
        self._dma_port = simulation.machine.endpoint_dma_port.tolist()
        self._memories: dict[int, MemoryPort] = {}
        self._drams: list[MemoryPort] = []
        self._engines: dict[int, DmaEngine] = {}
        self._legs: dict[tuple[int, int], int] = {}
        self._host: HostLink | None = None
        ends = simulation.endpoint_of
        self._nets = {
            (ends[str(net.source)], ends[str(sink)]): index
            for index, net in enumerate(simulation.mapping.application.nets)
            if net.dma
            for sink in net.sinks
        }

    def memory(self, endpoint: int) -> MemoryPort:
        """Return an endpoint's memory port, made on first use."""
        port = self._memories.get(endpoint)
        if port is None:
            port = self._memories[endpoint] = self._make_memory(endpoint)
        return port

    def _make_memory(self, endpoint: int) -> MemoryPort:
        machine = self.simulation.machine
        figures = machine.description
        if not 0 <= endpoint < machine.endpoints:
            raise ProgramError(
                f"{machine.name}: memory of endpoint {endpoint}: expected 0 to "
                f"{machine.endpoints - 1}; simulation.endpoint_of gives a vertex's endpoint"
            )
        if machine.endpoint_kind[endpoint] == EndpointKind.DRAM:
            dram = MemorySettings.dram(figures)
            store = Sram(machine.endpoint_label(endpoint), dram.nbytes)
            port = MemoryPort(
                self.simulation, self.service, endpoint, store, dram.latency_ps, dram.flit_ps
            )
            self._drams.append(port)
            return port
        pe = self._pe_at.get(endpoint)
        if pe is None:
            raise ProgramError(
                f"{machine.endpoint_label(endpoint)} has no memory that could be read or written: "
                "no program runs there; give its vertex one that reserves the regions"
            )
        latency = MemorySettings.sram(figures).latency_ps
        return MemoryPort(self.simulation, self.service, endpoint, pe.sram, latency)

    def dma(self, endpoint: int) -> DmaEngine:
        """Return an endpoint's DMA engine, made on first use."""
        engine = self._engines.get(endpoint)
        if engine is None:
            settings = DmaSettings.read(self.simulation.machine.description)
            engine = self._engines[endpoint] = DmaEngine(
                self.simulation, endpoint, settings.setup_cycles, settings.outstanding,
                settings.queue_entries,
            )  # fmt: skip
        return engine

    def engines(self) -> Mapping[int, DmaEngine]:
        """Return the DMA engines in use, by endpoint."""
        return self._engines

    @property
    def host(self) -> HostLink:
        """The host link."""
        if self._host is None:
            hosts = np.flatnonzero(self.simulation.machine.endpoint_kind == EndpointKind.HOST)
            if not len(hosts):
                raise NetworkError(f"{self.simulation.machine.name} has no host interface")
            settings = HostSettings.read(self.simulation.machine.description)
            self._host = HostLink(
                self.simulation, int(hosts[0]), settings.latency_ps, settings.flit_ps
            )
        return self._host

    def new(
        self,
        write: bool,
        requester: int,
        target: int,
        region: int,
        offset: int,
        words: NDArray[np.uint32],
        label: str,
    ) -> Transfer:
        """Register a transfer. Its net is the application's from the data's source, if any."""
        number = self._count
        self._count += 1
        source, sink = (requester, target) if write else (target, requester)
        transfer = Transfer(
            number=number,
            net=self.net_between(source, sink),
            write=write,
            requester=requester,
            target=target,
            region=region,
            offset=offset,
            words=words,
            label=label,
            event=self.simulation.env.event(),
            lead=self._lead(offset, label),
        )
        self.open[number] = transfer
        return transfer

    def _lead(self, offset: int, label: str) -> int:
        """Return how many words of its first flit a transfer leaves out: none if it is aligned.

        Regions begin at aligned addresses.

        Raises
        ------
        ProgramError
            If unaligned transfers are errors (``dma.unaligned``).
        """
        if offset % PAYLOAD_WORDS == 0:
            return 0
        figures = self.simulation.machine.description
        if "dma.align_bytes" not in figures:
            return 0
        align = figures.integer("dma.align_bytes")
        if offset * 4 % align == 0:
            return offset % PAYLOAD_WORDS
        if figures.text("dma.unaligned") == "error":
            raise ProgramError(
                f"{label}: word {offset} is byte {4 * offset} of its region, expected a multiple "
                f"of {align} (dma.align_bytes); move the data, or set dma.unaligned to widen"
            )
        return offset % PAYLOAD_WORDS

    def net_between(self, source: int, sink: int) -> int:
        """Return the number of the DMA net between two endpoints, or -1."""
        return self._nets.get((source, sink), -1)

    def finish(self, transfer: Transfer, now: int) -> None:
        """Forget a complete transfer and wake who waits for it."""
        del self.open[transfer.number]
        ring(self.simulation.env, transfer.event, now, simpy.events.NORMAL)

    def forget(self, transfer: Transfer) -> None:
        """Forget a complete transfer for whose end nobody has ever waited."""
        del self.open[transfer.number]
        happen_all([transfer.event])

    def send_request(self, transfer: Transfer, first_ps: int) -> None:
        """Send a read request to a transfer's target."""
        asked = np.array([transfer.region, transfer.offset, len(transfer.words)], dtype=np.uint32)
        memory = self.memory(transfer.target)
        memory.serve()
        self._send_memory(
            transfer.requester, transfer.target, 2 * transfer.number, transfer.net, asked, 0,
            first_ps, 0, int(self.simulation.env.now),
        )  # fmt: skip
        if self.simulation.directory is not None:
            words = memory.sram.words(transfer.region, transfer.offset, len(transfer.words))
            self.service.ask(transfer, words, self._leg(transfer.target, transfer.requester))

    def send_flits(
        self,
        source: int,
        target: int,
        transfer: Transfer,
        words: NDArray[np.uint32],
        first_ps: int,
        gap_ps: int,
        now: int | None = None,
    ) -> None:
        """Send a transfer's words as a train of one-flit packets, ordered ``now`` [ps]."""
        key = 2 * transfer.number + 1
        now = int(self.simulation.env.now) if now is None else now
        self._send_memory(
            source, target, key, transfer.net, words, transfer.lead, first_ps, gap_ps, now
        )

    def send_trains(
        self,
        source: int,
        trains: Sequence[tuple[int, Transfer, NDArray[np.uint32], int]],
        gap_ps: int,
    ) -> None:
        """Do :meth:`send_flits` for several (target, transfer, flits, first time [ps]) at once."""
        simulation = self.simulation
        flits = np.array([len(rows) for _, _, rows, _ in trains], dtype=np.int64)
        count = int(flits.sum())
        if not count:
            return
        # Port, vertex and tick are the same for all; the others differ from train to train.
        each = np.array(
            [
                (first, self._leg(source, target), 2 * transfer.number + 1, transfer.net)
                for target, transfer, _, first in trains
            ],
            dtype=np.int64,
        )
        first_ps, route, key, net = np.repeat(each, flits, axis=0).T
        vertex = simulation.vertex_at.get(source, -1)
        first_seq = simulation.sequence.item(vertex)
        simulation.sequence[vertex] = first_seq + count
        tick = simulation.clock.tick_at(int(simulation.env.now))
        before = np.repeat(np.cumsum(flits) - flits, flits)
        simulation.send(
            PlainSends(
                np.full(count, self._dma_port[source], dtype=np.int32),
                first_ps.copy(),
                np.full(count, gap_ps, dtype=np.int64),
                route.astype(np.int32),
                np.full(count, vertex, dtype=np.int32),
                np.arange(first_seq, first_seq + count, dtype=np.int64),
                (key & 0xFFFFFFFF).astype(np.uint32),
                np.concatenate([rows for _, _, rows, _ in trains]),
                net.astype(np.int32),
                np.full(count, tick, dtype=np.int32),
                (np.arange(count) - before).astype(np.int32),
            ),
            by_software=False,
        )

    def _send_memory(
        self,
        source: int,
        target: int,
        key: int,
        net: int,
        words: NDArray[np.uint32],
        lead: int,
        first_ps: int,
        gap_ps: int,
        now: int,
    ) -> None:
        simulation = self.simulation
        count = -(-(lead + len(words)) // PAYLOAD_WORDS)
        vertex = simulation.vertex_at.get(source, -1)
        first_seq = simulation.sequence.item(vertex)
        simulation.sequence[vertex] = first_seq + count
        same = (
            self._dma_port[source],
            first_ps,
            gap_ps,
            self._leg(source, target),
            vertex,
            first_seq,
            key & 0xFFFFFFFF,
            net,
            simulation.clock.tick_at(now),
        )
        if simulation.directory is not None:
            simulation.synchronise()
            if send_words(simulation.directory, words, lead, *same):
                simulation.tracer.sent_train(net, count)
                return
        longs, ints, keys = train(count, *same)
        simulation.send_train(plain_sends(longs, ints, keys, flit_rows(words, lead)), net)

    def memories(self) -> list[tuple[int, MemoryPort]]:
        """Return the memory ports in use, by endpoint."""
        return sorted(self._memories.items())

    def state(self) -> dict[str, Any]:
        """Return what a checkpoint needs while no transfer is under way."""
        return {
            "count": self._count,
            "legs": np.array(list(self._legs), dtype=np.int64).reshape(-1, 2),
            "memories": [
                [end, int(port.serves), port.bytes_moved, port.free_ps]
                for end, port in self._memories.items()
            ],
            "engines": [[end, *engine.state()] for end, engine in self._engines.items()],
            "host_free_ps": -1 if self._host is None else self._host.free_ps,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from :meth:`state`; the network's state is to be restored after this."""
        self._count = int(state["count"])
        for source, target in state["legs"].tolist():
            self._leg(source, target)
        for end, serves, moved, free_ps in state["memories"]:
            port = self.memory(end)
            port.bytes_moved, port.free_ps = moved, free_ps
            if serves:
                port.serve()
        for end, *counts in state["engines"]:
            self.dma(end).restore(counts)
        if state["host_free_ps"] >= 0:
            self.host.free_ps = int(state["host_free_ps"])

    def _leg(self, source: int, target: int) -> int:
        leg = self._legs.get((source, target))
        if leg is None:
            bits = 32 * PAYLOAD_WORDS
            route = unicast(
                self.simulation.machine, source, target, payload_bits=bits, memory=True, dma=True
            )
            leg = self._legs[source, target] = int(self.simulation.add_routes([route])[0])
        return leg

    @property
    def dram_bytes_moved(self) -> int:
        """Bytes read from and written to DRAM."""
        return sum(port.bytes_moved for port in self._drams)
