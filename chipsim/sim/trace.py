"""From the simulation to the recorder: who consumed what, when, in which phase and batch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from chipsim.mapping.application import KINDS
from chipsim.network.api import Deliveries, Sends
from chipsim.sim.consume import COURSE, MEMORY, TICK, count_kinds, note_consumed
from chipsim.sim.names import write_names
from chipsim.sim.observe import Observer
from chipsim.sim.operations import Operations
from chipsim.trace.aggregates import PACKET_COLUMNS
from chipsim.trace.recorder import Recorder
from chipsim.trace.schema import DELIVERED, DROPPED, OPERATION

if TYPE_CHECKING:
    from chipsim.sim.simulation import Simulation

HELD_ROWS = 4096
"""Rows that are held back before the recorder counts them, where nothing is written."""
PHASES = ("idle", "forward", "backward", "exchange")
TICK_ROWS = (
    "pe",
    "tick",
    "start_ps",
    "done_ps",
    "busy_ps",
    "cycles",
    "packets_in",
    "packets_out",
    "overrun",
    "fifo_peak",
    "level",
    "phase",
    "batch",
)
TICKED = ("spike", "error")
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
    held, rows_held
        Rows that are held back before the recorder counts them, shape (7, HELD_ROWS), and how many
        there are; :mod:`chipsim.sim.whole` adds to them, and to the counts by kind.
    has_tick, late_by_kind, sent_by_kind : ndarray, shape (kinds,)
        Which kinds belong to a tick; late packets; packets sent since the last hand-over.
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
        self.has_tick = np.array([kind in TICKED for kind in KINDS])
        self._endpoint_of_vertex = np.array(
            [simulation.endpoint_of.get(name, -1) for name in simulation.vertex_number] or [-1],
            dtype=np.int32,
        )
        self.observer = Observer(simulation, self.recorder)
        self.phase = 0
        self.batch = -1
        self.held = np.zeros((len(PACKET_COLUMNS), HELD_ROWS), dtype=np.int64)
        self.rows_held = 0
        self._backlog: list[tuple[Deliveries, tuple[int, ...]]] = []
        self._backlog_rows = 0
        self.probe_dropped = 0
        self.packets_by_software = 0
        self.late_by_kind = np.zeros(len(KINDS), dtype=np.int64)
        self.late_by_end = np.zeros((2, simulation.machine.endpoints), dtype=np.int64)
        self.sent_by_kind = np.zeros(len(KINDS), dtype=np.int64)
        if self.recorder.writes_packets:
            simulation.tick_log.sink = self._tick
            simulation.operations = Operations(len(simulation.cores.endpoint), simulation.costs)
            names = simulation.operations.names
            self.recorder.name_operations(names)
            self._tick_columns = (*TICK_ROWS, *(f"{OPERATION}{name}" for name in names))
            room = max(HELD_ROWS, len(simulation.cores.endpoint))
            self._ticks_held = np.zeros((len(self._tick_columns), room), dtype=np.int64)
            write_names(self.recorder.directory, simulation)
        self._ticks = 0

    @property
    def late(self) -> dict[str, int]:
        """Late packets by kind."""
        self._hand_over_packets()
        return {kind: int(count) for kind, count in zip(KINDS, self.late_by_kind, strict=True)}

    @property
    def late_at(self) -> NDArray[np.int64]:
        """Late packets by endpoint, and the most ticks that one was off; shape (2, endpoints)."""
        self._hand_over_packets()
        return self.late_by_end

    def enter(self, phase: str, batch: int) -> None:
        """Say which phase and batch the packets from now on belong to."""
        self.phase = PHASES.index(phase)
        self.batch = self.observer.batch = batch
        self.observer.annotate("phase", phase, batch)
        self.observer.annotate("batch", "", batch)
        for method in self.simulation.probes.on_phase:
            method(phase, batch, int(self.simulation.env.now))

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
            found = take(
                directory, inboxes, now, self.held, self.rows_held, self.kind_of_net,
                self.has_tick, self.late_by_kind, self.late_by_end, *arguments,
            )  # fmt: skip
            if found[0] >= 0:
                self.rows_held += found[0]
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
        simulation.synchronise()
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
        self.phase, self.batch = int(state["phase"]), int(state["batch"])
        self.observer.restore(state["observer"])
        self.probe_dropped = int(state["probe_dropped"])
        self.packets_by_software = int(state["packets_by_software"])
        self.late_by_kind[:] = state["late"]
        self.late_by_end[:] = state["late_at"]

    def _hold(self, rows: Deliveries, outcome: int, tick: int | None, ticked: bool) -> None:
        """Hold back what is only counted, until there is a block of it."""
        count = len(rows)
        if self.rows_held + count > HELD_ROWS:
            self.hand_over()
        taker = MEMORY if tick is None else TICK if ticked else COURSE
        if self.recorder.writes_packets or count > HELD_ROWS:
            marks = (outcome, -1 if tick is None else tick, taker, self.phase, self.batch)
            self._backlog.append((rows, marks))
            self._backlog_rows += count
            if self._backlog_rows > 2 * HELD_ROWS:
                self._hand_over_packets()
            return
        note_consumed(
            self.held, self.rows_held, self.kind_of_net, self.has_tick, self.late_by_kind,
            self.late_by_end, rows.net, rows.endpoint, rows.tick, rows.injected_ps, rows.time_ps,
            rows.hops, rows.waited_ps, outcome, -1 if tick is None else tick, taker,
        )  # fmt: skip
        self.rows_held += count

    def _hand_over_packets(self) -> None:
        """Hand rows with all their columns to the recorder, many calls' at once."""
        if not self._backlog:
            return
        chunks, self._backlog, self._backlog_rows = self._backlog, [], 0

        def joined(name: str) -> NDArray[Any]:
            return np.concatenate([getattr(rows, name) for rows, _ in chunks])

        marks = np.array([marks for _, marks in chunks], dtype=np.int64).T
        sizes = [len(rows) for rows, _ in chunks]
        outcome, tick, taker, phase, batch = np.repeat(marks, sizes, axis=1)
        net, sent = joined("net"), joined("tick")
        kind = self.kind_of_net[net]
        due = sent + 1
        late = self.has_tick[kind] & np.where(taker == TICK, due != tick, due < tick)
        late &= taker != MEMORY
        self.late_by_kind += np.bincount(kind[late], minlength=len(KINDS))
        where = joined("endpoint")
        np.add.at(self.late_by_end[0], where[late], 1)
        np.maximum.at(self.late_by_end[1], where[late], np.abs(tick - due)[late])
        counted = (
            kind,
            joined("injected_ps"),
            joined("time_ps"),
            outcome,
            joined("hops"),
            joined("waited_ps"),
            late,
        )
        columns = dict(zip(PACKET_COLUMNS, counted, strict=True))
        if not self.recorder.writes_packets:
            self.recorder.packets(**columns)
            return
        source = joined("source")
        self.recorder.packets(
            **columns,
            packet_source=source,
            packet_seq=joined("seq"),
            key=joined("key"),
            net=net,
            source=self._endpoint_of_vertex[source],
            destination=where,
            phase=phase,
            tick_sent=sent,
            tick_consumed=tick,
            batch=batch,
            sample=np.where(self.has_tick[kind], joined("tag"), -1),
        )

    def hand_over(self) -> None:
        """Hand what is held back to the recorder: packets, and counts of sends."""
        self._hand_over_packets()
        self.hand_over_sends()
        if self.rows_held:
            columns = self.held[:, : self.rows_held]
            self.rows_held = 0
            self.recorder.packets(**dict(zip(PACKET_COLUMNS, columns, strict=True)))

    def hand_over_sends(self) -> None:
        """Hand the counts of sends to the recorder, and leave what is held back where it is."""
        if self.sent_by_kind.any():
            self.recorder.sends_by_kind(self.sent_by_kind)
            self.sent_by_kind[:] = 0

    def _tick(
        self,
        cores: NDArray[np.int32],
        tick: NDArray[np.int64],
        ticked: NDArray[np.int64],
        start_ps: NDArray[np.int64],
        done_ps: NDArray[np.int64],
        cycles: NDArray[np.int64],
        packets_in: NDArray[np.int64],
        packets_out: NDArray[np.int64],
        overrun: NDArray[np.bool_],
        fifo_peak: NDArray[np.int64],
        level: NDArray[np.int64],
    ) -> None:
        """Hold closed handlers back until there is a block of them."""
        simulation, count = self.simulation, len(cores)
        if self._ticks + count > self._ticks_held.shape[1]:
            self._hand_over_ticks()
        assert simulation.operations is not None
        held = self._ticks_held[:, self._ticks : self._ticks + count]
        plain = (simulation.cores.endpoint[cores], tick, start_ps, done_ps, done_ps - start_ps)
        counted = (cycles, packets_in, packets_out, overrun, fifo_peak)
        known = (level, self.phase, self.batch)
        for row, values in zip(held, (*plain, *counted, *known), strict=False):
            row[:] = values
        held[len(TICK_ROWS) :] = simulation.operations.take(cores, ticked, packets_out).T
        self._ticks += count

    def _hand_over_ticks(self) -> None:
        if self._ticks:
            rows = self._ticks_held[:, : self._ticks]
            self._ticks = 0
            self.recorder.ticks(**dict(zip(self._tick_columns, rows, strict=True)))
