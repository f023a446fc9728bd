"""Bisection, clusters, placement in two levels, and negotiated routing."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from chipsim.mapping.bisection import parts
from chipsim.mapping.crowd import with_pes_per_tile
from chipsim.mapping.generators import application, ff, generate, rgg
from chipsim.mapping.mapping import map_application
from chipsim.mapping.placement import joint
from chipsim.mapping.placement.clusters import polished
from chipsim.mapping.placement.graph import neighbours, nets_of
from chipsim.mapping.placement.swaps import Board
from tests.mapping.helpers import machine


def test_two_cliques_joined_by_an_edge_are_cut_there() -> None:
    order = np.random.default_rng(3).permutation(20).tolist()
    nets = [
        (order[i], [order[j]], 1.0)
        for s in (0, 10)
        for i in range(s, s + 10)
        for j in range(s, s + 10)
        if i != j
    ]
    graph = application("cliques", [*ff(20, 2).vertices], [*nets, (order[0], [order[10]], 1.0)])
    start, far, weight = neighbours(nets_of(graph), 20)
    ones, room = np.ones(20, dtype=np.int64), np.array([10, 10], dtype=np.int64)
    found = parts(start, far, weight, ones, room, 0)
    assert sorted([set(np.flatnonzero(found == p).tolist()) for p in (0, 1)], key=min) == sorted(
        [set(order[:10]), set(order[10:])], key=min
    )


@pytest.mark.parametrize("count", [3, 7, 16])
def test_parts_keep_to_their_room(count: int) -> None:
    start, far, weight = neighbours(nets_of(rgg(64)), 64)
    size = -(-64 // count)
    room = np.full(count, size, dtype=np.int64)
    found = parts(start, far, weight, np.ones(64, dtype=np.int64), room, 1)
    assert np.bincount(found, minlength=count).max() <= size


def test_negotiation_cools_the_hottest_link_and_hardly_lengthens() -> None:
    graph, chip = ff(32, 4), machine("holes")
    ner, cool = (
        map_application(graph, chip, "random", router, 2).metrics().total
        for router in ("ner", "negotiated")
    )
    assert cool.max_link_load < 0.9 * ner.max_link_load
    assert cool.tree_hops <= 1.01 * ner.tree_hops


@pytest.mark.parametrize(
    "graph", ["replicas:n=8,layers=4,copies=4", "rgg:n=64", "ff:n=24,layers=3"]
)
def test_the_work_is_tied_to_that_of_one_annealing(
    graph: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Counted in visited sites and moves, so that every machine does the same."""
    done: list[int] = []
    plain = Board._anneal

    def counted(self: Board, *arguments: Any) -> tuple[NDArray[np.int32], int]:
        held, work = plain(self, *arguments)
        done.append(work)
        return held, work

    def polish(*arguments: Any) -> tuple[NDArray[np.int32], float, int]:
        found = polished(*arguments)
        done.append(found[2])
        return found

    monkeypatch.setattr(Board, "_anneal", counted)
    monkeypatch.setattr(joint, "polished", polish)
    chip = with_pes_per_tile(machine("holes"), 4)
    work = {}
    for placer in ("annealing", "multilevel_mix"):
        done.clear()
        map_application(generate(graph), chip, placer, "ner")
        work[placer] = sum(done)
    assert 0 < work["multilevel_mix"] < 1.6 * work["annealing"]
