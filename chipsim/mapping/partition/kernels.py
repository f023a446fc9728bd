"""Compiled parts of partitioners: filling parts along an order, matching, and moving neurons.

``numbers`` are a :class:`chipsim.mapping.partition.Limits` as eight floats in field order: limits
of neurons, fan-in, bytes and cycles, then costs in bytes and cycles.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from chipsim.compiled import compiled

I64 = NDArray[np.int64]
F64 = NDArray[np.float64]


@compiled
def fill(
    order: NDArray[np.int64],
    first: NDArray[np.int64],
    source: NDArray[np.int64],
    events: NDArray[np.float64],
    numbers: NDArray[np.float64],
) -> NDArray[np.int64]:
    """Return parts: neurons in an order, a new part whenever a limit would be passed.

    O(neurons + synapses).
    """
    count = len(order)
    part = np.full(count, -1, dtype=np.int64)
    seen = np.full(count, -1, dtype=np.int64)
    now, neurons, fan_in, nbytes, cycles = -1, 0, 0, 0.0, 0.0
    for neuron in order:
        synapses = first[neuron + 1] - first[neuron]
        own_bytes = numbers[4] + synapses * numbers[5]
        own_cycles = numbers[6] + events[neuron] * numbers[7]
        new = 0
        for s in range(first[neuron], first[neuron + 1]):
            new += seen[source[s]] != now
        full = (
            now < 0
            or neurons + 1 > numbers[0]
            or fan_in + new > numbers[1]
            or nbytes + own_bytes > numbers[2]
            or cycles + own_cycles > numbers[3]
        )
        if full:
            now += 1
            neurons, fan_in, nbytes, cycles, new = 0, 0, 0.0, 0.0, synapses
        for s in range(first[neuron], first[neuron + 1]):
            seen[source[s]] = now
        neurons += 1
        fan_in += new
        nbytes += own_bytes
        cycles += own_cycles
        part[neuron] = now
    return part


@compiled
def match(
    first: NDArray[np.int64],
    neighbour: NDArray[np.int64],
    weight: NDArray[np.float64],
    size: NDArray[np.float64],
    most: float,
    order: NDArray[np.int64],
) -> NDArray[np.int64]:
    """Return each node's partner (itself where it has none): heaviest free edges, in an order.

    Weights count relative to the product of sizes, so that small clusters join first. Two nodes
    stay apart where together they were larger than ``most``. O(edges).
    """
    partner = np.full(len(size), -1, dtype=np.int64)
    for node in order:
        if partner[node] >= 0:
            continue
        best, value = node, 0.0
        for e in range(first[node], first[node + 1]):
            other = neighbour[e]
            if other == node or partner[other] >= 0 or size[node] + size[other] > most:
                continue
            worth = weight[e] / (size[node] * size[other])
            if worth > value or (worth == value and other < best):
                best, value = other, worth
        partner[node] = best
        partner[best] = node
    return partner


@compiled
def refine(
    part: NDArray[np.int64],
    parts: int,
    first: NDArray[np.int64],
    source: NDArray[np.int64],
    begin: NDArray[np.int64],
    target: NDArray[np.int64],
    rate: NDArray[np.float64],
    events: NDArray[np.float64],
    numbers: NDArray[np.float64],
    order: NDArray[np.int64],
    passes: int,
) -> NDArray[np.int64]:
    """Move neurons to the part of a neighbour while that lowers the spikes between parts.

    The cost is the sum over neurons of rate × parts other than its own that it reaches. A move is
    made only within all limits. O(passes × synapses × parts tried per neuron).
    """
    count = len(part)
    reach = np.zeros((parts, count), dtype=np.int32)  # synapses from a neuron into a part
    takes = np.zeros((parts, 4))
    for neuron in range(count):
        at = part[neuron]
        for s in range(first[neuron], first[neuron + 1]):
            takes[at, 1] += reach[at, source[s]] == 0
            reach[at, source[s]] += 1
        _take(takes, at, neuron, 1.0, first, events, numbers)
    tried = np.full(parts, -1, dtype=np.int64)
    mark = 0
    for _ in range(passes):
        moved = 0
        for neuron in order:
            here = part[neuron]
            if takes[here, 0] == 1:
                continue  # a part stays in use, so that numbers need no change
            mark += 1
            tried[here] = mark
            best, gain = -1, 1e-9
            for side in range(2):
                start, stop = first[neuron], first[neuron + 1]
                if side == 1:
                    start, stop = begin[neuron], begin[neuron + 1]
                for s in range(start, stop):
                    there = part[source[s]] if side == 0 else part[target[s]]
                    if tried[there] == mark:
                        continue
                    tried[there] = mark
                    worth = _gain(neuron, here, there, part, reach, first, source, rate)
                    if worth > gain and _fits(
                        neuron, there, reach, takes, first, source, events, numbers
                    ):
                        best, gain = there, worth
            if best >= 0:
                _move(neuron, here, best, part, reach, takes, first, source, events, numbers)
                moved += 1
        if moved == 0:
            break
    return part


@compiled
def _take(
    takes: NDArray[np.float64],
    part: int,
    neuron: int,
    sign: float,
    first: NDArray[np.int64],
    events: NDArray[np.float64],
    numbers: NDArray[np.float64],
) -> None:
    synapses = first[neuron + 1] - first[neuron]
    takes[part, 0] += sign
    takes[part, 2] += sign * (numbers[4] + synapses * numbers[5])
    takes[part, 3] += sign * (numbers[6] + events[neuron] * numbers[7])


@compiled
def _gain(
    neuron: int,
    here: int,
    there: int,
    part: NDArray[np.int64],
    reach: NDArray[np.int32],
    first: NDArray[np.int64],
    source: NDArray[np.int64],
    rate: NDArray[np.float64],
) -> float:
    """Return by how much a move lowers the spikes between parts."""
    gain = 0.0
    own = 0  # synapses onto itself move along
    for s in range(first[neuron], first[neuron + 1]):
        other = source[s]
        if other == neuron:
            own += 1
            continue
        if part[other] != here and reach[here, other] == 1:
            gain += rate[other]
        if part[other] != there and reach[there, other] == 0:
            gain -= rate[other]
    if reach[there, neuron] > 0:
        gain += rate[neuron]
    if reach[here, neuron] - own > 0:
        gain -= rate[neuron]
    return gain


@compiled
def _fits(
    neuron: int,
    there: int,
    reach: NDArray[np.int32],
    takes: NDArray[np.float64],
    first: NDArray[np.int64],
    source: NDArray[np.int64],
    events: NDArray[np.float64],
    numbers: NDArray[np.float64],
) -> bool:
    new = 0
    for s in range(first[neuron], first[neuron + 1]):
        new += reach[there, source[s]] == 0
    synapses = first[neuron + 1] - first[neuron]
    return bool(
        takes[there, 0] + 1 <= numbers[0]
        and takes[there, 1] + new <= numbers[1]
        and takes[there, 2] + numbers[4] + synapses * numbers[5] <= numbers[2]
        and takes[there, 3] + numbers[6] + events[neuron] * numbers[7] <= numbers[3]
    )


@compiled
def _move(
    neuron: int,
    here: int,
    there: int,
    part: NDArray[np.int64],
    reach: NDArray[np.int32],
    takes: NDArray[np.float64],
    first: NDArray[np.int64],
    source: NDArray[np.int64],
    events: NDArray[np.float64],
    numbers: NDArray[np.float64],
) -> None:
    for s in range(first[neuron], first[neuron + 1]):
        other = source[s]
        reach[here, other] -= 1
        takes[here, 1] -= reach[here, other] == 0
        takes[there, 1] += reach[there, other] == 0
        reach[there, other] += 1
    _take(takes, here, neuron, -1.0, first, events, numbers)
    _take(takes, there, neuron, 1.0, first, events, numbers)
    part[neuron] = there
