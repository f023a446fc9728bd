"""Application: what it answers, and every problem of a wrong one in one message."""

import doctest
import re

import pytest

import chipsim.mapping
from chipsim.errors import MappingError
from chipsim.mapping.application import Application, Net, Place, Vertex


def test_queries_follow_the_order_of_definition() -> None:
    application = Application(
        "a",
        (Vertex("in", group=1), Vertex("opt"), Vertex("out", group=1), Vertex("x", group=0)),
        (
            Net("up", "in", ("out", "x"), packets_per_tick={"forward": 2, "backward": 0.5}),
            Net("down", "out", ("in",), "error", transport="router_multicast"),
        ),
    )
    assert {g: [v.name for v in vs] for g, vs in application.groups.items()} == {
        0: ["x"],
        1: ["in", "out"],
    }
    assert [net.name for net in application.outgoing("in")] == ["up"]
    assert [net.name for net in application.incoming("in")] == ["down"]
    assert application.outgoing("opt") == ()
    assert application.phases == ("forward", "backward")
    up, down = application.nets
    assert (up.weight(), up.weight("forward"), up.weight("exchange")) == (2.5, 2.0, 0.0)
    assert application.transport_of(up) == "noc_direct"
    assert application.transport_of(down) == "router_multicast"


def test_fixed_places_have_all_fields() -> None:
    assert Vertex("v", fixed=(1, 6)).place == Place(1, 6, 0, 0)
    assert Vertex("v", fixed=(1, 6, 2)).place == Place(1, 6, 2, 0)
    assert Vertex("v").place is None


def test_all_problems_come_at_once() -> None:
    with pytest.raises(MappingError) as caught:
        Application(
            "bad",
            (
                Vertex("hidden", {"weights": -4}, cycles_per_tick=-1.0),
                Vertex("out", {"code": 1.5}, fixed=(1,)),  # type: ignore[dict-item]
                Vertex("out"),
            ),
            (
                Net("n", "hiden", ("out", "out", "nobody")),
                Net("m", "hidden", (), "spikes", key_bits=33, payload_bits=-1),  # type: ignore[arg-type]
                Net("m", "hidden", ("out",), packets_per_tick={"forward": -1.0}),
            ),
            transport="bus",  # type: ignore[arg-type]
        )
    assert caught.value.subject == "application 'bad'"
    assert list(caught.value.problems) == [
        "vertex name 'out' is used 2 times; give each vertex a name of its own",
        "net name 'm' is used 2 times; give each net a name of its own",
        "vertex 'hidden': region 'weights' is -4 bytes; expected an integer of at least 0",
        "vertex 'hidden': cycles_per_tick is -1.0; expected at least 0",
        "vertex 'out': region 'code' is 1.5 bytes; expected an integer of at least 0",
        "vertex 'out': fixed is (1,); expected (x, y), (x, y, pe) or (x, y, pe, chip)",
        "net 'n': source 'hiden' is no vertex; did you mean 'hidden'?",
        "net 'n': sink 'out' is named 2 times; name it once",
        "net 'n': sink 'nobody' is no vertex",
        "net 'm': has no sinks; name at least one or leave the net out",
        "net 'm': key_bits is 33; expected an integer of 0 to 32",
        "net 'm': payload_bits is -1; expected an integer of at least 0",
        "net 'm': kind is 'spikes'; expected one of spike, error, gradient, weight, host, current",
        "net 'm': packets_per_tick in phase 'forward' is -1.0; expected at least 0",
        "transport is 'bus'; expected one of noc_direct, router_multicast",
    ]
    assert re.match(r"application 'bad': 15 problems\n  - vertex name", str(caught.value))


def test_the_package_s_example_is_true() -> None:
    result = doctest.testmod(chipsim.mapping)
    assert (result.failed, result.attempted) == (0, 6)
