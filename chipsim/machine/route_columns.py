"""Many routes as columns: what is asked of every branch of every net is asked of arrays.

>>> from chipsim.machine.route import SINK, Branch, Route
>>> route = Route(0, ((Branch(4, 1), Branch(5, SINK)), (Branch(6, SINK),)))
>>> both = columns([route, route])
>>> both.channel.tolist(), both.stage.tolist(), both.next.tolist()
([4, 5, 6, 4, 5, 6], [0, 0, 1, 2, 2, 3], [1, -1, -1, 3, -1, -1])
>>> both.entry.tolist(), both.down(np.ones(6, dtype=np.int64)).tolist()
([-1, 0, -1, 3], [1, 1, 2, 1, 1, 2])
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice

import numpy as np
from numpy.typing import NDArray

from chipsim.machine.route import SINK, Route

I64 = NDArray[np.int64]

SLICE = 4096
"""Routes that :func:`slices` takes at once: some tens of megabytes."""


@dataclass(frozen=True)
class RouteColumns:
    """Branches of sound routes, route by route, stage by stage.

    Attributes
    ----------
    port : ndarray of int64, shape (routes,)
        Source port of each route.
    memory : ndarray of bool, shape (routes,)
        Whether a route is of memory traffic.
    route : ndarray of int64, shape (stages,)
        Number of each stage's route.
    begin : ndarray of int64, shape (stages + 1,)
        First branch of each stage.
    stage, channel, next : ndarray of int64, shape (branches,)
        Stage that a branch is of, its channel, and the stage at its far end or
        :data:`~chipsim.machine.route.SINK`; stages are numbered over all routes.
    entry : ndarray of int64, shape (stages,)
        The branch by which each stage is entered, -1 for the first one of a route.
    """

    port: I64
    memory: NDArray[np.bool_]
    route: I64
    begin: I64
    stage: I64
    channel: I64
    next: I64
    entry: I64

    def down(self, value: I64) -> I64:
        """Return the sum of a value over all branches from the source to each branch, itself too.

        ``value`` has a number for each branch. O(branches), in as many steps as trees are deep.
        """
        total = value.copy()
        stages = np.flatnonzero(self.entry < 0)
        while len(stages):
            branches = ranges(self.begin[stages], self.begin[stages + 1])
            before = self.entry[self.stage[branches]]
            total[branches] += np.where(before >= 0, total[before], 0)
            onward = self.next[branches]
            stages = onward[onward != SINK]
        return total


def columns(routes: Sequence[Route]) -> RouteColumns:
    """Return routes as columns; they must be trees that pass the check of mappings.

    O(branches).
    """
    stages = [stage for route in routes for stage in route.stages]
    counts = np.array([len(route.stages) for route in routes], dtype=np.int64)
    widths = np.fromiter(map(len, stages), dtype=np.int64, count=len(stages))
    flat = np.fromiter(
        chain.from_iterable(chain.from_iterable(stages)), dtype=np.int64, count=2 * widths.sum()
    ).reshape(-1, 2)
    route = np.repeat(np.arange(len(routes)), counts)
    stage = np.repeat(np.arange(len(stages)), widths)
    first = (np.cumsum(counts) - counts)[route[stage]]
    onward = np.where(flat[:, 1] == SINK, SINK, flat[:, 1] + first)
    entry = np.full(len(stages), -1, dtype=np.int64)
    inner = np.flatnonzero(onward != SINK)
    entry[onward[inner]] = inner
    return RouteColumns(
        np.array([route.port for route in routes], dtype=np.int64),
        np.array([route.memory for route in routes], dtype=np.bool_),
        route,
        np.concatenate(([0], np.cumsum(widths))),
        stage,
        np.ascontiguousarray(flat[:, 0]),
        onward,
        entry,
    )


def slices(routes: Iterable[Route]) -> Iterator[RouteColumns]:
    """Yield routes as columns, :data:`SLICE` at a time, so that all of them need little room."""
    left = iter(routes)
    while some := list(islice(left, SLICE)):
        yield columns(some)


def ranges(begin: I64, end: I64) -> I64:
    """Return the numbers of many ranges, one after another."""
    lengths = end - begin
    before = np.cumsum(lengths) - lengths
    return np.asarray(np.arange(int(lengths.sum())) + np.repeat(begin - before, lengths))
