"""The numeric kernels: one set, used by the simulated PEs and by the off-chip trainer.

=================== ==============================================================================
factors, state      a layer's constants, and what it keeps from step to step
rows                one step of one row: the arithmetic of every back end
layer, readout      one step of many rows of a LIF layer, of a leaky read-out
slices, neurons     the same for the two sides of a layer that is split by inputs
regularise          a layer's regulariser for many rows
operations          what they count; arguments, answers: what they get and return
=================== ==============================================================================
"""

from eventprop_apps.kernels.factors import Factors
from eventprop_apps.kernels.layer import backward_rows, forward_rows, reset_rows, store_errors
from eventprop_apps.kernels.operations import OPERATIONS
from eventprop_apps.kernels.state import LayerState

__all__ = [
    "OPERATIONS",
    "Factors",
    "LayerState",
    "backward_rows",
    "forward_rows",
    "reset_rows",
    "store_errors",
]
