"""Mappings measured by the packet network, against static figures and sums by hand."""

import numpy as np
import pytest

from chipsim.errors import MappingError
from chipsim.mapping.application import Application, Net, Vertex
from chipsim.mapping.generators import generate
from chipsim.mapping.mapping import Mapping, map_application
from chipsim.mapping.metrics import channel_load
from chipsim.sweep.replay import PhaseMeasured, replay
from tests.mapping.helpers import machine


def pair(*nets: Net) -> Mapping:
    """A sends over three links to b; c stands beside a."""
    places = {"a": (0, 0), "b": (3, 0), "c": (0, 1)}
    application = Application(
        "pair",
        tuple(Vertex(name, fixed=at) for name, at in places.items()),
        nets,
        "router_multicast",
    )
    return map_application(application, machine("mesh-8x8"), "sequential", "xy")


def test_one_packet_takes_a_cycle_per_router() -> None:
    found = replay(pair(Net("n", "a", ("b",), packets_per_tick={"forward": 1})), ticks=3)
    assert (found.total.packets, found.total.delivered, found.total.late) == (3, 3, 0)
    assert found.total.latency_max_ns == found.total.latency_p50_ns == 4.0
    # Created a cycle after the tick, four routers on the way: 5 ns of 1 ms.
    assert found.total.tick_use_max == pytest.approx(5e-6)
    assert found.by_phase["forward"] == found.total


def test_phases_are_measured_apart() -> None:
    mapping = pair(
        Net("n", "a", ("b",), packets_per_tick={"forward": 2, "backward": 1}),
        Net("m", "c", ("b", "a"), packets_per_tick={"backward": 3}),
    )
    found = replay(mapping, ticks=2)
    assert list(found.by_phase) == ["forward", "backward"]
    forward, backward = found.by_phase.values()
    assert (forward.packets, forward.copies) == (4, 4)
    assert (backward.packets, backward.copies) == (2 + 6, 2 + 12)
    assert found.total.copies == forward.copies + backward.copies
    assert found.total.latency_max_ns == max(forward.latency_max_ns, backward.latency_max_ns)


@pytest.mark.parametrize("name", ["mesh-8x8", "spinnaker2"])
def test_whole_weights_move_the_static_load_whatever_the_network(name: str) -> None:
    mapping = map_application(
        generate("ff:n=24,layers=3,reverse=1"), machine(name), "hilbert", "default"
    )
    found = replay(mapping, ticks=3)
    static = channel_load(mapping)
    energy = mapping.metrics().total.energy_nj
    assert found.total.energy_nj_per_tick == {
        part: pytest.approx(value) for part, value in energy.items()
    }
    label, hottest = found.total.hot_channels[0]
    assert hottest == static.max()
    assert label == mapping.machine.channel_label(int(np.argmax(static)))
    assert found == replay(mapping, ticks=3, network="simpy")


def test_parts_of_packets_are_drawn_alike_for_all_mappings() -> None:
    graph = Application(
        "half",
        tuple(Vertex(i) for i in range(4)),
        (Net("n", 0, (3,), packets_per_tick={"all": 0.5}),),
        "router_multicast",
    )
    found = [
        replay(map_application(graph, machine("mesh-8x8"), placer), ticks=400, seed=2)
        for placer in ("sequential", "random")
    ]
    assert found[0].total.packets == found[1].total.packets
    assert 150 < found[0].total.packets < 250
    assert replay(pair_half(graph), ticks=400, seed=3).total.packets != found[0].total.packets


def pair_half(graph: Application) -> Mapping:
    return map_application(graph, machine("mesh-8x8"), "sequential")


def test_late_copies_are_those_after_their_tick() -> None:
    """Twenty packets in one tick of ten cycles, and as long again to drain."""
    found = replay(
        pair(Net("n", "a", ("b",), packets_per_tick={"all": 20})), ticks=1, tick_us=0.01
    ).total
    # Created at 1..20 ns, four routers: turns 1..5 arrive before 10 ns, 6..15 before 20 ns.
    assert (found.delivered, found.undelivered, found.late) == (15, 5, 15)
    assert found.tick_use_max == pytest.approx(1.9)


def test_quantiles_against_numpy() -> None:
    mapping = map_application(generate("rgg:n=60"), machine("mesh-8x8"), "random", "ner")
    found = replay(mapping, ticks=2).total
    assert isinstance(found, PhaseMeasured)
    order = [
        found.latency_p50_ns,
        found.latency_p90_ns,
        found.latency_p99_ns,
        found.latency_p999_ns,
        found.latency_max_ns,
    ]
    assert order == sorted(order)
    assert found.latency_p50_ns < found.latency_mean_ns * 2


def test_what_cannot_be_measured_is_said_at_once() -> None:
    silent = pair(Net("n", "a", ("b",)))
    with pytest.raises(MappingError) as caught:
        replay(silent, ticks=0, tick_us=-1)
    assert [problem.split(";")[0] for problem in caught.value.problems] == [
        "no net expects packets",
        "ticks is 0",
        "tick_us is -1",
    ]
