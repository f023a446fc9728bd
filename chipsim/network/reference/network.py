"""The reference network: builds the parts from a machine and offers the protocol of the api."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import simpy
from numpy.typing import NDArray

from chipsim.errors import NetworkError
from chipsim.machine.behaviour import Behaviour
from chipsim.machine.model import FullPolicy, Machine, PortKind
from chipsim.machine.route import PACKETS, Route
from chipsim.network import rules
from chipsim.network.api import (
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
from chipsim.network.instant import PROGRAM, at
from chipsim.network.noise import threshold
from chipsim.network.reference import columns
from chipsim.network.reference.account import Account
from chipsim.network.reference.clock import Clock
from chipsim.network.reference.monitor import Monitor
from chipsim.network.reference.node import Node
from chipsim.network.reference.parts import Output, Packet, Port, Sink, SourcePort
from chipsim.network.reference.policies import (
    Arbiter,
    DropPolicy,
    RoundRobin,
    SlotsFactory,
    slots_of_machine,
)
from chipsim.network.reference.sinks import Sinks
from chipsim.network.reference.sources import Sources
from chipsim.network.reference.watches import Watches

LAST = PROGRAM + 10
"""After everything else at an instant."""


class Network:
    """How packets move, in SimPy: a process per node, written to be read and changed.

    Parameters
    ----------
    machine : Machine
    env : simpy.Environment, optional
        Where the processes live; one of its own by default, for use with :meth:`run_until`.
    notify : callable, optional
        Told of watches that fire, see :data:`chipsim.network.api.Notify`.
    options : NetworkOptions
    arbiter : callable
        Makes the arbiter of an output, by default :class:`RoundRobin`.
    drop_policy : DropPolicy, optional
        Decides what is given up; by default what the machine says.
    slots : callable
        Makes the room of a port from the machine and the port's number; by default its capacity.

    Notes
    -----
    Four or five SimPy events a hop, so about 40,000 packet-hops a CPU second (8x8 mesh, load 0.05
    to 0.35): for reading, for trying rules, and for checking the compiled network, which keeps the
    same rules to the picosecond.
    """

    lazy = False

    def __init__(
        self,
        machine: Machine,
        env: simpy.Environment | None = None,
        notify: Notify | None = None,
        options: NetworkOptions | None = None,
        *,
        arbiter: Callable[[], Arbiter] = RoundRobin,
        drop_policy: DropPolicy | None = None,
        slots: SlotsFactory = slots_of_machine,
    ) -> None:
        options = NetworkOptions() if options is None else options
        self.machine = machine
        self.env = simpy.Environment() if env is None else env
        self._clock = Clock(self.env)
        self._start_ps = self._clock.now
        self._options = options
        self._account = Account(options)
        self._watches = Watches(self._clock, notify)
        self._plans: list[rules.Plan] = []
        self._sink_endpoints = rules.sink_endpoints(machine)
        drop_policy = DropPolicy() if drop_policy is None else drop_policy
        self._sources = Sources(self._clock, self._account, self._watches)
        self._sinks = Sinks(self._clock, self._account, drop_policy, self._watches, options.consume)
        self._nodes = [
            Node(
                machine, n, self._clock, self._account, drop_policy, self._sources, self._sinks,
                options.error_seed,
            )
            for n in range(machine.nodes)
        ]  # fmt: skip
        self._ports = self._make_ports(slots)
        self._outputs = self._make_outputs(arbiter)
        if machine.behaviour is not None:
            self._add_behaviour(machine.behaviour)

    # Building -----------------------------------------------------------------------------------

    def _make_ports(self, slots: SlotsFactory) -> list[Port | Sink]:
        machine = self.machine
        ports: list[Port | Sink] = []
        for number in range(machine.ports):
            kind = PortKind(int(machine.port_kind[number]))
            room = slots(machine, number)
            if kind == PortKind.SINK:
                endpoint = self._sink_endpoints.get(number, -1)
                full = FullPolicy(int(machine.port_full[number]))
                capacity = int(machine.port_capacity[number])
                ports.append(Sink(number, endpoint, capacity, full, room))
                continue
            node = self._nodes[int(machine.port_node[number])]
            make = SourcePort if kind == PortKind.SOURCE else Port
            port = make(number, node, len(node.inputs), room)
            node.inputs.append(port)
            ports.append(port)
        self._share_inboxes(ports)
        return ports

    def _share_inboxes(self, ports: list[Port | Sink]) -> None:
        """Give an endpoint whose memory traffic has a sink of its own one pair of inboxes."""
        memory = self.machine.endpoint_memory_sink
        if memory is None:
            return
        for own, apart in zip(self.machine.endpoint_sink.tolist(), memory.tolist(), strict=True):
            if apart >= 0:
                sink, other = ports[own], ports[apart]
                assert isinstance(sink, Sink)
                assert isinstance(other, Sink)
                other.inboxes = sink.inboxes

    def _make_outputs(self, arbiter: Callable[[], Arbiter]) -> list[Output]:
        machine = self.machine
        rules.feeders(machine)  # refuses ports with several feeders
        outputs = []
        for channel in range(machine.channels):
            node = self._nodes[int(machine.channel_node[channel])]
            far = self._ports[int(machine.channel_port[channel])]
            output = Output(
                channel,
                node,
                far,
                int(machine.channel_latency_ps[channel]),
                int(machine.channel_credit_ps[channel]),
                int(machine.channel_flit_ps[channel]),
                arbiter(),
            )
            far.feeder = output
            far.slots.feeders.append(output)
            node.outputs[channel] = output
            outputs.append(output)
        return outputs

    def _add_behaviour(self, behaviour: Behaviour) -> None:
        """Give channels their error rates, routers their monitors, and dumps their name."""
        behaviour.check(self.machine.name, self.machine.nodes, self.machine.channels)
        for port in [] if behaviour.dump_ports is None else behaviour.dump_ports.tolist():
            sink = self._ports[port]
            assert isinstance(sink, Sink)
            sink.dump = True
        if behaviour.channel_error is not None:
            for output, chance in zip(self._outputs, behaviour.channel_error.tolist(), strict=True):
                output.error_limit = threshold(chance)
        timing = behaviour.reinjection
        if timing is not None:
            for node, number in zip(self._nodes, timing.port.tolist(), strict=True):
                if number >= 0:
                    port = self._ports[number]
                    assert isinstance(port, Port)
                    node.monitor = port.monitor = Monitor(port, timing, self._clock)

    # Sending ------------------------------------------------------------------------------------

    def add_routes(self, routes: Sequence[Route]) -> NDArray[np.int32]:
        """Register routes and return their numbers; allowed at any time.

        Raises
        ------
        RouteError
            If a route does not hold together (:func:`chipsim.network.rules.plan`).
        """
        first = len(self._plans)
        self._plans += [rules.plan(self.machine, r, self._sink_endpoints) for r in routes]
        return np.arange(first, len(self._plans), dtype=np.int32)

    def send(self, sends: Sends) -> None:
        """Append the rows to their ports' scripts.

        Raises
        ------
        NetworkError
            If a row names an unknown route, a port that its route does not begin at, or a time
            that is not after the present.
        """
        touched: dict[int, SourcePort] = {}
        for number, packet in self._read(sends):
            port = self._source(number)
            if not port.script:
                packet.gap_ps = 0
            port.script.append(packet)
            self._account.handed_over(packet)
            touched[number] = port
        for port in touched.values():
            self._sources.accept(port)

    def _read(self, sends: Sends) -> list[tuple[int, Packet]]:
        rows = zip(
            sends.port.tolist(),
            sends.route.tolist(),
            sends.source.tolist(),
            sends.seq.tolist(),
            sends.key.tolist(),
            sends.payload.tolist(),
            sends.net.tolist(),
            sends.tick.tolist(),
            sends.tag.tolist(),
            sends.earliest_ps.tolist(),
            sends.gap_ps.tolist(),
            strict=True,
        )
        read = []
        for port, route, source, seq, key, payload, net, tick, tag, earliest, gap in rows:
            self._check(port, route, earliest, gap)
            plan = self._plans[route]
            words = tuple(payload)
            packet = Packet(plan, source, seq, key, words, net, tick, tag, earliest, gap)
            read.append((port, packet))
        return read

    def _check(self, port: int, route: int, earliest_ps: int, gap_ps: int) -> None:
        where = f"{self.machine.name}: send from port {port}"
        if not 0 <= route < len(self._plans):
            raise NetworkError(
                f"{where}: route {route}; expected 0..{len(self._plans) - 1}; register it with "
                "add_routes first"
            )
        begin = self._plans[route].route.port
        if begin != port:
            raise NetworkError(
                f"{where}: route {route} begins at port {begin}; expected the port of the row; "
                "send it from there"
            )
        now = self._clock.now
        # At the very start nothing has happened yet, so that instant is still open.
        if earliest_ps < now or (earliest_ps == now and now != self._start_ps) or gap_ps < 0:
            raise NetworkError(
                f"{where}: earliest {earliest_ps} ps, gap {gap_ps} ps at {now} ps; expected a time "
                "after the present and a gap of at least 0; a send leaves at least one cycle after "
                "its handler began"
            )

    def _source(self, port: int) -> SourcePort:
        found = self._ports[port]
        if not isinstance(found, SourcePort):
            raise NetworkError(
                f"{self.machine.name}: port {port} is no source port; expected endpoint_port or "
                "endpoint_dma_port of an endpoint"
            )
        return found

    # Time ---------------------------------------------------------------------------------------

    def advance(self, until_ps: int) -> int:
        """Return the present: SimPy itself drives this network."""
        return self._clock.now

    def run_until(self, until_ps: int) -> None:
        """Process every instant up to and including ``until_ps`` (standalone use)."""
        self.env.run(until=at(self.env, until_ps, LAST, lambda: None))

    def next_time(self) -> int:
        """Return the time of the network's next event [ps], ``FOREVER`` if it is quiet."""
        return self._clock.next_time()

    # Receiving ----------------------------------------------------------------------------------

    def take(self, inboxes: NDArray[np.int32], now_ps: int) -> Deliveries:
        """Empty the inboxes of what was delivered up to ``now_ps`` and free its slots.

        Raises
        ------
        NetworkError
            If ``now_ps`` has not been reached.
        """
        if now_ps > self._clock.now:
            raise NetworkError(
                f"{self.machine.name}: take at {now_ps} ps, but the network has reached "
                f"{self._clock.now} ps; run it until then first"
            )
        wanted = [self._inbox(int(inbox)) for inbox in inboxes]
        return columns.deliveries(self._sinks.take(wanted, now_ps))

    def _inbox(self, inbox: int) -> tuple[Sink, int]:
        endpoint, which = divmod(inbox, 2)
        if not 0 <= endpoint < self.machine.endpoints:
            raise NetworkError(
                f"{self.machine.name}: inbox {inbox}; expected 0..{2 * self.machine.endpoints - 1} "
                "(2 * endpoint for events, 2 * endpoint + 1 for memory)"
            )
        sink = self._ports[int(self.machine.endpoint_sink[endpoint])]
        if not isinstance(sink, Sink):
            raise NetworkError(
                f"{self.machine.name}: {self.machine.endpoint_label(endpoint)} has no sink port; "
                "its inboxes do not exist"
            )
        return sink, which

    def waiting(self, inbox: int) -> int:
        """Return how many packets the inbox holds."""
        sink, which = self._inbox(inbox)
        return len(sink.inboxes[which])

    def watch_inbox(self, inbox: int, count: int) -> None:
        """Arm: fire once, at the instant at which the inbox holds at least ``count`` packets."""
        self._inbox(inbox)
        self._watches.arm_inbox(inbox, count)

    def watch_accepted(self, port: int) -> None:
        """Arm: fire once, at the instant at which the port's script has been accepted whole."""
        self._watches.arm_accepted(self._source(port).number)

    def script_left(self, port: int) -> int:
        """Return how many rows of the port's script have not been accepted."""
        return len(self._source(port).script)

    def last_accepted_ps(self, port: int) -> int:
        """Return when the port last accepted a packet [ps], -1 if never."""
        return self._source(port).last_ps

    def accepted(self, ports: NDArray[np.int32]) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        """Return :meth:`script_left` and :meth:`last_accepted_ps` of several ports at once."""
        sources = [self._source(int(port)) for port in ports]
        left = np.array([len(source.script) for source in sources], dtype=np.int32)
        return left, np.array([source.last_ps for source in sources], dtype=np.int64)

    # Looking ------------------------------------------------------------------------------------

    def take_drops(self) -> Deliveries:
        """Return and forget the copies dropped or overwritten since the last call, by time."""
        return columns.deliveries(self._account.take_drops())

    def take_hops(self) -> Hops:
        """Return and forget the hop log since the last call."""
        return columns.hops(self._account.take_hops())

    def take_queue_peaks(self) -> NDArray[np.int32]:
        """Return the most packets that waited at each channel's far end since the last call."""
        peaks = [output.far.take_peak() for output in self._outputs]
        return np.array(peaks if self._options.queue_peaks else [0] * len(peaks), dtype=np.int32)

    def carried(self) -> Carried:
        """Return the counts of what has moved so far, for whoever asks often."""
        return Carried(
            self._account.packet_hops,
            np.array([o.packets for o in self._outputs], dtype=np.int64),
            np.array([o.flits for o in self._outputs], dtype=np.int64),
        )

    def counters(self) -> Counters:
        """Return the counts so far."""
        account, carried = self._account, self.carried()
        dropped_at = np.zeros(self.machine.ports, dtype=np.int64)
        for port, count in account.dropped_at.items():
            dropped_at[port] = count
        return Counters(
            sent=account.sent,
            injected=account.injected,
            expected=account.expected,
            delivered=account.delivered_copies,
            dropped=account.dropped_copies,
            overwritten=account.overwritten,
            in_flight=account.in_flight,
            packet_hops=carried.packet_hops,
            channel_packets=carried.channel_packets,
            channel_flits=carried.channel_flits,
            dropped_at=dropped_at,
            blocked_at=np.array([getattr(p, "blocked", 0) for p in self._ports], dtype=np.int64),
            given_up_at=self._given_up(),
            channel_resent=np.array([o.resent for o in self._outputs], dtype=np.int64),
            channel_emergency=np.array([o.emergency for o in self._outputs], dtype=np.int64),
            channel_given_up=np.array([o.given_up for o in self._outputs], dtype=np.int64),
            **self._monitor_counts(),
        )

    def _given_up(self) -> NDArray[np.int64]:
        """Return the packets that waited too long, by port and type."""
        counts = np.zeros((self.machine.ports, len(PACKETS)), dtype=np.int64)
        for port in self._fifos():
            counts[port.number] = port.given_up
        return counts

    def _monitor_counts(self) -> dict[str, NDArray[np.int64]]:
        """Return what monitors have done, by node."""
        rows = np.zeros((4, self.machine.nodes), dtype=np.int64)
        for number, node in enumerate(self._nodes):
            if node.monitor is not None:
                monitor = node.monitor
                again = monitor.received - len(monitor.held)
                rows[:, number] = monitor.received, monitor.missed, monitor.overflowed, again
        names = ("reinject_received", "reinject_missed", "reinject_overflowed", "reinjected")
        return dict(zip(names, rows, strict=True))

    def visits(self) -> dict[rules.Visit, int]:
        """Return how many packets each packet router has seen, by what it saw of them."""
        return dict(self._account.visits)

    def window(self) -> WindowStatistics:
        """Return the measuring window's statistics so far."""
        return self._account.window.statistics()

    def in_flight(self) -> InFlight:
        """Return every copy that has not ended."""
        return columns.in_flight(self._fifos())

    def waits(self) -> Waits:
        """Return who waits for what (for deadlock detection)."""
        return columns.waits(self._fifos())

    def _fifos(self) -> Iterator[Port]:
        return (port for port in self._ports if isinstance(port, Port))
