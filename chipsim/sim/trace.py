"""From the simulation to the recorder: who consumed what, when, in which phase and batch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from chipsim.mapping.application import KINDS
from chipsim.network.api import Deliveries, Sends
from chipsim.sim.consume import COURSE, MEMORY, TICK, count_kinds
from chipsim.sim.handler_log import HandlerLog
from chipsim.sim.names import write_names
from chipsim.sim.observe import Observer
from chipsim.sim.operations import Operations
from chipsim.sim.packet_log import PacketLog
from chipsim.trace.recorder import Recorder
from chipsim.trace.schema import DELIVERED, DROPPED

if TYPE_CHECKING:
    from chipsim.sim.simulation import Simulation

HELD_ROWS = 4096
"""Rows that are held back before the recorder counts them, where nothing is written."""
PHASES = ("idle", "forward", "backward", "exchange")
TICKED = ("spike", "error", "current")
"""Kinds of packets that belong to a tick: consumed in another one than the next, they are late."""


class Tracer:
    """Counts and records what the network and the PEs do.

    Attributes
    ----------
    sent : dict of str to int
        Packets handed to the network, by kind.
    late : dict of str to int
        Packets consumed in another tick than the one after their sending, by kind.
    probe_dropped : int
        Copies that a probe took away before they entered the network.
    packets_by_software : int
        Packets written into TX registers by programs (not DMA flits).
    packet_log : PacketLog
        Packets that are held back before the recorder gets them. Compiled code adds to it
        (:mod:`chipsim.sim.whole`), and to the counts by kind.
    late_by_kind, sent_by_kind : ndarray of int64, shape (kinds,)
        Late packets; packets sent since the last hand-over.
    late_by_end : ndarray, shape (2, endpoints)
        What :attr:`late_at` returns, as far as it has been counted.
    """

    def __init__(self, simulation: Simulation, recorder: Recorder | None) -> None:
        self.simulation = simulation
        self.recorder = Recorder(kinds=KINDS, phases=PHASES) if recorder is None else recorder
        kinds = [KINDS.index(net.kind) for net in simulation.mapping.application.nets]
        # Net -1 (a transfer no net was declared for) is the last entry: counted as host traffic.
        self.kind_of_net = np.array([*kinds, KINDS.index("host")], dtype=np.int8)
        self._kinds = self.kind_of_net.tolist()
        self.late_by_kind = np.zeros(len(KINDS), dtype=np.int64)
        self.late_by_end = np.zeros((2, simulation.machine.endpoints), dtype=np.int64)
        self.sent_by_kind = np.zeros(len(KINDS), dtype=np.int64)
        self.packet_log = PacketLog(
            HELD_ROWS,
            self.recorder.writes_packets,
            self.kind_of_net,
            np.array([kind in TICKED for kind in KINDS]),
            self.late_by_kind,
            self.late_by_end,
            np.array(
                [simulation.endpoint_of.get(name, -1) for name in simulation.vertex_number] or [-1],
                dtype=np.int32,
            ),
        )
        self.observer = Observer(simulation, self.recorder)
        self.probe_dropped = 0
        self.packets_by_software = 0
        self._handlers: HandlerLog | None = None
        self._set_place(0, -1)
        if self.recorder.writes_packets:
            simulation.operations = Operations(len(simulation.cores.endpoint), simulation.costs)
            self._handlers = HandlerLog(HELD_ROWS, simulation.cores, simulation.operations)
            self.recorder.name_operations(simulation.operations.names)
            simulation.tick_log.sink = self._tick
            simulation.tick_log.whole_sink = self._settle
            write_names(self.recorder.directory, simulation)
            self.recorder.window.check(len(simulation.vertex_number), simulation.machine.channels)

    @property
    def late(self) -> dict[str, int]:
        """Late packets by kind."""
        return {kind: int(count) for kind, count in zip(KINDS, self.late_by_kind, strict=True)}

    @property
    def late_at(self) -> NDArray[np.int64]:
        """Late packets by endpoint, and the most ticks that one was off; shape (2, endpoints)."""
        return self.late_by_end

    def enter(self, phase: str, batch: int) -> None:
        """Say which phase and batch the packets from now on belong to."""
        if batch != self.batch and self.recorder.window.limits_batches:
            self.simulation.synchronise()
            self._hand_over_hops()
        self._set_place(PHASES.index(phase), batch)
        self.observer.annotate("phase", phase, batch)
        self.observer.annotate("batch", "", batch)
        for method in self.simulation.probes.on_phase:
            method(phase, batch, int(self.simulation.env.now))

    def _set_place(self, phase: int, batch: int) -> None:
        self.phase, self.batch = phase, batch
        self.packet_log.enter(phase, batch)
        self.observer.enter(batch)
        if self._handlers is not None:
            self._handlers.enter(phase, batch)

    def sends(self, sends: Sends, by_software: bool = True) -> None:
        """Count packets about to be sent, by a program's loop or by a DMA engine."""
        self.observer.spikes(sends)
        count_kinds(self.sent_by_kind, self.kind_of_net, sends.net)
        if by_software:
            self.packets_by_software += len(sends)

    def sent_train(self, net: int, count: int) -> None:
        """Count the packets of a DMA engine's train, all of one net."""
        self.sent_by_kind[self._kinds[net]] += count

    def probed(self, before: Sends, after: Sends) -> None:
        """Count what probes took away, as copies."""
        leaves = self.simulation.leaves_of
        self.probe_dropped += int(leaves(before.route).sum() - leaves(after.route).sum())

    def consumed(self, taken: Deliveries, tick: int | None, ticked: bool = True) -> None:
        """Account packets that a program took in ``tick`` (None: a memory, which has no ticks).

        A handler that the tick started takes the packets of the tick before: any others are late.
        One that packets or transfers started, in the course of ``tick``, is late only after that.
        """
        count = len(taken)
        if not count:
            return
        self._hold(taken, DELIVERED, tick, ticked)

    def take_whole(
        self, take: Callable[..., tuple[int, ...]], inboxes: NDArray[np.int32], now: int,
        *arguments: Any,
    ) -> tuple[int, ...] | None:  # fmt: skip
        """Let compiled code take packets and note them here (see :mod:`chipsim.sim.flits`).

        Returns
        -------
        tuple of int or None
            What ``take`` returned, packets first; None if it is not possible.
        """
        directory = self.simulation.directory
        for _ in range(2):
            found = take(directory, inboxes, now, self.packet_log.form, *arguments)
            if found[0] >= 0:
                return found
            self.hand_over()
        return None

    def drops(self) -> None:
        """Account copies lost since the last call, and hand over what was held back."""
        lost = self.simulation.network.take_drops()
        if len(lost):
            self._hold(lost, DROPPED, None, False)
        self.hand_over()

    def flush(self) -> None:
        """Write what is complete: everything, if no packet waits in an inbox."""
        simulation = self.simulation
        simulation.settle()
        self.drops()
        network = simulation.network
        self._hand_over_hops()
        self._hand_over_ticks()
        self.observer.flush(int(simulation.env.now))
        if self.recorder.writes_packets and not any(
            network.waiting(inbox)
            for pe in simulation.pe_list
            for inbox in (pe.inbox, pe.inbox + 1)
        ):
            self.recorder.flush(int(simulation.env.now))

    def _hand_over_hops(self) -> None:
        if self.recorder.writes_hops:
            log = self.simulation.network.take_hops()
            if not self.recorder.window.takes_batch(self.batch):
                return
            self.recorder.hops(
                packet_source=log.source,
                packet_seq=log.seq,
                kind=self.kind_of_net[log.net],
                net=log.net,
                channel=log.channel,
                arrived_ps=log.arrived_ps,
                granted_ps=log.granted_ps,
                far_ps=log.far_ps,
            )

    def finish(self) -> None:
        """Record what has arrived and nobody took (never consumed), and flush: the run is over."""
        simulation = self.simulation
        simulation.synchronise()
        network = simulation.network
        inboxes = [2 * end + part for end in simulation.endpoint_of.values() for part in (0, 1)]
        full = [inbox for inbox in inboxes if network.waiting(inbox)]
        for pe in simulation.pe_list:
            simulation.cores.note_fill(pe.core, network.waiting(pe.inbox))
        if full:
            left = network.take(np.array(full, dtype=np.int32), int(simulation.env.now))
            self.consumed(left, None)
        self._hand_over_ticks()
        self.observer.finish(int(simulation.env.now))
        self.flush()

    def state(self) -> dict[str, Any]:
        """Return what a checkpoint needs, with everything that was held back handed over."""
        self.flush()
        return {
            "phase": self.phase,
            "batch": self.batch,
            "observer": self.observer.state(),
            "probe_dropped": self.probe_dropped,
            "packets_by_software": self.packets_by_software,
            "late": self.late_by_kind,
            "late_at": self.late_by_end,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from :meth:`state`."""
        self._set_place(int(state["phase"]), int(state["batch"]))
        self.observer.restore(state["observer"])
        self.probe_dropped = int(state["probe_dropped"])
        self.packets_by_software = int(state["packets_by_software"])
        self.late_by_kind[:] = state["late"]
        self.late_by_end[:] = state["late_at"]

    def _hold(self, rows: Deliveries, outcome: int, tick: int | None, ticked: bool) -> None:
        """Hold rows back until there is a block of them."""
        taker = MEMORY if tick is None else TICK if ticked else COURSE
        marks = (outcome, -1 if tick is None else tick, taker)
        room = self.packet_log.room
        if len(rows) <= room:
            self._hold_part(rows, marks)
            return
        for start in range(0, len(rows), room):
            self._hold_part(rows.select(np.arange(start, min(start + room, len(rows)))), marks)

    def _hold_part(self, rows: Deliveries, marks: tuple[int, int, int]) -> None:
        if not self.packet_log.has_room(len(rows)):
            self.hand_over()
        self.packet_log.add(rows, marks)

    def hand_over(self) -> None:
        """Hand what is held back to the recorder: packets, and counts of sends."""
        self.hand_over_sends()
        if self.packet_log.rows:
            self.recorder.packets(**self.packet_log.take())

    def hand_over_sends(self) -> None:
        """Hand the counts of sends to the recorder, and leave what is held back where it is."""
        if self.sent_by_kind.any():
            self.recorder.sends_by_kind(self.sent_by_kind)
            self.sent_by_kind[:] = 0

    def _tick(self, cores: NDArray[np.int32]) -> None:
        """Hold closed handlers back until there is a block of them."""
        assert self._handlers is not None
        if not self._handlers.has_room(len(cores)):
            self._hand_over_ticks()
        self._handlers.add(cores)

    def _settle(self, directory: NDArray[np.int64], now: int, totals: NDArray[np.int64]) -> None:
        """Do the same with all handlers that have ended by now, which compiled code closes."""
        assert self._handlers is not None
        if not self._handlers.has_room(len(self.simulation.cores.endpoint)):
            self._hand_over_ticks()
        self._handlers.settle(directory, now, totals)

    def _hand_over_ticks(self) -> None:
        if self._handlers is not None and self._handlers.rows:
            self.recorder.ticks(**self._handlers.take())
