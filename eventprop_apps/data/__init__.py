"""Data sets, their encoding as spikes, and initial weights."""

from eventprop_apps.data.batches import batches
from eventprop_apps.data.dataset import Dataset, SpikeEvents
from eventprop_apps.data.init import initial_weights
from eventprop_apps.data.yinyang import encode_latency, yinyang

__all__ = [
    "Dataset",
    "SpikeEvents",
    "batches",
    "encode_latency",
    "initial_weights",
    "yinyang",
]
