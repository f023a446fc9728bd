"""Trees as ``ner`` makes them, over look-up tables written for the application's own traffic.

Each router of a SpiNNaker2 chip has a table of 64 entries: for each tile of the chip the output
that a packet to it leaves by. Machines come with tables for any traffic; this strategy writes new
ones, so that the hottest channel of the placed traffic cools. They serve all pairs on the chip, and
their ways cannot close a circle of waiting, with traffic or without.

References
----------
Kinsy, Cho, Wen, Suh, van Dijk, Devadas, "Application-aware deadlock-free oblivious routing", ISCA
(2009). doi:10.1145/1555754.1555782
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from chipsim.machine.floor import Tile
from chipsim.machine.lut import Plan
from chipsim.machine.model import Machine
from chipsim.machine.programmed import floor_on, program, shipped, takes_plans
from chipsim.mapping.application import Application, Name
from chipsim.mapping.lookup.legs import legs_of
from chipsim.mapping.lookup.mesh import Mesh
from chipsim.mapping.lookup.search import balanced
from chipsim.mapping.routing import ner
from chipsim.mapping.strategies import NetRoutes, ProgrammedRoutes


def route(
    application: Application,
    placement: Mapping[Name, int],
    machine: Machine,
    rng: np.random.Generator,
) -> dict[Name, NetRoutes]:
    """Write look-up tables that cool the hottest channel of a chip; trees between chips as ``ner``.

    A :class:`~chipsim.mapping.strategies.Router`, which says what goes in and comes out.

    Notes
    -----
    O(chips with traffic x starts x routers**2 x channels), with 33 starts: some seconds a chip.
    Draws orders, ties and moves; the hottest channel, then the sum over all channels, decides. A
    chip whose tables are not beaten keeps them. Machines without look-up tables get the routes of
    ``ner``.
    """
    routes = ner.route(application, placement, machine, rng)
    if not takes_plans(machine):
        return routes
    plans = {}
    for chip, legs in sorted(legs_of(application, machine, routes).items()):
        given = shipped(machine, chip)
        plan = _plan(machine, chip, legs, given, rng)
        if plan is not given:
            plans[chip] = plan
    if not plans:
        return routes
    programmed = program(machine, plans)
    return ProgrammedRoutes(ner.route(application, placement, programmed, rng), plans)


def _plan(
    machine: Machine,
    chip: int,
    legs: Mapping[tuple[Tile | None, Tile | None], float],
    given: Plan,
    rng: np.random.Generator,
) -> Plan:
    floor = floor_on(machine, chip)
    mesh = Mesh(floor)

    def number(tile: Tile | None) -> int:
        return mesh.hub if tile is None else mesh.at[tile]

    demand = {(number(start), number(end)): weight for (start, end), weight in legs.items()}
    return balanced(floor, demand, given, rng)
