"""Routes as columns: stages are numbered over all routes, and sums run down the trees."""

import numpy as np
import pytest

from chipsim.machine import route_columns
from chipsim.machine.route import SINK, Branch, Route
from chipsim.machine.route_columns import columns, slices

FORK = Route(
    7, ((Branch(0, 2), Branch(1, SINK)), (Branch(5, SINK),), (Branch(2, 1), Branch(3, SINK)))
)
"""Its stages do not stand in the order of the walk."""
LINE = Route(9, ((Branch(4, SINK),),), memory=True)


def test_columns_of_two_routes() -> None:
    both = columns([FORK, LINE])
    assert both.port.tolist() == [7, 9]
    assert both.memory.tolist() == [False, True]
    assert both.route.tolist() == [0, 0, 0, 1]
    assert both.begin.tolist() == [0, 2, 3, 5, 6]
    assert both.channel.tolist() == [0, 1, 5, 2, 3, 4]
    assert both.next.tolist() == [2, SINK, SINK, 1, SINK, SINK]
    assert both.entry.tolist() == [-1, 3, 0, -1]


def test_sums_run_from_the_source_to_every_branch() -> None:
    value = np.array([1, 10, 100, 1000, 10_000, 5], dtype=np.int64)
    assert columns([FORK, LINE]).down(value).tolist() == [1, 10, 1101, 1001, 10_001, 5]


def test_no_route_has_no_columns() -> None:
    none = columns([])
    assert (len(none.channel), len(none.port), none.begin.tolist()) == (0, 0, [0])
    assert len(none.down(none.channel)) == 0
    assert not list(slices([]))


def test_slices_hold_every_route_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(route_columns, "SLICE", 2)
    parts = list(slices([FORK, LINE, LINE]))
    assert [part.port.tolist() for part in parts] == [[7, 9], [9]]
