"""Optimisers: how summed gradients change the weights."""

from eventprop_apps.optimisers.adam import Adam, AdamSettings, sum_replicas

__all__ = ["Adam", "AdamSettings", "sum_replicas"]
