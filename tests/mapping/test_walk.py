"""The walker, on a machine small enough to add up by hand."""

import pytest

from chipsim.machine.builder import MachineBuilder
from chipsim.machine.load import load_shipped
from chipsim.machine.model import (
    Branching,
    ChannelClass,
    EndpointKind,
    Machine,
    NodeKind,
    PortKind,
    Routing,
)
from chipsim.machine.route import SINK, Branch, Route
from chipsim.mapping.walk import Leaf, Walker

INJECT, TO_POOL, EJECT0, EJECT1, OUT = range(5)
"""PE 0 -inject-> quad router -> packet router (a pool) -out-> the quad router of PEs 0 and 1."""


@pytest.fixture(scope="module")
def machine() -> Machine:
    builder = MachineBuilder("tiny", load_shipped("mesh"), 2, 1)
    wide = builder.channel_class(ChannelClass("noc", {0: 1, 128: 2}))
    source = builder.node("pe(0,0,0)", hop=False, routing=Routing.SOURCE)
    quad = builder.node("quad(0,0)", branching=Branching.LOCAL, routing=Routing.SOURCE, x=0, y=0)
    pool = builder.node(
        "pool", kind=NodeKind.POOL, branching=Branching.ANY, routing=Routing.TABLE, x=1, y=0
    )
    port = builder.port(source, 4, PortKind.SOURCE)
    into_quad, into_pool, back = (builder.port(n, 8) for n in (quad, pool, quad))
    sinks = [builder.port(-1, 0, PortKind.SINK) for _ in range(2)]
    builder.channel(source, into_quad, wide, latency_ps=100, flit_ps=10, credit_ps=1)
    builder.channel(quad, into_pool, wide, latency_ps=1000, flit_ps=20, credit_ps=1)
    for sink in sinks:
        builder.channel(quad, sink, wide, latency_ps=7, flit_ps=3, credit_ps=1)
    builder.channel(pool, back, wide, latency_ps=20_000, flit_ps=500, credit_ps=1)
    for index, sink in enumerate(sinks):
        builder.endpoint(EndpointKind.PE, port=port, sink=sink, x=0, y=0, index=index)
    return builder.build()


def stage(*branches: tuple[int, int]) -> tuple[Branch, ...]:
    return tuple(Branch(*branch) for branch in branches)


def test_one_way_by_hand(machine: Machine) -> None:
    route = Route(0, (stage((INJECT, 1)), stage((EJECT1, SINK))))
    walk = Walker(machine).walk(route)
    assert walk.problems == ()
    assert walk.leaves == (Leaf(1, (INJECT, EJECT1), 100 + 7, hops=1),)


def test_two_flits_and_branches_on_one_output_go_one_after_another(machine: Machine) -> None:
    route = Route(
        0,
        (
            stage((INJECT, 1)),
            stage((TO_POOL, 2)),
            stage((OUT, 3), (OUT, 4)),
            stage((EJECT0, SINK), (EJECT1, SINK)),
            stage((EJECT1, SINK)),
        ),
        payload_bits=128,
    )
    walk = Walker(machine).walk(route)
    assert walk.problems == ()
    at_pool = (100 + 10) + (1000 + 20)
    first = at_pool + 20_000 + 500 + (7 + 3)
    assert [(leaf.endpoint, leaf.latency_ps, leaf.hops) for leaf in walk.leaves] == [
        (0, first, 3),
        (1, first, 3),
        (1, first + 2 * 500, 3),
    ]
    assert sorted(walk.channels) == [INJECT, TO_POOL, EJECT0, EJECT1, EJECT1, OUT, OUT]


EJECT = stage((EJECT0, SINK))
BAD: dict[str, tuple[Route, str]] = {
    "no such port": (Route(99, ()), "starts at port 99, which does not exist"),
    "not a source": (Route(1, ()), "starts at port 1, which is no source port"),
    "no stages": (Route(0, ()), "leads to stage 0, which it does not have"),
    "no such stage": (Route(0, (stage((INJECT, 5)),)), "leads to stage 5, which it does not have"),
    "loop": (
        Route(0, (stage((INJECT, 1)), stage((TO_POOL, 2)), stage((OUT, 1)))),
        "reaches stage 1 twice: it is no tree",
    ),
    "lost stage": (Route(0, (stage((INJECT, 1)), EJECT, EJECT)), "never reaches stage 2"),
    "no such channel": (
        Route(0, (stage((INJECT, 1)), stage((77, SINK)))),
        "uses channel 77, which does not exist",
    ),
    "jump": (
        Route(0, (stage((INJECT, 1)), stage((OUT, 2)), EJECT)),
        "is at quad(0,0) but takes noc pool -> quad(0,0)",
    ),
    "sink in the middle": (
        Route(0, (stage((INJECT, SINK)),)),
        "has a wrong end at noc pe(0,0,0) -> quad(0,0)",
    ),
    "stage after a sink": (
        Route(0, (stage((INJECT, 1)), stage((EJECT0, 2)), EJECT)),
        "has a wrong end at noc quad(0,0) -> PE(0,0,0)",
    ),
    "payload": (
        Route(0, (stage((INJECT, 1)), EJECT), payload_bits=64),
        "has a payload of 64 bits, which noc pe(0,0,0) -> quad(0,0) cannot carry",
    ),
    "empty stage": (Route(0, (stage((INJECT, 1)), ())), "ends at quad(0,0), which is no endpoint"),
    "branch where none can": (
        Route(0, (stage((INJECT, 1), (INJECT, 2)), EJECT, EJECT)),
        "branches at pe(0,0,0), which cannot branch",
    ),
    "branch out of the quad": (
        Route(0, (stage((INJECT, 1)), stage((EJECT0, SINK), (TO_POOL, 2)), stage((OUT, 3)), EJECT)),
        "branches at quad(0,0) to other nodes; it branches only to its own PEs",
    ),
    "PE twice in a mask": (
        Route(0, (stage((INJECT, 1)), stage((EJECT0, SINK), (EJECT0, SINK)))),
        "names a PE of quad(0,0) twice; its mask has one bit per PE",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_every_defect_is_named(machine: Machine, case: str) -> None:
    route, problem = BAD[case]
    assert problem in Walker(machine).walk(route).problems
