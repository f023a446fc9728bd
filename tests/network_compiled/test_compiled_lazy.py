"""How a lazy network is driven: advance, watches, next_time, take; and what it refuses."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from chipsim.errors import NetworkError
from chipsim.network.api import ACCEPTED, INBOX
from chipsim.network.compiled import Network
from chipsim.units import FOREVER
from tests.network_compiled.compiled_rig import (
    CREDIT,
    FLIT,
    LATENCY,
    send,
    sends,
    star,
    take_all,
    to,
)

Fired = list[tuple[int, int, int]]


def watched(sinks: int = 3, sources: int = 3) -> tuple[Network, Fired]:
    fired: Fired = []
    network = Network(star(sinks, sources), lambda *what: fired.append(what))
    return network, fired


def test_a_quiet_network_goes_where_it_is_told() -> None:
    network, _ = watched()
    assert network.next_time() == FOREVER
    assert network.advance(500) == 500
    assert network.advance(400) == 500, "time does not go back"


def test_advance_stops_after_the_instant_of_a_watch_and_goes_on() -> None:
    network, fired = watched()
    send(network, to(0, 1), [100, 200, 300])
    network.watch_inbox(2, 2)
    arrival = 200 + LATENCY
    assert network.advance(1000) == arrival
    assert fired == [(INBOX, 2, arrival)]
    assert network.waiting(2) == 2
    assert network.next_time() == 300
    assert network.advance(1000) == 1000, "a watch fires once"
    assert len(fired) == 1
    assert network.waiting(2) == 3


def test_watches_of_one_instant_are_reported_together_in_order() -> None:
    network, fired = watched()
    routes = [to(2, 2), to(0, 0), to(1, 1)]
    numbers = network.add_routes(routes).tolist()
    network.send(sends(routes, numbers, [100, 100, 100]))
    for inbox in (4, 0, 2):
        network.watch_inbox(inbox, 1)
    assert network.advance(1000) == 100 + LATENCY
    assert fired == [(INBOX, inbox, 100 + LATENCY) for inbox in (0, 2, 4)]
    network.send(sends(routes, numbers, [200, 200, 200]))
    for port in (2, 1, 0):
        network.watch_accepted(port)
    assert network.advance(1000) == 200
    assert fired[3:] == [(ACCEPTED, port, 200) for port in (0, 1, 2)]


def test_the_instant_of_a_watch_is_processed_whole() -> None:
    network, fired = watched()
    send(network, to(0, 0), [100])
    send(network, to(1, 1), [100 + LATENCY])
    network.watch_inbox(0, 1)
    assert network.advance(1000) == 100 + LATENCY == fired[0][2]
    assert network.last_accepted_ps(1) == 100 + LATENCY
    assert network.counters().packet_hops == 2


def test_advance_does_not_pass_its_time() -> None:
    network, _ = watched()
    send(network, to(0, 0), [100])
    network.advance(100 + LATENCY - 1)
    assert network.waiting(0) == 0
    assert network.next_time() == 100 + LATENCY
    network.advance(100 + LATENCY)
    assert network.waiting(0) == 1
    assert network.next_time() == FOREVER


def test_sends_may_come_between_planned_events() -> None:
    network, _ = watched()
    send(network, to(0, 0), [100_000])
    network.advance(50)
    send(network, to(1, 1), [51])
    assert network.next_time() == 51
    network.advance(200_000)
    assert take_all(network, 200_000).time_ps.tolist() == [100_000 + LATENCY, 51 + LATENCY]


def test_gaps_and_scripts_are_reported() -> None:
    network, _ = watched()
    send(network, to(0, 0), [100, 100, 100], gap=40)
    network.advance(150)
    assert (network.script_left(0), network.last_accepted_ps(0)) == (1, 140)
    left, last = network.accepted(np.array([1, 0], dtype=np.int32))
    assert (left.tolist(), last.tolist()) == ([0, 1], [-1, 140])
    send(network, to(0, 0), [160], gap=1000)  # not the first of its script: its gap counts
    network.advance(1179)
    assert network.script_left(0) == 1
    network.advance(1180)
    assert network.last_accepted_ps(0) == 1180
    send(network, to(0, 0), [1181], gap=1000)  # the first of its script: it does not
    network.advance(1181)
    assert network.last_accepted_ps(0) == 1181


def test_a_take_frees_a_stalling_sink_for_who_waits() -> None:
    network = Network(star(1, capacity=1))
    send(network, to(0, 0), [100, 100])
    network.advance(1000)
    assert network.next_time() == FOREVER, "nothing goes on until somebody takes"
    assert network.waits().credit.tolist() == [True]
    assert len(take_all(network, 1000)) == 1
    assert network.next_time() == 1000 + CREDIT
    network.advance(2000)
    assert take_all(network, 2000).time_ps.tolist() == [1000 + CREDIT + LATENCY]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"port": [0, 9]}, r"port 9 is no source port; expected endpoint_port"),
        ({"port": [0, 4]}, r"port 4 is no source port"),
        ({"route": [0, 7]}, r"route 7; expected 0\.\.0; register it with add_routes"),
        ({"port": [0, 1]}, r"send from port 1: route 0 begins at port 0"),
        ({"earliest_ps": [200, 100]}, r"earliest 100 ps, gap 0 ps at 100 ps; expected a time aft"),
        ({"earliest_ps": [200, 2**61]}, r"expected a time after the present"),
        ({"gap_ps": [0, -1]}, r"gap -1 ps"),
    ],
)
def test_a_wrong_row_is_refused_and_nothing_is_sent(
    change: dict[str, list[int]], message: str
) -> None:
    network, _ = watched()
    route = to(0, 0)
    network.add_routes([route])
    network.advance(100)
    good = sends([route] * 2, [0, 0], [200, 200])
    columns = {
        name: np.array(values, dtype=getattr(good, name).dtype) for name, values in change.items()
    }
    with pytest.raises(NetworkError, match=message):
        network.send(replace(good, **columns))
    assert network.counters().sent == 0
    assert network.next_time() == FOREVER


def test_columns_of_other_lengths_are_refused() -> None:
    network, _ = watched()
    route = to(0, 0)
    network.add_routes([route])
    good = sends([route] * 2, [0, 0], [200, 200])
    with pytest.raises(NetworkError, match=r"expected \(2,\) each and payload \(2, 4\)"):
        network.send(replace(good, key=good.key[:1]))
    with pytest.raises(NetworkError, match=r"\(2, 4\)"):
        network.send(replace(good, payload=good.payload[:, :2]))


def test_columns_may_be_views_constants_or_other_integers() -> None:
    network, _ = watched()
    route = to(0, 0)
    network.add_routes([route])
    good = sends([route] * 4, [0] * 4, [200, 0, 300, 0], keys=[5, 0, 6, 0]).select(
        np.array([True, True, True, True])
    )
    odd = good.select(slice(None, None, 2))  # type: ignore[arg-type]
    odd.net = np.broadcast_to(np.int32(7), (2,))
    odd.tick = np.array([1, 2])
    network.send(odd)
    network.advance(1000)
    got = take_all(network, 1000)
    assert got.key.tolist() == [5, 6]
    assert got.net.tolist() == [7, 7]
    assert got.tick.tolist() == [1, 2]
    assert got.time_ps.tolist() == [200 + LATENCY, 300 + LATENCY]


def test_unknown_ports_and_inboxes_are_refused() -> None:
    network, _ = watched()
    with pytest.raises(NetworkError, match=r"inbox 6; expected 0\.\.5"):
        network.waiting(6)
    with pytest.raises(NetworkError, match=r"inbox -1; expected 0\.\.5"):
        network.take(np.array([0, -1], dtype=np.int32), -1)
    with pytest.raises(NetworkError, match=r"port 3 is no source port"):
        network.script_left(3)
    with pytest.raises(NetworkError, match=r"port 3 is no source port"):
        network.accepted(np.array([0, 3], dtype=np.int32))
    with pytest.raises(NetworkError, match=r"take at 10 ps, but the network has reached 5 ps"):
        network.advance(5)
        network.take(np.array([0], dtype=np.int32), 10)


def test_what_arrived_after_the_take_stays() -> None:
    network, _ = watched()
    send(network, to(0, 0), [100, 200])
    network.advance(1000)
    early = network.take(np.array([0], dtype=np.int32), 150)
    assert early.time_ps.tolist() == [100 + LATENCY]
    assert network.waiting(0) == 1
    assert take_all(network, 1000).time_ps.tolist() == [200 + LATENCY]


def test_a_flit_train_is_one_event_per_packet() -> None:
    network, _ = watched()
    send(network, to(0, 0), [100] * 50)
    network.advance(100_000)
    times = take_all(network, 100_000).time_ps.tolist()
    assert times == [100 + LATENCY + FLIT * k for k in range(50)]
