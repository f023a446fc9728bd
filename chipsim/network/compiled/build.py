"""From a machine to the first state of its network."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from chipsim.errors import NetworkError
from chipsim.machine.model import UNBOUNDED, FullPolicy, Machine, NodeKind, PortKind
from chipsim.network import rules
from chipsim.network.api import NetworkOptions
from chipsim.network.compiled import layout as at
from chipsim.network.compiled.memory import aligned, aligned_copy
from chipsim.network.compiled.state import I64, State
from chipsim.network.noise import threshold

MOST_INPUTS = 64
"""Input FIFOs of a node: an output's requests are the bits of one word."""


USUAL_SHIFT = 12
"""A slot is 4 ns wide, or less, """
MOST_SHIFT = 16
"""and up to 66 ns where delays are long: beyond 34 us they wait in the far heap."""
BIG = 1 << 20
"""Bytes of ports and channels from which on lines are fetched ahead: a core's own cache."""


def records(count: int, stride: int) -> I64:
    """Return ``count`` (at least 1) records of zeros."""
    return aligned(max(count, 1) * stride)


def field(array: I64, stride: int, name: int) -> I64:
    """Return one field of all records, as a view."""
    return array[name::stride]


class Inputs(NamedTuple):
    """Each node's ports, ascending: those of node n are ``ports[start[n]:start[n] + counts[n]]``.

    Attributes
    ----------
    ports, start, counts, position : ndarray of int64
        ``position`` is a port's place among its node's ports, 0 for sinks.
    """

    ports: I64
    start: I64
    counts: I64
    position: I64


def node_inputs(machine: Machine) -> Inputs:
    """Return each node's ports.

    Raises
    ------
    NetworkError
        If a node has more than 64.
    """
    inner = np.flatnonzero(machine.port_kind != PortKind.SINK)
    nodes = machine.port_node[inner]
    ports = inner[np.argsort(nodes, kind="stable")]
    count = np.bincount(nodes, minlength=machine.nodes)
    start = np.cumsum(count) - count
    position = np.zeros(machine.ports, dtype=np.int64)
    position[ports] = np.arange(len(ports)) - np.repeat(start, count)
    if count.max(initial=0) > MOST_INPUTS:
        node = int(np.argmax(count > MOST_INPUTS))
        raise NetworkError(
            f"{machine.name}: {machine.node_labels[node]} has {count[node]} input FIFOs; the "
            f"compiled network takes at most {MOST_INPUTS} a node; split the node, or use the "
            "simpy network"
        )
    return Inputs(ports, start, count, position)


def first_state(machine: Machine, options: NetworkOptions) -> State:
    """Return the arrays of an empty network, pools of records and routes still without room."""
    inputs = node_inputs(machine)
    ports, credits = _ports(machine, inputs)
    sources = _sources(machine, ports)
    empty = np.zeros(0, dtype=np.int64)
    scalars = _scalars(machine, options)
    slots = records(at.SLOTS, at.SLOT_STRIDE)
    field(slots, at.SLOT_STRIDE, at.SLOT_FIRST)[:] = at.NONE
    width = machine.channels + machine.ports + 2 * machine.endpoints + machine.ports
    return State(
        scalars=scalars,
        ports=ports,
        channels=_channels(machine, inputs),
        sources=sources,
        inboxes=_inboxes(machine),
        packets=empty,
        copies=empty,
        events=empty,
        slots=slots,
        near=_near(scalars),
        far=empty,
        chase=records(at.CHASED, at.CHASE_STRIDE),
        credits=credits,
        lists=records(width, 1),
        dropped=records(machine.ports, 1),
        given_up=records(machine.ports, at.TYPES),
        latencies=records(options.bins, 1),
        hop_log=empty,
        inputs=aligned_copy(inputs.ports * at.PORT_STRIDE),
        stages=empty,
        routes=empty,
        tallies=records(1, 1),
        lines=_lines(machine),
        patience=_patience(machine),
        monitors=_monitors(machine),
    )


def _scalars(machine: Machine, options: NetworkOptions) -> I64:
    scalars = records(at.SCALARS, 1)
    for free in (at.EVENT_FREE, at.COPY_FREE, at.PACKET_FREE, at.DROP_HEAD, at.NOW):
        scalars[free] = at.NONE
    scalars[at.NEXT] = at.NEVER
    scalars[at.SHIFT] = _slot_shift(machine)
    # Per round and port: head, arrival, deadline, acceptance; per channel: its wake, its feeder's,
    # the head behind the granted copy and the one it may become. Doubled for safety.
    scalars[at.EVENT_NEED] = 8 * (machine.ports + machine.channels) + 64
    scalars[at.COPY_NEED] = machine.channels
    scalars[at.LOG_NEED] = machine.channels
    scalars[at.CONSUME] = options.consume
    scalars[at.HOP_LOG] = options.hop_log
    scalars[at.QUEUE_PEAKS] = options.queue_peaks
    scalars[at.WINDOW_START] = options.window_start_ps
    scalars[at.WINDOW_END] = options.window_end_ps
    scalars[at.BIN] = options.bin_ps
    scalars[at.BINS] = options.bins
    scalars[at.DUE_START] = machine.channels
    scalars[at.FIRED_START] = machine.channels + machine.ports
    scalars[at.PORT_COUNT] = machine.ports
    scalars[at.INBOX_COUNT] = 2 * machine.endpoints
    scalars[at.AHEAD] = (
        8 * (at.PORT_STRIDE * machine.ports + at.CHANNEL_STRIDE * machine.channels) > BIG
    )
    scalars[at.ERROR_SEED] = np.uint64(options.error_seed % 2**64).astype(np.int64)
    return scalars


def _slot_shift(machine: Machine) -> int:
    """Return log2 of the slot width: at most the smallest delay, unless the horizon (1,024 slots)
    were then shorter than the longest delay; the near level has a list for each of its picoseconds.
    """
    if machine.channels == 0:
        return 0
    delays = np.concatenate([machine.channel_latency_ps, machine.channel_flit_ps])
    shortest = int(delays.min()).bit_length() - 1
    longest = (int(delays.max()) // (at.SLOTS // 2)).bit_length()
    return min(max(min(shortest, USUAL_SHIFT), longest), MOST_SHIFT)


def _near(scalars: I64) -> I64:
    """Return the near level's lists, the bits that say which are occupied, and those of these."""
    lists = 1 << int(scalars[at.SHIFT])
    bits, sums = -(-lists // 64), -(-lists // 64**2)
    near = records(lists + bits + sums, 1)
    near[:lists] = at.NONE
    scalars[at.NEAR_BITS] = lists
    scalars[at.NEAR_SUMS] = lists + bits
    return near


def _ports(machine: Machine, inputs: Inputs) -> tuple[I64, I64]:
    ports = records(machine.ports, at.PORT_STRIDE)
    if not machine.ports:
        return ports, records(0, 1)

    def fill(name: int, values: NDArray[Any] | int) -> None:
        field(ports, at.PORT_STRIDE, name)[:] = values

    for name in (at.HEAD, at.TAIL, at.ASK, at.DEADLINE, at.FEEDER, at.WAIT):
        fill(name, at.NONE)
    sink = machine.port_kind == PortKind.SINK
    node = machine.port_node
    fill(at.KIND, _kinds(machine))
    fill(at.END, np.where(sink, _ends(machine), 0))
    fill(at.BIT, np.where(sink, 0, np.int64(1) << inputs.position))
    fill(at.WAIT, np.where(sink, at.NONE, np.maximum(machine.node_wait_ps[node], at.NONE)))
    fill(at.HOP, np.where(sink, 0, machine.node_hop[node]))
    feeders = np.array(rules.feeders(machine), dtype=np.int64)
    fed = feeders >= 0
    field(ports, at.PORT_STRIDE, at.FEEDER)[fed] = feeders[fed] * at.CHANNEL_STRIDE
    field(ports, at.PORT_STRIDE, at.CREDIT)[fed] = machine.channel_credit_ps[feeders[fed]]
    capacity = _watched_capacity(machine)
    fill(at.CAPACITY, capacity)
    fill(at.KNOWN, capacity)
    fill(at.RING, np.cumsum(capacity) - capacity)
    return ports, records(int(capacity.sum()), 1)


def _ends(machine: Machine) -> I64:
    """Return each sink port's inbox; those behind the last endpoint's are the dumps'."""
    ends = np.zeros(machine.ports, dtype=np.int64)
    known = rules.sink_endpoints(machine)
    ports = np.fromiter(known.keys(), dtype=np.int64, count=len(known))
    found = np.fromiter(known.values(), dtype=np.int64, count=len(known))
    ends[ports] = np.where(found >= 0, found, machine.endpoints)
    return ends * (2 * at.INBOX_STRIDE)


def _kinds(machine: Machine) -> I64:
    pool = machine.node_kind[machine.port_node] == NodeKind.POOL
    kind = np.where(pool, at.KIND_POOL, at.KIND_FIFO)
    kind = kind | np.where(machine.port_kind == PortKind.SOURCE, at.KIND_SOURCE, 0)
    return np.where(machine.port_kind == PortKind.SINK, at.KIND_SINK, kind)


def _watched_capacity(machine: Machine) -> I64:
    """Return the slots that whoever fills each port has to watch, 0 if it need not."""
    sink = machine.port_kind == PortKind.SINK
    free = sink & (machine.port_full != FullPolicy.STALL)
    return np.where(free, 0, machine.port_capacity).astype(np.int64)


def _channels(machine: Machine, inputs: Inputs) -> I64:
    channels = records(machine.channels, at.CHANNEL_STRIDE)
    if not machine.channels:
        return channels
    node, far = machine.channel_node, machine.channel_port
    stalls = (machine.port_kind[far] == PortKind.SINK) & (_watched_capacity(machine)[far] > 0)
    pool = machine.node_kind[node] == NodeKind.POOL
    mode = np.where(pool, at.MODE_POOL, at.MODE_PLAIN) | np.where(stalls, at.MODE_STALL, 0)
    mode |= np.where(_noted(machine), at.MODE_NOTED, 0)
    for name, values in (
        (at.WAKE, at.NONE),
        (at.LATENCY, machine.channel_latency_ps),
        (at.FLIT, machine.channel_flit_ps),
        (at.PORT, far.astype(np.int64) * at.PORT_STRIDE),
        (at.INPUTS, inputs.start[node]),
        (at.INPUT_COUNT, inputs.counts[node]),
        (at.MODE, mode),
    ):
        field(channels, at.CHANNEL_STRIDE, name)[:] = values
    return channels


def _sources(machine: Machine, ports: I64) -> I64:
    """Return a record per source port, and lead its port there."""
    found = np.flatnonzero(machine.port_kind == PortKind.SOURCE)
    sources = records(len(found), at.SOURCE_STRIDE)
    if not len(found):
        return sources
    base = np.arange(len(found)) * at.SOURCE_STRIDE
    field(ports, at.PORT_STRIDE, at.FEEDER)[found] = base
    field(sources, at.SOURCE_STRIDE, at.SOURCE_PORT)[:] = found * at.PORT_STRIDE
    for name in (at.SCRIPT, at.SCRIPT_TAIL, at.ACCEPTED, at.PENDING):
        field(sources, at.SOURCE_STRIDE, name)[:] = at.NONE
    return sources


def _inboxes(machine: Machine) -> I64:
    """Return two records per endpoint: events, with the sink's limit and policy, and memory."""
    inboxes = records(2 * machine.endpoints + 2, at.INBOX_STRIDE)  # the last two: dumps
    field(inboxes, at.INBOX_STRIDE, at.LIMIT)[:] = at.NEVER
    inboxes[-2 * at.INBOX_STRIDE + at.LIMIT] = inboxes[-at.INBOX_STRIDE + at.LIMIT] = 0
    inboxes[-2 * at.INBOX_STRIDE + at.FULL] = inboxes[-at.INBOX_STRIDE + at.FULL] = at.FULL_DROP
    for name in (at.FIRST, at.LAST, at.SINK_PORT):
        field(inboxes, at.INBOX_STRIDE, name)[:] = at.NONE
    ends = np.flatnonzero(machine.endpoint_sink >= 0)
    ports = machine.endpoint_sink[ends].astype(np.int64)
    base = 2 * at.INBOX_STRIDE * ends
    inboxes[base + at.SINK_PORT] = ports * at.PORT_STRIDE
    inboxes[base + at.INBOX_STRIDE + at.SINK_PORT] = at.NO_SLOTS
    policy, capacity = machine.port_full[ports], machine.port_capacity[ports]
    inboxes[base + at.FULL] = policy
    limited = (policy != FullPolicy.STALL) & (capacity != UNBOUNDED)
    inboxes[base[limited] + at.LIMIT] = capacity[limited]
    return inboxes


def _noted(machine: Machine) -> NDArray[np.bool_]:
    """Return at which channels' grants something is drawn or counted, bool of shape (channels,)."""
    lookups = [i for i, cls in enumerate(machine.classes) if cls.name == "lookup"]
    noted: NDArray[np.bool_] = np.isin(machine.channel_class, lookups)
    behaviour = machine.behaviour
    if behaviour is not None and behaviour.channel_error is not None:
        noted |= behaviour.channel_error > 0
    if behaviour is not None and behaviour.channel_detour is not None:
        noted[behaviour.channel_detour[behaviour.channel_detour[:, 0] >= 0, 0]] = True
    if behaviour is not None and behaviour.node_issue_ps is not None:
        noted |= behaviour.node_issue_ps[machine.channel_node] > 0
    return noted


def _lines(machine: Machine) -> I64:
    """Return a record per channel: its error rate, and counts."""
    lines = records(machine.channels, at.LINE_STRIDE)
    behaviour = machine.behaviour
    if behaviour is not None and behaviour.channel_error is not None:
        limits = [threshold(chance) for chance in behaviour.channel_error.tolist()]
        field(lines, at.LINE_STRIDE, at.ERROR_LIMIT)[: len(limits)] = limits
    if behaviour is not None and behaviour.node_issue_ps is not None:
        issue = behaviour.node_issue_ps[machine.channel_node]
        field(lines, at.LINE_STRIDE, at.ISSUE)[: len(issue)] = issue
    return lines


def _patience(machine: Machine) -> I64:
    """Return a record per port: the second wait of its node, and who reads what it gives up."""
    patience = records(machine.ports, at.PATIENCE_STRIDE)
    field(patience, at.PATIENCE_STRIDE, at.MONITOR)[:] = at.NONE
    field(patience, at.PATIENCE_STRIDE, at.QUEUE_NEXT)[:] = at.NONE
    behaviour = machine.behaviour
    if behaviour is None:
        return patience
    behaviour.check(machine.name, machine.nodes, machine.channels)
    inside = np.flatnonzero(machine.port_node >= 0)
    nodes = machine.port_node[inside]
    if behaviour.node_wait2_ps is not None:
        seconds = field(patience, at.PATIENCE_STRIDE, at.SECOND_WAIT)
        seconds[inside] = behaviour.node_wait2_ps[nodes]
    if behaviour.reinjection is not None:
        has = behaviour.reinjection.port >= 0
        record = np.where(has, (np.cumsum(has) - 1) * at.MONITOR_STRIDE, at.NONE)
        field(patience, at.PATIENCE_STRIDE, at.MONITOR)[inside] = record[nodes]
    return patience


def _monitors(machine: Machine) -> I64:
    """Return a record per node with a monitor, in the order of the nodes."""
    timing = None if machine.behaviour is None else machine.behaviour.reinjection
    if timing is None:
        return records(0, at.MONITOR_STRIDE)
    ports = timing.port[timing.port >= 0]
    monitors = records(len(ports), at.MONITOR_STRIDE)
    for number, port in enumerate(ports.tolist()):
        base = number * at.MONITOR_STRIDE
        monitors[base + at.MONITOR_PORT] = port * at.PORT_STRIDE
        monitors[base + at.LAST_AGAIN] = at.NONE
        monitors[base + at.READ_TIME] = timing.read_ps
        monitors[base + at.INTERVAL] = timing.interval_ps
        monitors[base + at.QUEUE] = timing.queue_packets
    return monitors
