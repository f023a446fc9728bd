"""The answers of an adjoint step, as its callers get them: of all rows, one after the other.

A step answers a row's recorded inputs from one place on, up to the input cursor.
"""

from __future__ import annotations

import numpy as np

from chipsim.compiled import inlined
from eventprop_apps.kernels.rows import Floats, Ints, Longs
from eventprop_apps.kernels.state import INPUT_CURSOR, INPUT_INDEX


@inlined
def pass_lines(inputs: Ints, counts: Longs, row: int, first: int, first_line: int) -> int:
    """Return the place from ``first`` on whose line is ``first_line`` or a later one.

    A step's inputs are recorded by line: those of lines below are its first ones.
    """
    while first < counts[row, INPUT_CURSOR] and inputs[row, INPUT_INDEX, first] < first_line:
        first += 1
    return first


@inlined
def collect_answers(
    inputs: Ints, input_errors: Floats, rows: Longs, first: Longs, ptr: Longs
) -> tuple[Ints, Floats]:
    """Return (line, error) of the answers, of which row ``rows[r]`` has ``ptr[r]:ptr[r + 1]``."""
    line = np.empty(ptr[rows.size], np.int32)
    error = np.empty(ptr[rows.size], input_errors.dtype)
    for r in range(rows.size):
        for e in range(ptr[r], ptr[r + 1]):
            k = first[r] + e - ptr[r]
            line[e] = inputs[rows[r], INPUT_INDEX, k]
            error[e] = input_errors[rows[r], k]
    return line, error
