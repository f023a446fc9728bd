"""Look-up tables of one's own on a SpiNNaker2 machine: routers are programmed, wiring stays.

Tables are plans by tile (:class:`chipsim.machine.lut.Plan`). As text, a router's table is a row of
64 letters, one for each tile of the chip, row after row from y = 0: E, W, N or S for the neighbour
that a packet to this tile goes on to, R for into the packet router, ``.`` for the router's own tile
and ``-`` for none. Tiles at the edge (memories, host) are reached as the QPE beside them is, so
theirs is ``-``. One more row holds the number of the port by which the packet router sends to each
tile.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from chipsim.errors import MachineError
from chipsim.machine.floor import STEPS, Floor, Tile
from chipsim.machine.lut import Plan, direction, synthesise
from chipsim.machine.model import Machine
from chipsim.machine.spinnaker2 import floor_of, turns_of, with_plans

_STEP = dict(zip("EWNS", STEPS, strict=True))
_PORTS = "0123456789abcdefghijklmnopqrstuvwxyz"
OWN, NONE, INTO = ".", "-", "R"


class Written(NamedTuple):
    """The tables of one chip as text.

    Attributes
    ----------
    routers : dict of str to str
        By ``"x,y"``: a letter for each tile.
    ports : str
        For each tile the packet router's port, numbered in the order of ``floor.router_ports``
        without dead ones.
    """

    routers: dict[str, str]
    ports: str


def takes_plans(machine: Machine) -> bool:
    """Return whether the machine has routers that go by a look-up table."""
    return machine.chips is not None and machine.lut is not None


def floor_on(machine: Machine, chip: int) -> Floor:
    """Return a chip's floor plan without its dead QPEs and links and what they cut off."""
    floor = floor_of(machine.description)
    if machine.faults is None:
        return floor
    return floor.without(*machine.faults.on_chip(chip))[0]


def shipped(machine: Machine, chip: int) -> Plan:
    """Return the plan that a chip has by itself."""
    return synthesise(floor_on(machine, chip), turns_of(machine.description))


def program(machine: Machine, plans: Mapping[int, Plan]) -> Machine:
    """Return the machine with these plans on these chips, and the shipped ones on all others.

    Raises
    ------
    MachineError
        If the machine's routers have no look-up tables, or a chip does not exist.
    """
    chips = machine.chips
    if chips is None or machine.lut is None:
        raise MachineError(
            f"{machine.name}: its routers have no look-up tables to program; use spinnaker2"
        )
    for chip in plans:
        if not 0 <= chip < len(chips):
            raise MachineError(
                f"{machine.name}: no chip {chip} to program; chips are 0..{len(chips) - 1}"
            )
    return with_plans(machine, plans)


def as_text(floor: Floor, plan: Plan) -> Written:
    """Return a plan as text."""
    grid = [(x, y) for y in range(floor.height) for x in range(floor.width)]
    qpes, own = frozenset(floor.qpes), frozenset(floor.router)

    def letter(here: Tile, there: Tile) -> str:
        if there in own:
            onward = plan.to_router.get(here)
            if onward is None:
                return NONE
            return INTO if onward == here else direction(here, onward)
        if here == there:
            return OWN
        return direction(here, plan.step[here, there]) if there in qpes else NONE

    number = {port: _PORTS[i] for i, port in enumerate(floor.ports)}
    return Written(
        {f"{x},{y}": "".join(letter((x, y), there) for there in grid) for x, y in floor.routers},
        "".join(number[plan.port[tile]] if tile in plan.port else NONE for tile in grid),
    )


def from_text(floor: Floor, written: Written) -> Plan:
    """Return the plan of a text.

    Raises
    ------
    MachineError
        Naming the first router, tile and letter that cannot be.
    """
    grid = [(x, y) for y in range(floor.height) for x in range(floor.width)]
    qpes, own = frozenset(floor.qpes), frozenset(floor.router)
    names = {f"{x},{y}": (x, y) for x, y in floor.routers}
    for name in sorted(names.keys() ^ written.routers.keys()):
        verb = "lacks the table of" if name in names else "has a table for"
        what = "which works" if name in names else "where no router works"
        raise MachineError(f"a chip's look-up tables: {verb} router({name}), {what}")
    step: dict[tuple[Tile, Tile], Tile] = {}
    to_router: dict[Tile, Tile] = {}
    for name, here in names.items():
        row = _row(f"router({name})", written.routers[name], len(grid))
        for there, letter in zip(grid, row, strict=True):
            if there == here:
                continue
            if there in own:
                if here in qpes:
                    to_router[here] = _next(floor, here, there, letter, here in floor.ports)
            elif there in qpes:
                step[here, there] = _next(floor, here, there, letter, False)
    port = {}
    for there, letter in zip(grid, _row("packet router", written.ports, len(grid)), strict=True):
        if there in qpes:
            number = _PORTS.find(letter)
            if not 0 <= number < len(floor.ports):
                raise MachineError(
                    f"a chip's look-up tables: packet router, tile {there}: got {letter!r}, "
                    f"expected a port 0..{_PORTS[len(floor.ports) - 1]}"
                )
            port[there] = floor.ports[number]
    return Plan("written", step, to_router, port)


def _row(who: str, row: str, tiles: int) -> str:
    if not isinstance(row, str) or len(row) != tiles:
        raise MachineError(
            f"a chip's look-up tables: {who}: got {row!r:.80}, expected {tiles} letters"
        )
    return row


def _next(floor: Floor, here: Tile, there: Tile, letter: str, enters: bool) -> Tile:
    if letter == INTO and enters:
        return here
    if letter in _STEP:
        dx, dy = _STEP[letter]
        onward = (here[0] + dx, here[1] + dy)
        if onward in floor.beside(here, floor.routers):
            return onward
    near = floor.beside(here, floor.routers)
    ways = [direction(here, tile) for tile in near] + [INTO] * enters
    raise MachineError(
        f"a chip's look-up tables: router({here[0]},{here[1]}), tile {there}: got {letter!r}, "
        f"expected one of {', '.join(ways)}"
    )
