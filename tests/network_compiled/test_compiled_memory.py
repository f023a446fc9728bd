"""Records are used again, arrays grow when they must, and nothing of that is seen outside."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from chipsim.machine.library import load_machine
from chipsim.machine.model import FullPolicy, Machine
from chipsim.network.api import Counters, NetworkOptions, Sends
from chipsim.network.compiled import Network
from chipsim.network.compiled import layout as at
from chipsim.network.traffic.parcel import Parcel, make_route
from tests.network_compiled.compiled_rig import LATENCY, send, sends, star, take_all, to

PERIOD = 1000


def mesh() -> Machine:
    return load_machine("mesh-4x4", {"noc.fifo_packets": 2})


def all_routes(network: Network) -> None:
    machine, ends = network.machine, network.machine.pes().tolist()
    network.add_routes([make_route(machine, a, (b,), Parcel()) for a in ends for b in ends])


def uniform(machine: Machine, first: int, count: int, load: float, seed: int) -> Sends:
    draw = np.random.default_rng(seed)
    ends = machine.pes()
    cycle, who = np.nonzero(draw.random((count, len(ends))) < load)
    rows = len(who)
    zeros = np.zeros(rows, dtype=np.int32)
    return Sends(
        port=machine.endpoint_port[ends[who]],
        earliest_ps=(first + cycle) * PERIOD,
        gap_ps=np.zeros(rows, dtype=np.int64),
        route=(who * len(ends) + draw.integers(0, len(ends), rows)).astype(np.int32),
        source=who.astype(np.int32),
        seq=first * 100 + np.arange(rows),
        key=draw.integers(0, 2**32, rows).astype(np.uint32),
        payload=draw.integers(0, 2**32, (rows, 4)).astype(np.uint32),
        net=zeros,
        tick=zeros,
        tag=zeros,
    )


def balance(counters: Counters) -> int:
    ended = counters.delivered + counters.dropped + counters.overwritten
    return counters.expected - ended - counters.in_flight


def room(network: Network) -> list[int]:
    state = network._memory.state
    return [len(state.packets), len(state.copies), len(state.events), len(state.hop_log)]


def test_memory_is_flat_however_long_the_run() -> None:
    network = Network(mesh(), options=NetworkOptions(consume=True))
    all_routes(network)
    sizes = []
    for block in range(120):
        network.send(uniform(network.machine, 100 * block, 100, 0.2, block))
        network.advance((100 * block + 99) * PERIOD)
        sizes.append(room(network))
    assert network.counters().packet_hops > 100_000
    assert sizes[30] == sizes[-1]


def test_every_record_comes_back() -> None:
    network = Network(mesh())
    all_routes(network)
    network.send(uniform(network.machine, 0, 300, 0.3, 1))
    network.advance(10**9)
    take_all(network, 10**9)
    state = network._memory.state
    assert network.counters().in_flight == 0
    assert state.scalars[at.PACKET_ROOM] * at.PACKET_STRIDE == len(state.packets)
    assert state.scalars[at.COPY_ROOM] * at.COPY_STRIDE == len(state.copies)
    assert state.scalars[at.EVENT_ROOM] * at.EVENT_STRIDE == len(state.events)


def test_dropped_copies_come_back_when_they_have_been_read() -> None:
    network = Network(star(1, capacity=1, full=FullPolicy.DROP))
    send(network, to(0, 0), [100] * 20)
    network.advance(10_000)
    assert len(network.take_drops()) == 19
    assert len(network.take_drops()) == 0
    take_all(network, 10_000)
    state = network._memory.state
    assert state.scalars[at.COPY_ROOM] * at.COPY_STRIDE == len(state.copies)
    assert state.scalars[at.PACKET_ROOM] * at.PACKET_STRIDE == len(state.packets)


def test_growth_is_not_seen() -> None:
    once, grown = (Network(mesh(), options=NetworkOptions(hop_log=True)) for _ in range(2))
    for network in (once, grown):
        all_routes(network)
        network.send(uniform(network.machine, 0, 200, 0.3, 2))
    for step in range(1, 301):
        grown.advance(step * PERIOD)
        if step in (3, 50, 120):
            grown._memory.grow_events()
            grown._memory.grow_copies()
            grown._memory.grow_packets()
            grown._memory.grow_log()
    once.advance(300 * PERIOD)
    hops, other_hops = once.take_hops(), grown.take_hops()
    assert len(hops.seq) > 2000
    for name, column in vars(hops).items():
        assert np.array_equal(column, getattr(other_hops, name)), name
    taken, other_taken = take_all(once, 300 * PERIOD), take_all(grown, 300 * PERIOD)
    assert len(taken) > 500
    for name, column in vars(taken).items():
        assert np.array_equal(column, getattr(other_taken, name)), name


def test_arrays_grow_by_themselves() -> None:
    network = Network(star(8), options=NetworkOptions(hop_log=True))
    before = room(network)
    send(network, to(0, *range(8)), [100] * 1000)
    network.advance(10**6)
    after = room(network)
    assert all(new > old for new, old in zip(after, before, strict=True))
    assert len(take_all(network, 10**6)) == 8000
    assert len(network.take_hops().seq) == 8000


@settings(max_examples=40)
@given(
    st.integers(0, 2**32),
    st.sampled_from([0.05, 0.4, 0.9]),
    st.lists(st.integers(1, 40_000), min_size=1, max_size=12),
)
def test_copies_are_conserved_at_every_time(seed: int, load: float, steps: list[int]) -> None:
    network = Network(mesh())
    all_routes(network)
    network.send(uniform(network.machine, 0, 60, load, seed % 2**32))
    now = 0
    for step in steps:
        now += step
        network.advance(now)
        counters = network.counters()
        assert balance(counters) == 0
        assert len(network.in_flight().seq) == counters.in_flight
    network.advance(10**9)
    assert network.counters().in_flight == 0
    assert len(take_all(network, 10**9)) == network.counters().expected


@settings(max_examples=25)
@given(st.integers(0, 2**32 - 1), st.integers(1, 400), st.integers(1, 3))
def test_an_inbox_is_taken_in_order(seed: int, count: int, keys: int) -> None:
    draw = np.random.default_rng(seed)
    network = Network(star(2, 2))
    routes = [to(int(port), int(end)) for port, end in draw.integers(0, 2, (count, 2))]
    numbers = network.add_routes(routes).tolist()
    times = (100 + draw.integers(0, 50, count)).tolist()
    sent = sends(routes, numbers, times, draw.integers(0, keys, count).tolist())
    sent.source = draw.integers(0, 3, count).astype(np.int32)
    network.send(sent)
    network.advance(10**6)
    got = network.take(np.array([2, 1, 0], dtype=np.int32), 10**6)
    assert sorted(got.seq.tolist()) == list(range(count))
    order = np.lexsort((got.seq, got.source, got.time_ps, got.key, got.row))
    assert order.tolist() == list(range(count))
    ends = [routes[seq].stages[0][0].channel for seq in got.seq.tolist()]
    assert got.endpoint.tolist() == ends
    assert got.row.tolist() == [2 - 2 * end for end in ends]


def test_far_times_are_exact() -> None:
    network = Network(star(1, latency=7))
    times = [10, 2_000_000_011, 10**15 + 3]
    send(network, to(0, 0), times)
    network.advance(10**16)
    assert take_all(network, 10**16).time_ps.tolist() == [time + 7 for time in times]
    assert LATENCY != 7
