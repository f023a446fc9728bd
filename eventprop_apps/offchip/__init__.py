"""The same kernels without a chip: for prototyping, search and hybrid training."""

from eventprop_apps.offchip.batch import BatchResult, run_batch
from eventprop_apps.offchip.checkpoint import load_checkpoint, save_checkpoint, train
from eventprop_apps.offchip.evaluate import Evaluation, evaluate_offchip
from eventprop_apps.offchip.network import OffchipNetwork
from eventprop_apps.offchip.trainer import EpochRecord, Trainer, TrainSettings
from eventprop_apps.offchip.weights import load_weights, save_weights

__all__ = [
    "BatchResult",
    "EpochRecord",
    "Evaluation",
    "OffchipNetwork",
    "TrainSettings",
    "Trainer",
    "evaluate_offchip",
    "load_checkpoint",
    "load_weights",
    "run_batch",
    "save_checkpoint",
    "save_weights",
    "train",
]
