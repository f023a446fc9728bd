"""What the kernels count, row by row: the operations that a PE is charged for."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

OPERATIONS = (
    "synaptic_event",
    "neuron_update",
    "spike_record",
    "input_record",
    "adjoint_update",
    "adjoint_jump",
    "gradient_update",
    "error_term",
    "error_lookup",
)
"""Names of the columns of operation counts.

A synaptic event, a gradient update and an error term are one weight each; a neuron update and an
adjoint update are one neuron each; a record, a jump and a lookup are one spike or error each.
"""

SYNAPTIC_EVENT, NEURON_UPDATE, SPIKE_RECORD, INPUT_RECORD = 0, 1, 2, 3
ADJOINT_UPDATE, ADJOINT_JUMP, GRADIENT_UPDATE, ERROR_TERM, ERROR_LOOKUP = 4, 5, 6, 7, 8


def no_operations(rows: int) -> NDArray[np.int64]:
    """Return counts of zero, shape (rows, len(OPERATIONS))."""
    return np.zeros((rows, len(OPERATIONS)), np.int64)
