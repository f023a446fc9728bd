"""Optimisers: how summed gradients change the weights."""

from eventprop_apps.optimisers.adam import Adam, AdamSettings, sum_replicas
from eventprop_apps.optimisers.adamw import AdamW, AdamWSettings
from eventprop_apps.optimisers.api import Optimiser, OptimiserSettings
from eventprop_apps.optimisers.clip import add_squares, clip_factor, clip_gradient
from eventprop_apps.optimisers.schedules import Constant, Cosine, Exponential, Schedule, Step
from eventprop_apps.optimisers.sgd import SGD, SGDSettings

__all__ = [
    "SGD",
    "Adam",
    "AdamSettings",
    "AdamW",
    "AdamWSettings",
    "Constant",
    "Cosine",
    "Exponential",
    "Optimiser",
    "OptimiserSettings",
    "SGDSettings",
    "Schedule",
    "Step",
    "add_squares",
    "clip_factor",
    "clip_gradient",
    "sum_replicas",
]
