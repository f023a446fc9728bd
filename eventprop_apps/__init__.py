"""What runs on the chip: spiking networks trained with EventProp.

From the network to the run:

=================== ==============================================================================
model, partition    the network; which neurons and weights each layer PE has
splitting, memory   how many PEs a layer needs, by work and by SRAM; costs and traffic are assumed
names, nets         who sends what to whom, with which keys; application adds the vertices,
                    interfaces what it needs of the machine, wiring connects kernels to nets
chip                the run: chip_layout, chip_kernels and chip_programs, put together; options
phases              cost by phase; checkpoint continues a run
experiment, digits  the experiments; sections and model_section are what their files may say
training            ``chipsim run``: described, training_jobs, tally and training_report serve it
shortest_tick       ``tick.us = "auto"``; search, search_space, search_trial: ``chipsim search``
evaluation          ``evaluate``, on the chip or off it
=================== ==============================================================================

``kernels``, ``losses`` and ``optimisers`` compute; ``programs`` and ``exchange`` run on PEs;
``offchip`` needs no chip; ``data`` and ``experiments`` are data sets, and studies with their files.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from eventprop_apps.evaluation import evaluate
    from eventprop_apps.losses.ttfs import TTFSLoss
    from eventprop_apps.offchip.evaluate import Evaluation

__all__ = ["Evaluation", "TTFSLoss", "evaluate"]

_PLACES = {
    "Evaluation": "eventprop_apps.offchip.evaluate",
    "TTFSLoss": "eventprop_apps.losses.ttfs",
    "evaluate": "eventprop_apps.evaluation",
}


def __getattr__(name: str) -> Any:
    """Load a public name on first use: `chipsim validate` needs the schema, not the simulator."""
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_PLACES[name]), name)
    globals()[name] = value
    return value
