"""What each program needs of its PE's SRAM, by region, in bytes.

The regions are those that the programs really use: a budget that does not fit is refused when
mapping, and enforced when the simulation starts.
"""

from __future__ import annotations

from eventprop_apps.exchange import CHUNK_WORDS
from eventprop_apps.model import Model

SPIKE_RECORD_BYTES = 4
"""Neuron and step of a recorded spike, 16 bit each; Vdot and error come on top."""


def default_records(model: Model, input_capacity: int, limit_bytes: int) -> list[int]:
    """Return the spikes that a PE records: of the input, then of each layer.

    One per neuron and time step where the SRAM holds that, else as many as fit beside the rest;
    a record that overflows ends the run, so the choice never changes a result.
    """
    number = model.dtype.itemsize
    fixed = [
        2 * out * into * number + 4 * out * number
        for out, into in map(model.shape, range(model.layers))
    ]
    records = [input_capacity]
    for layer in range(model.layers):
        room = limit_bytes - fixed[layer] - SPIKE_RECORD_BYTES * records[-1]
        fits = [model.sizes[layer + 1] * model.steps, room // (SPIKE_RECORD_BYTES + 2 * number)]
        if layer + 1 < model.layers:  # the next layer records them as well: half of its room
            fits.append((limit_bytes - fixed[layer + 1]) // (2 * SPIKE_RECORD_BYTES))
        records.append(max(1, min(fits)))
    return records


def budgets(
    model: Model, input_capacity: int, records: list[int], outstanding: int
) -> dict[str, dict[str, int]]:
    """Return regions and bytes of the roles ``input``, ``layer0`` …, ``loss``, ``optimiser``.

    Parameters
    ----------
    model : Model
    input_capacity : int
        Input spikes that a sample can have.
    records : list of int
        Spikes that a PE can record: of the input, then of each layer.
    outstanding : int
        Gradient reads that the optimiser keeps under way.
    """
    number = model.dtype.itemsize
    sample = 4 * (input_capacity + 1)
    outputs = model.sizes[-1]
    target = 4 * max(1, outputs * model.word_count)
    roles = {
        "input": {"sample0": sample, "sample1": sample},
        "loss": {
            "target0": target,
            "target1": target,
            "first_spikes": 4 * outputs,
            "loss": outputs * number,
        },
        "optimiser": {
            "weights": model.weights * number,
            "sums": model.weights * number,
            "moments": 2 * model.weights * number,
            "read_buffers": 4 * CHUNK_WORDS * outstanding,
        },
    }
    for layer in range(model.layers):
        out, into = model.shape(layer)
        roles[f"layer{layer}"] = {
            "weights": out * into * number,
            "gradient": out * into * number,
            "state": 4 * out * number,
            "spike_record": records[layer + 1] * (SPIKE_RECORD_BYTES + 2 * number),
            "input_record": records[layer] * SPIKE_RECORD_BYTES,
        }
    return roles
