"""Sequential placement: vertices in order onto PEs in order."""

from __future__ import annotations

import numpy as np

from chipsim.machine.model import Machine
from chipsim.mapping.application import Application, Name
from chipsim.mapping.placement.common import fill, tiles


def place(application: Application, machine: Machine, rng: np.random.Generator) -> dict[Name, int]:
    """Fill the PEs in order: chip by chip, row after row, x ascending, PE 0 to 3 of each tile.

    Parameters
    ----------
    application : Application
    machine : Machine
    rng : numpy.random.Generator
        Not used: the result is the same for every seed.

    Returns
    -------
    dict of vertex name to endpoint

    Raises
    ------
    MappingError
        If the machine has too few PEs or a fixed place does not exist.

    Notes
    -----
    O(vertices + PEs). Fixed vertices keep their places; the others pass over them.
    """
    return fill(application, machine, (pe for tile in tiles(machine) for pe in tile.pes))
