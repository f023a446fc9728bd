"""The check finds what a careless strategy does, each defect by name and all at once."""

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from chipsim.errors import MappingError
from chipsim.machine.model import Machine
from chipsim.mapping.application import Application, Name, Net, Vertex
from chipsim.mapping.check import check
from chipsim.mapping.keys import KeyBlock
from chipsim.mapping.mapping import Mapping, map_application
from tests.mapping.helpers import machine

APPLICATION = Application(
    "four",
    (Vertex("a", group=0), Vertex("b", group=0), Vertex("c", group=1), Vertex("o", fixed=(1, 6))),
    (Net("ab", "a", ("b", "c"), key_bits=4, payload_bits=32), Net("co", "c", ("o",), key_bits=4)),
)


@pytest.fixture(scope="module")
def good() -> Mapping:
    return map_application(APPLICATION, machine("spinnaker2"), "paper", "default")


def problems(
    good: Mapping,
    *,
    placement: Any = None,
    routes: dict[Name, Any] | None = None,
    keys: dict[Name, KeyBlock] | None = None,
) -> list[str]:
    try:
        check(
            good.application,
            good.machine,
            good.placement if placement is None else placement,
            good.routes if routes is None else routes,
            good.keys if keys is None else keys,
        )
    except MappingError as error:
        return list(error.problems)
    return []


def test_a_good_mapping_has_none(good: Mapping) -> None:
    assert problems(good) == []


PLACEMENTS: dict[str, tuple[Callable[[dict[Name, Any], Machine], Any], str]] = {
    "unplaced": (lambda p, m: {k: v for k, v in p.items() if k != "b"}, "vertex 'b' is not placed"),
    "stranger": (lambda p, m: p | {"z": 3}, "'z' is placed but is no vertex"),
    "shared": (
        lambda p, m: p | {"b": p["a"]},
        "PE(1,1,0) holds both 'a' and 'b'; it has room for one",
    ),
    "outside": (
        lambda p, m: p | {"b": m.endpoints},
        r"vertex 'b' is placed on \d+; expected an endpoint of 0 to \d+",
    ),
    "negative": (lambda p, m: p | {"b": -1}, r"vertex 'b' is placed on -1; expected .*"),
    "no number": (
        lambda p, m: p | {"b": (1, 1, 0)},
        r"vertex 'b' is placed on \(1, 1, 0\); expected .*",
    ),
    "moved": (
        lambda p, m: p | {"o": m.endpoint_at(2, 6)},
        r"vertex 'o' is on PE\(2,6,0\) but is fixed at tile \(1,6\), PE 0 of chip 0",
    ),
    "no PE": (
        lambda p, m: p | {"b": int(np.flatnonzero(m.endpoint_kind != 0)[0])},
        r"vertex 'b' is on \w+\(\d,\d\), which is no PE; fix it there or move it",
    ),
    "not a dict": (lambda p, m: [1, 2], r"the placement is \[1, 2\]; expected a dict .*"),
}


@pytest.mark.parametrize("case", PLACEMENTS)
def test_placements(good: Mapping, case: str) -> None:
    change, text = PLACEMENTS[case]
    found = problems(good, placement=change(dict(good.placement), good.machine))
    assert any(re.fullmatch(text.replace("PE(1,1,0)", r"PE\(1,1,0\)"), p) for p in found), found


def test_missing_strange_and_malformed_routes(good: Mapping) -> None:
    assert problems(good, routes={"ab": good.routes["ab"], "zz": ()}) == [
        "'zz' is routed but is no net",
        "net 'co' is not routed",
    ]
    assert problems(good, routes=good.routes | {"co": [3]}) == [
        "net 'co' has routes [3]; expected a tuple of Route"
    ]


def test_sinks_missed_reached_twice_and_unwanted(good: Mapping) -> None:
    first, second = good.routes["ab"]
    assert problems(good, routes=good.routes | {"ab": (first,)}) == [
        "net 'ab' does not reach its sink 'c' at PE(2,1,0)"
    ]
    assert problems(good, routes=good.routes | {"ab": (first, second, second)}) == [
        "net 'ab' reaches 2 times its sink 'c' at PE(2,1,0)"
    ]
    other = map_application(
        replace(APPLICATION, nets=(replace(APPLICATION.nets[0], sinks=("b", "c", "o")),)),
        good.machine,
    )
    assert problems(good, routes=good.routes | other.routes) == [
        "net 'ab' reaches PE(1,6,0) (vertex 'o'), which is none of its sinks"
    ]


def test_wrong_port_payload_and_memory(good: Mapping) -> None:
    (route,) = good.routes["co"]
    wrong = replace(route, payload_bits=128, memory=True)
    found = problems(good, routes=good.routes | {"co": (wrong,)})
    assert found == [
        "net 'co', route 0 has a payload of 128 bits; the net has 0",
        "net 'co', route 0 has memory True; the net has dma False",
    ]
    found = problems(good, routes=good.routes | {"co": good.routes["ab"][:1]})
    assert re.fullmatch(
        r"net 'co', route 0 starts at port \d+; packets of PE\(2,1,0\) start at port \d+", found[0]
    )


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (
            "spinnaker2",
            "takes noc router(1,1) -> router(1,2) towards tile (2,2), where router(1,1) goes by "
            "noc router(1,1) -> router(2,1)",
        ),
        (
            "mesh-8x8:xy",
            "goes from router(1,2) to router(2,2) after a step in y; these routers go x first",
        ),
        ("mesh-8x8", None),
    ],
)
def test_a_way_that_the_routers_do_not_take(name: str, text: str | None) -> None:
    """From (1,1) to (2,2) y first: every channel exists, but only a free mesh can go there."""
    yx = Application(
        "yx",
        (Vertex("a", fixed=(1, 1)), Vertex("b", fixed=(1, 2)), Vertex("c", fixed=(2, 2))),
        (Net("ab", "a", ("b",)), Net("bc", "b", ("c",)), Net("ac", "a", ("c",))),
    )
    mapping = map_application(yx, machine(name), "sequential")
    up, right, both = (mapping.routes[net][0] for net in ("ab", "bc", "ac"))
    inject = 1 if name == "spinnaker2" else 0
    channels = [
        *(stage[0].channel for stage in up.stages[:-1]),
        *(stage[0].channel for stage in right.stages[inject:]),
    ]
    path = [stage[0].channel for stage in both.stages]
    assert len(channels) == len(path) and channels != path
    stages = tuple(
        (branch._replace(channel=channel),)
        for (branch,), channel in zip(both.stages, channels, strict=True)
    )
    changed = mapping.routes | {"ac": (replace(both, stages=stages),)}
    assert problems(mapping, routes=changed) == ([f"net 'ac', route 0 {text}"] if text else [])


def test_transports_have_their_own_form(good: Mapping) -> None:
    multicast = map_application(replace(APPLICATION, transport="router_multicast"), good.machine)
    assert [len(multicast.routes[name]) for name in ("ab", "co")] == [1, 1]
    assert problems(multicast, routes=good.routes) == [
        "net 'ab' has 2 routes; router_multicast has one, which the routers branch"
    ]
    assert problems(good, routes=multicast.routes) == [
        "net 'ab' has route 0 to 2 tiles; noc_direct sends one packet per tile"
    ]


KEYS: dict[str, tuple[dict[Name, KeyBlock], list[str]]] = {
    "missing": ({"ab": KeyBlock(0, 0xFFFFFFF0)}, ["net 'co' has no keys"]),
    "overlap": (
        {"ab": KeyBlock(16, 0xFFFFFFF0), "co": KeyBlock(16, 0xFFFFFFF0)},
        ["nets 'ab' and 'co' share key 0x00000010"],
    ),
    "size": (
        {"ab": KeyBlock(0, 0xFFFFFFFF), "co": KeyBlock(16, 0xFFFFFFF0)},
        ["net 'ab' has mask 0xffffffff; 16 keys want 0xfffffff0"],
    ),
    "alignment": (
        {"ab": KeyBlock(8, 0xFFFFFFF0), "co": KeyBlock(32, 0xFFFFFFF0)},
        ["net 'ab' has base 0x00000008; expected a 32-bit multiple of 16"],
    ),
    "range": (
        {"ab": KeyBlock(1 << 32, 0xFFFFFFF0), "co": KeyBlock(32, 0xFFFFFFF0)},
        ["net 'ab' has base 0x100000000; expected a 32-bit multiple of 16"],
    ),
}


@pytest.mark.parametrize("case", KEYS)
def test_keys(good: Mapping, case: str) -> None:
    keys, expected = KEYS[case]
    assert problems(good, keys=keys) == expected


def test_all_problems_come_at_once_and_name_the_strategies() -> None:
    def careless(application: Application, machine: Machine, rng: object) -> dict[Name, int]:
        return {"a": 0, "b": 0}

    with pytest.raises(MappingError) as caught:
        map_application(APPLICATION, machine("spinnaker2"), careless)
    assert caught.value.subject.startswith("mapping of application 'four' on spinnaker2 (placer '")
    assert "careless" in caught.value.subject
    assert caught.value.problems[1:] == (
        "vertex 'c' is not placed",
        "vertex 'o' is not placed",
    )


def test_too_little_sram_is_found_when_mapping() -> None:
    big = Application("big", (Vertex("hidden", {"weights": 10**6}, group=0),))
    with pytest.raises(MappingError, match=r"vertex 'hidden' wants 1000000 bytes of data memory"):
        map_application(big, machine("spinnaker2"))
