"""How many PEs each layer needs: what its programs take of SRAM and of a tick decides.

A layer gets the fewest parts with which every PE's regions fit its data memory, with room to
record `RECORDS_PER_NEURON` spikes of each neuron a sample, and, where a limit is given, the
expected work of a tick fits that. The user may fix the numbers instead; the run enforces SRAM
either way. A layer that the model splits by inputs gets the fewest slices with which they fit; its
neurons lie on one more PE, which has to fit as well.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from chipsim.errors import MappingError
from chipsim.sim.costs import Cost
from eventprop_apps.keys import CurrentKey
from eventprop_apps.memory import layer_regions, neurons_regions
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
    """Return the number of PEs with weights of each layer: parts, or slices.

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
    fit = _Fit(model, records, limit_bytes, costs, max_cycles, expected)
    chosen = []
    for layer, parts in enumerate(asked):
        if parts:
            chosen.append(parts)
            continue
        found = fit.fewest(layer)
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
    inputs = traffic.inputs(model, layer, block.lines)
    own = traffic.spikes[layer + 1] / model.steps * neurons / model.sizes[layer + 1]
    per_input = cost["spike_decode"] + cost["input_record"] + neurons * cost["synaptic_event"]
    answered = neurons * (cost["gradient_update"] + (cost["error_term"] if layer else 0))
    backward = neurons * cost["adjoint_update"] + inputs * answered
    if block.sliced:
        jumps = own * (cost["spike_decode"] + cost["jump_add"])
        return float(max(inputs * per_input, backward + jumps))
    forward = neurons * cost["neuron_update"] + inputs * per_input + own * cost["spike_record"]
    return float(max(forward, backward + _answers(own, parts, cost)))


def neurons_cycles_per_tick(
    model: Model, layer: int, parts: int, costs: Mapping[str, Cost], traffic: Traffic
) -> float:
    """Return the expected cycles of the neurons of a layer in slices; as `cycles_per_tick`."""
    cost = {name: row.cycles for name, row in costs.items()}
    neurons = model.sizes[layer + 1]
    own = traffic.spikes[layer + 1] / model.steps
    key = CurrentKey(neurons, model.numbers_per_packet)
    packets = key.groups * sum(
        traffic.busy_share(model, layer, block.lines)
        for block in blocks(model, model.counts)
        if block.layer == layer
    )
    received = packets * (cost["spike_decode"] + key.width * cost["current_add"])
    forward = neurons * cost["neuron_update"] + received + own * cost["spike_record"]
    backward = neurons * cost["adjoint_update"] + _answers(own, parts, cost)
    return float(max(forward, backward))


def _answers(own: float, parts: int, cost: Mapping[str, float]) -> float:
    """Return the cycles of the errors that answer ``own`` spikes, and of the jumps they cause."""
    return own * (cost["adjoint_jump"] + parts * (cost["spike_decode"] + cost["error_lookup"]))


@dataclass(frozen=True)
class _Fit:
    """What a layer's programs may take; see `choose_parts`."""

    model: Model
    records: Sequence[int]
    limit: int
    costs: Mapping[str, Cost] | None
    max_cycles: float | None
    traffic: Traffic

    def fewest(self, layer: int) -> int | str:
        """Return the fewest parts or slices of a layer that fit, or what is missing."""
        sliced = self.model.sliced(layer)
        most = self.model.shape(layer)[1 if sliced else 0]
        found = _least(most, lambda count: self._problem(layer, count))
        if sliced:
            return self._with_neurons(layer, found)
        if isinstance(found, str):
            return f"{found}; {self._by_inputs(layer)}"
        return found

    def _with_neurons(self, layer: int, slices: int | str) -> int | str:
        """Return the number of slices, or what does not fit: they, or the neurons' own PE."""
        if isinstance(slices, str):
            return f"{slices}; use fewer neurons or time steps"
        if problem := self._neurons_problem(layer, slices):
            return problem
        return slices

    def _by_inputs(self, layer: int) -> str:
        """Say what a split by inputs would do for a layer that no split by neurons makes fit."""
        sliced = [0] * self.model.layers
        sliced[layer] = 1
        other = replace(self, model=replace(self.model, slices=tuple(sliced)))
        found = other.fewest(layer)
        if isinstance(found, str):
            return f"and no split by inputs makes it fit either: {found}"
        return (
            'no split by neurons makes it fit; model.split = "inputs" does, a network whose spikes '
            f"act a step later, on {found + 1} PEs; or use fewer input lines or time steps"
        )

    def _problem(self, layer: int, count: int) -> str:
        """Say what does not fit with ``count`` parts of a layer; empty where all does."""
        counts = [1] * self.model.layers
        counts[layer] = count
        own = [b for b in blocks(self.model, counts) if b.layer == layer]
        largest = max(own, key=lambda b: b.size)
        each = f"{largest.shape[0]} neurons"
        if largest.sliced:
            each = f"{largest.shape[1]} input lines of {largest.shape[0]} neurons"
        kind = ("slice" if largest.sliced else "part") + ("s" if count > 1 else "")
        what = f"layer {layer} in {count} {kind} of up to {each}"
        regions = layer_regions(self.model, largest, self.records)
        return self._too_large(what, regions) or self._too_long(
            what, lambda costs: cycles_per_tick(self.model, largest, 1, costs, self.traffic)
        )

    def _neurons_problem(self, layer: int, slices: int) -> str:
        """Say what does not fit of the PE with the neurons of a layer in slices."""
        counts = list(self.model.slices)
        counts[layer] = slices
        model = replace(self.model, slices=tuple(counts))
        what = f"layer {layer}: the PE with its {model.sizes[layer + 1]} neurons"
        regions = neurons_regions(model, layer, self.records[layer + 1])
        return self._too_large(what, regions) or self._too_long(
            what, lambda costs: neurons_cycles_per_tick(model, layer, 1, costs, self.traffic)
        )

    def _too_large(self, what: str, regions: Mapping[str, int]) -> str:
        need = sum(regions.values())
        if need <= self.limit:
            return ""
        listed = ", ".join(f"{name} {size}" for name, size in regions.items())
        return f"{what} wants {need} bytes of data memory, a PE has {self.limit}: {listed}"

    def _too_long(self, what: str, work: Callable[[Mapping[str, Cost]], float]) -> str:
        if self.max_cycles is None or self.costs is None:
            return ""
        cycles = work(self.costs)
        if cycles <= self.max_cycles:
            return ""
        return (
            f"{what} takes {cycles:.0f} cycles a tick, the limit is {self.max_cycles:.0f}; "
            "allow a longer tick, or use fewer input lines"
        )


def _least(most: int, problem: Callable[[int], str]) -> int | str:
    """Return the least count up to ``most`` without a problem, or the problem of the largest."""
    if found := problem(most):
        return found
    low, high = 1, most
    while low < high:  # more parts never take more
        middle = (low + high) // 2
        if problem(middle):
            low = middle + 1
        else:
            high = middle
    return low


def _least_records(model: Model, input_capacity: int, wanted: int) -> list[int]:
    per_neuron = min(wanted, model.steps)
    return [input_capacity, *(per_neuron * size for size in model.sizes[1:])]


def _wrong_parts(model: Model, parts: Sequence[int]) -> list[str]:
    if len(parts) != model.layers:
        return [f"parts: got {len(parts)} numbers, expected {model.layers}, one for each layer"]
    problems = []
    for layer, count in enumerate(parts):
        sliced = model.sliced(layer)
        most = model.shape(layer)[1 if sliced else 0]
        if not 0 <= count <= most:
            what = "input lines, of which each slice has one or more" if sliced else "neurons"
            problems.append(
                f"parts: got {count} for layer {layer}, expected 1 to {most}, its {what} (0: as "
                "many as needed)"
            )
    return problems
