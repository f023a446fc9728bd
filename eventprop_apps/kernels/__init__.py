"""The numeric kernels: one set, used by the simulated PEs and by the off-chip trainer."""

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
