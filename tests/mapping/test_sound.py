"""The check by arrays: good mappings pass it whole, and what it passes the walker passes too."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chipsim.machine.library import load_machine
from chipsim.machine.route import SINK, Branch, Route
from chipsim.mapping.check import route_problems
from chipsim.mapping.generators import generate
from chipsim.mapping.mapping import Mapping, map_application
from chipsim.mapping.outlets import DIRECTIONS
from chipsim.mapping.sound import sound_nets
from chipsim.mapping.walk import Walker
from tests.mapping.helpers import machine

CASES = (
    ("spinnaker2", "default", "router_multicast"),
    ("spinnaker2", "default", "noc_direct"),
    ("spinnaker1-48", "ner", "router_multicast"),
    ("spinnaker2-48", "ner", "router_multicast"),
    ("mesh-8x8:xy", "default", "noc_direct"),
    ("holes", "steiner", "router_multicast"),
)

_MADE: dict[tuple[str, str, str], Mapping] = {}


def mapped(case: tuple[str, str, str]) -> Mapping:
    if case not in _MADE:
        name, router, transport = case
        application = replace(generate("rgg:n=24"), transport=transport)  # type: ignore[arg-type]
        _MADE[case] = map_application(application, machine(name), "random", router)
    return _MADE[case]


@pytest.mark.parametrize("case", CASES)
def test_every_net_of_a_good_mapping_is_sound(case: tuple[str, str, str]) -> None:
    made = mapped(case)
    sound = sound_nets(made.application, made.machine, made.placement, made.routes)
    assert sound == set(made.routes)


@settings(max_examples=60, deadline=None)
@given(case=st.sampled_from(CASES), data=st.data())
def test_a_net_that_is_called_sound_has_nothing_the_walker_could_say(
    case: tuple[str, str, str], data: st.DataObject
) -> None:
    made = mapped(case)
    net = data.draw(st.sampled_from([n for n in made.application.nets if made.routes[n.name]]))
    routes = list(made.routes[net.name])
    number = data.draw(st.integers(0, len(routes) - 1))
    routes[number] = _spoilt(data, routes[number], made)
    changed: dict[Any, Any] = {**made.routes, net.name: tuple(routes)}
    sound = sound_nets(made.application, made.machine, made.placement, changed)
    assert sound >= set(made.routes) - {net.name} or net.name not in sound
    if net.name in sound:
        _assert_walks(made, net.name, tuple(routes))
    else:  # all others are still looked at, and only this one is reported
        found = list(route_problems(made.application, made.machine, made.placement, changed))
        assert all(f"net {net.name!r}" in problem for problem in found)


def _spoilt(data: st.DataObject, route: Route, made: Mapping) -> Route:
    """Return a route with one branch changed, dropped, doubled or bent, or another port."""
    stages = [list(stage) for stage in route.stages]
    stage = data.draw(st.integers(0, len(stages) - 1))
    branch = data.draw(st.integers(0, len(stages[stage]) - 1))
    channel, onward = stages[stage][branch]
    kind = data.draw(st.sampled_from(["channel", "near", "next", "drop", "double", "port"]))
    if kind == "channel":
        channel = data.draw(st.integers(-2, made.machine.channels))
    elif kind == "near":
        channel += data.draw(st.integers(-2, 2))
    elif kind == "next":
        onward = data.draw(st.integers(SINK - 1, len(stages)))
    stages[stage][branch] = Branch(channel, onward)
    if kind == "drop":
        del stages[stage][branch]
    elif kind == "double":
        stages[stage].append(stages[stage][branch])
    port = route.port + 1 if kind == "port" else route.port
    return replace(route, port=port, stages=tuple(map(tuple, stages)))


def _assert_walks(made: Mapping, name: Any, routes: tuple[Route, ...]) -> None:
    walks = [Walker(made.machine).walk(route) for route in routes]
    assert [walk.problems for walk in walks] == [()] * len(routes)
    reached = sorted(leaf.endpoint for walk in walks for leaf in walk.leaves)
    net = made.application.net_by_name[name]
    assert reached == sorted(made.placement[sink] for sink in net.sinks)


@pytest.mark.parametrize("stage", [(1, 2), ((Branch(0.5, -1),),), ((Branch(2**70, -1),),), ((),)])
def test_odd_answers_of_plug_ins_are_left_to_the_walker(stage: Any) -> None:
    made = mapped(CASES[-1])
    first = made.application.nets[0].name
    odd = replace(made.routes[first][0], stages=stage)
    changed = {**made.routes, first: (odd,)}
    assert first not in sound_nets(made.application, made.machine, made.placement, changed)


def test_a_route_over_a_dead_link_is_refused_by_name() -> None:
    """Dead parts keep their numbers: only a look at what is dead tells."""
    application = generate("rgg:n=40")
    whole = map_application(application, load_machine("spinnaker1-48"), "sequential", "ner")
    chips = whole.machine.chips
    assert chips is not None
    used = {
        channel
        for routes in whole.routes.values()
        for route in routes
        for stage in route.stages
        for channel, _ in stage
    }
    place = next(
        (int(chips.x[c]), int(chips.y[c]), DIRECTIONS[d])
        for c in range(48)
        for d in range(6)
        if int(chips.link[c, d]) in used
    )
    hurt = load_machine("spinnaker1-48", {"faults.links": [list(place)]})
    problems = list(route_problems(application, hurt, whole.placement, whole.routes))
    assert problems
    assert all(p.endswith("which is dead") and " takes " in p for p in problems)
    map_application(application, hurt, "sequential", "ner")  # routers go round it
