"""Routes in flat form: stages with their branches, equal ones kept once.

Two routes that go on alike from a node share the stages from there on (all XY routes to one tile
do), so that a mesh's routes from everywhere to everywhere take one stage per node and target
instead of one per node on every path: 4,096 instead of 25,600 on an 8x8 mesh, which fit a core's
cache.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from chipsim.errors import RouteError
from chipsim.machine.model import Machine
from chipsim.machine.route import SINK, Route
from chipsim.network import rules
from chipsim.network.compiled.layout import CHANNEL_STRIDE, ROUTE_STRIDE
from chipsim.network.compiled.state import I64

MOST_BRANCHES = 64
"""Branches of a stage: a copy's ungranted branches are the bits of one word."""


class Words:
    """An array that grows at its end; what is appended is copied once, when it is flushed.

    Attributes
    ----------
    array : ndarray of int64
        Room for more than has been flushed.
    """

    def __init__(self, *first: int) -> None:
        self.array: I64 = np.zeros(64, dtype=np.int64)
        self._flushed = 0
        self._pending: list[int] = list(first)
        self.flush()

    def __len__(self) -> int:
        return self._flushed + len(self._pending)

    def append(self, *words: int) -> None:
        """Add words; the array has them after :meth:`flush`."""
        self._pending += words

    def flush(self) -> None:
        """Write what was appended into the array, which moves if it must grow."""
        end = len(self)
        if end > len(self.array):
            more = np.zeros(max(end, 2 * len(self.array)) - len(self.array), dtype=np.int64)
            self.array = np.concatenate([self.array, more])
        self.array[self._flushed : end] = self._pending
        self._flushed = end
        self._pending.clear()


class RouteTable:
    """Collects routes in the arrays that the kernels read.

    Attributes
    ----------
    routes : Words
        Source port, first stage, leaves, memory; four a route.
    stages : Words
        First word of each stage's branches, and the end of the last one's.
    branches : Words
        Channel's base, stage at the far end, flits, leaves; four a branch.
    sides : Words
        Twin and tally of each stage.
    slots : dict of Visit to int
        Counter of each kind of visit of a packet router.
    """

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._sinks = rules.sink_endpoints(machine)
        self._known: dict[tuple[int, ...], int] = {}
        self._twins: dict[tuple[int, ...], int] = {}
        self.routes = Words()
        self.stages = Words(0)
        self.branches = Words()
        self.sides = Words()
        self.slots: dict[rules.Visit, int] = {}

    def __len__(self) -> int:
        return len(self.routes) // ROUTE_STRIDE

    def add(self, routes: Sequence[Route]) -> None:
        """Check the routes and add all of them, or none.

        Raises
        ------
        RouteError
            As :func:`chipsim.network.rules.plan`, and for a stage of more than 64 branches.
        """
        plans = [rules.plan(self._machine, route, self._sinks) for route in routes]
        for plan in plans:
            self._check_widths(plan)
        for plan in plans:
            first = self._add_stages(plan)
            self.routes.append(plan.route.port, first, plan.leaves, int(plan.route.memory))
        for words in (self.routes, self.stages, self.branches, self.sides):
            words.flush()

    def _check_widths(self, plan: rules.Plan) -> None:
        for number, limbs in enumerate(plan.stages):
            if len(limbs) > MOST_BRANCHES:
                raise RouteError(
                    f"{self._machine.name}: route from port {plan.route.port}, stage {number}: "
                    f"{len(limbs)} branches; the compiled network takes at most {MOST_BRANCHES} "
                    "a stage; split the net, or use the simpy network"
                )

    def _add_stages(self, plan: rules.Plan) -> int:
        """Add the plan's stages from the leaves up and return the number of the first."""
        numbers: dict[int, int] = {SINK: SINK}
        todo = [0]
        while todo:
            stage = todo[-1]
            limbs = (*plan.stages[stage], *plan.detours.get(stage, ()))
            below = [limb.next for limb in limbs if limb.next not in numbers]
            if below:
                todo += below
                continue
            todo.pop()
            if stage not in numbers:
                numbers[stage] = self._add_stage(plan, stage, numbers)
        return numbers[0]

    def _add_stage(self, plan: rules.Plan, stage: int, numbers: dict[int, int]) -> int:
        """Add a stage whose followers have numbers, and its detours, which follow it."""
        tally = -1
        if stage in plan.visits:
            tally = self.slots.setdefault(plan.visits[stage], len(self.slots))
        plain = _rows(plan.stages[stage], numbers)
        if stage not in plan.detours:
            return self._intern(plain, tally)
        ways = _rows(plan.detours[stage], numbers)
        key = (tally, *plain, *ways)
        number = self._twins.get(key)
        if number is None:
            number = self._twins[key] = self._append(plain, tally, len(self.stages))
            self._append(ways, tally, -2 - number)
        return number

    def _intern(self, rows: tuple[int, ...], tally: int) -> int:
        key = (tally, *rows)
        number = self._known.get(key)
        if number is None:
            number = self._known[key] = self._append(rows, tally, -1)
        return number

    def _append(self, rows: tuple[int, ...], tally: int, twin: int) -> int:
        number = len(self.stages) - 1
        self.branches.append(*rows)
        self.stages.append(len(self.branches))
        self.sides.append(twin, tally)
        return number


def _rows(limbs: tuple[rules.Limb, ...], numbers: dict[int, int]) -> tuple[int, ...]:
    """Return branches as their records' words."""
    rows: list[int] = []
    for channel, flits, following, endpoints in limbs:
        rows += [channel * CHANNEL_STRIDE, numbers[following], flits, len(endpoints)]
    return tuple(rows)
