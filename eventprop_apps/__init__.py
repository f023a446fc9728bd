"""What runs on the chip: spiking networks trained with EventProp."""

from __future__ import annotations

from eventprop_apps.evaluate import evaluate
from eventprop_apps.losses.ttfs import TTFSLoss
from eventprop_apps.offchip.evaluate import Evaluation

__all__ = ["Evaluation", "TTFSLoss", "evaluate"]
