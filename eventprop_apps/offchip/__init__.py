"""The same kernels without a chip: for prototyping, search and hybrid training.

=================== ==============================================================================
passes              all steps of a plain layer in one call
general, readout    the same where it is recurrent, regularised or in slices; of a read-out
network, batch      all layers of a network; a batch with its loss
evaluate            the off-chip back end of ``evaluate``
trainer             training; checkpoint and weights are its files
=================== ==============================================================================
"""

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
