from __future__ import annotations

import networkx as nx
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from chipsim.machine.floor import Floor, Tile, xy_step
from chipsim.machine.lut import Dependencies, channel_chains, synthesise


def floor(width: int, height: int, holes: frozenset[Tile], port: Tile) -> Floor:
    """A plan whose packet router stands beside the grid, at column 0."""
    grid = [(x, y) for y in range(height) for x in range(1, width + 1)]
    return Floor(
        width=width + 1,
        height=height,
        qpes=tuple(tile for tile in grid if tile not in holes),
        router=((0, port[1]),),
        ports=(port,),
        transit=False,
        mem_a=(),
        mem_b=(),
        host=(),
    )


def acyclic(plan: Floor) -> bool:
    graph = nx.DiGraph()
    for chain in channel_chains(synthesise(plan), plan):
        nx.add_path(graph, chain)
    return bool(nx.is_directed_acyclic_graph(graph))


def test_a_grid_without_holes_is_plain_xy() -> None:
    plan = floor(5, 4, frozenset(), (1, 2))
    tables = synthesise(plan)
    assert tables.method == "turns"
    assert all(tables.step[a, b] == xy_step(a, b) for a, b in tables.step)
    assert acyclic(plan)


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 6),
    st.integers(1, 6),
    st.sets(st.tuples(st.integers(1, 6), st.integers(0, 5)), max_size=8),
)
def test_any_connected_plan_has_tables_without_deadlock(
    width: int, height: int, holes: set[Tile]
) -> None:
    port = (1, height // 2)
    plan = floor(width, height, frozenset(holes - {port}), port)
    assume(not plan._unreachable())
    tables = synthesise(plan)
    for a in plan.qpes:
        for b in plan.qpes:
            path = tables.path(a, b)
            assert len(path) == len(set(path)), "no tile twice"
        assert tables.path_in(a)[-1] == port
    assert acyclic(plan)


def test_turns_are_needed_round_a_hole() -> None:
    plan = floor(3, 3, frozenset({(2, 1)}), (1, 1))
    assert synthesise(plan).method == "up_down"


@given(st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7)), max_size=40))
def test_dependencies_refuse_exactly_what_closes_a_cycle(edges: list[tuple[int, int]]) -> None:
    graph, reference = Dependencies(), nx.DiGraph()
    for a, b in edges:
        trial = reference.copy()
        trial.add_edge(a, b)
        fits = nx.is_directed_acyclic_graph(trial)
        names = (("noc", (a, 0), (a, 0)), ("noc", (b, 0), (b, 0)))
        assert graph.add(*names) == fits
        if fits:
            reference = trial
