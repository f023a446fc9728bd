"""Data sets, their encoding as spikes, and initial weights."""

from eventprop_apps.data.batches import batches
from eventprop_apps.data.dataset import Dataset, SpikeEvents
from eventprop_apps.data.encode import encode_rate, encoded
from eventprop_apps.data.idx import load_idx, load_mnist, read_idx
from eventprop_apps.data.init import initial_weights
from eventprop_apps.data.randman import randman
from eventprop_apps.data.shd import SpikeLists, load_spike_lists, read_spike_lists
from eventprop_apps.data.small import digits, small_set
from eventprop_apps.data.yinyang import encode_latency, yinyang

__all__ = [
    "Dataset",
    "SpikeEvents",
    "SpikeLists",
    "batches",
    "digits",
    "encode_latency",
    "encode_rate",
    "encoded",
    "initial_weights",
    "load_idx",
    "load_mnist",
    "load_spike_lists",
    "randman",
    "read_idx",
    "read_spike_lists",
    "small_set",
    "yinyang",
]
