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
from chipsim.machine.route import PACKETS, SINK, Route
from chipsim.network import rules
from chipsim.network.compiled.layout import (
    CHANNEL_STRIDE,
    FIRST_BRANCH,
    ROUTE_STRIDE,
    STAGE_LINE,
)
from chipsim.network.compiled.memory import aligned, aligned_copy
from chipsim.network.compiled.sound import Sound, sound, visits
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
        self.array: I64 = aligned(64)
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
            self.array = aligned_copy(self.array, max(end, 2 * len(self.array)))
        self.array[self._flushed : end] = self._pending
        self._flushed = end
        self._pending.clear()


class RouteTable:
    """Collects routes in the arrays that the kernels read.

    Attributes
    ----------
    routes : Words
        Source port, first stage and its branches' mask, leaves, memory.
    stages : Words
        Twin and tally of each stage, and its branches: channel's base, stage at the far end and
        the mask of its branches, flits, leaves, packet type.
    slots : dict of Visit to int
        Counter of each kind of visit of a packet router.
    """

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._sinks = rules.sink_endpoints(machine)
        self._ends = np.zeros(machine.ports, dtype=np.bool_)
        self._ends[list(self._sinks)] = True
        behaviour = machine.behaviour
        self._detours = behaviour is not None and behaviour.channel_detour is not None
        self._known: dict[tuple[int, ...], int] = {}
        self._twins: dict[tuple[int, ...], int] = {}
        self.routes = Words()
        self.stages = Words()
        self.slots: dict[rules.Visit, int] = {}

    def __len__(self) -> int:
        return len(self.routes) // ROUTE_STRIDE

    def add(self, routes: Sequence[Route]) -> None:
        """Check the routes and add all of them, or none.

        Raises
        ------
        RouteError
            As :func:`chipsim.network.rules.plan`, and for a stage of more than 64 branches.

        Notes
        -----
        O(branches). Sound routes are checked all at once; with a faulty one among them, and on
        machines with detours, they are planned one by one.
        """
        checked = None
        if not self._detours:
            checked = sound(self._machine, self._ends, routes, MOST_BRANCHES)
        if checked is None:
            self._add_planned(routes)
        else:
            self._add_sound(routes, checked)
        self.routes.flush()
        self.stages.flush()

    def _add_sound(self, routes: Sequence[Route], checked: Sound) -> None:
        """Add routes that were checked at once."""
        found = checked.columns
        seen = visits(self._machine, routes, checked)
        begin, onward = found.begin.tolist(), found.next.tolist()
        to, flits = (found.channel * CHANNEL_STRIDE).tolist(), checked.flits.tolist()
        leaves, masks = checked.leaves.tolist(), [_mask(n) for n in np.diff(found.begin).tolist()]
        kinds = _types(routes)[found.route].tolist()
        numbers = [0] * len(masks) + [SINK]  # the last one is that of SINK
        masks.append(0)
        for stage in checked.order.tolist():
            rows: list[int] = []
            for at in range(begin[stage], begin[stage + 1]):
                there = onward[at]
                rows += (to[at], numbers[there], masks[there], flits[at], leaves[at], kinds[stage])
            tally = -1
            if stage in seen:
                tally = self.slots.setdefault(seen[stage], len(self.slots))
            numbers[stage] = self._intern(tuple(rows), tally)
        for route, first in zip(routes, checked.first.tolist(), strict=True):
            total = sum(leaves[begin[first] : begin[first + 1]])
            memory = int(route.memory)
            self.routes.append(route.port, numbers[first], masks[first], total, memory, 0, 0, 0)

    def _add_planned(self, routes: Sequence[Route]) -> None:
        """Plan routes one by one and add them, or none."""
        plans = [rules.plan(self._machine, route, self._sinks) for route in routes]
        for plan in plans:
            self._check_widths(plan)
        for plan in plans:
            first = self._add_stages(plan)
            mask = _mask(len(plan.stages[0]))
            memory = int(plan.route.memory)
            self.routes.append(plan.route.port, first, mask, plan.leaves, memory, 0, 0, 0)

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
        plain = _rows(plan, plan.stages[stage], numbers)
        if stage not in plan.detours:
            return self._intern(plain, tally)
        ways = _rows(plan, plan.detours[stage], numbers)
        key = (tally, *plain, *ways)
        number = self._twins.get(key)
        if number is None:
            twin = len(self.stages) + _words(plain)
            number = self._twins[key] = self._append(plain, tally, twin)
            self._append(ways, tally, -2 - number)
        return number

    def _intern(self, rows: tuple[int, ...], tally: int) -> int:
        key = (tally, *rows)
        number = self._known.get(key)
        if number is None:
            number = self._known[key] = self._append(rows, tally, -1)
        return number

    def _append(self, rows: tuple[int, ...], tally: int, twin: int) -> int:
        number = len(self.stages)
        padding = _words(rows) - FIRST_BRANCH - len(rows)
        self.stages.append(twin, tally, *rows, *(0,) * padding)
        return number


def _rows(
    plan: rules.Plan, limbs: tuple[rules.Limb, ...], numbers: dict[int, int]
) -> tuple[int, ...]:
    """Return branches as their records' words."""
    rows: list[int] = []
    kind = PACKETS.index(plan.route.packet)
    for channel, flits, following, endpoints in limbs:
        there = 0 if following == SINK else _mask(len(plan.stages[following]))
        leaves = len(endpoints)
        rows += [channel * CHANNEL_STRIDE, numbers[following], there, flits, leaves, kind]
    return tuple(rows)


def _types(routes: Sequence[Route]) -> I64:
    """Return the numbers of the routes' packet types."""
    return np.array([PACKETS.index(route.packet) for route in routes], dtype=np.int64)


def _words(rows: tuple[int, ...]) -> int:
    """Return how long the record of a stage with these branches is."""
    return -(-(FIRST_BRANCH + len(rows)) // STAGE_LINE) * STAGE_LINE


def _mask(branches: int) -> int:
    """Return a word with a bit for each of 1 to 64 branches."""
    return -1 if branches == MOST_BRANCHES else (1 << branches) - 1
