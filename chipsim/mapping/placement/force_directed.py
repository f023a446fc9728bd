"""Force-directed placement: from the Hilbert curve, neighbours that pull past each other swap.

References
----------
Jin et al., "Mapping very large scale spiking neuron network to neuromorphic hardware", ASPLOS
(2023), doi:10.1145/3582016.3582038. Their force is that of a potential of squared distance; here
distances are true ones on the machine, and a router may hold several PEs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from chipsim.machine.model import Machine
from chipsim.mapping.application import Application, Name
from chipsim.mapping.fabric import Fabric, fabric, unreachable
from chipsim.mapping.placement import hilbert
from chipsim.mapping.placement.common import place_fixed
from chipsim.mapping.placement.graph import neighbours, nets_of

F64 = NDArray[np.float64]
I32 = NDArray[np.int32]
I64 = NDArray[np.int64]

SHARE = 0.3
"""Swaps of a round over all pairs that pull past each other, the greatest tension first."""

ROUNDS = 400


def place(application: Application, machine: Machine, rng: np.random.Generator) -> dict[Name, int]:
    """Swap vertices of neighbouring routers while that lowers weight x squared distance.

    Parameters
    ----------
    application : Application
    machine : Machine
    rng : numpy.random.Generator
        Not used: the result is the same for every seed.

    Returns
    -------
    dict of vertex name to endpoint
        Of no greater energy (sum of weight x squared distance over source-sink pairs) than the
        Hilbert placement that it starts from.

    Raises
    ------
    MappingError
        If the machine has too few PEs, or a fixed place does not exist.

    Notes
    -----
    O(rounds x edges of the 2-pin graph x links of a router), at most 400 rounds. Every swap lowers
    the energy, so it ends. Where the machine falls apart the Hilbert placement is returned.
    """
    begun = hilbert.place(application, machine, rng)
    known = fabric(machine)
    if unreachable(known.distance) or len(application.vertices) < 2:
        return begun
    springs = _springs(application, machine, known, begun)
    for _ in range(ROUNDS):
        if not springs.relax():
            break
    names = [vertex.name for vertex in application.vertices]
    return dict(zip(names, springs.place.tolist(), strict=True))


@dataclass
class _Springs:
    """Vertices on routers, pulled by those that they talk to.

    Attributes
    ----------
    square : ndarray of float64, shape (sites, sites)
        Squared distance, the mean of both ways.
    start, row, far, weight : ndarray
        The undirected 2-pin graph, in rows by vertex, and the vertex of each edge.
    pairs : ndarray of int64
        ``row * vertices + far``, ascending.
    link, back : ndarray of int32, shape (sites, links)
        Far site of each link, and the far site's link back; -1 for none.
    moves : ndarray of bool, shape (vertices,)
        Whether a vertex has no fixed place.
    place, site : ndarray of int32, shape (vertices,)
        PE and site of each vertex now.
    empty : dict of int to list of int
        Free PEs of each site.
    """

    square: F64
    start: I32
    row: I64
    far: I32
    weight: F64
    pairs: I64
    link: I32
    back: I32
    moves: NDArray[np.bool_]
    place: I32
    site: I32
    empty: dict[int, list[int]]

    def relax(self) -> bool:
        """Do a round of swaps; return whether any was done."""
        best, gain = self._pulls()
        sites, slots = np.nonzero((self.back >= 0) & (best >= 0))
        there, back = self.link[sites, slots], self.back[sites, slots]
        one, other = best[sites, slots], best[there, back].copy()
        answer = gain[there, back].copy()
        free = np.array([bool(self.empty.get(s)) for s in range(len(self.link))])[there]
        hole = free & ((answer < 0) | (other < 0))
        answer[hole], other[hole] = 0.0, -1
        tension = gain[sites, slots] + answer - self._between(one, other, sites, there)
        pulled = np.flatnonzero((hole | (other >= 0)) & (tension > 1e-9))
        ranked = pulled[np.lexsort((slots[pulled], sites[pulled], -tension[pulled]))]
        done = 0
        for i in ranked[: max(1, int(np.ceil(SHARE * len(ranked))))].tolist():
            done += self._swap(int(one[i]), int(other[i]), int(sites[i]), int(there[i]))
        return done > 0

    def _pulls(self) -> tuple[I64, F64]:
        """Return, for each site and link, the vertex that gains most by taking it, and its gain."""
        count, ends = len(self.place), self.site[self.far]
        stay = np.bincount(
            self.row, self.weight * self.square[self.site[self.row], ends], minlength=count
        )
        best = np.full(self.link.shape, -1, dtype=np.int64)
        gain = np.full(self.link.shape, -np.inf)
        movers = np.flatnonzero(self.moves)
        for slot in range(self.link.shape[1]):
            to = self.link[self.site, slot]
            go = np.bincount(
                self.row, self.weight * self.square[to[self.row], ends], minlength=count
            )
            gained = np.where(to >= 0, stay - go, -np.inf)[movers]
            able = np.isfinite(gained)
            who, much = movers[able], gained[able]
            order = np.lexsort((who, -much, self.site[who]))
            sites, first = np.unique(self.site[who][order], return_index=True)
            best[sites, slot], gain[sites, slot] = who[order][first], much[order][first]
        return best, gain

    def _between(self, one: I64, other: I64, here: I64, there: I32) -> F64:
        """Return what both gains count that stays: the pull between the two that swap."""
        found: F64 = np.zeros(len(one))
        if not len(self.pairs):
            return found
        keys = one * len(self.place) + np.maximum(other, 0)
        at = np.minimum(np.searchsorted(self.pairs, keys), len(self.pairs) - 1)
        joined = (self.pairs[at] == keys) & (other >= 0)
        found[joined] = 2 * self.weight[at[joined]] * self.square[here[joined], there[joined]]
        return found

    def _swap(self, one: int, other: int, here: int, there: int) -> bool:
        """Swap two vertices (or one and a free PE) if they are still there and it still pays."""
        if self.site[one] != here or (other >= 0 and self.site[other] != there):
            return False
        if other < 0 and not self.empty.get(there):
            return False
        gain = self._gain(one, here, there, other)
        if other >= 0:
            gain += self._gain(other, there, here, one)
        if gain <= 1e-9:
            return False
        left = int(self.place[one])
        if other >= 0:
            self.place[one], self.place[other] = self.place[other], left
            self.site[other] = here
        else:
            self.place[one] = self.empty[there].pop(0)
            self.empty.setdefault(here, []).append(left)
        self.site[one] = there
        return True

    def _gain(self, vertex: int, here: int, there: int, but: int) -> float:
        rows = slice(int(self.start[vertex]), int(self.start[vertex + 1]))
        ends, weight = self.site[self.far[rows]], self.weight[rows]
        changed = self.square[here, ends] - self.square[there, ends]
        return float((weight * changed)[self.far[rows] != but].sum())


def _springs(
    application: Application, machine: Machine, known: Fabric, begun: dict[Name, int]
) -> _Springs:
    vertices = len(application.vertices)
    start, far, weight = neighbours(nets_of(application), vertices)
    row = np.repeat(np.arange(vertices, dtype=np.int64), np.diff(start))
    place = np.array([begun[vertex.name] for vertex in application.vertices], dtype=np.int32)
    taken = {*place.tolist(), *place_fixed(application, machine).values()}
    empty: dict[int, list[int]] = {}
    for pe in machine.pes().tolist():
        if pe not in taken:
            empty.setdefault(int(known.site_of[pe]), []).append(pe)
    distance = known.distance.astype(np.float64)
    back = np.full(known.far.shape, -1, dtype=np.int32)
    for site, slot in zip(*np.nonzero(known.far >= 0), strict=True):
        found = np.flatnonzero(known.far[known.far[site, slot]] == site)
        if len(found):
            back[site, slot] = found[0]
    return _Springs(
        square=(distance**2 + distance.T**2) / 2,
        start=start,
        row=row,
        far=far,
        weight=weight,
        pairs=row * vertices + far,
        link=known.far,
        back=back,
        moves=np.array([vertex.place is None for vertex in application.vertices]),
        place=place,
        site=known.site_of[place].astype(np.int32),
        empty=empty,
    )
