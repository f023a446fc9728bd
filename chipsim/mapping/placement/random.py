"""Random placement: the baseline that any strategy should beat."""

from __future__ import annotations

import numpy as np

from chipsim.machine.model import Machine
from chipsim.mapping.application import Application, Name
from chipsim.mapping.placement.common import fill, tiles


def place(application: Application, machine: Machine, rng: np.random.Generator) -> dict[Name, int]:
    """Put the vertices on PEs drawn uniformly without replacement.

    Parameters
    ----------
    application : Application
    machine : Machine
    rng : numpy.random.Generator
        One permutation of all PEs is drawn from it.

    Returns
    -------
    dict of vertex name to endpoint

    Raises
    ------
    MappingError
        If the machine has too few PEs or a fixed place does not exist.

    Notes
    -----
    O(vertices + PEs). Fixed vertices keep their places.
    """
    pes = np.array([pe for tile in tiles(machine) for pe in tile.pes], dtype=np.int64)
    return fill(application, machine, rng.permutation(pes).tolist())
