"""Routes added at once are those added one by one, and the errors are the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from chipsim.errors import RouteError
from chipsim.machine.library import load_machine
from chipsim.machine.model import Machine, PortKind
from chipsim.machine.route import SINK, Branch, Route
from chipsim.mapping import Application, Net, Vertex, map_application
from chipsim.network import rules
from chipsim.network.compiled import layout as at
from chipsim.network.compiled.routes import RouteTable
from chipsim.network.compiled.sound import sound
from chipsim.testing.random_networks import random_case


def tree(table: RouteTable, stage: int, mask: int) -> Any:
    """Return what a stage's record leads to, as nested tuples."""
    if stage < 0:
        return None
    words = table.stages.array
    tally = words.item(stage + at.TALLY)
    seen = {number: visit for visit, number in table.slots.items()}
    branches = []
    for bit in range(mask.bit_count() if mask >= 0 else 64):
        base = stage + at.FIRST_BRANCH + bit * at.BRANCH_STRIDE
        to, there, below, flits, leaves = words[base : base + 5].tolist()
        branches.append((to, flits, leaves, tree(table, there, below)))
    twin = words.item(stage + at.TWIN)
    ways = tree(table, twin, mask) if twin >= 0 else None
    return seen.get(tally), tuple(branches), ways


def written(table: RouteTable) -> list[Any]:
    """Return all that a table says of its routes."""
    rows = table.routes.array[: len(table.routes)].reshape(-1, at.ROUTE_STRIDE)
    found = []
    for port, stage, mask, leaves, memory, *_ in rows.tolist():
        found.append((port, leaves, memory, tree(table, stage, mask)))
    return found


def one_by_one(machine: Machine, routes: Sequence[Route]) -> RouteTable:
    table = RouteTable(machine)
    table._add_planned(routes)
    table.routes.flush()
    table.stages.flush()
    return table


def is_sound(machine: Machine, routes: Sequence[Route]) -> bool:
    table = RouteTable(machine)
    return not table._detours and sound(machine, table._ends, routes, 64) is not None


@pytest.mark.parametrize("seed", range(40))
def test_at_once_as_one_by_one(seed: int) -> None:
    case = random_case(seed)
    table = RouteTable(case.machine)
    table.add(case.routes)
    table.add(case.routes[:1])  # stages that are known already
    again = [*case.routes, *case.routes[:1]]
    assert written(table) == written(one_by_one(case.machine, again))
    assert is_sound(case.machine, case.routes) or table._detours


def test_most_random_networks_are_added_at_once() -> None:
    cases = [random_case(seed) for seed in range(40)]
    assert sum(is_sound(case.machine, case.routes) for case in cases) > 20


def by_router() -> tuple[Machine, list[Route]]:
    """Return routes through a packet router that counts what it sees."""
    machine = load_machine("spinnaker1")
    names = [f"v{i}" for i in range(6)]
    nets = [Net(f"n{i}", names[i], tuple(names[: i + 1]), payload_bits=32 * (i % 2))
            for i in range(6)]  # fmt: skip
    vertices = tuple(Vertex(name) for name in names)
    application = Application("routes", vertices, tuple(nets), "router_multicast")
    mapping = map_application(application, machine, "sequential", "default", 0)
    return machine, [route for net in nets for route in mapping.routes[net.name]]


def test_what_packet_routers_see() -> None:
    machine, routes = by_router()
    marked = [replace(route, defaulted=tuple(range(len(route.stages)))) for route in routes]
    both = [*routes, *marked]
    table = RouteTable(machine)
    table.add(both)
    assert is_sound(machine, both) and len(table.slots) > 6
    assert {visit.defaulted for visit in table.slots} == {False, True}
    assert written(table) == written(one_by_one(machine, both))


def broken(machine: Machine, route: Route) -> dict[str, Route]:
    """Return a route with one thing wrong, in every way that there is."""
    first, *rest = route.stages
    link = int(np.flatnonzero(machine.port_kind != PortKind.SOURCE)[0])
    (channel, following), *others = first
    stages = {
        "no stage": (),
        "an empty stage": (*route.stages, ()),
        "a stage that nothing enters": (*route.stages, route.stages[-1]),
        "a ring": (*route.stages, (Branch(channel, len(route.stages)),)),
        "a stage that is not there": ((Branch(channel, 99), *others), *rest),
        "an end on the way": ((Branch(channel, SINK), *others), *rest),
        "no such channel": ((Branch(10**6, following), *others), *rest),
        "a channel of another node": (first, *((Branch(channel, n),) for n in (SINK,) * len(rest))),
        "two ways to a stage": (first, *rest[:-1], (*rest[-1], Branch(rest[-1][0].channel, 1))),
    }
    found = {what: replace(route, stages=wrong) for what, wrong in stages.items()}
    found["a port that is not there"] = replace(route, port=-1)
    found["a port that is no source"] = replace(route, port=link)
    found["a payload that no channel knows"] = replace(route, payload_bits=7)
    return found


def test_what_is_wrong_is_said_as_ever() -> None:
    machine, routes = by_router()
    for what, wrong in broken(machine, routes[-1]).items():
        table = RouteTable(machine)
        assert not is_sound(machine, [routes[0], wrong]), what
        with pytest.raises((RouteError, IndexError)) as expected:
            rules.plan(machine, wrong)
        with pytest.raises(type(expected.value)) as got:
            table.add([routes[0], wrong, routes[1]])
        assert str(got.value) == str(expected.value), what
        assert len(table) == 0  # all of them, or none
