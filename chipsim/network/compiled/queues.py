"""How many packets wait at a FIFO, and the most since somebody asked.

A copy stands in its next FIFO's list from its grant on, so arrivals make no event; they are counted
when the queue shrinks, which it does only by grants, and when somebody asks. In between it only
grows, so the peak is right. Amortised cost: constant per copy.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from chipsim.compiled import compiled, inlined
from chipsim.network.compiled.layout import (
    AFTER,
    ARRIVED,
    CHANNEL_STRIDE,
    COUNT,
    END,
    INBOX_STRIDE,
    KIND,
    KIND_SINK,
    NOW,
    PATIENCE_STRIDE,
    PORT,
    PORT_STRIDE,
    QUEUE_NEXT,
    QUEUE_PEAK,
    QUEUED,
)
from chipsim.network.compiled.state import I64, State, opened


@inlined
def queue_grows(net: State, port: int, copy: int) -> None:
    """Note a copy that joins the list of a LINK port."""
    at = port // PORT_STRIDE * PATIENCE_STRIDE
    if net.patience[at + QUEUE_NEXT] < 0:
        net.patience[at + QUEUE_NEXT] = copy


@inlined
def count_arrived(net: State, at: int, now: int) -> None:
    """Count the copies that have arrived by ``now``."""
    patience = net.patience
    copy = patience[at + QUEUE_NEXT]
    while copy >= 0 and net.copies[copy + ARRIVED] <= now:
        patience[at + QUEUED] += 1
        copy = net.copies[copy + AFTER]
    patience[at + QUEUE_NEXT] = copy
    patience[at + QUEUE_PEAK] = max(patience[at + QUEUE_PEAK], patience[at + QUEUED])


@inlined
def queue_shrinks(net: State, port: int, now: int) -> None:
    """Note that a copy of a LINK port, still in its list, has got its last grant (or is lost)."""
    at = port // PORT_STRIDE * PATIENCE_STRIDE
    count_arrived(net, at, now)
    net.patience[at + QUEUED] -= 1


@inlined
def inbox_holds(net: State, port: int, count: int) -> None:
    """Note how many packets an inbox behind a SINK port holds now."""
    at = port // PORT_STRIDE * PATIENCE_STRIDE
    net.patience[at + QUEUE_PEAK] = max(net.patience[at + QUEUE_PEAK], count)


@compiled
def take_peaks(directory: I64, peaks: NDArray[np.int32]) -> None:
    """Write the peak at the far end of each channel, and start anew from what waits now."""
    net = opened(directory)
    now = net.scalars[NOW]
    channels = len(peaks)
    for channel in range(channels):
        port = net.channels[channel * CHANNEL_STRIDE + PORT]
        at = port // PORT_STRIDE * PATIENCE_STRIDE
        if net.ports[port + KIND] != KIND_SINK:
            count_arrived(net, at, now)
        peaks[channel] = net.patience[at + QUEUE_PEAK]
    for channel in range(channels):
        port = net.channels[channel * CHANNEL_STRIDE + PORT]
        at = port // PORT_STRIDE * PATIENCE_STRIDE
        waiting = net.patience[at + QUEUED]
        if net.ports[port + KIND] == KIND_SINK:
            inbox = net.ports[port + END]
            waiting = max(net.inboxes[inbox + COUNT], net.inboxes[inbox + INBOX_STRIDE + COUNT])
        net.patience[at + QUEUE_PEAK] = waiting
