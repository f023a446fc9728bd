"""Phase 2 of an instant: every output that was marked grants at most one branch."""

from __future__ import annotations

from chipsim.compiled import inlined
from chipsim.network.compiled.bits import from_bit, lowest
from chipsim.network.compiled.credits import first_credit, plan_wake, use_credit
from chipsim.network.compiled.layout import (
    AFTER,
    ARRIVED,
    BIT,
    BRANCH_STRIDE,
    BUSY,
    CAPACITY,
    CHANNEL_STRIDE,
    CREDIT,
    DIRTY,
    DIRTY_COUNT,
    FIRST_BRANCH,
    FLIT,
    FLITS,
    FLITS_HERE,
    HEAD,
    HOP,
    HOP_LOG,
    HOPS,
    INPUT_COUNT,
    INPUTS,
    ISSUE,
    LAST_END,
    LATENCY,
    LINE_STRIDE,
    LOG_COUNT,
    LOG_STRIDE,
    MASK,
    MASK_THERE,
    MEMORY,
    MODE,
    MODE_NOTED,
    MODE_PLAIN,
    MODE_POOL,
    MODE_STALL,
    NET,
    NEVER,
    NONE,
    OPEN,
    PACKET,
    PACKET_HOPS,
    PACKETS,
    POINTER,
    PORT,
    REQUESTS,
    SEQ,
    SOURCE,
    STAGE,
    STAGE_THERE,
    WAITED,
)
from chipsim.network.compiled.notes import branch_on, note
from chipsim.network.compiled.ports import join, leave
from chipsim.network.compiled.records import new_copy
from chipsim.network.compiled.state import State


@inlined
def arbitrate(net: State, now: int) -> None:
    """Let every marked output grant at most one branch."""
    count = net.scalars[DIRTY_COUNT]
    for at in range(count):
        channel = net.lists[at]
        net.channels[channel + DIRTY] = 0
        if net.channels[channel + REQUESTS] == 0:
            continue
        if net.channels[channel + MODE] == MODE_PLAIN:
            port = net.inputs[first_input(net, channel, net.channels[channel + REQUESTS])]
            grant(net, channel, port, net.ports[port + HEAD], now, 0, 0)
        else:
            choose_and_grant(net, channel, now)
    net.scalars[DIRTY_COUNT] = 0


@inlined
def first_input(net: State, channel: int, requests: int) -> int:
    """Return the position of the first asking input at or after the pointer, cyclically."""
    ahead = from_bit(requests, net.channels[channel + POINTER])
    if ahead == 0:
        ahead = requests
    return net.channels[channel + INPUTS] + lowest(ahead)  # type: ignore[no-any-return]


@inlined
def choose_and_grant(net: State, channel: int, now: int) -> None:
    """Grant where candidates must be searched for (behind pools, and before stalling sinks), or
    something is to be noted.
    """
    channels = net.channels
    mode = channels[channel + MODE]
    left = channels[channel + REQUESTS]
    credit = 0
    if mode & MODE_STALL:
        if channels[channel + BUSY] > now:
            plan_wake(net, channel, channels[channel + BUSY])
            return
        credit = first_credit(net, channels[channel + PORT])
    while left != 0:
        at = first_input(net, channel, left)
        port = net.inputs[at]
        copy = candidate(net, port, channel, now)
        if credit <= now or net.packets[net.copies[copy + PACKET] + MEMORY] != 0:
            lost = 0
            issue = 0
            if mode & MODE_NOTED:
                lost = note(net, channel, copy)
                issue = net.lines[channel // CHANNEL_STRIDE * LINE_STRIDE + ISSUE]
            grant(net, channel, port, copy, now, lost, issue)
            return
        left &= ~net.ports[port + BIT]
    if credit < NEVER:
        plan_wake(net, channel, credit)


@inlined
def candidate(net: State, port: int, channel: int, now: int) -> int:
    """Return the oldest copy of the port that has an ungranted branch on the output."""
    copy = net.ports[port + HEAD]
    if net.channels[channel + MODE] & MODE_POOL:
        while branch_on(net, copy, channel) < 0:
            copy = net.copies[copy + AFTER]
    return copy  # type: ignore[no-any-return]


@inlined
def still_asks(net: State, port: int, channel: int, copy: int, now: int) -> bool:
    """Return whether the port has a further branch for the output, ``copy`` having had one."""
    if net.copies[copy + MASK] != 0 and branch_on(net, copy, channel) >= 0:
        return True
    if net.channels[channel + MODE] & MODE_POOL:
        copy = net.ports[port + HEAD]
        while copy >= 0 and net.copies[copy + ARRIVED] <= now:
            if branch_on(net, copy, channel) >= 0:
                return True
            copy = net.copies[copy + AFTER]
    return False


@inlined
def grant(net: State, channel: int, port: int, copy: int, now: int, lost: int, issue: int) -> None:
    """Grant the output to the copy's first branch on it.

    ``lost`` frames must be sent again; ``issue`` is when the copy is done here, 0 where that is
    the end of its transmission.
    """
    channels, copies = net.channels, net.copies
    bit = branch_on(net, copy, channel)
    branch = copies[copy + STAGE] + FIRST_BRANCH + bit * BRANCH_STRIDE
    left = copies[copy + MASK] & ~(1 << bit)
    copies[copy + MASK] = left
    if not still_asks(net, port, channel, copy, now):
        channels[channel + REQUESTS] &= ~net.ports[port + BIT]
    flits = net.stages[branch + FLITS_HERE] + lost
    flit = channels[channel + FLIT]
    end = now + flits * flit
    if lost > 0:
        credit = net.ports[channels[channel + PORT] + CREDIT]
        end += lost * (channels[channel + LATENCY] + credit)
    occupy(net, channel, port, copy, flits, end)
    arrival = end - flit + channels[channel + LATENCY]
    if net.scalars[HOP_LOG]:
        log_hop(net, channel, copy, now, arrival)
    hop = net.ports[port + HOP]
    if copies[copy + LAST_END] < 0:
        net.scalars[PACKET_HOPS] += hop
    done = now + issue if issue > 0 else end
    launch(net, channel, port, copy, left, branch, done, arrival, hop, now)


@inlined
def occupy(net: State, channel: int, port: int, copy: int, flits: int, end: int) -> None:
    """Note on the output that it is busy until ``end``, and when it may grant again."""
    channels, ports = net.channels, net.ports
    mode = channels[channel + MODE]
    channels[channel + PACKETS] += 1
    channels[channel + FLITS] += flits
    channels[channel + BUSY] = end
    pointer = lowest(ports[port + BIT]) + 1
    if pointer == channels[channel + INPUT_COUNT]:
        pointer = 0
    channels[channel + POINTER] = pointer
    far = channels[channel + PORT]
    open_at = end
    if mode & MODE_STALL:
        if net.packets[net.copies[copy + PACKET] + MEMORY] == 0:
            use_credit(net, far)
    elif ports[far + CAPACITY] > 0:
        use_credit(net, far)
        open_at = max(end, first_credit(net, far))
    channels[channel + OPEN] = open_at
    if channels[channel + REQUESTS] != 0 and open_at < NEVER:
        plan_wake(net, channel, open_at)


@inlined
def launch(
    net: State,
    channel: int,
    port: int,
    copy: int,
    left: int,
    branch: int,
    done: int,
    arrival: int,
    hop: int,
    now: int,
) -> None:
    """Send the granted branch's copy to the far port; let the copy here leave if it is done."""
    copies = net.copies
    hops = copies[copy + HOPS] + hop
    waited = copies[copy + WAITED] + now - copies[copy + ARRIVED]
    last_end = max(done, copies[copy + LAST_END])
    there = copy
    if left == 0:
        leave(net, port, copy, last_end, now)
    else:
        copies[copy + LAST_END] = last_end
        there = new_copy(net)
        copies[there + PACKET] = copies[copy + PACKET]
    copies[there + STAGE] = net.stages[branch + STAGE_THERE]
    copies[there + MASK] = net.stages[branch + MASK_THERE]
    copies[there + ARRIVED] = arrival
    copies[there + LAST_END] = NONE
    copies[there + HOPS] = hops
    copies[there + WAITED] = waited
    join(net, net.channels[channel + PORT], there, arrival)


@inlined
def log_hop(net: State, channel: int, copy: int, now: int, arrival: int) -> None:
    """Add a row to the hop log; there must be room (see ``LOG_NEED``)."""
    at = net.scalars[LOG_COUNT] * LOG_STRIDE
    packet = net.copies[copy + PACKET]
    log = net.hop_log
    log[at] = net.packets[packet + SOURCE]
    log[at + 1] = net.packets[packet + SEQ]
    log[at + 2] = channel // CHANNEL_STRIDE
    log[at + 3] = net.copies[copy + ARRIVED]
    log[at + 4] = now
    log[at + 5] = arrival
    log[at + 6] = net.packets[packet + NET]
    net.scalars[LOG_COUNT] += 1
