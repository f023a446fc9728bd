"""Look-up tables in a mapping file: one row a chip, one text of 64 letters a router."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chipsim.errors import MachineError, MappingError
from chipsim.machine.lut import Plan
from chipsim.machine.model import Machine
from chipsim.machine.programmed import Written, as_text, floor_on, from_text


def to_json(machine: Machine, plans: Mapping[int, Plan]) -> list[dict[str, Any]]:
    """Return the plans of chips as rows (:mod:`chipsim.machine.programmed` has the letters)."""
    return [
        {"chip": chip, **as_text(floor_on(machine, chip), plan)._asdict()}
        for chip, plan in sorted(plans.items())
    ]


def from_json(machine: Machine, rows: list[dict[str, Any]]) -> dict[int, Plan]:
    """Return the plans that rows hold, for a machine.

    Raises
    ------
    MappingError
        If a table does not fit the machine's live routers.
    """
    found = {}
    for row in rows:
        chip = int(row["chip"])
        written = Written(dict(row["routers"]), str(row["ports"]))
        try:
            found[chip] = from_text(floor_on(machine, chip), written)
        except MachineError as error:
            raise MappingError(f"look-up tables of chip {chip}", [str(error)]) from error
    return found
