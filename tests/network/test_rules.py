"""Routes that do not hold together are refused in words."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest

from chipsim.errors import MachineError, NetworkError, RouteError
from chipsim.machine.builder import MachineBuilder
from chipsim.machine.model import ChannelClass, EndpointKind, Machine, PortKind
from chipsim.machine.route import SINK, Branch, Route
from chipsim.network import rules
from chipsim.network.api import NetworkOptions
from chipsim.testing.conformance import NetworkFactory
from chipsim.testing.scripts import Row, drive, make_sends
from tests.network.network_rig import Rig, fan, path


@pytest.fixture(scope="module")
def line() -> tuple[Machine, int, int, int, int]:
    """Return a machine of two nodes: source port, link, sinks at both nodes."""
    rig = Rig()
    a, b = rig.node(), rig.node()
    source, link = rig.source(a), rig.link(a, b)
    at_a, at_b = rig.sink(a), rig.sink(b)
    return rig.build(), source, link, at_a, at_b


def test_a_plan_knows_flits_and_ends(line: tuple[Machine, int, int, int, int]) -> None:
    machine, source, link, at_a, at_b = line
    route = Route(source, ((Branch(link, 1), Branch(at_a, SINK)), ((Branch(at_b, SINK)),)), 32)
    plan = rules.plan(machine, route)
    assert plan.leaves == route.leaves == 2
    assert plan.stages[0] == ((link, 2, 1, (1,)), (at_a, 2, SINK, (0,)))
    assert plan.endpoints == (1, 0)


def broken(line: tuple[Machine, int, int, int, int]) -> dict[str, Route]:
    _, source, link, at_a, at_b = line
    end = (Branch(at_b, SINK),)
    return {
        "route from port 1: expected a source port": Route(1, (end,)),
        "stage 0: channel 2 does not leave n0 (it is noc n1 -> PE(1,0,0))": path(source, at_b),
        "stage 0: channel 99 does not leave n0": path(source, 99),
        "stage 0: noc n0 -> n1 goes on to stage -1": path(source, link),
        "stage 0: noc n0 -> PE(0,0,0) goes on to stage 1": path(source, at_a, at_b),
        "stage 1: there is no such stage; expected 0..0": Route(source, ((Branch(link, 1),),)),
        "stage 1: two branches lead here": Route(source, ((Branch(link, 1),) * 2, end)),
        "stage 1: no branch; expected at least one": Route(source, ((Branch(link, 1),), ())),
        "stage 1: no branch leads here": Route(source, ((Branch(at_a, SINK),), end)),
        "payload of 7 bit on noc n0 -> PE(0,0,0); expected one of 0, 32, 128 bit": path(
            source, at_a, bits=7
        ),
    }


@pytest.mark.parametrize("case", range(10))
def test_a_broken_route_is_refused(line: tuple[Machine, int, int, int, int], case: int) -> None:
    text, route = list(broken(line).items())[case]
    with pytest.raises(RouteError, match=re.escape(text)):
        rules.plan(line[0], route)


def test_a_route_deeper_than_pythons_stack_is_planned() -> None:
    rig = Rig()
    nodes = [rig.node() for _ in range(3000)]
    source = rig.source(nodes[0])
    links = [rig.link(a, b) for a, b in pairwise(nodes)]
    out = rig.sink(nodes[-1])
    plan = rules.plan(rig.build(), path(source, *links, out))
    assert plan.stages[0][0].endpoints == (0,)


def test_a_port_has_one_feeder() -> None:
    builder = MachineBuilder("twice", None, 1, 1)  # type: ignore[arg-type]
    cls = builder.channel_class(rig_class())
    a, b = builder.node("a"), builder.node("b")
    port = builder.port(b, 1)
    for _ in range(2):
        builder.channel(a, port, cls, 1, 1, 1)
    with pytest.raises(MachineError, match="twice: port 0 is fed by noc a -> b and noc a -> b"):
        rules.feeders(builder.build())


def test_a_source_port_has_no_feeder() -> None:
    builder = MachineBuilder("fed", None, 1, 1)  # type: ignore[arg-type]
    cls = builder.channel_class(rig_class())
    a, b = builder.node("a"), builder.node("b")
    builder.channel(a, builder.port(b, 1, PortKind.SOURCE), cls, 1, 1, 1)
    with pytest.raises(MachineError, match="leads to port 0, a source port"):
        rules.feeders(builder.build())


def test_a_sink_has_one_endpoint() -> None:
    builder = MachineBuilder("shared", None, 1, 1)  # type: ignore[arg-type]
    cls = builder.channel_class(rig_class())
    a = builder.node("a")
    sink = builder.port(-1, 1, PortKind.SINK)
    builder.channel(a, sink, cls, 1, 1, 1)
    for x in range(2):
        builder.endpoint(EndpointKind.PE, port=-1, sink=sink, x=x, y=0)
    with pytest.raises(MachineError, match=r"sink port 0 belongs to PE\(0,0,0\) and PE\(1,0,0\)"):
        rules.sink_endpoints(builder.build())


def rig_class() -> ChannelClass:
    return Rig().builder._classes[0]


# What networks refuse ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("column", "value", "text"),
    [
        ("route", 5, "route"),
        ("port", 2, "port"),
        ("earliest_ps", 50, "present"),
        ("gap_ps", -1, "gap"),
    ],
)
def test_a_wrong_row_is_refused_and_nothing_is_sent(
    factory: NetworkFactory, column: str, value: int, text: str
) -> None:
    rig = Rig()
    node = rig.node()
    source = rig.source(node)
    routes = [fan(source, rig.sink(node))]
    network = factory(rig.build(), lambda *_: None, NetworkOptions())
    numbers = [int(n) for n in network.add_routes(routes)]
    drive(network, 50)
    sends = make_sends(routes, numbers, [Row(0, 100), Row(0, 100)])
    getattr(sends, column)[1] = value
    with pytest.raises(NetworkError, match=text):
        network.send(sends)
    assert network.counters().sent == 0
    assert network.script_left(source) == 0


def test_a_broken_route_is_refused_by_networks(factory: NetworkFactory) -> None:
    rig = Rig()
    node = rig.node()
    source, out = rig.source(node), rig.sink(node)
    network = factory(rig.build(), lambda *_: None, NetworkOptions())
    with pytest.raises(RouteError):
        network.add_routes([path(source, out, bits=7)])
    assert network.add_routes([path(source, out)]).tolist() == [0]
