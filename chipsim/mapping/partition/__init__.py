"""Neuron graphs into PE-sized vertices, under limits of SRAM, fan-in, keys and cycles.

A partitioner is a function ``partition(neurons, limits, rng)`` that returns the part of every
neuron (int array); :func:`partition_neurons` calls one, checks what it returns, and makes the
application that placers take: a vertex per part, and a net per part to all parts that any of its
neurons reach, as one key block per core has it.

>>> from chipsim.mapping.generators import generate
>>> neurons = Neurons.of(generate("ff:n=12,layers=3"))
>>> made = partition_neurons(neurons, Limits(neurons=4), "sequential")
>>> [(str(v.name), v.sram_bytes["synapses"]) for v in made.vertices]
[('part0', 0), ('part1', 64), ('part2', 64)]
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from chipsim import seeds
from chipsim.errors import MappingError
from chipsim.machine.model import Machine
from chipsim.mapping import budget, strategies
from chipsim.mapping.application import Application, Name, Net, Vertex
from chipsim.mapping.generators import PHASE

Parts: TypeAlias = NDArray[np.int64]
"""The part of every neuron: int, shape (neurons,), numbers 0 to parts - 1, each in use."""

NO_LIMIT = 1 << 62


@dataclass(frozen=True)
class Neurons:
    """A graph of neurons, as arrays.

    Attributes
    ----------
    name : str
    names : tuple of hashable
        What the neurons are called.
    source, target : ndarray of int64, shape (synapses,)
        Neurons that each synapse joins, sorted by target, then source.
    rate : ndarray of float64, shape (neurons,)
        Spikes per tick.
    """

    name: str
    names: tuple[Name, ...]
    source: NDArray[np.int64]
    target: NDArray[np.int64]
    rate: NDArray[np.float64]

    @classmethod
    def of(cls, application: Application) -> Neurons:
        """Take an application's vertices as neurons, its nets as their axons.

        A neuron's rate is the greatest weight of its nets.
        """
        index = {vertex.name: i for i, vertex in enumerate(application.vertices)}
        rate = np.zeros(len(index))
        pairs: set[tuple[int, int]] = set()
        for net in application.nets:
            at = index[net.source]
            rate[at] = max(rate[at], net.weight())
            pairs.update((index[sink], at) for sink in net.sinks)
        ordered = np.array(sorted(pairs), dtype=np.int64).reshape(-1, 2)
        return cls(
            application.name,
            tuple(index),
            np.ascontiguousarray(ordered[:, 1]),
            np.ascontiguousarray(ordered[:, 0]),
            rate,
        )

    def __len__(self) -> int:
        return len(self.names)

    @cached_property
    def first(self) -> NDArray[np.int64]:
        """Where the synapses of each target begin, int64 of shape (neurons + 1,)."""
        return np.searchsorted(self.target, np.arange(len(self) + 1)).astype(np.int64)

    @cached_property
    def by_source(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Where the synapses of each source begin, and their targets in that order."""
        order = np.argsort(self.source, kind="stable")
        begin = np.searchsorted(self.source[order], np.arange(len(self) + 1))
        return begin.astype(np.int64), np.ascontiguousarray(self.target[order])

    @cached_property
    def events(self) -> NDArray[np.float64]:
        """Synaptic events per tick that each neuron receives, float64 of shape (neurons,)."""
        found = np.bincount(self.target, self.rate[self.source], minlength=len(self))
        return found.astype(np.float64)


@dataclass(frozen=True)
class Limits:
    """What a part may take of its PE, and what neurons cost.

    Attributes
    ----------
    neurons : int
        Neurons of a part: its net's keys, rounded up to a power of two.
    fan_in : int
        Different neurons that send to a part: rows of its table of sources.
    sram_bytes : int
        Data memory of a part.
    cycles_per_tick : float
        PE cycles that a part may take in a tick.
    bytes_per_neuron, bytes_per_synapse : int
        State and one synapse [byte].
    cycles_per_neuron, cycles_per_event : float
        Update of a neuron, and a synaptic event [PE cycles].
    """

    neurons: int = NO_LIMIT
    fan_in: int = NO_LIMIT
    sram_bytes: int = NO_LIMIT
    cycles_per_tick: float = float("inf")
    bytes_per_neuron: int = 16
    bytes_per_synapse: int = 4
    cycles_per_neuron: float = 50.0
    cycles_per_event: float = 10.0

    def __post_init__(self) -> None:
        problems = [
            f"{name} is {value}; expected at least {least}"
            for name, least in _LEAST.items()
            if not (value := getattr(self, name)) >= least
        ]
        if problems:
            raise MappingError("limits of a partition", problems)

    @classmethod
    def of_machine(cls, machine: Machine, **more: Any) -> Limits:
        """Return limits with the data memory that a machine's PEs leave to applications."""
        data = budget.memory(machine).data
        return cls(**({} if data is None else {"sram_bytes": data}) | more)

    def numbers(self) -> NDArray[np.float64]:
        """Return limits and costs for compiled code: float64 of shape (8,), in field order."""
        return np.array([getattr(self, name) for name in _LEAST], dtype=np.float64)


_LEAST = {
    "neurons": 1,
    "fan_in": 1,
    "sram_bytes": 1,
    "cycles_per_tick": 0,
    "bytes_per_neuron": 0,
    "bytes_per_synapse": 0,
    "cycles_per_neuron": 0,
    "cycles_per_event": 0,
}


@dataclass(frozen=True)
class Usage:
    """What every part takes, in the order of parts.

    Attributes
    ----------
    neurons, fan_in, sram_bytes : ndarray of int64; cycles_per_tick : ndarray of float64
        Shape (parts,).
    """

    neurons: NDArray[np.int64]
    fan_in: NDArray[np.int64]
    sram_bytes: NDArray[np.int64]
    cycles_per_tick: NDArray[np.float64]


def usage(neurons: Neurons, limits: Limits, parts: Parts) -> Usage:
    """Return what every part takes; counted with sets, apart from what partitioners do."""
    count = int(parts.max()) + 1 if len(parts) else 0
    sources: list[set[int]] = [set() for _ in range(count)]
    synapses = np.zeros(count, dtype=np.int64)
    part_of = parts.tolist()
    for source, target in zip(neurons.source.tolist(), neurons.target.tolist(), strict=True):
        sources[part_of[target]].add(source)
        synapses[part_of[target]] += 1
    size = np.bincount(parts, minlength=count).astype(np.int64)
    return Usage(
        size,
        np.array([len(found) for found in sources], dtype=np.int64),
        size * limits.bytes_per_neuron + synapses * limits.bytes_per_synapse,
        size * limits.cycles_per_neuron
        + np.bincount(parts, neurons.events, minlength=count) * limits.cycles_per_event,
    )


def check_parts(neurons: Neurons, limits: Limits, parts: object, by: str = "") -> Parts:
    """Return a partitioner's result as int64, or raise.

    Raises
    ------
    MappingError
        Naming everything that is wrong: form, length, unused numbers, and every part beyond a
        limit, with what it takes.
    """
    subject = f"partition of {neurons.name!r}" + (f" ({by})" if by else "")
    array = np.asarray(parts)
    if array.shape != (len(neurons),) or array.dtype.kind not in "iu":
        raise MappingError(
            subject,
            [
                f"got {array.dtype} of shape {array.shape}; expected the part of every neuron: "
                f"integers of shape ({len(neurons)},)"
            ],
        )
    found = array.astype(np.int64)
    used = np.unique(found)
    if len(used) and (used[0] != 0 or used[-1] != len(used) - 1):
        raise MappingError(
            subject,
            [f"parts are numbered {used[0]} to {used[-1]}, {len(used)} of them; expected 0, 1, …"],
        )
    takes = usage(neurons, limits, found)
    problems = [
        f"part {part} takes {value:g} {what}, the limit is {limit:g}"
        for what, column, limit in (
            ("neurons", takes.neurons, limits.neurons),
            ("different sources (fan-in)", takes.fan_in, limits.fan_in),
            ("bytes of SRAM", takes.sram_bytes, limits.sram_bytes),
            ("cycles per tick", takes.cycles_per_tick, limits.cycles_per_tick),
        )
        for part, value in enumerate(column.tolist())
        if value > limit
    ]
    if problems:
        raise MappingError(subject, problems)
    return found


def require_fit(neurons: Neurons, limits: Limits) -> None:
    """Refuse limits that a single neuron exceeds.

    Raises
    ------
    MappingError
        Naming the neurons, a few of many.
    """
    alone = usage(neurons, limits, np.arange(len(neurons)))
    problems = []
    for what, column, limit in (
        ("different sources (fan-in)", alone.fan_in, limits.fan_in),
        ("bytes of SRAM", alone.sram_bytes, limits.sram_bytes),
        ("cycles per tick", alone.cycles_per_tick, limits.cycles_per_tick),
    ):
        over = np.flatnonzero(column > limit)
        if len(over):
            worst = over[int(column[over].argmax())]
            problems.append(
                f"{len(over)} neurons alone take more {what} than the limit of {limit:g}, neuron "
                f"{neurons.names[worst]!r} with {column[worst]:g} the most; raise the limit"
            )
    if problems:
        raise MappingError(f"partition of {neurons.name!r}", problems)


def traffic(neurons: Neurons, parts: Parts) -> float:
    """Return the spikes per tick that leave a part, once for each other part they must reach."""
    pairs = np.unique(np.stack((neurons.source, parts[neurons.target])), axis=1)
    crossing = parts[pairs[0]] != pairs[1]
    return float(neurons.rate[pairs[0][crossing]].sum())


def partition_neurons(
    neurons: Neurons,
    limits: Limits,
    partitioner: str | strategies.Partitioner = "sequential",
    seed: int = 0,
) -> Application:
    """Partition, check, and return the application of parts.

    Parameters
    ----------
    neurons : Neurons
    limits : Limits
    partitioner : str or callable
    seed : int

    Returns
    -------
    Application
        Vertices ``part0``, ``part1``, … and a multicast net for each that sends, of the same name,
        with the sum of its neurons' rates as weight and keys for all its neurons.

    Raises
    ------
    MappingError
        If a neuron alone exceeds a limit, or the partitioner's result does.
    """
    require_fit(neurons, limits)
    function = strategies.partitioner(partitioner)
    who = partitioner if isinstance(partitioner, str) else getattr(function, "__qualname__", "?")
    made = function(neurons, limits, seeds.rng(seed, "mapping", "partition"))
    parts = check_parts(neurons, limits, made, f"partitioner {who!r}")
    takes = usage(neurons, limits, parts)
    synapses = np.bincount(parts[neurons.target], minlength=len(takes.neurons))
    vertices = [
        Vertex(
            f"part{i}",
            {
                "neurons": int(takes.neurons[i]) * limits.bytes_per_neuron,
                "synapses": int(synapses[i]) * limits.bytes_per_synapse,
            },
            cycles_per_tick=float(takes.cycles_per_tick[i]),
        )
        for i in range(len(takes.neurons))
    ]
    reached: dict[int, set[int]] = {}
    pairs = np.unique(np.stack((parts[neurons.source], parts[neurons.target])), axis=1)
    for source, target in pairs.T.tolist():
        reached.setdefault(source, set()).add(target)
    sends = np.bincount(parts, neurons.rate, minlength=len(vertices))
    nets = [
        Net(
            f"part{source}",
            f"part{source}",
            tuple(f"part{target}" for target in sorted(targets)),
            key_bits=max(0, int(takes.neurons[source]) - 1).bit_length(),
            packets_per_tick={PHASE: float(sends[source])},
        )
        for source, targets in sorted(reached.items())
    ]
    return Application(neurons.name, tuple(vertices), tuple(nets), "router_multicast")
