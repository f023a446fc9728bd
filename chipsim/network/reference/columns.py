"""From the reference network's objects to the columns of :mod:`chipsim.network.api`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chipsim.network.api import PAYLOAD_WORDS, Deliveries, Hops, InFlight, Waits
from chipsim.network.reference.account import Ended, Hop
from chipsim.network.reference.parts import Packet, Port, SourcePort

I32, I64, U32 = np.int32, np.int64, np.uint32


def _column(values: Iterable[int], dtype: type[Any]) -> NDArray[Any]:
    return np.fromiter(values, dtype=dtype)


def deliveries(ended: Sequence[Ended]) -> Deliveries:
    """Return one row per copy, in the given order."""
    packets = [end.packet for end in ended]
    payload = np.array([packet.payload for packet in packets], dtype=U32)
    return Deliveries(
        row=_column((end.row for end in ended), I32),
        endpoint=_column((end.endpoint for end in ended), I32),
        key=_column((packet.key for packet in packets), U32),
        payload=payload.reshape(len(ended), PAYLOAD_WORDS),
        source=_column((packet.source for packet in packets), I32),
        seq=_column((packet.seq for packet in packets), I64),
        net=_column((packet.net for packet in packets), I32),
        tick=_column((packet.tick for packet in packets), I32),
        tag=_column((packet.tag for packet in packets), I32),
        injected_ps=_column((packet.injected_ps for packet in packets), I64),
        time_ps=_column((end.time_ps for end in ended), I64),
        hops=_column((end.copy.hops for end in ended), I32),
        waited_ps=_column((end.copy.waited_ps for end in ended), I64),
    )


def hops(log: Sequence[Hop]) -> Hops:
    """Return one row per grant, in the given order."""
    return Hops(
        source=_column((hop.source for hop in log), I32),
        seq=_column((hop.seq for hop in log), I64),
        net=_column((hop.net for hop in log), I32),
        channel=_column((hop.channel for hop in log), I32),
        arrived_ps=_column((hop.arrived_ps for hop in log), I64),
        granted_ps=_column((hop.granted_ps for hop in log), I64),
        far_ps=_column((hop.far_ps for hop in log), I64),
    )


def in_flight(ports: Iterable[Port]) -> InFlight:
    """Return one row per leaf, by (port, time, source, seq)."""
    rows = [
        (port, since, packet.source, packet.seq, packet)
        for port, since, packet, leaves in _under_way(ports)
        for _ in range(leaves)
    ]
    rows.sort(key=lambda row: row[:4])
    return InFlight(
        source=_column((row[2] for row in rows), I32),
        seq=_column((row[3] for row in rows), I64),
        key=_column((row[4].key for row in rows), U32),
        net=_column((row[4].net for row in rows), I32),
        port=_column((row[0] for row in rows), I32),
        since_ps=_column((row[1] for row in rows), I64),
    )


def _under_way(ports: Iterable[Port]) -> Iterator[tuple[int, int, Packet, int]]:
    """Yield (port, since, packet, leaves) from scripts, FIFOs, monitors and channels."""
    outputs = {}
    for port in ports:
        outputs.update(port.node.outputs)
        if isinstance(port, SourcePort):
            for packet in port.script:
                yield port.number, packet.created_ps, packet, packet.plan.leaves
        for copy in port.queue:
            leaves = sum(len(limb.endpoints) for limb in copy.pending)
            yield port.number, copy.arrived_ps, copy.packet, leaves
        for copy in port.monitor.held if port.monitor else ():
            leaves = sum(len(limb.endpoints) for limb in copy.pending)
            yield port.number, copy.arrived_ps, copy.packet, leaves
    for output in outputs.values():
        for flight in output.wire:
            leaves = len(flight.limb.endpoints)
            yield output.far.number, flight.far_ps, flight.copy.packet, leaves


def waits(ports: Iterable[Port]) -> Waits:
    """Return one row per copy that may ask and output that it still needs."""
    rows: list[tuple[int, int, bool, int, int, int]] = []
    for port in ports:
        for copy in port.askers():
            packet = copy.packet
            for channel in sorted({limb.channel for limb in copy.pending}):
                credit = not port.node.outputs[channel].has_credit(packet)
                rows.append(
                    (port.number, channel, credit, copy.arrived_ps, packet.source, packet.seq)
                )
    rows.sort()
    return Waits(
        port=_column((row[0] for row in rows), I32),
        channel=_column((row[1] for row in rows), I32),
        credit=np.array([row[2] for row in rows], dtype=np.bool_),
        since_ps=_column((row[3] for row in rows), I64),
        source=_column((row[4] for row in rows), I32),
        seq=_column((row[5] for row in rows), I64),
    )
