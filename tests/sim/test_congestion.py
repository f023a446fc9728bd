"""SpiNNaker1 under congestion: what is late, dropped, reinjected and sent round is counted."""

from __future__ import annotations

import pytest

from chipsim.testing.congestion import EMERGENCY, REINJECTION, congestion, result


def test_dropped_after_wait1(network: str) -> None:
    found = result(congestion(network=network))
    assert found["given_up"] == found["lost"] > 100
    assert found["late"] > 0
    assert found["emergency_routed"] == found["reinjected"] == 0
    assert found["delivered"] + found["lost"] == found["sent"]


def test_monitors_bring_most_back() -> None:
    found = result(congestion(REINJECTION))
    assert found["reinjected"] == found["read_by_monitors"] > 100
    assert found["register_full"] + found["monitor_full"] == found["lost"] > 0
    assert found["given_up"] == found["read_by_monitors"] + found["lost"]
    assert found["delivered"] + found["lost"] == found["sent"]


def test_all_of_it_is_the_same_on_both_networks() -> None:
    both = [
        result(congestion({**EMERGENCY, **REINJECTION}, network=network, ticks=1))
        for network in ("compiled", "simpy")
    ]
    assert both[0] == both[1]
    for name in ("late", "given_up", "emergency_routed", "reinjected"):
        assert both[0][name] > 0, name
    ended = sum(both[0][name] for name in ("delivered", "lost", "overwritten", "in_flight"))
    assert ended == both[0]["sent"]


def test_a_slow_monitor_loses_more_and_a_small_queue_overflows() -> None:
    quick = result(congestion(REINJECTION))
    slow = result(congestion({**REINJECTION, "router.reinject_read_ns": 5_000}))
    small = {"router.reinject_queue_packets": 1, "router.reinject_interval_ns": 20_000}
    full = result(congestion({**REINJECTION, **small}))
    assert slow["register_full"] > quick["register_full"]
    assert quick["monitor_full"] == 0 < full["monitor_full"]


def test_a_longer_wait1_drops_less_and_a_way_round_helps() -> None:
    usual = result(congestion())
    patient = result(congestion({"router.wait1_cycles": 480}))
    assert patient["lost"] < usual["lost"]
    assert result(congestion(EMERGENCY))["lost"] < usual["lost"]


@pytest.mark.parametrize(("payload", "most"), [(0, 450), (32, 263)])
def test_the_link_carries_what_it_can(payload: int, most: int) -> None:
    simulation = congestion(packets=80, payload_bits=payload, tick_us=100.0)
    chips = simulation.machine.chips
    assert chips is not None
    middle = int(((chips.x == 2) & (chips.y == 2)).argmax())
    carried = int(simulation.network.counters().channel_packets[chips.link[middle, 0]])
    # It has work from the first tick until it is through: one packet per 220 or 380 ns.
    assert carried > 2 * most
    taken = [entry for entry in simulation.provenance() if entry.name == "Packets_sent"]
    assert sum(row.value for row in taken) == 28 * 80 * 2
