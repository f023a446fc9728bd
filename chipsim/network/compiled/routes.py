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
from chipsim.network.compiled.layout import BRANCH_STRIDE, CHANNEL_STRIDE
from chipsim.network.compiled.state import I64

MOST_BRANCHES = 64
"""Branches of a stage: a copy's ungranted branches are the bits of one word."""


class RouteTable:
    """Collects routes as rows that the kernels' arrays are made of.

    Attributes
    ----------
    routes : list of int
        Source port, first stage, leaves, memory; four a route.
    stages : list of int
        First word of each stage's branches, and the end of the last one's.
    branches : list of int
        Channel's base, stage at the far end, flits, leaves; four a branch.
    """

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._sinks = rules.sink_endpoints(machine)
        self._known: dict[tuple[int, ...], int] = {}
        self.routes: list[int] = []
        self.stages: list[int] = [0]
        self.branches: list[int] = []

    def __len__(self) -> int:
        return len(self.routes) // 4

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
            memory = int(plan.route.memory)
            self.routes += [plan.route.port, first, plan.leaves, memory]

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
        numbers: dict[int, int] = {}
        order, todo = [], [0]
        while todo:
            stage = todo.pop()
            order.append(stage)
            todo += [limb.next for limb in plan.stages[stage] if limb.next != SINK]
        for stage in reversed(order):
            rows: list[int] = []
            for limb in plan.stages[stage]:
                below = SINK if limb.next == SINK else numbers[limb.next]
                rows += [limb.channel * CHANNEL_STRIDE, below, limb.flits, len(limb.endpoints)]
            numbers[stage] = self._intern(tuple(rows))
        return numbers[0]

    def _intern(self, rows: tuple[int, ...]) -> int:
        number = self._known.get(rows)
        if number is None:
            number = self._known[rows] = len(self.stages) - 1
            self.branches += rows
            self.stages.append(len(self.branches))
        return number

    def arrays(self) -> tuple[I64, I64, I64]:
        """Return stages, branches and routes as arrays."""
        assert len(self.branches) % BRANCH_STRIDE == 0
        return (
            np.array(self.stages, dtype=np.int64),
            np.array(self.branches, dtype=np.int64),
            np.array(self.routes, dtype=np.int64),
        )
