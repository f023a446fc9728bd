"""From an application and a placement to the arrays of the annealing kernel, and back."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from chipsim.errors import MappingError
from chipsim.machine.model import Machine
from chipsim.mapping.application import Application, Name
from chipsim.mapping.fabric import Fabric, fabric, unreachable
from chipsim.mapping.placement.anneal_kernel import anneal, net_links
from chipsim.mapping.placement.graph import Nets, nets_of

COOLING = 0.9
SAMPLES = 256


@dataclass(frozen=True)
class Swaps:
    """An application on a fabric, ready for moves.

    Attributes
    ----------
    application : Application
    known : Fabric
    nets : Nets
    slots : ndarray of int32
        The PEs that movable vertices may take, in machine order.
    of_start, of_nets : ndarray of int32
        Nets of vertex v: ``of_nets[of_start[v]:of_start[v + 1]]``, ascending.
    """

    application: Application
    known: Fabric
    nets: Nets
    slots: NDArray[np.int32]
    of_start: NDArray[np.int32]
    of_nets: NDArray[np.int32]

    def sites(self, placement: dict[Name, int]) -> NDArray[np.int32]:
        """Return the site of each vertex."""
        ends = [placement[vertex.name] for vertex in self.application.vertices]
        return np.ascontiguousarray(self.known.site_of[ends])

    def cost(self, placement: dict[Name, int]) -> float:
        """Return the weighted links of all nets' trees, as ``ner`` routes them."""
        site, scratch, known = self.sites(placement), _scratch(self.known), self.known
        nets = self.nets
        return float(
            sum(
                float(nets.weight[net])
                * net_links(net, nets.source, nets.start, nets.sinks, site, known.grid, scratch)
                for net in range(len(nets.source))
            )
        )

    def anneal(
        self,
        placement: dict[Name, int],
        rng: np.random.Generator,
        heat: float,
        budget: int,
        effort: float = 1.0,
    ) -> dict[Name, int]:
        """Return a placement annealed from ``placement``: never a dearer one.

        Parameters
        ----------
        placement : dict of vertex name to endpoint
        rng : numpy.random.Generator
        heat : float
            First temperature over the standard deviation of sampled changes.
        budget : int
            Most work: sinks visited when nets are costed anew, and a unit per move.
        effort : float
            Moves at one temperature over V**1.33.
        """
        vertices = self.application.vertices
        number = {placement[vertex.name]: i for i, vertex in enumerate(vertices)}
        holder = np.array([number.get(int(pe), -1) for pe in self.slots], dtype=np.int32)
        if len(holder) < 2 or not len(self.nets.source):
            return placement
        state = rng.integers(0, 2**63, 1, dtype=np.int64).astype(np.uint64)
        nets, known = self.nets, self.known
        anneal(
            max(64, round(effort * len(vertices) ** 1.33)),
            SAMPLES,
            budget,
            heat,
            COOLING,
            state,
            holder,
            np.ascontiguousarray(known.site_of[self.slots]),
            self.sites(placement),
            nets.source,
            nets.weight,
            nets.start,
            nets.sinks,
            self.of_start,
            self.of_nets,
            known.grid,
            _scratch(known),
            np.zeros(4, dtype=np.float64),
        )
        found = dict(placement)
        for pe, vertex in zip(self.slots.tolist(), holder.tolist(), strict=True):
            if vertex >= 0:
                found[vertices[vertex].name] = pe
        return found


def swaps(application: Application, machine: Machine) -> Swaps:
    """Return what moves need to know.

    Raises
    ------
    MappingError
        If the machine falls apart, or is too large for its distances.
    """
    known = fabric(machine)
    if unreachable(known.distance):
        raise MappingError(
            f"placement of application {application.name!r}",
            [f"{machine.name} falls apart: some routers have no way to others; name fewer holes"],
        )
    nets = nets_of(application)
    pins: list[dict[int, None]] = [{} for _ in application.vertices]
    rows = np.repeat(np.arange(len(nets.source)), np.diff(nets.start)).tolist()
    for net, source in enumerate(nets.source.tolist()):
        pins[source][net] = None
    for net, sink in zip(rows, nets.sinks.tolist(), strict=True):
        pins[sink][net] = None
    fixed = {
        machine.endpoint_at(*vertex.place)
        for vertex in application.vertices
        if vertex.place is not None
    }
    free = [pe for pe in machine.pes().tolist() if pe not in fixed]
    return Swaps(
        application,
        known,
        nets,
        np.array(free, dtype=np.int32),
        np.cumsum([0, *map(len, pins)]).astype(np.int32),
        np.array([net for row in pins for net in sorted(row)], dtype=np.int32),
    )


def _scratch(known: Fabric) -> NDArray[np.int32]:
    return np.zeros((8, 2 * known.sites + 1), dtype=np.int32)
