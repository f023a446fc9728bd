"""What callers give the kernels of many rows: steps and events by row, checked before they run."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from chipsim.compiled import compiled
from chipsim.errors import ProgramError
from eventprop_apps.kernels.rows import Ints, Longs


def steps_of(step: int | NDArray[Any], rows: Longs) -> Longs:
    """Return the step of each row, given one for all or one a row."""
    if isinstance(step, np.ndarray):
        return np.ascontiguousarray(step, np.int64)
    steps = np.empty(rows.size, np.int64)
    steps.fill(step)
    return steps


@compiled
def outside(index: Ints, bound: int) -> bool:
    """Return whether there is an index outside 0 to ``bound - 1``."""
    found = 0
    for i in index:
        found += i < 0 or i >= bound
    return found > 0


def check_events(where: str, ptr: Longs, rows: Longs, index: Ints, bound: int, what: str) -> None:
    """Refuse events that do not fit their rows, or that name what the layer does not have.

    Raises
    ------
    ProgramError
        Naming ``where``, the kernel that got them.
    """
    if ptr.size != rows.size + 1 or ptr[-1] != index.size:
        raise ProgramError(
            f"{where}: got row pointers of length {ptr.size} that end at {ptr[-1]}, expected "
            f"{rows.size + 1} for {rows.size} rows, ending at the number of events, {index.size}"
        )
    if outside(index, bound):
        raise ProgramError(
            f"{where}: got {what} {int(index.min())}..{int(index.max())}, expected 0..{bound - 1}; "
            "a key was decoded with the wrong base"
        )
