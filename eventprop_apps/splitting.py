"""How many PEs each layer needs: what its programs take of SRAM and of a tick decides.

A layer gets the fewest parts with which every PE's regions fit its data memory, with room to
record `RECORDS_PER_NEURON` spikes of each neuron a sample, and, where a limit is given, the
expected work of a tick fits that. The user may fix the numbers instead; the run enforces SRAM
either way.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from chipsim.errors import MappingError
from chipsim.sim.costs import Cost
from eventprop_apps.memory import layer_regions
from eventprop_apps.model import Model
from eventprop_apps.partition import Block, blocks
from eventprop_apps.traffic import Traffic

RECORDS_PER_NEURON = 2
"""Spikes a neuron and sample that a split must leave room for (assumed: untrained 5-120-3 networks
have 1.4); a PE records as many as fit beside the rest, and an overflow ends the run."""


def choose_parts(
    model: Model,
    input_capacity: int,
    limit_bytes: int,
    fixed: Sequence[int] = (),
    *,
    costs: Mapping[str, Cost] | None = None,
    max_cycles: float | None = None,
    traffic: Traffic | None = None,
    least_records: int | None = None,
) -> tuple[int, ...]:
    """Return the number of PEs of each layer.

    Parameters
    ----------
    model : Model
    input_capacity : int
        Input spikes that a sample can have.
    limit_bytes : int
        Data memory of a PE.
    fixed : sequence of int, optional
        Numbers set by the user, 0 for a layer to be decided; kept even where they do not fit.
    costs : mapping, optional
        Cycles of operations; needed with ``max_cycles``.
    max_cycles : float, optional
        Largest expected work of a PE in a tick [cycles].
    traffic : Traffic, optional
        Expected spikes.
    least_records : int, optional
        Spikes a neuron and sample that must fit, instead of `RECORDS_PER_NEURON`.

    Raises
    ------
    MappingError
        Naming each layer that no split makes fit, with its bytes by region or its cycles.
    """
    asked = tuple(fixed) or (0,) * model.layers
    problems = _wrong_parts(model, asked)
    if problems:
        raise MappingError("EventProp partition", problems)
    expected = traffic or Traffic.assumed(model)
    records = _least_records(model, input_capacity, least_records or RECORDS_PER_NEURON)
    chosen = []
    for layer, parts in enumerate(asked):
        if parts:
            chosen.append(parts)
            continue
        found = _fewest(model, layer, records, limit_bytes, costs, max_cycles, expected)
        if isinstance(found, str):
            problems.append(found)
        else:
            chosen.append(found)
    if problems:
        raise MappingError("EventProp partition", problems)
    return tuple(chosen)


def cycles_per_tick(
    model: Model, block: Block, parts: int, costs: Mapping[str, Cost], traffic: Traffic
) -> float:
    """Return the expected cycles of a block's busiest kind of tick, forward or backward.

    Parameters
    ----------
    model : Model
    block : Block
    parts : int
        Parts of the layer above, each of which answers every spike.
    costs : mapping
    traffic : Traffic
    """
    cost = {name: row.cycles for name, row in costs.items()}
    neurons = block.shape[0]
    layer = block.layer
    inputs = traffic.spikes[layer] / model.steps
    if model.recurrent[layer]:
        inputs += traffic.spikes[layer + 1] / model.steps
    own = traffic.spikes[layer + 1] / model.steps * neurons / model.sizes[layer + 1]
    per_input = cost["spike_decode"] + cost["input_record"] + neurons * cost["synaptic_event"]
    forward = neurons * cost["neuron_update"] + inputs * per_input + own * cost["spike_record"]
    answered = neurons * (cost["gradient_update"] + (cost["error_term"] if layer else 0))
    received = own * (cost["adjoint_jump"] + parts * (cost["spike_decode"] + cost["error_lookup"]))
    backward = neurons * cost["adjoint_update"] + inputs * answered + received
    return float(max(forward, backward))


def _fewest(
    model: Model,
    layer: int,
    records: Sequence[int],
    limit: int,
    costs: Mapping[str, Cost] | None,
    max_cycles: float | None,
    traffic: Traffic,
) -> int | str:
    """Return the fewest parts of a layer that fit, or what is missing."""
    neurons = model.sizes[layer + 1]
    low, high = 1, neurons
    problem = _problem(model, layer, high, records, limit, costs, max_cycles, traffic)
    if problem:
        return problem
    while low < high:  # more parts never take more
        middle = (low + high) // 2
        if _problem(model, layer, middle, records, limit, costs, max_cycles, traffic):
            low = middle + 1
        else:
            high = middle
    return low


def _problem(
    model: Model,
    layer: int,
    parts: int,
    records: Sequence[int],
    limit: int,
    costs: Mapping[str, Cost] | None,
    max_cycles: float | None,
    traffic: Traffic,
) -> str:
    """Say what does not fit with ``parts`` parts of a layer; empty where all does."""
    counts = [1] * model.layers
    counts[layer] = parts
    largest = max((b for b in blocks(model, counts) if b.layer == layer), key=lambda b: b.size)
    regions = layer_regions(model, largest, records)
    need = sum(regions.values())
    what = f"layer {layer} in {parts} part{'s' if parts > 1 else ''} of up to {largest.shape[0]} "
    if need > limit:
        listed = ", ".join(f"{name} {size}" for name, size in regions.items())
        return (
            f"{what}neurons wants {need} bytes of data memory, a PE has {limit}: {listed}; "
            "no split by neurons makes it fit, and one by inputs is not offered: use fewer input "
            "lines or time steps"
        )
    if max_cycles is not None and costs is not None:
        work = cycles_per_tick(model, largest, 1, costs, traffic)
        if work > max_cycles:
            return (
                f"{what}neurons takes {work:.0f} cycles a tick, the limit is {max_cycles:.0f}; "
                "allow a longer tick, or use fewer input lines"
            )
    return ""


def _least_records(model: Model, input_capacity: int, wanted: int) -> list[int]:
    per_neuron = min(wanted, model.steps)
    return [input_capacity, *(per_neuron * size for size in model.sizes[1:])]


def _wrong_parts(model: Model, parts: Sequence[int]) -> list[str]:
    if len(parts) != model.layers:
        return [f"parts: got {len(parts)} numbers, expected {model.layers}, one for each layer"]
    return [
        f"parts: got {count} for layer {layer}, expected 1 to {model.sizes[layer + 1]}, its "
        "neurons (0: as many as needed)"
        for layer, count in enumerate(parts)
        if not 0 <= count <= model.sizes[layer + 1]
    ]
