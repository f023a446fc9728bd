"""From a machine to the first state of its network."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from chipsim.errors import NetworkError
from chipsim.machine.model import UNBOUNDED, FullPolicy, Machine, NodeKind, PortKind
from chipsim.network import rules
from chipsim.network.api import NetworkOptions
from chipsim.network.compiled import layout as at
from chipsim.network.compiled.state import I64, State
from chipsim.network.noise import threshold

MOST_INPUTS = 64
"""Input FIFOs of a node: an output's requests are the bits of one word."""


def records(count: int, stride: int) -> I64:
    """Return ``count`` (at least 1) records of zeros."""
    return np.zeros(max(count, 1) * stride, dtype=np.int64)


def field(array: I64, stride: int, name: int) -> I64:
    """Return one field of all records, as a view."""
    return array[name::stride]


def node_inputs(machine: Machine) -> list[list[int]]:
    """Return each node's ports, ascending.

    Raises
    ------
    NetworkError
        If a node has more than 64.
    """
    inputs: list[list[int]] = [[] for _ in range(machine.nodes)]
    for port, node in enumerate(machine.port_node.tolist()):
        if machine.port_kind[port] != PortKind.SINK:
            inputs[node].append(port)
    for node, found in enumerate(inputs):
        if len(found) > MOST_INPUTS:
            raise NetworkError(
                f"{machine.name}: {machine.node_labels[node]} has {len(found)} input FIFOs; the "
                f"compiled network takes at most {MOST_INPUTS} a node; split the node, or use the "
                "simpy network"
            )
    return inputs


def first_state(machine: Machine, options: NetworkOptions) -> State:
    """Return the arrays of an empty network, pools of records and routes still without room."""
    inputs = node_inputs(machine)
    ports, credits = _ports(machine, inputs)
    sources = _sources(machine, ports)
    empty = np.zeros(0, dtype=np.int64)
    slots = records(at.SLOTS, at.SLOT_STRIDE)
    field(slots, at.SLOT_STRIDE, at.SLOT_FIRST)[:] = at.NONE
    width = machine.channels + machine.ports + 2 * machine.endpoints + machine.ports
    return State(
        scalars=_scalars(machine, options),
        ports=ports,
        channels=_channels(machine, inputs),
        sources=sources,
        inboxes=_inboxes(machine),
        packets=empty,
        copies=empty,
        events=empty,
        slots=slots,
        near=empty,
        far=empty,
        credits=credits,
        lists=records(width, 1),
        dropped=records(machine.ports, 1),
        latencies=records(options.bins, 1),
        hop_log=empty,
        inputs=np.array([p * at.PORT_STRIDE for found in inputs for p in found], dtype=np.int64),
        stages=empty,
        branches=empty,
        routes=empty,
        sides=empty,
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
    scalars[at.WINDOW_START] = options.window_start_ps
    scalars[at.WINDOW_END] = options.window_end_ps
    scalars[at.BIN] = options.bin_ps
    scalars[at.BINS] = options.bins
    scalars[at.DUE_START] = machine.channels
    scalars[at.FIRED_START] = machine.channels + machine.ports
    scalars[at.PORT_COUNT] = machine.ports
    scalars[at.INBOX_COUNT] = 2 * machine.endpoints
    scalars[at.ERROR_SEED] = np.uint64(options.error_seed % 2**64).astype(np.int64)
    return scalars


def _slot_shift(machine: Machine) -> int:
    """Return log2 of the slot width: at most the smallest delay, unless the horizon (1,024 slots)
    were then shorter than the longest delay.
    """
    if machine.channels == 0:
        return 0
    delays = np.concatenate([machine.channel_latency_ps, machine.channel_flit_ps])
    shortest = int(delays.min()).bit_length() - 1
    longest = (int(delays.max()) // (at.SLOTS // 2)).bit_length()
    return max(shortest, longest)


def _ports(machine: Machine, inputs: list[list[int]]) -> tuple[I64, I64]:
    ports = records(machine.ports, at.PORT_STRIDE)
    feeders = rules.feeders(machine)
    ends = rules.sink_endpoints(machine)
    position = {port: i for found in inputs for i, port in enumerate(found)}
    slots = 0
    for port in range(machine.ports):
        base = port * at.PORT_STRIDE
        for name in (at.HEAD, at.TAIL, at.ASK, at.DEADLINE, at.FEEDER, at.WAIT):
            ports[base + name] = at.NONE
        ports[base + at.KIND] = _kind(machine, port)
        if machine.port_kind[port] == PortKind.SINK:
            end = ends.get(port, 0)  # the inboxes behind the last endpoint's are the dumps'
            ports[base + at.END] = 2 * at.INBOX_STRIDE * (end if end >= 0 else machine.endpoints)
        else:
            node = int(machine.port_node[port])
            bit = 1 << position[port]
            ports[base + at.BIT] = bit if bit < 2**63 else bit - 2**64
            ports[base + at.WAIT] = max(int(machine.node_wait_ps[node]), at.NONE)
            ports[base + at.HOP] = machine.node_hop[node]
        if feeders[port] >= 0:
            ports[base + at.FEEDER] = feeders[port] * at.CHANNEL_STRIDE
            ports[base + at.CREDIT] = machine.channel_credit_ps[feeders[port]]
        capacity = _watched_capacity(machine, port)
        ports[base + at.CAPACITY] = capacity
        ports[base + at.KNOWN] = capacity
        ports[base + at.RING] = slots
        slots += capacity
    return ports, records(slots, 1)


def _kind(machine: Machine, port: int) -> int:
    if machine.port_kind[port] == PortKind.SINK:
        return at.KIND_SINK
    pool = machine.node_kind[machine.port_node[port]] == NodeKind.POOL
    kind = at.KIND_POOL if pool else at.KIND_FIFO
    return kind | (at.KIND_SOURCE if machine.port_kind[port] == PortKind.SOURCE else 0)


def _watched_capacity(machine: Machine, port: int) -> int:
    """Return the slots that whoever fills the port has to watch, 0 if it need not."""
    is_sink = machine.port_kind[port] == PortKind.SINK
    if is_sink and machine.port_full[port] != FullPolicy.STALL:
        return 0
    return int(machine.port_capacity[port])


def _channels(machine: Machine, inputs: list[list[int]]) -> I64:
    channels = records(machine.channels, at.CHANNEL_STRIDE)
    noted = _noted(machine)
    starts = np.concatenate([[0], np.cumsum([len(found) for found in inputs])])
    for channel in range(machine.channels):
        base = channel * at.CHANNEL_STRIDE
        node, far = int(machine.channel_node[channel]), int(machine.channel_port[channel])
        channels[base + at.WAKE] = at.NONE
        channels[base + at.LATENCY] = machine.channel_latency_ps[channel]
        channels[base + at.FLIT] = machine.channel_flit_ps[channel]
        channels[base + at.PORT] = far * at.PORT_STRIDE
        channels[base + at.INPUTS] = starts[node]
        channels[base + at.INPUT_COUNT] = len(inputs[node])
        pool = machine.node_kind[node] == NodeKind.POOL
        stalls = machine.port_kind[far] == PortKind.SINK and _watched_capacity(machine, far) > 0
        mode = at.MODE_POOL if pool else at.MODE_PLAIN
        mode |= at.MODE_STALL if stalls else 0
        channels[base + at.MODE] = mode | (at.MODE_NOTED if noted[channel] else 0)
    return channels


def _sources(machine: Machine, ports: I64) -> I64:
    """Return a record per source port, and lead its port there."""
    found = np.flatnonzero(machine.port_kind == PortKind.SOURCE).tolist()
    sources = records(len(found), at.SOURCE_STRIDE)
    for number, port in enumerate(found):
        base = number * at.SOURCE_STRIDE
        ports[port * at.PORT_STRIDE + at.FEEDER] = base
        sources[base + at.SOURCE_PORT] = port * at.PORT_STRIDE
        for name in (at.SCRIPT, at.SCRIPT_TAIL, at.ACCEPTED, at.PENDING):
            sources[base + name] = at.NONE
    return sources


def _inboxes(machine: Machine) -> I64:
    """Return two records per endpoint: events, with the sink's limit and policy, and memory."""
    inboxes = records(2 * machine.endpoints + 2, at.INBOX_STRIDE)  # the last two: dumps
    field(inboxes, at.INBOX_STRIDE, at.LIMIT)[:] = at.NEVER
    inboxes[-2 * at.INBOX_STRIDE + at.LIMIT] = inboxes[-at.INBOX_STRIDE + at.LIMIT] = 0
    inboxes[-2 * at.INBOX_STRIDE + at.FULL] = inboxes[-at.INBOX_STRIDE + at.FULL] = at.FULL_DROP
    for name in (at.FIRST, at.LAST, at.SINK_PORT):
        field(inboxes, at.INBOX_STRIDE, name)[:] = at.NONE
    for endpoint, port in enumerate(machine.endpoint_sink.tolist()):
        if port < 0:
            continue
        base = 2 * endpoint * at.INBOX_STRIDE
        inboxes[base + at.SINK_PORT] = port * at.PORT_STRIDE
        inboxes[base + at.INBOX_STRIDE + at.SINK_PORT] = at.NO_SLOTS
        policy = int(machine.port_full[port])
        inboxes[base + at.FULL] = policy
        if policy != FullPolicy.STALL and machine.port_capacity[port] != UNBOUNDED:
            inboxes[base + at.LIMIT] = machine.port_capacity[port]
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
    return noted


def _lines(machine: Machine) -> I64:
    """Return a record per channel: its error rate, and counts."""
    lines = records(machine.channels, at.LINE_STRIDE)
    behaviour = machine.behaviour
    if behaviour is not None and behaviour.channel_error is not None:
        limits = [threshold(chance) for chance in behaviour.channel_error.tolist()]
        field(lines, at.LINE_STRIDE, at.ERROR_LIMIT)[: len(limits)] = limits
    return lines


def _patience(machine: Machine) -> I64:
    """Return a record per port: the second wait of its node, and who reads what it gives up."""
    patience = records(machine.ports, at.PATIENCE_STRIDE)
    field(patience, at.PATIENCE_STRIDE, at.MONITOR)[:] = at.NONE
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
