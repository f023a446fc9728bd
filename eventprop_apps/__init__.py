"""What runs on the chip: spiking networks trained with EventProp."""

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
