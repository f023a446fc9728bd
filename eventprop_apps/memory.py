"""What each program needs of its PE's SRAM, by region, in bytes.

The regions are those that the programs really use: a budget that does not fit is refused when
mapping, and enforced when the simulation starts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from eventprop_apps.exchange.options import ExchangeOptions, State
from eventprop_apps.exchange.pieces import ALIGN, CHUNK_WORDS, cut
from eventprop_apps.exchange.tree import TREE_READS
from eventprop_apps.model import Model
from eventprop_apps.names import optimiser_name
from eventprop_apps.partition import Block, blocks, neurons_block

SPIKE_RECORD_BYTES = 4
"""Neuron and step of a recorded spike, 16 bit each; Vdot and error come on top."""
MOST_SHARDS = 64
"""Optimiser PEs that advice goes up to."""


def default_records(
    model: Model, input_capacity: int, pieces: Sequence[Block], limit: int
) -> list[int]:
    """Return the spikes of a sample that can be recorded: of the input, then of each layer.

    One per neuron and time step where the SRAM holds that, else as many as fit beside the rest;
    a record that overflows ends the run, so the choice never changes a result.
    """
    number = model.dtype.itemsize
    spike = SPIKE_RECORD_BYTES + 2 * number
    fixed = [
        max(_fixed(model, block) for block in pieces if block.layer == layer)
        for layer in range(model.layers)
    ]
    records = [input_capacity]
    for layer in range(model.layers):
        if model.sliced(layer):
            records.append(_sliced_records(model, layer, records[-1], fixed, limit))
            continue
        room = limit - fixed[layer] - SPIKE_RECORD_BYTES * records[-1]
        own = SPIKE_RECORD_BYTES * model.recurrent[layer]
        fits = [model.sizes[layer + 1] * model.steps]
        largest = max(b.stop - b.first for b in pieces if b.layer == layer) * model.steps
        if spike * largest + own * fits[0] > room:
            fits.append(room // (spike + own))
        if layer + 1 < model.layers:  # the next layer records them as well: half of its room
            fits.append((limit - fixed[layer + 1]) // (2 * SPIKE_RECORD_BYTES))
        records.append(max(1, min(fits)))
    return records


def _sliced_records(model: Model, layer: int, below: int, fixed: Sequence[int], limit: int) -> int:
    """Return the spikes of a layer in slices that fit its neurons' PE, and all that hear them."""
    spike = SPIKE_RECORD_BYTES + 2 * model.dtype.itemsize
    room = limit - sum(neurons_regions(model, layer, 0).values())
    fits = [model.sizes[layer + 1] * model.steps, room // spike]
    if model.recurrent[layer]:
        fits.append((limit - fixed[layer]) // SPIKE_RECORD_BYTES - below)
    if layer + 1 < model.layers:
        fits.append((limit - fixed[layer + 1]) // (2 * SPIKE_RECORD_BYTES))
    return max(1, min(fits))


def _fixed(model: Model, block: Block) -> int:
    """Return the bytes of a block's weights, gradient and state, and of a read-out's values."""
    number = model.dtype.itemsize
    if block.sliced:
        return 2 * block.size * number + 3 * block.shape[0] * number
    values = 0 if model.spikes(block.layer) else _readout_bytes(model, block)
    return 2 * block.size * number + 4 * block.shape[0] * number + values


def _readout_bytes(model: Model, block: Block) -> int:
    """Return the bytes of y, its error, the step of a maximum, and the weights of steps."""
    number = model.dtype.itemsize
    return block.shape[0] * (2 * number + 4) + model.steps * number


def own_records(model: Model, block: Block, records: Sequence[int]) -> int:
    """Return the spikes of its own neurons that a block can record in a sample."""
    return min(records[block.layer + 1], block.shape[0] * model.steps)


def input_records(model: Model, block: Block, records: Sequence[int]) -> int:
    """Return the input spikes that a block can record: all of below, and of a recurrent layer.

    A slice hears its own lines only, each of them once a step.
    """
    own = records[block.layer + 1] if model.recurrent[block.layer] else 0
    every = records[block.layer] + own
    return min(every, block.shape[1] * model.steps) if block.sliced else every


def output_records(model: Model, records: Sequence[int]) -> int:
    """Return the output spikes that the loss keeps: none where it looks at first ones only."""
    return records[-1] if model.loss.reads == "spikes" else 0


def layer_regions(model: Model, block: Block, records: Sequence[int]) -> dict[str, int]:
    """Return regions and bytes of the program of one block."""
    number = model.dtype.itemsize
    if block.sliced:
        return {
            "weights": block.size * number,
            "gradient": block.size * number,
            "adjoint": 2 * block.shape[0] * number,
            "current": block.shape[0] * number,
            "input_record": input_records(model, block, records) * SPIKE_RECORD_BYTES,
        }
    regions = {
        "weights": block.size * number,
        "gradient": block.size * number,
        "state": 4 * block.shape[0] * number,
    }
    if model.spikes(block.layer):
        per_spike = SPIKE_RECORD_BYTES + 2 * number
        regions["spike_record"] = own_records(model, block, records) * per_spike
    else:
        regions["readout"] = _readout_bytes(model, block)
    regions["input_record"] = input_records(model, block, records) * SPIKE_RECORD_BYTES
    return regions


def neurons_regions(model: Model, layer: int, recorded: int) -> dict[str, int]:
    """Return regions and bytes of the neurons of a layer in slices, with ``recorded`` spikes."""
    number = model.dtype.itemsize
    block = neurons_block(model, layer)
    regions = {"state": 5 * block.shape[0] * number}
    if model.spikes(layer):
        regions["spike_record"] = recorded * (SPIKE_RECORD_BYTES + 2 * number)
    else:
        regions["readout"] = _readout_bytes(model, block)
    return regions


def budgets(
    model: Model,
    input_capacity: int,
    records: Sequence[int],
    outstanding: int,
    pieces: Sequence[Block] | None = None,
    exchange: ExchangeOptions | None = None,
    moments: int = 2,
) -> dict[str, dict[str, int]]:
    """Return regions and bytes of the roles ``input``, every block's name, ``loss``, optimisers.

    The neurons of a layer in slices are a role as well, with the layer's name.

    Parameters
    ----------
    model : Model
    input_capacity : int
        Input spikes that a sample can have.
    records : sequence of int
        Spikes that can be recorded: of the input, then of each layer.
    outstanding : int
        Gradient reads that the optimiser keeps under way.
    pieces : sequence of Block, optional
        One block a layer by default.
    exchange : ExchangeOptions, optional
        One optimiser PE by default.
    moments : int
        Numbers of optimiser state for each weight: 2 for Adam, 1 for SGD.
    """
    number = model.dtype.itemsize
    sample = 4 * (input_capacity + 1)
    outputs = model.sizes[-1]
    labels = model.loss.heads if model.loss.wants_values else 0
    target = 4 * (labels + max(1, outputs * model.word_count))
    roles = {
        "input": {"sample0": sample, "sample1": sample},
        "loss": {
            "target0": target,
            "target1": target,
            "first_spikes": 4 * outputs,
            "loss": outputs * number,
            "spikes": SPIKE_RECORD_BYTES * output_records(model, records),
        },
    }
    options = exchange or ExchangeOptions()
    held = blocks(model) if pieces is None else pieces
    for s, own in enumerate(cut(held, options.optimisers)):
        size = sum(piece.size for piece in own)
        roles[optimiser_name(s)] = optimiser_regions(size, number, moments, outstanding, options)
    for layer in range(model.layers):
        if model.sliced(layer):
            neurons = neurons_block(model, layer)
            recorded = own_records(model, neurons, records)
            roles[neurons.name] = neurons_regions(model, layer, recorded)
    for block in held:
        roles[block.name] = layer_regions(model, block, records)
        if options.strategy == "tree":
            roles[block.name]["read_buffers"] = tree_buffers(options)
    return roles


def optimiser_regions(
    size: int, number: int, moments: int, outstanding: int, options: ExchangeOptions
) -> dict[str, int]:
    """Return regions and bytes of an optimiser PE.

    Parameters
    ----------
    size : int
        Weights that it serves.
    number : int
        Bytes of a number.
    moments : int
        Numbers of state for each weight.
    outstanding : int
        Gradient reads under way.
    options : ExchangeOptions
    """
    held = size if options.state == "sram" else 4 * CHUNK_WORDS // number
    return {
        "weights": size * number,
        "sums": held * number,
        "moments": moments * held * number,
        "read_buffers": 4 * CHUNK_WORDS * outstanding,
    }


def tree_buffers(options: ExchangeOptions) -> int:
    """Return the bytes that a layer's PE needs for its part in a reduction tree."""
    return 4 * CHUNK_WORDS * TREE_READS if options.strategy == "tree" else 0


def optimiser_advice(
    sram: Mapping[str, Mapping[str, int]],
    pieces: Sequence[Block],
    limit: int,
    options: ExchangeOptions,
) -> list[str]:
    """Return what to do where an optimiser does not fit its PE; nothing where all do.

    Parameters
    ----------
    sram : mapping of role to regions
        From `budgets`.
    pieces : sequence of Block
    limit : int
        Bytes of a PE.
    options : ExchangeOptions
    """
    need, shard = max((sum(sram[optimiser_name(s)].values()), s) for s in range(options.optimisers))
    if need <= limit:
        return []
    regions = sram[optimiser_name(shard)]
    weights = sum(block.size for block in pieces)
    number = max(1, sum(sram[optimiser_name(s)]["weights"] for s in range(options.optimisers)))
    number //= weights
    moments = regions["moments"] // max(1, regions["sums"])
    outstanding = regions["read_buffers"] // (4 * CHUNK_WORDS)
    ways = []
    states: tuple[tuple[State, str], ...] = (
        ("sram", ""),
        ("dram", ' and train.optimiser_state = "dram"'),
    )
    for state, setting in states:
        for shards in range(1, MOST_SHARDS + 1):
            trial = ExchangeOptions("sharded", shards=shards, state=state)
            share = -(-weights // shards) + ALIGN
            if sum(optimiser_regions(share, number, moments, outstanding, trial).values()) <= limit:
                ways.append(f'train.exchange = "sharded" with train.shards >= {shards}{setting}')
                break
    return [
        f"{optimiser_name(shard)!r} needs {need} bytes, a PE has {limit}: take "
        + (", or ".join(ways) or "a smaller network")
    ]
