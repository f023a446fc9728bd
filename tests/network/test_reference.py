"""What only the reference offers (rules of one's own), and counting by hand on both."""

from __future__ import annotations

from collections.abc import Generator, Sequence

import numpy as np
import pytest
import simpy

from chipsim.errors import NetworkError
from chipsim.machine.model import FullPolicy
from chipsim.network.api import INBOX, NetworkOptions
from chipsim.network.instant import DEVICE, PROGRAM, at
from chipsim.network.reference import Candidate, Copy, DropPolicy, Network, Node, Sink, Slots
from chipsim.testing.conformance import NetworkFactory
from chipsim.testing.scripts import Row, drive, make_sends
from chipsim.units import FOREVER
from tests.network.network_rig import Rig, fan, path


def crossing() -> tuple[Rig, int, int, int]:
    rig = Rig()
    node = rig.node()
    return rig, rig.source(node), rig.source(node), rig.sink(node)


class LastInput:
    def choose(self, candidates: Sequence[Candidate], inputs: int, now_ps: int) -> Candidate:
        assert inputs == 2
        assert [c.input for c in candidates] == sorted(c.input for c in candidates)
        return candidates[-1]


def test_an_arbiter_of_ones_own_decides() -> None:
    rig, one, other, out = crossing()
    machine = rig.build()
    network = Network(machine, options=NetworkOptions(hop_log=True), arbiter=LastInput)
    routes = [path(one, out), path(other, out)]
    rows = [Row(0, 100, seq=0), Row(1, 100, seq=1), Row(1, 100, seq=2)]
    network.send(make_sends(routes, network.add_routes(routes).tolist(), rows))
    network.run_until(1000)
    assert network.take_hops().seq.tolist() == [1, 2, 0]


class KeepKeyZero(DropPolicy):
    def patience_ps(self, node: Node, copy: Copy) -> int:
        return -1 if copy.packet.key == 0 else 0

    def when_full(self, sink: Sink, copy: Copy) -> FullPolicy:
        return FullPolicy.OVERWRITE if copy.packet.key == 0 else FullPolicy.DROP


def test_a_drop_policy_of_ones_own_decides() -> None:
    rig, one, other, _ = crossing()
    out = rig.sink(0, capacity=1, full=FullPolicy.DROP)
    machine = rig.build()
    network = Network(machine, drop_policy=KeepKeyZero())
    routes = [path(one, out), path(other, out)]
    rows = [Row(0, 100, key=9, seq=0), Row(1, 100, key=9, seq=1), Row(1, 100, key=0, seq=2)]
    rows += [Row(1, 100, key=0, seq=3), Row(0, 130, key=9, seq=4)]
    network.send(make_sends(routes, network.add_routes(routes).tolist(), rows))
    network.run_until(1000)
    # 1 loses the contest at 100; 2 waits until 110 and overwrites 0 at 140, 3 overwrites 2 at 150;
    # 4 is granted at 130 and finds the inbox full at 160.
    drops = network.take_drops()
    assert drops.seq.tolist() == [1, 0, 2, 4]
    assert drops.time_ps.tolist() == [100, 140, 150, 160]
    assert network.take(np.array([2], dtype=np.int32), 1000).seq.tolist() == [3]


def test_slots_may_be_shared_between_ports() -> None:
    rig = Rig()
    a, b, c = rig.node(), rig.node(), rig.node()
    one, other = rig.source(a), rig.source(b)
    left, right = rig.link(a, c, 1), rig.link(b, c, 1)
    out = rig.sink(c)
    machine = rig.build()
    shared = Slots(1)

    def slots(_: object, port: int) -> Slots:
        into_c = (machine.channel_port[left], machine.channel_port[right])
        return shared if port in into_c else Slots(0)

    network = Network(machine, options=NetworkOptions(hop_log=True), slots=slots)
    routes = [path(one, left, out), path(other, right, out)]
    rows = [Row(0, 100, seq=0), Row(1, 100, seq=1)]
    network.send(make_sends(routes, network.add_routes(routes).tolist(), rows))
    network.run_until(1000)
    # The second gets the one slot when its credit is back: 100 + 30 + 10 + 20.
    assert network.take_hops().granted_ps.tolist() == [100, 130, 160, 190]
    assert shared.taken == 0


def test_programs_come_after_arrivals_and_arbitration() -> None:
    rig, one, _, out = crossing()
    machine = rig.build()
    env = simpy.Environment()
    seen: list[tuple[str, int, int]] = []
    network = Network(machine, env, lambda kind, _, t: seen.append(("notify", kind, t)))
    routes = [path(one, out)]
    numbers = network.add_routes(routes).tolist()

    def look(name: str) -> None:
        seen.append((name, network.waiting(0), int(env.now)))

    def program() -> Generator[simpy.Event, None, None]:
        yield at(env, 50, PROGRAM, lambda: None)
        network.send(make_sends(routes, numbers, [Row(0, 100)]))
        network.watch_inbox(0, 1)
        at(env, 130, PROGRAM, lambda: look("program"))  # before the arrival is even scheduled
        at(env, 130, DEVICE, lambda: look("device"))
        yield env.timeout(1)

    env.process(program())
    env.run()
    assert seen == [("notify", INBOX, 130), ("device", 1, 130), ("program", 1, 130)]
    assert network.advance(10**6) == env.now


def test_a_take_before_its_time_is_refused() -> None:
    rig, *_ = crossing()
    network = Network(rig.build())
    network.run_until(10)
    with pytest.raises(NetworkError, match="take at 11 ps, but the network has reached 10 ps"):
        network.take(np.array([0], dtype=np.int32), 11)
    with pytest.raises(NetworkError, match=r"inbox 2; expected 0\.\.1"):
        network.waiting(2)


def test_next_time_is_the_networks_own() -> None:
    rig, one, _, out = crossing()
    env = simpy.Environment()
    network = Network(rig.build(), env)
    env.process(timer(env))
    assert network.next_time() == FOREVER
    routes = [path(one, out)]
    network.send(make_sends(routes, network.add_routes(routes).tolist(), [Row(0, 100)]))
    assert network.next_time() == 100
    network.run_until(100)
    assert network.next_time() == 110  # end of transmission
    network.run_until(500)
    assert network.next_time() == FOREVER


def timer(env: simpy.Environment) -> Generator[simpy.Event, None, None]:
    while True:
        yield env.timeout(7)


# Counting, on both ------------------------------------------------------------------------------


def test_window_statistics_by_hand(factory: NetworkFactory) -> None:
    rig, one, other, out = crossing()
    options = NetworkOptions(
        consume=True, window_start_ps=100, window_end_ps=150, bin_ps=20, bins=3
    )
    network = factory(rig.build(), lambda *_: None, options)
    routes = [path(one, out), fan(other, out, out)]
    rows = [Row(0, 99), Row(0, 100), Row(1, 149), Row(0, 150)]
    network.send(make_sends(routes, network.add_routes(routes).tolist(), rows))
    drive(network, 1000)
    # Granted: 99; 109; then from 149 the pointer is at the second input: 149, and at 159 the first
    # (created at 150, not counted), then the second branch at 169. Delivered 30 later.
    window = network.window()
    assert window.created == window.delivered_of_created == 3
    assert window.delivered_in_window == 2  # at 129 and 139
    latencies = [139 - 100, 179 - 149, 199 - 149]
    assert window.latency_sum_ps == sum(latencies)
    assert window.latency_max_ps == max(latencies)
    assert window.latency_counts.tolist() == [0, 2, 1]  # 39 and 30; 50 is beyond the last bin
    assert network.waiting(0) == 0


def test_censored_copies_are_created_but_not_delivered(factory: NetworkFactory) -> None:
    rig, one, _, out = crossing()
    network = factory(rig.build(), lambda *_: None, NetworkOptions(bins=1))
    routes = [path(one, out)]
    numbers = network.add_routes(routes).tolist()
    network.send(make_sends(routes, numbers, [Row(0, 100), Row(0, 100), Row(0, 900)]))
    drive(network, 135)
    window = network.window()
    assert (window.created, window.delivered_of_created) == (3, 1)


def test_consumed_packets_free_a_stalling_sink(factory: NetworkFactory) -> None:
    rig = Rig()
    node = rig.node()
    source, out = rig.source(node), rig.sink(node, capacity=1)
    options = NetworkOptions(consume=True, hop_log=True)
    network = factory(rig.build(), lambda *_: None, options)
    routes = [path(source, out)]
    numbers = network.add_routes(routes).tolist()
    network.send(make_sends(routes, numbers, [Row(0, 100), Row(0, 100)]))
    drive(network, 1000)
    # There at 130 and gone at once: the slot is usable at 150.
    assert network.take_hops().granted_ps.tolist() == [100, 150]
    assert network.counters().delivered == 2
