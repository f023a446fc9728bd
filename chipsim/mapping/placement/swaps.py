"""From an application and a placement to the arrays of the annealing kernel, and back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from chipsim.errors import MappingError
from chipsim.machine.model import Machine
from chipsim.mapping.application import Application, Name
from chipsim.mapping.fabric import Fabric, fabric, unreachable
from chipsim.mapping.placement.anneal_kernel import anneal
from chipsim.mapping.placement.groups import groups_of
from chipsim.mapping.placement.traffic_kernel import Groups, Scratch, State, fill_state

SAMPLES, GUESSES = 128, 32
"""Moves from which annealing takes its temperature, and moves from which its work is judged."""

MOST_CELLS = 40_000_000
"""Greatest product of groups and sites (some 1.5 GB of counts)."""


class Goal(NamedTuple):
    """What annealing makes small: shares of the logarithms of weighted hops and of link load.

    Attributes
    ----------
    hops, load : float
        ``load`` weighs the 8-norm of all link loads, which follows the greatest one but changes
        with every hot link.
    """

    hops: float = 1.0
    load: float = 0.0


class Schedule(NamedTuple):
    """How long, and from which temperature to which, over the spread of sampled changes.

    Attributes
    ----------
    heat, cold : float
    batches : int
        Temperatures.
    effort : float
        Moves at one temperature over V**1.33.
    work : int
        Most work: sites of the trees grown and a unit per move.
    """

    heat: float = 1.0
    cold: float = 1e-3
    batches: int = 60
    effort: float = 1.0
    work: int = 300_000_000


HOPS = Goal()
FULL = Schedule()
"""One annealing of single vertices."""


@dataclass(frozen=True)
class Board:
    """Things (vertices, or clusters of them) that hold slots of a fabric.

    Attributes
    ----------
    known : Fabric
    groups : Groups
    fixed : ndarray of int32, shape (things,)
        Site of a thing that does not move, -1 for the others.
    slot_site : ndarray of int32, shape (slots,)
        Site of each slot, ascending.
    """

    known: Fabric
    groups: Groups
    fixed: NDArray[np.int32]
    slot_site: NDArray[np.int32]

    def state(self, holder: NDArray[np.int32]) -> tuple[State, Scratch, float]:
        """Return counts, trees and loads of a placement, room for moves, and its weighted hops.

        ``holder`` is int32 of shape (slots,): the thing in each slot, -1 for none.
        """
        state = _state(self, holder)
        work = _scratch(self.known, len(self.groups.way), len(state.length))
        return state, work, float(fill_state(self.known.grid, self.groups, state, work))

    def cost(self, holder: NDArray[np.int32]) -> tuple[float, float]:
        """Return weighted hops and the greatest link load, by ``ner`` trees."""
        state, _, hops = self.state(holder)
        return hops, float(state.load.max(initial=0.0))

    def anneal(
        self,
        holder: NDArray[np.int32],
        rng: np.random.Generator,
        goal: Goal = HOPS,
        schedule: Schedule = FULL,
    ) -> tuple[NDArray[np.int32], int]:
        """Return what slots hold after annealing, never of a greater cost, and the work done."""
        if len(self.slot_site) < 2 or not len(self.groups.way):
            return holder, 0
        return self._anneal(holder, rng, goal, schedule, SAMPLES, self._moves(schedule))

    def work_of(
        self, holder: NDArray[np.int32], rng: np.random.Generator, schedule: Schedule
    ) -> tuple[int, int]:
        """Return the work of annealing by a schedule, from a few moves, and what these took."""
        _, done = self._anneal(holder, rng, HOPS, schedule._replace(batches=1), GUESSES, 1)
        whole = done * schedule.batches * self._moves(schedule) / (GUESSES + 1)
        return int(min(schedule.work, whole)), done

    def _moves(self, schedule: Schedule) -> int:
        return max(24, int(schedule.effort * len(self.fixed) ** 1.33))

    def _anneal(
        self,
        holder: NDArray[np.int32],
        rng: np.random.Generator,
        goal: Goal,
        schedule: Schedule,
        samples: int,
        moves: int,
    ) -> tuple[NDArray[np.int32], int]:
        """Return what slots hold after annealing, and the work done."""
        state, work, hops = self.state(holder)
        begun = int(work.stamps[2])
        figures = np.array([hops, 0.0, 0.0, 0.0])
        anneal(
            moves,
            schedule.batches,
            samples,
            schedule.heat,
            schedule.cold,
            goal.hops,
            goal.load,
            schedule.work,
            rng.integers(0, 2**63, 1, dtype=np.int64).astype(np.uint64),
            self.known.grid,
            self.groups,
            state,
            work,
            figures,
        )
        return state.holder, int(work.stamps[2]) - begun


@dataclass(frozen=True)
class Swaps:
    """An application on a fabric, ready for moves of its vertices.

    Attributes
    ----------
    application : Application
    board : Board
        Its things are the vertices by number.
    slots : ndarray of int32
        The PEs that movable vertices may take, by site.
    """

    application: Application
    board: Board
    slots: NDArray[np.int32]

    def holder(self, placement: dict[Name, int]) -> NDArray[np.int32]:
        """Return the vertex in each slot."""
        number = {placement[v.name]: i for i, v in enumerate(self.application.vertices)}
        return np.array([number.get(pe, -1) for pe in self.slots.tolist()], dtype=np.int32)

    def placement(self, holder: NDArray[np.int32], fixed: dict[Name, int]) -> dict[Name, int]:
        """Return the placement of what slots hold; fixed vertices stay where ``fixed`` has them."""
        found = dict(fixed)
        vertices = self.application.vertices
        for pe, vertex in zip(self.slots.tolist(), holder.tolist(), strict=True):
            if vertex >= 0:
                found[vertices[vertex].name] = pe
        return found

    def cost(self, placement: dict[Name, int]) -> tuple[float, float]:
        """Return weighted hops and the greatest link load, by ``ner`` trees."""
        return self.board.cost(self.holder(placement))

    def anneal(
        self,
        placement: dict[Name, int],
        rng: np.random.Generator,
        goal: Goal = HOPS,
        schedule: Schedule = FULL,
    ) -> dict[Name, int]:
        """Return a placement annealed from ``placement``: never one of a greater cost."""
        held, _ = self.board.anneal(self.holder(placement), rng, goal, schedule)
        return self.placement(held, placement)


def swaps(application: Application, machine: Machine) -> Swaps:
    """Return what moves need to know.

    Raises
    ------
    MappingError
        If the machine falls apart, or application and machine are too large for annealing.
    """
    known = fabric(machine)
    if unreachable(known.distance):
        raise MappingError(
            f"placement of application {application.name!r}",
            [f"{machine.name} falls apart: some routers have no way to others; name fewer holes"],
        )
    groups = groups_of(application, machine)
    if len(groups.way) * known.sites > MOST_CELLS:
        raise MappingError(
            f"annealing of application {application.name!r} on {machine.name}",
            [
                f"{len(groups.way)} groups of nets on {known.sites} sites; at most {MOST_CELLS} "
                "pairs are kept: use a placer without annealing, such as hilbert or multilevel"
            ],
        )
    fixed = np.full(len(application.vertices), -1, dtype=np.int32)
    taken: dict[int, None] = {}
    for i, vertex in enumerate(application.vertices):
        if vertex.place is not None:
            end = machine.endpoint_at(*vertex.place)
            fixed[i] = known.site_of[end]
            taken[end] = None
    free = [pe for pe in machine.pes().tolist() if pe not in taken]
    free.sort(key=lambda pe: (int(known.site_of[pe]), pe))
    slots = np.array(free, dtype=np.int32)
    board = Board(known, groups, fixed, np.ascontiguousarray(known.site_of[slots]))
    return Swaps(application, board, slots)


def _state(board: Board, holder: NDArray[np.int32]) -> State:
    known, groups, slot_site = board.known, board.groups, board.slot_site
    count, sites = len(groups.way), known.sites
    site = board.fixed.copy()
    slot = np.full(len(site), -1, dtype=np.int32)
    held = np.flatnonzero(holder >= 0)
    slot[holder[held]] = held
    site[holder[held]] = slot_site[held]
    per_group = np.minimum(np.diff(groups.source_start), sites)
    # A move renews at most all trees of the groups it touches, beside those that it may go back to.
    rows = int(2 * per_group.sum()) + 2
    longest = sites
    if groups.way.any():
        most = int(np.diff(groups.start).max())
        longest = max(sites, int((min(most, sites) + 1) * known.distance.max()))

    def cells() -> NDArray[np.int32]:
        return np.zeros((count, sites), dtype=np.int32)

    return State(
        site=site,
        slot=slot,
        holder=holder.copy(),
        slot_site=slot_site,
        first=np.searchsorted(slot_site, np.arange(sites + 1)).astype(np.int32),
        sinks_at=cells(),
        end_at=cells(),
        ends=cells(),
        many=np.zeros(count, dtype=np.int32),
        senders=cells(),
        from_at=cells(),
        froms=cells(),
        from_many=np.zeros(count, dtype=np.int32),
        demand=np.zeros((count, sites), dtype=np.float64),
        tree=np.full((count, sites), -1, dtype=np.int32),
        length=np.zeros(rows, dtype=np.int32),
        links=np.zeros((rows, longest), dtype=np.int32),
        free=np.append(np.arange(rows), rows).astype(np.int32),
        load=np.zeros(known.far.size, dtype=np.float64),
    )


def _scratch(known: Fabric, groups: int, rows: int) -> Scratch:
    sites, links = known.sites, known.far.size

    def zeros(size: int) -> NDArray[np.int32]:
        return np.zeros(size, dtype=np.int32)

    return Scratch(
        stamps=np.ones(3, dtype=np.int64),
        mark=zeros(sites),
        terminals=zeros(sites),
        nodes=zeros(sites),
        parent=zeros(sites),
        slots=zeros(sites),
        path=zeros(2 * sites),
        group_stamp=np.zeros(groups, dtype=np.int64),
        touched=zeros(groups),
        before=np.zeros((groups, 4), dtype=np.float64),
        pending=np.zeros((rows, 3), dtype=np.int32),
        link_stamp=np.zeros(links, dtype=np.int64),
        link_list=zeros(links),
        link_before=np.zeros(links, dtype=np.float64),
        counts=np.zeros(3, dtype=np.int64),
    )
