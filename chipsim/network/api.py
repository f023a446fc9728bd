"""What a network model offers to the simulation: columns in, columns out, and watches.

Two classes keep this protocol, equal to the picosecond: :class:`chipsim.network.reference.Network`
(SimPy, a process per node) and :class:`chipsim.network.compiled.Network` (Numba).

An endpoint has two **inboxes**: number ``2 * endpoint`` holds event packets (the PE's receive
FIFO, with the sink port's capacity and policy), ``2 * endpoint + 1`` holds memory traffic
(unlimited). A delivered packet stays in its inbox until it is taken.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from chipsim.machine.model import Machine
from chipsim.machine.route import Route
from chipsim.network.rules import Visit
from chipsim.units import FOREVER

PAYLOAD_WORDS = 4
"""Words of 32 bit in the largest payload (128 bit)."""


@dataclass
class Sends:
    """Packets to send, one row each; rows of one port are a *script*, accepted in order.

    A row is written into its source port at the first time that is at or after ``earliest_ps``,
    at or after the acceptance of the port's row before it plus ``gap_ps``, and at which the port
    has a free slot. Both must lie after the network's present (a send leaves at least one cycle
    after its handler began).

    Attributes
    ----------
    port : ndarray of int32, shape (n,)
        Source port.
    earliest_ps, gap_ps : ndarray of int64, shape (n,)
        See above [ps]; ``gap_ps`` of a row that finds its port's script empty does not count.
    route : ndarray of int32, shape (n,)
        As returned by :meth:`Network.add_routes`; it must start at ``port``.
    source : ndarray of int32, seq : ndarray of int64, shape (n,)
        The packet's identity: source vertex and its sequence number.
    key : ndarray of uint32, shape (n,)
    payload : ndarray of uint32, shape (n, 4)
        Words that are not used are 0.
    net, tick, tag : ndarray of int32, shape (n,)
        Carried along for counters and traces: the net, the tick in which the sending handler
        started, and a number of the program's own (the sample, for EventProp).
    """

    port: NDArray[np.int32]
    earliest_ps: NDArray[np.int64]
    gap_ps: NDArray[np.int64]
    route: NDArray[np.int32]
    source: NDArray[np.int32]
    seq: NDArray[np.int64]
    key: NDArray[np.uint32]
    payload: NDArray[np.uint32]
    net: NDArray[np.int32]
    tick: NDArray[np.int32]
    tag: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.port)

    def select(self, which: NDArray[Any]) -> Sends:
        """Return the rows chosen by a mask or an index array."""
        return Sends(*(column[which] for column in vars(self).values()))


class PlainSends(Sends):
    """Sends whose columns have the dtypes above and are contiguous and writeable.

    Made by compiled code, they need no look at every column.
    """

    def select(self, which: NDArray[Any]) -> Sends:
        """Return the rows chosen by a mask or an index array."""
        return Sends(*(column[which] for column in vars(self).values()))


@dataclass
class Deliveries:
    """Packets taken from inboxes (or dropped), one row per copy.

    Rows taken from inboxes are sorted by (position of the inbox in the request, key, time, source,
    seq).

    Attributes
    ----------
    row : ndarray of int32, shape (n,)
        Position of the inbox in the request; for drops the port where it happened.
    endpoint : ndarray of int32, shape (n,)
        Where the copy ended, or was meant to end (a drop has one row per lost leaf).
    key, payload, source, seq, net, tick, tag
        As sent.
    injected_ps, time_ps : ndarray of int64, shape (n,)
        Acceptance into the source port, and the end: delivery or drop [ps].
    hops : ndarray of int32, shape (n,)
        Routers visited by this copy (nodes with ``node_hop``), source to destination.
    waited_ps : ndarray of int64, shape (n,)
        Time spent in FIFOs: the sum over nodes of grant minus arrival [ps].
    """

    row: NDArray[np.int32]
    endpoint: NDArray[np.int32]
    key: NDArray[np.uint32]
    payload: NDArray[np.uint32]
    source: NDArray[np.int32]
    seq: NDArray[np.int64]
    net: NDArray[np.int32]
    tick: NDArray[np.int32]
    tag: NDArray[np.int32]
    injected_ps: NDArray[np.int64]
    time_ps: NDArray[np.int64]
    hops: NDArray[np.int32]
    waited_ps: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.row)

    def select(self, which: NDArray[Any]) -> Deliveries:
        """Return the rows chosen by a mask, slice or index array."""
        return Deliveries(*(column[which] for column in vars(self).values()))


@dataclass
class Hops:
    """The hop log: one row per grant, in the order (granted, channel).

    Attributes
    ----------
    source, seq : ndarray of int32, int64
        The packet.
    net : ndarray of int32
        As sent.
    channel : ndarray of int32
    arrived_ps, granted_ps, far_ps : ndarray of int64
        Arrival at the node's FIFO, grant, and arrival (last flit in) at the far end [ps].
    """

    source: NDArray[np.int32]
    seq: NDArray[np.int64]
    net: NDArray[np.int32]
    channel: NDArray[np.int32]
    arrived_ps: NDArray[np.int64]
    granted_ps: NDArray[np.int64]
    far_ps: NDArray[np.int64]


@dataclass
class InFlight:
    """Copies that have not ended: one row per expected leaf.

    A packet that still waits in a script or FIFO counts once per leaf below it; a copy on a
    channel likewise. Packets in an inbox have been delivered and are not in flight.

    Attributes
    ----------
    source, seq, key, net : as sent
    port : ndarray of int32
        The FIFO it is in, or on its way to; for packets in a script their source port.
    since_ps : ndarray of int64
        When it arrived (or will arrive) there; for packets in a script their ``earliest_ps``.
    """

    source: NDArray[np.int32]
    seq: NDArray[np.int64]
    key: NDArray[np.uint32]
    net: NDArray[np.int32]
    port: NDArray[np.int32]
    since_ps: NDArray[np.int64]


@dataclass
class Waits:
    """Who waits for what, now: one row per FIFO packet that may ask, and ungranted output.

    Attributes
    ----------
    port : ndarray of int32
        The input FIFO.
    channel : ndarray of int32
        The output asked for.
    credit : ndarray of bool
        True where the output has no credit for its far FIFO (else it is busy or lost the contest).
    since_ps : ndarray of int64
        When the packet arrived at the FIFO.
    source, seq : the packet.
    """

    port: NDArray[np.int32]
    channel: NDArray[np.int32]
    credit: NDArray[np.bool_]
    since_ps: NDArray[np.int64]
    source: NDArray[np.int32]
    seq: NDArray[np.int64]


@dataclass
class Counters:
    """Always-on counts. Copies obey, at every time,.

    ``expected == delivered + dropped + overwritten + in_flight``.

    Attributes
    ----------
    sent : int
        Packets handed to :meth:`Network.send`.
    injected : int
        Packets accepted into source ports.
    expected, delivered, dropped, overwritten, in_flight : int
        Copies (leaves). A packet's leaves are expected from :meth:`Network.send` on.
    packet_hops : int
        Grants are not counted but visits: +1 for a copy's first grant at a node with ``node_hop``.
    channel_packets, channel_flits : ndarray of int64, shape (channels,)
        Grants and flits per channel.
    dropped_at : ndarray of int64, shape (ports,)
        Drops and overwrites by port.
    blocked_at : ndarray of int64, shape (ports,)
        Packets that found their source port full when their time had come (all TX register sets in
        use), so that they were accepted later.
    given_up_at : ndarray of int64, shape (ports, packet types)
        Packets (copies, whatever their leaves) that waited too long in the port, whether they were
        dropped then or read by a monitor; types as in :data:`chipsim.machine.route.PACKETS`.
    channel_resent : ndarray of int64, shape (channels,)
        Frames that were hit and sent again; they are in ``channel_flits`` as well.
    channel_emergency : ndarray of int64, shape (channels,)
        Grants to packets on a detour round a blocked output, by the channel they took instead.
    channel_given_up : ndarray of int64, shape (channels,)
        Branches that asked for the channel for too long (those on a detour for its first channel).
    reinject_received, reinject_missed, reinject_overflowed, reinjected : ndarray of int64
        Of shape (nodes,): packets that monitors read from the router's register; that found the
        register full; that found the monitor's queue full (both are dropped); that were sent
        again by now.
    """

    sent: int
    injected: int
    expected: int
    delivered: int
    dropped: int
    overwritten: int
    in_flight: int
    packet_hops: int
    channel_packets: NDArray[np.int64]
    channel_flits: NDArray[np.int64]
    dropped_at: NDArray[np.int64]
    blocked_at: NDArray[np.int64]
    given_up_at: NDArray[np.int64]
    channel_resent: NDArray[np.int64]
    channel_emergency: NDArray[np.int64]
    channel_given_up: NDArray[np.int64]
    reinject_received: NDArray[np.int64]
    reinject_missed: NDArray[np.int64]
    reinject_overflowed: NDArray[np.int64]
    reinjected: NDArray[np.int64]


@dataclass
class Carried:
    """What has moved so far: the part of :class:`Counters` that costs no walk over the network.

    Attributes
    ----------
    packet_hops : int
    channel_packets, channel_flits : ndarray of int64, shape (channels,)
    """

    packet_hops: int
    channel_packets: NDArray[np.int64]
    channel_flits: NDArray[np.int64]


@dataclass
class WindowStatistics:
    """What :class:`NetworkOptions` asked to be counted about a measuring window.

    Attributes
    ----------
    created, delivered_of_created : int
        Copies of packets whose ``earliest_ps`` lies in the window, and how many of those copies
        have been delivered by now (the rest is censored).
    delivered_in_window : int
        Copies delivered at a time in the window, whenever created.
    latency_sum_ps, latency_max_ps : int
        Over ``delivered_of_created``, from ``earliest_ps`` (creation; source queue included) to
        delivery.
    latency_counts : ndarray of int64
        How often each latency, in whole bins of ``bin_ps`` (rounded down), occurred; the last bin
        holds everything beyond.
    """

    created: int
    delivered_of_created: int
    delivered_in_window: int
    latency_sum_ps: int
    latency_max_ps: int
    latency_counts: NDArray[np.int64]


@dataclass(frozen=True)
class NetworkOptions:
    """How a network model runs.

    Attributes
    ----------
    consume : bool
        Deliveries are counted and leave at once instead of staying in inboxes (traffic runs).
    hop_log : bool
        Keep a :class:`Hops` log.
    queue_peaks : bool
        Keep what :meth:`Network.take_queue_peaks` returns.
    window_start_ps, window_end_ps : int
        Measuring window [start, end) [ps] of :class:`WindowStatistics`.
    bin_ps, bins : int
        Width and number of the latency bins; ``bins`` = 0 switches the window's statistics off.
    error_seed : int
        Decides which frames are hit on channels with an error rate.
    """

    consume: bool = False
    hop_log: bool = False
    queue_peaks: bool = False
    window_start_ps: int = 0
    window_end_ps: int = FOREVER
    bin_ps: int = 1000
    bins: int = 0
    error_seed: int = 0


INBOX = 0
ACCEPTED = 1

Notify = Callable[[int, int, int], None]
"""``notify(kind, index, time_ps)``: a watch fired. ``kind`` is :data:`INBOX` (index: the inbox) or
:data:`ACCEPTED` (index: the source port)."""


class Network(Protocol):
    """How packets move. See the module's head and ``docs/network-rules.md``."""

    machine: Machine
    lazy: bool
    """True if :meth:`advance` must be called; False if the model lives in a SimPy environment."""

    def add_routes(self, routes: Sequence[Route]) -> NDArray[np.int32]:
        """Register routes and return their numbers; allowed at any time."""

    def send(self, sends: Sends) -> None:
        """Append the rows to their ports' scripts."""

    def advance(self, until_ps: int) -> int:
        """Process every instant up to and including ``until_ps``, or up to and including the
        first instant at which a watch fires; return the time reached. Watches that fired have
        been reported through ``notify`` and are disarmed.
        """

    def next_time(self) -> int:
        """Return the time of the next event [ps], or ``FOREVER`` if the network is quiet."""

    def take(self, inboxes: NDArray[np.int32], now_ps: int) -> Deliveries:
        """Empty the inboxes of what was delivered up to ``now_ps`` (which must have been reached)
        and free its slots; see :class:`Deliveries` for the order.
        """

    def waiting(self, inbox: int) -> int:
        """Return how many packets the inbox holds."""

    def watch_inbox(self, inbox: int, count: int) -> None:
        """Arm: fire at the instant at which the inbox holds at least ``count`` packets. It fires
        once. If it already holds them it is the caller's to see (:meth:`waiting`).
        """

    def watch_accepted(self, port: int) -> None:
        """Arm: fire at the instant at which the port's script has been accepted whole."""

    def script_left(self, port: int) -> int:
        """Return how many rows of the port's script have not been accepted."""

    def last_accepted_ps(self, port: int) -> int:
        """Return when the port last accepted a packet [ps], -1 if never."""

    def accepted(self, ports: NDArray[np.int32]) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        """Return :meth:`script_left` and :meth:`last_accepted_ps` of several ports at once."""

    def take_drops(self) -> Deliveries:
        """Return and forget the copies dropped or overwritten since the last call, by time."""

    def take_hops(self) -> Hops:
        """Return and forget the hop log since the last call."""

    def take_queue_peaks(self) -> NDArray[np.int32]:
        """Return, for each channel, the most packets that waited at its far end at any time since
        the last call, up to the time reached: in its FIFO, with branches that were not granted
        yet (those that arrive at an instant count before its grants), or in one of its endpoint's
        inboxes. What waits now counts for the next call too. Zeros without ``queue_peaks``.
        """

    def carried(self) -> Carried:
        """Return the counts of what has moved so far, for whoever asks often."""

    def counters(self) -> Counters:
        """Return the counts so far."""

    def visits(self) -> dict[Visit, int]:
        """Return how many packets each packet router has seen, by what it saw of them."""

    def window(self) -> WindowStatistics:
        """Return the measuring window's statistics so far."""

    def in_flight(self) -> InFlight:
        """Return every copy that has not ended."""

    def waits(self) -> Waits:
        """Return who waits for what (for deadlock detection)."""
