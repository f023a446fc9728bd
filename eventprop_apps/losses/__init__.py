"""Losses and regularisers: what output spikes, read-outs and a layer's own spikes cost."""

from eventprop_apps.losses.api import Loss, Outputs, ReadOutLoss, Targets
from eventprop_apps.losses.heads import Head, Heads
from eventprop_apps.losses.readout import ReadOutCrossEntropy
from eventprop_apps.losses.regularisers import Regulariser
from eventprop_apps.losses.spikes import SpikeCountCrossEntropy, SpikeCountMSE, SpikeTimeMSE
from eventprop_apps.losses.ttfs import (
    TTFSLoss,
    first_spike_errors,
    note_first_spikes,
    predictions,
)

__all__ = [
    "Head",
    "Heads",
    "Loss",
    "Outputs",
    "ReadOutCrossEntropy",
    "ReadOutLoss",
    "Regulariser",
    "SpikeCountCrossEntropy",
    "SpikeCountMSE",
    "SpikeTimeMSE",
    "TTFSLoss",
    "Targets",
    "first_spike_errors",
    "note_first_spikes",
    "predictions",
]
