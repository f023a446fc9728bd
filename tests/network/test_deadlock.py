"""Deadlock: rings that close, endpoints that close them, and no false alarm."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from chipsim.errors import DeadlockError
from chipsim.machine.library import load_machine
from chipsim.machine.model import Machine
from chipsim.machine.route import Route
from chipsim.machine.routes import router_multicast, unicast
from chipsim.network import deadlock
from chipsim.network.api import Network, NetworkOptions
from chipsim.testing.conformance import NetworkFactory
from chipsim.testing.random_networks import random_case
from chipsim.testing.scripts import Row, Send, Take, drive, make_sends
from chipsim.units import FOREVER
from tests.network.network_rig import Rig, path

LIMIT = 500


def ring(
    capacity: int = 1, wait_ps: int = -1, nodes: int = 3
) -> tuple[Machine, list[Route], list[int], list[int]]:
    """Return a ring whose routes go two links on, its links, and its source ports."""
    rig = Rig()
    routers = [rig.node(wait_ps=wait_ps) for _ in range(nodes)]
    sources = [rig.source(router) for router in routers]
    links = [
        rig.link(router, routers[(i + 1) % nodes], capacity) for i, router in enumerate(routers)
    ]
    sinks = [rig.sink(router) for router in routers]
    routes = [
        path(sources[i], links[i], links[(i + 1) % nodes], sinks[(i + 2) % nodes])
        for i in range(nodes)
    ]
    return rig.build(), routes, links, sources


def start(
    factory: NetworkFactory, machine: Machine, routes: list[Route], rows: list[tuple[int, int]]
) -> Network:
    network = factory(machine, lambda *_: None, NetworkOptions())
    numbers = [int(n) for n in network.add_routes(routes)]
    sent = [Row(route, time, seq=seq) for seq, (route, time) in enumerate(rows)]
    network.send(make_sends(routes, numbers, sent))
    return network


# Static -----------------------------------------------------------------------------------------


def test_a_ring_is_a_cycle_and_is_named() -> None:
    machine, routes, links, _ = ring()
    graph = deadlock.dependency_graph(machine, routes)
    assert deadlock.find_cycle(graph) == links
    assert deadlock.name_cycle(machine, links) == (
        "noc n0 -> n1 => noc n1 -> n2 => noc n2 -> n0 => noc n0 -> n1"
    )
    with pytest.raises(DeadlockError, match=r"rig: routes can deadlock: 3 channels .* n2 -> n0"):
        deadlock.check_routes(machine, routes)


def test_a_ring_with_one_route_missing_is_none() -> None:
    machine, routes, _, _ = ring()
    assert deadlock.find_cycle(deadlock.dependency_graph(machine, routes[:2])) == []
    deadlock.check_routes(machine, routes[:2])


@pytest.mark.parametrize(("capacity", "wait_ps"), [(0, -1), (1, 100)])
def test_unbounded_fifos_and_drops_hold_nothing(capacity: int, wait_ps: int) -> None:
    machine, routes, links, _ = ring(capacity, wait_ps)
    graph = deadlock.dependency_graph(machine, routes)
    assert deadlock.find_cycle(graph) == []
    assert deadlock.find_cycle(graph, all_edges=True) == links


def test_requests_and_replies_on_shared_channels_depend_on_each_other() -> None:
    rig = Rig()
    a, b = rig.node(), rig.node()
    core, memory = rig.source(a), rig.source(b)
    there, back = rig.link(a, b, 1), rig.link(b, a, 1)
    memory_sink, core_sink = rig.sink(b), rig.sink(a)
    routes = [
        path(core, there, memory_sink, memory=True),
        path(memory, back, core_sink, memory=True),
    ]
    machine = rig.build()
    assert deadlock.find_cycle(deadlock.dependency_graph(machine, routes)) == []
    # The memory (endpoint 0) answers; the core (endpoint 1) reads only once it has been heard.
    edges = [(0, memory), (1, core)]
    cycle = deadlock.find_cycle(deadlock.dependency_graph(machine, routes, edges))
    assert cycle == [there, memory_sink, back, core_sink]
    # One of the two alone closes nothing.
    assert not deadlock.find_cycle(deadlock.dependency_graph(machine, routes, edges[:1]))


def test_the_shortest_cycle_is_given() -> None:
    machine, routes, links, _ = ring(nodes=4)
    graph = deadlock.dependency_graph(machine, routes)
    with_back = replace(
        graph,
        before=np.append(graph.before, links[1]),
        after=np.append(graph.after, links[0]),
        holds=np.append(graph.holds, True),
    )
    assert deadlock.find_cycle(with_back) == [links[0], links[1]]


def test_the_shipped_tables_of_spinnaker2_cannot_deadlock() -> None:
    """Every pair of PEs, directly and through the packet router's look-up; whatever the FIFOs."""
    machine = load_machine("spinnaker2")
    pes = machine.pes().tolist()
    routes = [unicast(machine, a, b) for a in pes for b in pes]
    routes += [router_multicast(machine, a, [b]) for a in pes for b in pes]
    graph = deadlock.dependency_graph(machine, routes)
    classes = {machine.classes[machine.channel_class[channel]].name for channel in graph.channels}
    assert {"noc", "lookup", "router_out"} <= classes
    assert deadlock.find_cycle(graph, all_edges=True) == []


# At run time ------------------------------------------------------------------------------------


def test_a_closed_ring_is_named(factory: NetworkFactory) -> None:
    machine, routes, _, _ = ring()
    network = start(factory, machine, routes, [(0, 100), (1, 100), (2, 100)])
    drive(network, 120)
    deadlock.check(network, 120, 0)  # all three travel
    drive(network, 300)
    deadlock.check(network, 300, LIMIT)  # stuck since 130, but not for long
    drive(network, 1000)
    with pytest.raises(DeadlockError) as caught:
        deadlock.check(network, 1000, LIMIT)
    assert str(caught.value) == (
        "rig: deadlock at 1.000 ns: 3 packets can never move again; of these 3 wait for each other "
        "in a circle:\n"
        "  - packet 0 of source 0, behind noc n0 -> n1 since 130 ps (870 ps ago), waits for "
        "noc n1 -> n2\n"
        "  - packet 1 of source 0, behind noc n1 -> n2 since 130 ps (870 ps ago), waits for "
        "noc n2 -> n0\n"
        "  - packet 2 of source 0, behind noc n2 -> n0 since 130 ps (870 ps ago), waits for "
        "noc n0 -> n1\n"
        "use routes whose channels do not depend on each other in a circle, or larger or "
        "unbounded FIFOs (noc.fifo_packets)"
    )
    with pytest.raises(DeadlockError, match="circle"):
        deadlock.check_quiet(network, 1000)


def test_a_ring_in_a_corner_is_found_while_the_rest_runs(factory: NetworkFactory) -> None:
    rig = Rig()
    routers = [rig.node() for _ in range(3)]
    sources = [rig.source(router) for router in routers]
    links = [rig.link(router, routers[(i + 1) % 3], 1) for i, router in enumerate(routers)]
    sinks = [rig.sink(router) for router in routers]
    far = rig.node()
    busy, out = rig.source(far), rig.sink(far)
    routes = [path(sources[i], links[i], links[(i + 1) % 3], sinks[(i + 2) % 3]) for i in range(3)]
    routes.append(path(busy, out))
    rows = [(0, 100), (1, 100), (2, 100), *[(3, 100)] * 200]
    network = start(factory, rig.build(), routes, rows)
    drive(network, 1000)
    assert network.next_time() < 2000  # not quiet
    deadlock.check_quiet(network, 1000)
    with pytest.raises(DeadlockError, match="3 packets can never move again"):
        deadlock.check(network, 1000, LIMIT)


def test_a_sink_that_nobody_empties_is_named(factory: NetworkFactory) -> None:
    rig = Rig()
    a, b = rig.node(), rig.node()
    source = rig.source(a)
    link, out = rig.link(a, b, 1), rig.sink(b, capacity=1)
    machine = rig.build()
    network = start(factory, machine, [path(source, link, out)], [(0, 100)] * 4)
    drive(network, 5000)
    deadlock.check(network, 5000, LIMIT)  # somebody may still take
    with pytest.raises(DeadlockError, match=r"2 wait for a sink that nobody empties:\n(.*\n)+take"):
        deadlock.check(network, 5000, LIMIT, undrained=[0])
    with pytest.raises(DeadlockError, match=r"waits for noc n1 -> PE\(0,0,0\)"):
        deadlock.check_quiet(network, 5000)
    network.take(np.array([0], dtype=np.int32), 5000)
    deadlock.check_quiet(network, 5000)  # goes on


def test_a_program_that_reads_only_when_heard_closes_the_circle(factory: NetworkFactory) -> None:
    rig = Rig()
    a, b = rig.node(), rig.node()
    one, other = rig.source(a), rig.source(b)
    there, back = rig.link(a, b, 1), rig.link(b, a, 1)
    at_b, at_a = rig.sink(b, capacity=1), rig.sink(a, capacity=1)
    machine = rig.build()
    routes = [path(one, there, at_b), path(other, back, at_a)]
    network = start(factory, machine, routes, [(0, 100), (1, 100)] * 4)
    drive(network, 5000)
    deadlock.check(network, 5000, LIMIT)
    edges = [(0, other), (1, one)]
    deadlock.check(network, 5000, LIMIT, endpoint_edges=edges[:1])
    with pytest.raises(DeadlockError, match="4 wait for each other in a circle"):
        deadlock.check(network, 5000, LIMIT, endpoint_edges=edges)


def test_an_empty_network_is_no_deadlock(factory: NetworkFactory) -> None:
    machine, routes, _, _ = ring()
    network = start(factory, machine, routes, [(0, 100)])
    drive(network, 2000)
    deadlock.check(network, 2000, 0)
    deadlock.check_quiet(network, 2000)


def test_what_is_called_stuck_never_moves_and_what_is_stuck_is_called_so(
    factory: NetworkFactory,
) -> None:
    """On random machines, a third of them with rings; nothing that has no cycle gets stuck."""
    alarms = jams = 0
    for seed in range(250):
        case = random_case(seed)
        network = factory(case.machine, lambda *_: None, case.options)
        numbers = [int(n) for n in network.add_routes(case.routes)]
        everything = np.arange(2 * case.machine.endpoints, dtype=np.int32)
        seen: set[tuple[int, int, int, int]] = set()
        for action in case.ordered():
            if action.at_ps:
                drive(network, action.at_ps)
            if isinstance(action, Send):
                network.send(make_sends(case.routes, numbers, action.rows))
            elif isinstance(action, Take):
                network.take(everything, action.at_ps)
            seen.update(deadlock._jam(network, (), ()).stuck())
        now = case.end_ps
        drive(network, now)
        while len(network.take(everything, now)) or network.next_time() < FOREVER:
            now += 20_000
            drive(network, now)
        flying = network.in_flight()
        left = set(
            zip(
                flying.port.tolist(),
                flying.since_ps.tolist(),
                flying.source.tolist(),
                flying.seq.tolist(),
                strict=True,
            )
        )
        assert {tuple(copy) for copy in seen} <= left, f"case {seed}: a stuck packet moved"
        alarms += bool(seen)
        if left:
            jams += 1
            with pytest.raises(DeadlockError, match="circle"):
                deadlock.check(network, now, 0)
            graph = deadlock.dependency_graph(case.machine, case.routes)
            assert deadlock.find_cycle(graph), f"case {seed}: stuck without a cycle"
    assert alarms > 5
    assert jams >= alarms
