"""Losses: what the loss program computes from output spikes and labels."""

from eventprop_apps.losses.ttfs import (
    TTFSLoss,
    first_spike_errors,
    note_first_spikes,
    predictions,
)

__all__ = ["TTFSLoss", "first_spike_errors", "note_first_spikes", "predictions"]
