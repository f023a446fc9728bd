"""The rules, one by one, with the sums beside them: latency L = 30, flit F = 10, credit C = 20."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from chipsim.machine.model import FullPolicy, NodeKind
from chipsim.network.api import ACCEPTED, INBOX
from chipsim.testing.conformance import NetworkFactory
from chipsim.testing.scripts import Look, Take, WatchAccepted, WatchInbox
from tests.network.network_rig import T0, F, L, Rig, fan, path, play


@pytest.mark.parametrize(("bits", "flits"), [(0, 1), (32, 2), (128, 4)])
def test_zero_load_is_latency_and_further_flits_per_channel(
    factory: NetworkFactory, bits: int, flits: int
) -> None:
    rig = Rig()
    a, b, c = rig.node(), rig.node(), rig.node(hop=False)
    source = rig.source(a)
    channels = rig.link(a, b), rig.link(b, c), rig.sink(c)
    played = play(factory, rig.build(), [path(source, *channels, bits=bits)], [(0, T0)])
    # Stored and forwarded: each of three channels costs L and its further flits.
    assert played.ends == [(0, 0, T0 + 3 * (L + (flits - 1) * F))]
    taken = played.outcome.taken[0]
    assert taken.hops.tolist() == [2]  # the third node is no router
    assert taken.waited_ps.tolist() == [0]
    assert played.outcome.views[-1].counters.packet_hops == 2


def test_two_inputs_take_turns(factory: NetworkFactory) -> None:
    rig = Rig()
    node = rig.node()
    one, other = rig.source(node), rig.source(node)
    out = rig.sink(node)
    routes = [path(one, out), path(other, out)]
    played = play(factory, rig.build(), routes, [(0, T0)] * 3 + [(1, T0)] * 2)
    # The pointer starts at the first input and moves past the one granted: 0, 3, 1, 4, 2.
    # Each grant makes the output busy for F; the next packet of an input is head just then.
    assert played.grants(out) == [(0, 100), (3, 110), (1, 120), (4, 130), (2, 140)]
    assert [end[2] for end in played.ends] == [130, 140, 150, 160, 170]


def test_the_pointer_stays_where_nothing_was_granted(factory: NetworkFactory) -> None:
    rig = Rig()
    node = rig.node()
    ports = [rig.source(node) for _ in range(3)]
    out = rig.sink(node)
    routes = [path(port, out) for port in ports]
    # At 100 input 1 alone: the pointer moves to 2. At 200 inputs 0 and 1: 2 is silent, 0 is next.
    played = play(factory, rig.build(), routes, [(1, 100), (0, 200), (1, 200)])
    assert played.grants(out) == [(0, 100), (1, 200), (2, 210)]


def test_one_slot_gives_a_packet_per_round_trip(factory: NetworkFactory) -> None:
    rig = Rig()
    a, b = rig.node(), rig.node()
    source = rig.source(a)
    link, out = rig.link(a, b, capacity=1), rig.sink(b)
    played = play(factory, rig.build(), [path(source, link, out)], [(0, T0)] * 3)
    # Granted at g, there at g + 30, sent on until g + 40, credit usable at g + 60.
    assert played.grants(link) == [(0, 100), (1, 160), (2, 220)]
    assert played.grants(out) == [(0, 130), (1, 190), (2, 250)]
    # Packet 2 waited 120 in the source FIFO and not at all in the second node.
    assert played.outcome.taken[0].waited_ps.tolist() == [0, 60, 120]


@pytest.mark.parametrize("slots", range(1, 17))
def test_channel_throughput_is_slots_over_round_trip(factory: NetworkFactory, slots: int) -> None:
    lat, flit, credit = 50, 10, 60
    rig = Rig()
    a, b = rig.node(), rig.node()
    source = rig.source(a)
    link = rig.link(a, b, capacity=slots, lat=lat, flit=flit, credit=credit)
    out = rig.sink(b)
    packets = 8 * slots + 1
    played = play(factory, rig.build(), [path(source, link, out)], [(0, T0)] * packets)
    times = [time for _, time in played.grants(link)]
    # Over whole rounds of `slots` packets the rate is exact.
    rate = Fraction(4 * slots * flit, times[8 * slots] - times[4 * slots])
    assert rate == min(Fraction(1), Fraction(slots * flit, lat + flit + credit))


def test_frames_hold_the_output_until_the_last(factory: NetworkFactory) -> None:
    rig = Rig()
    node = rig.node()
    one, other = rig.source(node), rig.source(node)
    out = rig.sink(node)
    routes = [path(one, out, bits=32), path(other, out)]
    played = play(factory, rig.build(), routes, [(0, T0), (1, T0)])
    # Two flits: busy until 120, the last one is in at 100 + 30 + 10; one flit from 120 arrives 150.
    assert played.ends == [(0, 0, 140), (1, 0, 150)]


@pytest.mark.parametrize(
    ("kind", "overtaker"), [(NodeKind.FIFO, 120), (NodeKind.POOL, 100)], ids=["fifo", "pool"]
)
def test_in_a_pool_a_packet_overtakes_those_that_wait(
    factory: NetworkFactory, kind: NodeKind, overtaker: int
) -> None:
    rig = Rig()
    node = rig.node(kind)
    source = rig.source(node)
    x, y = rig.sink(node), rig.sink(node)
    played = play(
        factory, rig.build(), [path(source, x), path(source, y)], [(0, T0), (0, T0), (1, T0)]
    )
    # Output x: 100 and 110. Packet 2 wants y: in a FIFO it is head when packet 1 has gone, at 120.
    assert played.grants(x) == [(0, 100), (1, 110)]
    assert played.grants(y) == [(2, overtaker)]


def test_a_pool_puts_forward_its_oldest_even_if_a_younger_could_go(
    factory: NetworkFactory,
) -> None:
    rig = Rig()
    node = rig.node(NodeKind.POOL)
    source = rig.source(node)
    out = rig.sink(node, capacity=1)
    routes = [path(source, out), path(source, out, memory=True)]
    played = play(
        factory, rig.build(), routes, [(0, T0), (0, T0), (1, T0)], Look(299), Take(300, (0,))
    )
    # Packet 1 has no slot until the take at 300 (+ C); memory packet 2 needs none but is younger.
    assert played.grants(out) == [(0, 100), (1, 320), (2, 330)]
    waits = played.outcome.views[0].waits
    rows = zip(waits.seq.tolist(), waits.channel.tolist(), waits.credit.tolist(), strict=True)
    assert sorted(rows) == [(1, out, True), (2, out, False)]


def test_a_blocked_branch_holds_the_packet_but_not_its_other_branches(
    factory: NetworkFactory,
) -> None:
    rig = Rig()
    node = rig.node()
    one, other = rig.source(node), rig.source(node)
    x, y = rig.sink(node), rig.sink(node)
    routes = [path(one, x, bits=32), fan(other, x, y), path(other, y)]
    played = play(factory, rig.build(), routes, [(0, T0), (1, T0), (2, T0)], Look(115))
    # x: packet 0 until 120, then the branch of packet 1 until 130. y: packet 1 at once; packet 2
    # is head at 130, when the last branch before it has ended.
    assert played.grants(x) == [(0, 100), (1, 120)]
    assert played.grants(y) == [(1, 100), (2, 130)]
    assert played.outcome.views[-1].counters.packet_hops == 3  # visits, not grants
    flying = played.outcome.views[0].in_flight
    where = sorted(zip(flying.seq.tolist(), flying.since_ps.tolist(), strict=True))
    # 0 arrives at 140; 1's copy to y at 130, its other leaf is still in the FIFO, like 2.
    assert where == [(0, 140), (1, 100), (1, 130), (2, 100)]


def test_branches_on_one_output_let_others_in_between(factory: NetworkFactory) -> None:
    rig = Rig()
    node = rig.node(NodeKind.POOL)
    one, other = rig.source(node), rig.source(node)
    out = rig.sink(node)
    routes = [fan(one, out, out, out), path(other, out)]
    played = play(factory, rig.build(), routes, [(0, T0), (1, T0)])
    assert played.grants(out) == [(0, 100), (1, 110), (0, 120), (0, 130)]
    assert [end[2] for end in played.ends] == [130, 140, 150, 160]


def test_a_full_source_fifo_accepts_when_a_transmission_ends(factory: NetworkFactory) -> None:
    rig = Rig()
    node = rig.node()
    source = rig.source(node, capacity=1)
    out = rig.sink(node)
    played = play(
        factory, rig.build(), [path(source, out, bits=32)], [(0, T0)] * 3, WatchAccepted(0, source)
    )
    # Two flits are sent until 120: then the slot is free (no credit latency), and used at once.
    assert played.outcome.taken[0].injected_ps.tolist() == [100, 120, 140]
    assert played.ends == [(0, 0, 140), (1, 0, 160), (2, 0, 180)]
    assert played.outcome.fired == [(ACCEPTED, source, 140)]


def test_gaps_separate_acceptances(factory: NetworkFactory) -> None:
    rig = Rig()
    node = rig.node()
    source = rig.source(node)
    out = rig.sink(node)
    rows = [(0, 100, 77), (0, 100, 25), (0, 100, 25), (0, 190, 25), (0, 191, 0)]
    played = play(factory, rig.build(), [path(source, out)], rows)
    # The first row finds an empty script: its gap does not count. Then 100 + 25, + 25, and times.
    assert played.outcome.taken[0].injected_ps.tolist() == [100, 125, 150, 190, 191]


@pytest.mark.parametrize("slow", [False, True])
def test_what_waits_too_long_is_dropped(factory: NetworkFactory, slow: bool) -> None:
    rig = Rig()
    node = rig.node(wait_ps=15)
    one, other = rig.source(node), rig.source(node)
    x, y = rig.sink(node, flit=40), rig.sink(node, flit=40 if slow else 10)
    routes = [path(one, x), fan(other, x, y), path(other, x)]
    played = play(factory, rig.build(), routes, [(0, 100), (1, 100), (2, 100), (2, 100)])
    # x is busy until 140. Packet 1 sends to y at 100 and loses its branch to x at 100 + 15. It is
    # head until 115, or until 140 where its transmission to y lasts that long.
    # Then packet 2 is head at 115, dropped at 130, and packet 3 head from 130 is granted at 140.
    # With slow y packet 2 is head at 140, is granted then, and packet 3 is head from 180.
    if slow:
        assert played.drops == [(1, other, 115)]
        assert played.grants(x) == [(0, 100), (2, 140), (3, 180)]
    else:
        assert played.drops == [(1, other, 115), (2, other, 130)]
        assert played.grants(x) == [(0, 100), (3, 140)]
    assert played.grants(y) == [(1, 100)]
    counters = played.outcome.views[-1].counters
    assert counters.dropped_at[other] == counters.dropped == (1 if slow else 2)
    # A copy that lost all its branches made no hop: 0, 1, 3 (and 2, where it was granted).
    assert counters.packet_hops == (4 if slow else 3)


def test_without_patience_a_whole_queue_may_go_at_one_instant(factory: NetworkFactory) -> None:
    rig = Rig()
    node = rig.node(wait_ps=0)
    one, other = rig.source(node), rig.source(node)
    x, y = rig.sink(node, flit=40), rig.sink(node)
    routes = [path(one, x), path(other, x), path(other, y)]
    played = play(factory, rig.build(), routes, [(0, 100), (1, 100), (1, 100), (2, 100)])
    # Packet 1 loses the contest and is given up at 100; 2 is head at 100, likewise; 3 is head at
    # 100, asks for y and is granted in a further arbitration of the same instant.
    assert played.drops == [(1, other, 100), (2, other, 100)]
    assert played.grants(y) == [(3, 100)]


def test_in_a_pool_a_drop_lets_the_younger_ask_at_its_instant(factory: NetworkFactory) -> None:
    rig = Rig()
    node = rig.node(NodeKind.POOL, wait_ps=15)
    source, dma = rig.source(node), rig.source(node)
    out, x = rig.sink(node, capacity=1), rig.sink(node, flit=40)
    routes = [path(source, out), path(source, out, memory=True), path(dma, x)]
    rows = [(0, 100), (0, 101), (1, 112), (2, 100)]
    played = play(factory, rig.build(), routes, rows)
    # Packet 0 takes the sink's slot; 1 has none and is the oldest that wants the output, until it
    # is given up at 116. Memory packet 2 needs no slot, and goes at that very time.
    assert played.drops == [(1, source, 116)]
    assert played.grants(out) == [(0, 100), (2, 116)]
    assert played.grants(x) == [(3, 100)]


def test_a_drop_frees_a_source_slot_at_its_instant(factory: NetworkFactory) -> None:
    rig = Rig()
    node = rig.node(wait_ps=15)
    one, other = rig.source(node), rig.source(node, capacity=1)
    x, y = rig.sink(node, flit=40), rig.sink(node)
    routes = [path(one, x), path(other, x), path(other, y)]
    played = play(factory, rig.build(), routes, [(0, 100), (1, 100), (2, 100)])
    assert played.drops == [(1, other, 115)]
    assert played.grants(y) == [(2, 115)]  # accepted at 115, and head, and granted


def test_a_dropped_packet_returns_its_slot_after_the_credit_latency(
    factory: NetworkFactory,
) -> None:
    rig = Rig()
    a, b = rig.node(), rig.node(wait_ps=5)
    source, other = rig.source(a), rig.source(b)
    link = rig.link(a, b, capacity=1)
    x = rig.sink(b, flit=100)
    routes = [path(source, link, x), path(other, x)]
    played = play(factory, rig.build(), routes, [(0, 100), (0, 100), (1, 120)])
    # There at 130, x is busy until 220: dropped at 135, slot usable at 155, there again at 185.
    assert played.grants(link) == [(0, 100), (1, 155)]
    assert [(seq, time) for seq, _, time in played.drops] == [(0, 135), (1, 190)]


def test_a_full_sink_drops_the_newcomer(factory: NetworkFactory) -> None:
    rig = Rig()
    node = rig.node()
    source = rig.source(node)
    out = rig.sink(node, capacity=1, full=FullPolicy.DROP)
    machine = rig.build()
    played = play(factory, machine, [path(source, out)], [(0, T0)] * 3, Take(140, (0,)))
    # Arrivals at 130, 140, 150. The take at 140 comes after the arrival at 140, which found 0.
    assert played.drops == [(1, int(machine.endpoint_sink[0]), 140)]
    assert played.ends == [(0, 0, 130), (2, 0, 150)]
    assert played.outcome.drops.endpoint.tolist() == [0]


def test_a_full_sink_overwrites_the_oldest(factory: NetworkFactory) -> None:
    rig = Rig()
    node = rig.node()
    source = rig.source(node)
    out = rig.sink(node, capacity=2, full=FullPolicy.OVERWRITE)
    machine = rig.build()
    played = play(factory, machine, [path(source, out)], [(0, T0)] * 3)
    assert played.drops == [(0, int(machine.endpoint_sink[0]), 150)]
    assert played.ends == [(1, 0, 140), (2, 0, 150)]
    counters = played.outcome.views[-1].counters
    assert (counters.delivered, counters.dropped, counters.overwritten) == (2, 0, 1)


def test_a_stalling_sink_goes_on_after_a_take(factory: NetworkFactory) -> None:
    rig = Rig()
    node = rig.node()
    source = rig.source(node)
    out = rig.sink(node, capacity=1)
    played = play(factory, rig.build(), [path(source, out)], [(0, T0)] * 2, Take(200, (0,)))
    # The slot is held from the grant at 100 to the take at 200, and usable at 200 + 20.
    assert played.grants(out) == [(0, 100), (1, 220)]
    assert played.ends == [(0, 0, 130), (1, 0, 250)]


def test_memory_traffic_needs_no_slot_at_the_sink(factory: NetworkFactory) -> None:
    rig = Rig()
    node = rig.node()
    source, dma = rig.source(node), rig.source(node)
    out = rig.sink(node, capacity=1)
    routes = [path(source, out), path(dma, out, memory=True)]
    played = play(factory, rig.build(), routes, [(0, T0), (0, T0), (1, T0), (1, T0)], Look(400))
    assert played.grants(out) == [(0, 100), (2, 110), (3, 120)]
    view = played.outcome.views[0]
    assert view.waiting == [1, 2]
    assert view.in_flight.seq.tolist() == [1]


def test_a_credit_is_usable_at_its_very_instant_by_the_other_input(
    factory: NetworkFactory,
) -> None:
    rig = Rig()
    a, b = rig.node(), rig.node()
    one, other = rig.source(a), rig.source(a)
    link, out = rig.link(a, b, capacity=1), rig.sink(b)
    routes = [path(one, link, out), path(other, link, out)]
    played = play(factory, rig.build(), routes, [(0, 100), (0, 100), (1, 160)])
    # The credit is back at 160, when packet 2 is accepted: the pointer is at its input.
    assert played.grants(link) == [(0, 100), (2, 160), (1, 220)]


def test_what_is_taken_comes_by_inbox_key_time(factory: NetworkFactory) -> None:
    rig = Rig()
    node = rig.node()
    source = rig.source(node)
    x, y = rig.sink(node), rig.sink(node)
    machine = rig.build()
    routes = [path(source, x), path(source, y)]
    played = play(
        factory, machine, routes, [(0, 100), (1, 100), (0, 100)], Take(155, (2, 0)), Take(156, (0,))
    )
    first, second = played.outcome.taken[:2]
    # Packet 2 is granted at 120 and there at 150; packet 1 is head from 110.
    assert first.row.tolist() == [0, 1, 1]
    assert first.seq.tolist() == [1, 0, 2]
    assert first.time_ps.tolist() == [140, 130, 150]
    assert first.endpoint.tolist() == [1, 0, 0]
    assert first.payload[:, 0].tolist() == [7919 + 1, 0, 2 * 7919 + 2]
    assert first.net.tolist() == [1, 0, 0]
    assert first.tag.tolist() == [4, 1, 7]
    assert len(second) == 0


def test_watches_fire_once_at_their_instant(factory: NetworkFactory) -> None:
    rig = Rig()
    node = rig.node()
    source = rig.source(node)
    out = rig.sink(node)
    played = play(
        factory,
        rig.build(),
        [path(source, out)],
        [(0, T0)] * 4,
        WatchInbox(0, 0, 2),
        WatchAccepted(0, source),
    )
    # Arrivals at 130, 140, 150, 160; four rows are accepted at 100.
    assert played.outcome.fired == [(ACCEPTED, source, 100), (INBOX, 0, 140)]


def test_the_hop_log_is_by_time_and_channel(factory: NetworkFactory) -> None:
    rig = Rig()
    a, b = rig.node(), rig.node()
    one, other = rig.source(a), rig.source(b)
    sink_b, sink_a = rig.sink(b), rig.sink(a)
    routes = [path(one, sink_a), path(other, sink_b)]
    played = play(factory, rig.build(), routes, [(0, 100), (1, 100), (1, 100)])
    log = played.outcome.hops
    assert log.channel.tolist() == [sink_b, sink_a, sink_b]
    assert log.granted_ps.tolist() == [100, 100, 110]
    assert log.far_ps.tolist() == [130, 130, 140]
    assert np.all(log.arrived_ps == 100)
