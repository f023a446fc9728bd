"""Placement with the simulation in the loop: valid, repeatable, and better at what it measures."""

from __future__ import annotations

import numpy as np
import pytest

from chipsim.errors import MappingError
from chipsim.machine.library import load_machine
from chipsim.mapping.application import Application, Net, Vertex
from chipsim.mapping.generators import ff
from chipsim.mapping.mapping import map_application
from chipsim.sweep.loop import Budget, Loop, static_start
from chipsim.sweep.replay import replay


def loop(goal: str = "p99", **options: object) -> Loop:
    return Loop(
        ff(12, 3, True), load_machine("mesh-4x4"), goal=goal, router="xy", ticks=1, tick_us=1.0,
        **options,
    )  # fmt: skip


def test_a_search_finds_what_it_measures_better_and_repeats() -> None:
    one = loop(traffic=(1, 2))
    _, start, cost = static_start(one, ("hilbert", "random"))
    found = one.search(start, np.random.default_rng(3), Budget(60))
    assert found.start == cost and found.cost < found.start
    assert found.evaluations == 60 and 0 < found.accepted < 60
    # The figure is that of the mapping, measured again from outside.
    mapped = map_application(one.application, one.machine, lambda *_: found.placement, "xy")
    p99 = [replay(mapped, ticks=1, tick_us=1.0, seed=s).total.latency_p99_ns for s in (1, 2)]
    assert found.cost[1] == sum(p99) / 2
    again = loop(traffic=(1, 2)).search(start, np.random.default_rng(3), Budget(60))
    assert again == found


def test_copies_that_never_arrive_cost_more_than_any_latency() -> None:
    short = Loop(ff(12, 3, True), load_machine("mesh-4x4"), router="xy", ticks=1, tick_us=0.02)
    placed = map_application(short.application, short.machine, "random", "xy").placement
    lost, *_ = short.cost(placed)
    total = replay(short.mapped(placed), ticks=1, tick_us=0.02).total
    assert lost == total.undelivered + total.dropped > 0


def test_fixed_places_stay() -> None:
    vertices = (Vertex("a", fixed=(3, 3)), Vertex("b"), Vertex("c"))
    nets = tuple(
        Net(f"{s}{t}", s, (t,), packets_per_tick={"forward": 5.0}) for s, t in ("ab", "bc", "ca")
    )
    machine = load_machine("mesh-4x4")
    one = Loop(Application("three", vertices, nets), machine, router="xy", ticks=1, tick_us=1.0)
    start = map_application(one.application, machine, "random", "xy", 1).placement
    found = one.search(start, np.random.default_rng(0), Budget(40))
    assert found.placement["a"] == machine.endpoint_at(3, 3)
    assert len(set(found.placement.values())) == 3
    # Three in a ring are nearest when they are neighbours.
    assert found.cost[1] <= found.start[1]


def test_cpu_time_bounds_a_search() -> None:
    one = loop()
    start = map_application(one.application, one.machine, "hilbert", "xy").placement
    assert one.search(start, np.random.default_rng(0), Budget(10**9, 0.0)).evaluations == 1


def test_refusals() -> None:
    with pytest.raises(MappingError, match=r"unknown goal 'p9'.*did you mean 'p99'"):
        loop("p9")
    with pytest.raises(MappingError, match="no traffic seed"):
        loop(traffic=())


def test_it_is_a_placer_by_name() -> None:
    from chipsim.mapping import strategies

    machine = load_machine("mesh-3x3")
    application = ff(6, 2, False)
    placer = strategies.placer("in_the_loop")
    placed = placer(application, machine, np.random.default_rng(0))
    assert len(set(placed.values())) == 6
