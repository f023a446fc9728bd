"""A sink that several channels feed, where arrivals are not in the order of grants."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chipsim.errors import MachineError
from chipsim.machine.model import EndpointKind, FullPolicy, Machine, PortKind
from chipsim.network.compiled import Network
from tests.network_compiled.compiled_rig import FLIT, builder, send, sends, take_all, to

LATENCIES = (500, 30, 200)


def shared(capacity: int, latencies: tuple[int, ...] = LATENCIES) -> Machine:
    """Return a hub with a source per latency, and as many channels to one sink."""
    made, cls = builder()
    node = made.node("hub")
    for _ in latencies:
        made.port(node, 0, PortKind.SOURCE)
    sink = made.port(-1, capacity, PortKind.SINK, FullPolicy.STALL)
    for latency in latencies:
        made.channel(node, sink, cls, latency, FLIT, 20)
    made.endpoint(EndpointKind.PE, port=0, sink=sink, x=0, y=0)
    return made.build()


@settings(max_examples=60)
@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 60)), min_size=1, max_size=30))
def test_arrivals_of_several_channels_come_in_order_of_time(packets: list[tuple[int, int]]) -> None:
    network = Network(shared(0))
    expected = []
    for way in range(3):
        times = sorted(10 * time + 100 for w, time in packets if w == way)
        send(network, to(way, way), times) if times else None
        idle = 0
        for time in times:
            granted = max(time, idle)
            idle = granted + FLIT
            expected.append(granted + LATENCIES[way])
    got = []
    for now in range(0, 3000, 70):
        network.advance(now)
        times = take_all(network, now).time_ps.tolist()
        assert all(now - 70 < time <= now for time in times)
        got += times
    assert sorted(got) == sorted(expected)


def test_a_bounded_sink_has_one_channel() -> None:
    with pytest.raises(MachineError, match=r"expected one channel per input FIFO"):
        Network(shared(2))


def test_what_arrives_at_one_time_is_taken_by_source_and_number() -> None:
    network = Network(shared(0, (30, 30, 30, 30)))
    routes = [to(way, way) for way in range(4)]
    rows = sends(routes, network.add_routes(routes).tolist(), [100] * 4, keys=[7, 7, 7, 7])
    rows.source[:] = [2, 1, 2, 1]
    rows.seq[:] = [5, 9, 4, 8]
    network.send(rows)
    network.advance(130)
    got = take_all(network, 130)
    assert got.time_ps.tolist() == [130] * 4
    assert list(zip(got.source.tolist(), got.seq.tolist(), strict=True)) == [
        (1, 8),
        (1, 9),
        (2, 4),
        (2, 5),
    ]
