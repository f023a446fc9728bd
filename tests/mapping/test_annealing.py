"""Annealing: its cost is the length that ner routes, and it finds what is known to be best."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chipsim.errors import MappingError
from chipsim.machine.library import load_machine
from chipsim.mapping.application import Application, Net, Vertex
from chipsim.mapping.generators import application, ff, rgg
from chipsim.mapping.mapping import map_application
from chipsim.mapping.placement import annealing, hilbert, random
from chipsim.mapping.placement.swaps import Goal, Schedule, swaps
from tests.mapping.helpers import machine


@pytest.mark.parametrize("name", ["holes", "torus-6x5", "mesh-8x8"])
@settings(max_examples=10)
@given(seed=st.integers(0, 99))
def test_the_cost_is_the_tree_hops_of_ner(name: str, seed: int) -> None:
    graph = rgg(30)
    mapping = map_application(graph, machine(name), "random", "ner", seed)
    found = swaps(graph, machine(name)).cost(mapping.placement)
    total = mapping.metrics().total
    assert found == (total.tree_hops, total.max_link_load)


@pytest.mark.parametrize(("heat", "load"), [(1.0, 0.0), (0.1, 1.0)])
def test_moves_keep_their_books(heat: float, load: float) -> None:
    """A wrong change of cost would make the best one met no longer the best."""
    graph, chip = ff(24, 3, True), machine("holes")
    rng = np.random.default_rng(5)
    begun = random.place(graph, chip, rng)
    known = swaps(graph, chip)
    ended = known.anneal(begun, rng, Goal(1.0, load), Schedule(heat=heat))
    assert sorted(ended) == sorted(begun)
    assert len(set(ended.values())) == 24
    assert known.cost(ended)[0] < 0.7 * known.cost(begun)[0]


def test_a_ring_in_any_order_is_laid_out_as_a_ring() -> None:
    order = np.random.default_rng(2).permutation(12).tolist()
    ring = [(order[i], [order[(i + 1) % 12]], 1.0) for i in range(12)]
    graph = application("ring", [Vertex(i) for i in range(12)], ring)
    placement = map_application(graph, machine("mesh-4x3"), "annealing", "ner", 1)
    assert placement.metrics().total.tree_hops == 12


def test_it_is_never_dearer_than_its_starts_and_keeps_fixed_vertices() -> None:
    vertices = tuple(Vertex(i, fixed=(3, 3) if i == 7 else None) for i in range(20))
    graph = Application(
        "fixed", vertices, tuple(Net(i, i, ((i * 7 + 3) % 20,)) for i in range(20) if i != 3)
    )
    chip = machine("mesh-8x8")
    known, rng = swaps(graph, chip), np.random.default_rng(1)
    found = annealing.place(graph, chip, rng)
    assert found[7] == chip.endpoint_at(3, 3)
    assert known.cost(found)[0] <= known.cost(hilbert.place(graph, chip, rng))[0]


def test_a_machine_that_falls_apart() -> None:
    apart = load_machine("mesh-3x1", {"floor.holes": [[1, 0]]})
    with pytest.raises(MappingError, match="mesh-3x1 falls apart: some routers have no way to"):
        swaps(ff(2, 2), apart)
    with pytest.raises(MappingError, match=r"net 0 cannot be routed: mesh-3x1: router\(0,0\) has"):
        map_application(ff(2, 2), apart, "annealing", "ner")
