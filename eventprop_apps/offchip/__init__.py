"""The same kernels without a chip: for prototyping, search and hybrid training."""

from eventprop_apps.offchip.batch import BatchResult, OffchipNetwork, run_batch
from eventprop_apps.offchip.evaluate import Evaluation, evaluate_offchip
from eventprop_apps.offchip.trainer import EpochRecord, Trainer, TrainSettings

__all__ = [
    "BatchResult",
    "EpochRecord",
    "Evaluation",
    "OffchipNetwork",
    "TrainSettings",
    "Trainer",
    "evaluate_offchip",
    "run_batch",
]
