"""The compiled network: the protocol of the api over kernels and flat arrays."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from chipsim.errors import CheckpointError, NetworkError
from chipsim.machine.model import Machine, PortKind
from chipsim.machine.route import Route
from chipsim.network.api import (
    ACCEPTED,
    INBOX,
    Carried,
    Counters,
    Deliveries,
    Hops,
    InFlight,
    NetworkOptions,
    Notify,
    Sends,
    Waits,
    WindowStatistics,
)
from chipsim.network.compiled import census, columns, inbox, script, walk
from chipsim.network.compiled import layout as at
from chipsim.network.compiled.build import field, first_state
from chipsim.network.compiled.loop import run
from chipsim.network.compiled.memory import Memory, aligned_copy
from chipsim.network.compiled.queues import take_peaks
from chipsim.network.compiled.routes import RouteTable
from chipsim.network.rules import Visit

Loop = Callable[[NDArray[np.int64], int], int]
_BUILT = ("inputs", "stages", "routes")
"""Arrays that follow from machine and routes."""


class Network:
    """How packets move, as an event loop over flat arrays in compiled code.

    Parameters
    ----------
    machine : Machine
    notify : callable, optional
        Told of watches that fire, see :data:`chipsim.network.api.Notify`.
    options : NetworkOptions

    Attributes
    ----------
    directory : ndarray of int64
        Addresses of the arrays, for kernels that work on the network (see
        :mod:`chipsim.network.compiled.state`).

    Raises
    ------
    NetworkError
        If a node has more than 64 input FIFOs.
    MachineError
        If a bounded port is fed by several channels, or a sink belongs to two endpoints.

    Notes
    -----
    Keeps the rules of :class:`chipsim.network.reference.Network` to the picosecond. One event a
    hop where nobody waits; cost per hop does not depend on the length of the run, and records of
    finished packets are used again.
    """

    lazy = True

    def __init__(
        self,
        machine: Machine,
        notify: Notify | None = None,
        options: NetworkOptions | None = None,
    ) -> None:
        options = NetworkOptions() if options is None else options
        self.machine = machine
        self._notify = notify
        self._memory = Memory(first_state(machine, options))
        self.directory = self._directory = self._memory.directory
        self._scalars = self._memory.state.scalars
        self._table = RouteTable(machine)
        self._drops_taken = 0
        # What never changes, as lists: looked up at every watch and every look at a port.
        held = self._memory.state
        sinks = field(held.inboxes, at.INBOX_STRIDE, at.SINK_PORT)[: 2 * machine.endpoints]
        self._has_inbox: list[bool] = (sinks != at.NONE).tolist()
        feeders = field(held.ports, at.PORT_STRIDE, at.FEEDER)[: machine.ports]
        sources = machine.port_kind == PortKind.SOURCE
        self._feeder: list[int] = np.where(sources, feeders, at.NONE).tolist()

    # Routes and sending -------------------------------------------------------------------------

    def add_routes(self, routes: Sequence[Route]) -> NDArray[np.int32]:
        """Register routes and return their numbers; allowed at any time.

        Raises
        ------
        RouteError
            If a route does not hold together, or a stage has more than 64 branches.
        """
        first = len(self._table)
        table = self._table
        table.add(routes)
        self._memory.replace(
            stages=table.stages.array,
            routes=table.routes.array,
        )
        tallies = self._memory.state.tallies
        if len(table.slots) > len(tallies):
            more = np.zeros(2 * len(table.slots) - len(tallies), dtype=np.int64)
            self._memory.replace(tallies=np.concatenate([tallies, more]))
        self._scalars[at.ROUTE_COUNT] = len(self._table)
        return np.arange(first, len(self._table), dtype=np.int32)

    def send(self, sends: Sends) -> None:
        """Append the rows to their ports' scripts: all of them, or none.

        Raises
        ------
        NetworkError
            If a row's port is no source port, its route unknown or from another port, or its time
            not after the present.
        """
        rows = columns.of_sends(sends)
        while True:
            status = script.send(self._directory, *rows)
            if status == script.SENT_ALL:
                return
            if status >= 0:
                raise self._bad_row(sends, status)
            if status == script.NO_PACKET:
                self._memory.grow_packets(len(sends))
            elif status == script.NO_COPY:
                self._memory.grow_copies(len(sends))
            else:
                self._memory.grow_events(len(sends))

    def _bad_row(self, sends: Sends, row: int) -> NetworkError:
        port, route = int(sends.port[row]), int(sends.route[row])
        earliest, gap = int(sends.earliest_ps[row]), int(sends.gap_ps[row])
        where = f"{self.machine.name}: send from port {port}"
        is_port = 0 <= port < self.machine.ports
        if not is_port or self.machine.port_kind[port] != PortKind.SOURCE:
            return self._no_source(port)
        if not 0 <= route < len(self._table):
            return NetworkError(
                f"{where}: route {route}; expected 0..{len(self._table) - 1}; register it with "
                "add_routes first"
            )
        begin = self._table.routes.array.item(route * at.ROUTE_STRIDE + at.ROUTE_PORT)
        if begin != port:
            return NetworkError(
                f"{where}: route {route} begins at port {begin}; expected the port of the row; "
                "send it from there"
            )
        return NetworkError(
            f"{where}: earliest {earliest} ps, gap {gap} ps at {self._scalars.item(at.NOW)} ps; "
            f"expected a time after the present and a gap of at least 0, both up to {at.LATEST}; "
            "a send leaves at least one cycle after its handler began"
        )

    def _no_source(self, port: int) -> NetworkError:
        return NetworkError(
            f"{self.machine.name}: port {port} is no source port; expected endpoint_port or "
            "endpoint_dma_port of an endpoint"
        )

    # Time ---------------------------------------------------------------------------------------

    def advance(self, until_ps: int, loop: Loop = run) -> int:
        """Process every instant up to and including ``until_ps``, or up to and including the
        first instant at which a watch fires; return the time reached.

        ``loop`` is :func:`chipsim.network.compiled.loop.run`, or what runs it and does what some
        watches were set for.
        """
        scalars = self._scalars
        if until_ps < scalars.item(at.NEXT):
            now = scalars.item(at.NOW)
            if until_ps <= now:
                return now
            scalars[at.NOW] = until_ps
            return until_ps
        while True:
            status = loop(self._directory, until_ps)
            if status == at.DONE:
                break
            if status == at.GROW_EVENTS:
                self._memory.grow_events()
            elif status == at.GROW_COPIES:
                self._memory.grow_copies()
            else:
                self._memory.grow_log()
        if scalars.item(at.FIRED_COUNT):
            self._report()
        return scalars.item(at.NOW)

    def _report(self) -> None:
        """Tell of the watches that fired, by (kind, index)."""
        scalars = self._scalars
        start, count = scalars.item(at.FIRED_START), scalars.item(at.FIRED_COUNT)
        scalars[at.FIRED_COUNT] = 0
        if count == 1 and self._notify is not None:
            code = self._memory.state.lists.item(start)
            if not code & 1:  # nearly always: one inbox holds what was waited for
                self._notify(INBOX, (code >> 1) // at.INBOX_STRIDE, scalars.item(at.NOW))
                return
        fired = []
        for code in self._memory.state.lists[start : start + count].tolist():
            base = code >> 1
            if code & 1:
                port = self._memory.state.sources.item(base + at.SOURCE_PORT) // at.PORT_STRIDE
                fired.append((ACCEPTED, port))
            else:
                fired.append((INBOX, base // at.INBOX_STRIDE))
        if self._notify is not None:
            now = scalars.item(at.NOW)
            for kind, index in sorted(fired):
                self._notify(kind, index, now)

    def next_time(self) -> int:
        """Return the time of the next event [ps], or ``FOREVER`` if the network is quiet."""
        return self._scalars.item(at.NEXT)

    # Receiving ----------------------------------------------------------------------------------

    def take(self, inboxes: NDArray[np.int32], now_ps: int) -> Deliveries:
        """Empty the inboxes of what was delivered up to ``now_ps`` and free its slots.

        Raises
        ------
        NetworkError
            If ``now_ps`` has not been reached, or an inbox does not exist.
        """
        if now_ps > self._scalars.item(at.NOW):
            raise NetworkError(
                f"{self.machine.name}: take at {now_ps} ps, but the network has reached "
                f"{self._scalars.item(at.NOW)} ps; advance it until then first"
            )
        wanted = columns.plain(inboxes, np.int32)
        if len(wanted) == 1:
            base = self._inbox(wanted.item(0))
            if not self._memory.state.inboxes.item(base + at.COUNT):
                return columns.no_deliveries()
        longs, ints, payload, count = inbox.take(self._directory, wanted, now_ps)
        while count < 0:
            if count < -1:
                raise self._no_inbox(int(wanted[-2 - count]))
            self._memory.grow_events(len(wanted))
            longs, ints, payload, count = inbox.take(self._directory, wanted, now_ps)
        if count == 0:
            return columns.no_deliveries()
        return columns.deliveries(longs, ints, payload, count)

    def _inbox(self, number: int) -> int:
        """Return the base of an inbox's record."""
        if not 0 <= number < len(self._has_inbox) or not self._has_inbox[number]:
            raise self._no_inbox(number)
        return number * at.INBOX_STRIDE

    def _no_inbox(self, number: int) -> NetworkError:
        name, endpoint = self.machine.name, number // 2
        if not 0 <= endpoint < self.machine.endpoints:
            return NetworkError(
                f"{name}: inbox {number}; expected 0..{2 * self.machine.endpoints - 1} "
                "(2 * endpoint for events, 2 * endpoint + 1 for memory)"
            )
        return NetworkError(
            f"{name}: {self.machine.endpoint_label(endpoint)} has no sink port; its inboxes do "
            "not exist"
        )

    def waiting(self, inbox: int) -> int:
        """Return how many packets the inbox holds."""
        return self._memory.state.inboxes.item(self._inbox(inbox) + at.COUNT)

    def watch_inbox(self, inbox: int, count: int) -> None:
        """Arm: fire once, at the instant at which the inbox holds at least ``count`` packets."""
        self._memory.state.inboxes[self._inbox(inbox) + at.WATCH] = max(count, 1)

    def _source(self, port: int) -> int:
        """Return the base of a source port's record."""
        if not 0 <= port < len(self._feeder) or self._feeder[port] == at.NONE:
            raise self._no_source(port)
        return self._feeder[port]

    def watch_accepted(self, port: int) -> None:
        """Arm: fire once, at the instant at which the port's script has been accepted whole."""
        self._memory.state.sources[self._source(port) + at.WATCH_ACCEPTED] = 1

    def script_left(self, port: int) -> int:
        """Return how many rows of the port's script have not been accepted."""
        return self._memory.state.sources.item(self._source(port) + at.LEFT)

    def last_accepted_ps(self, port: int) -> int:
        """Return when the port last accepted a packet [ps], -1 if never."""
        return self._memory.state.sources.item(self._source(port) + at.ACCEPTED)

    def accepted(self, ports: NDArray[np.int32]) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        """Return :meth:`script_left` and :meth:`last_accepted_ps` of several ports at once."""
        left, last, wrong = script.accepted(self._directory, columns.plain(ports, np.int32))
        if wrong >= 0:
            raise self._no_source(int(ports[wrong]))
        return left, last

    # Checkpoints --------------------------------------------------------------------------------

    def state(self) -> dict[str, NDArray[np.int64]]:
        """Return the arrays of a quiet network, and how many routes it knows, for a checkpoint."""
        held = self._memory.state._asdict()
        kept = {name: array for name, array in held.items() if name not in _BUILT}
        counts = [len(self._table), self._drops_taken]
        return {**kept, "counts": np.array(counts, dtype=np.int64)}

    def restore(self, state: Mapping[str, NDArray[np.int64]]) -> None:
        """Continue from :meth:`state`, in a network of the same machine with the same routes.

        Raises
        ------
        CheckpointError
            If the state is that of another network.
        """
        routes, self._drops_taken = state["counts"].tolist()
        if routes != len(self._table):
            raise CheckpointError(
                f"{self.machine.name}: the checkpoint's network has {routes} routes, this one "
                f"{len(self._table)}; continue with the settings of the run that wrote it"
            )
        arrays = {name: aligned_copy(a) for name, a in state.items() if name != "counts"}
        self._memory.replace(**arrays)
        self._scalars = self._memory.state.scalars

    # Looking ------------------------------------------------------------------------------------

    def take_drops(self) -> Deliveries:
        """Return and forget the copies dropped or overwritten since the last call, by time."""
        scalars = self._scalars
        lost = scalars.item(at.DROPPED) + scalars.item(at.OVERWRITTEN)
        total, self._drops_taken = lost - self._drops_taken, lost
        if total == 0:
            return columns.no_deliveries()
        longs, ints, payload = walk.take_drops(self._directory, total)
        return columns.drops(longs, ints, payload)

    def take_hops(self) -> Hops:
        """Return and forget the hop log since the last call, by (granted, channel)."""
        count = self._scalars.item(at.LOG_COUNT)
        self._scalars[at.LOG_COUNT] = 0
        return columns.hops(self._memory.state.hop_log, count)

    def take_queue_peaks(self) -> NDArray[np.int32]:
        """Return the most packets that waited at each channel's far end since the last call."""
        peaks = np.zeros(self.machine.channels, dtype=np.int32)
        if self._scalars.item(at.QUEUE_PEAKS):
            take_peaks(self._directory, peaks)
        return peaks

    def carried(self) -> Carried:
        """Return the counts of what has moved so far, for whoever asks often."""
        channels, used = self._memory.state.channels, slice(0, self.machine.channels)
        return Carried(
            self._scalars.item(at.PACKET_HOPS),
            field(channels, at.CHANNEL_STRIDE, at.PACKETS)[used].copy(),
            field(channels, at.CHANNEL_STRIDE, at.FLITS)[used].copy(),
        )

    def counters(self) -> Counters:
        """Return the counts so far."""
        scalars, carried = self._scalars, self.carried()
        flying, _ = walk.in_flight(self._directory, columns.no_rows(7))
        return Counters(
            sent=scalars.item(at.SENT),
            injected=scalars.item(at.INJECTED),
            expected=scalars.item(at.EXPECTED),
            delivered=scalars.item(at.DELIVERED),
            dropped=scalars.item(at.DROPPED),
            overwritten=scalars.item(at.OVERWRITTEN),
            in_flight=flying,
            packet_hops=carried.packet_hops,
            channel_packets=carried.channel_packets,
            channel_flits=carried.channel_flits,
            dropped_at=self._memory.state.dropped[: self.machine.ports].copy(),
            **census.of(self.machine, self._memory.state),
        )

    def visits(self) -> dict[Visit, int]:
        """Return how many packets each packet router has seen, by what it saw of them."""
        counts = self._memory.state.tallies
        return {seen: n for seen, slot in self._table.slots.items() if (n := counts.item(slot))}

    def window(self) -> WindowStatistics:
        """Return the measuring window's statistics so far."""
        scalars = self._scalars
        return WindowStatistics(
            created=scalars.item(at.CREATED),
            delivered_of_created=scalars.item(at.DELIVERED_OF_CREATED),
            delivered_in_window=scalars.item(at.DELIVERED_IN_WINDOW),
            latency_sum_ps=scalars.item(at.LATENCY_SUM),
            latency_max_ps=scalars.item(at.LATENCY_MAX),
            latency_counts=self._memory.state.latencies[: scalars.item(at.BINS)].copy(),
        )

    def in_flight(self) -> InFlight:
        """Return every copy that has not ended, by (port, time, source, seq)."""
        _, count = walk.in_flight(self._directory, columns.no_rows(7))
        rows = columns.no_rows(7, count)
        walk.in_flight(self._directory, rows)
        return columns.in_flight(rows)

    def waits(self) -> Waits:
        """Return who waits for what (for deadlock detection), by port and channel."""
        count = walk.waits(self._directory, columns.no_rows(6))
        rows = columns.no_rows(6, count)
        walk.waits(self._directory, rows)
        return columns.waits(rows)
