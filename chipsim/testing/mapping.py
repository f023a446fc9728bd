"""A conformance suite for mapping strategies of one's own.

Each function runs a strategy on small machines of every family and on graphs of every shape, and
raises with all that it found; it returns nothing if all is well. Use it as a test:

>>> from chipsim.mapping.placement.hilbert import place
>>> check_placer(place)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache

import numpy as np

from chipsim import seeds
from chipsim.errors import ChipsimError, MappingError
from chipsim.machine.library import load_machine
from chipsim.machine.model import Machine
from chipsim.mapping.application import Application, Net, Vertex
from chipsim.mapping.crowd import with_pes_per_tile
from chipsim.mapping.generators import generate
from chipsim.mapping.mapping import map_application
from chipsim.mapping.partition import Limits, Neurons, check_parts, usage
from chipsim.mapping.strategies import Partitioner, Placer, Router

MACHINES: dict[str, Callable[[], Machine]] = {
    "spinnaker2": lambda: load_machine("spinnaker2"),
    "spinnaker2 with dead QPEs": lambda: load_machine(
        "spinnaker2", {"faults.qpes": [[2, 2], [6, 5]], "faults.pes": [[1, 1, 3]]}
    ),
    "mesh": lambda: load_machine("mesh-8x8"),
    "mesh with holes, 4 PEs a router": lambda: with_pes_per_tile(
        load_machine("mesh-5x4", {"floor.holes": [[1, 1], [3, 2]]}), 4
    ),
    "mesh that routes x first": lambda: load_machine("mesh-8x8", {"noc.routing": "xy"}),
    "torus, 2 PEs a router": lambda: with_pes_per_tile(load_machine("torus-6x5"), 2),
    "hexagonal torus, 4 PEs a router": lambda: with_pes_per_tile(load_machine("hex-torus-4x4"), 4),
    "spinnaker1 board": lambda: load_machine("spinnaker1-48"),
}
"""Machines of the suite, made when they are first used."""

GRAPHS = (
    "ff:n=16,layers=4,reverse=1",
    "ff:n=7,layers=1",
    "conv:size=3,layers=3",
    "replicas:n=4,layers=2,copies=5",
    "rgg:n=40",
    "ws:n=30",
)
SEEDS = (0, 7)


def applications() -> Iterator[Application]:
    """Yield the suite's applications: generated graphs, fixed places, a vertex without nets."""
    for text in GRAPHS:
        yield generate(text)
    yield Application(
        "fixed places, groups and a vertex alone",
        (
            Vertex("first", fixed=(2, 1), group=0),
            Vertex("second", group=0),
            Vertex("third", group=1),
            Vertex("alone"),
        ),
        (
            Net("a", "first", ("second", "third"), key_bits=3, packets_per_tick={"forward": 2.0}),
            Net("b", "third", ("first",), transport="noc_direct", packets_per_tick={"back": 0.5}),
            Net("self", "second", ("second",)),
        ),
        "router_multicast",
    )


def check_placer(place: Placer) -> None:
    """Check a placer on every machine and application of the suite.

    Raises
    ------
    MappingError
        Naming, for each machine and application where something is wrong, what: dead or taken
        PEs, vertices moved from fixed places or not placed, other exceptions than
        :class:`~chipsim.errors.ChipsimError`, a different result for the same seed.
    """
    _raise("placer", list(_placer_problems(place)))


def check_router(route: Router) -> None:
    """Check a router on every machine and application of the suite.

    Raises
    ------
    MappingError
        As for :func:`check_placer`: routes that miss a sink or reach it twice, that the machine's
        nodes cannot realise, that use dead channels, or that differ for the same seed.
    """
    _raise("router", list(_router_problems(route)))


def check_partitioner(partition: Partitioner) -> None:
    """Check a partitioner on every graph of the suite, under loose and tight limits.

    Raises
    ------
    MappingError
        As for :func:`check_placer`: parts beyond a limit, numbers that are not used, a result of
        another form, or one that differs for the same seed.
    """
    problems = []
    for text in GRAPHS:
        neurons = Neurons.of(generate(text))
        for name, limits in _limits(neurons):
            for seed in SEEDS:
                where = f"{text}, {name} limits, seed {seed}"
                try:
                    first, again = (
                        check_parts(
                            neurons, limits, partition(neurons, limits, seeds.rng(seed, "suite"))
                        )
                        for _ in range(2)
                    )
                except Exception as error:  # whatever a strategy raises is a finding
                    problems.append(_shown(where, error))
                    continue
                if (first != again).any():
                    problems.append(f"{where}: gives another partition the second time")
    _raise("partitioner", problems)


def _limits(neurons: Neurons) -> Iterator[tuple[str, Limits]]:
    yield "no", Limits()
    yield "neuron", Limits(neurons=3)
    alone = usage(neurons, Limits(), np.arange(len(neurons)))
    yield (
        "tight",
        Limits(
            neurons=5,
            fan_in=int(alone.fan_in.max()) + 2,
            sram_bytes=2 * int(alone.sram_bytes.max()),
            cycles_per_tick=2.5 * float(alone.cycles_per_tick.max()),
        ),
    )


@cache
def _machine(name: str) -> Machine:
    return MACHINES[name]()


def _placer_problems(place: Placer) -> Iterator[str]:
    for name in MACHINES:
        for application in applications():
            if _suits(application, name):
                yield from _runs(application, name, place, "default")


def _router_problems(route: Router) -> Iterator[str]:
    for name in MACHINES:
        for application in applications():
            if _suits(application, name):
                yield from _runs(application, name, "random", route)


def _suits(application: Application, name: str) -> bool:
    """Return whether a machine has the places that an application fixes."""
    one_tile = name.startswith("spinnaker1")  # a chip of SpiNNaker1 has one tile, (0, 0)
    return not (one_tile and any(vertex.fixed for vertex in application.vertices))


def _runs(
    application: Application, name: str, place: str | Placer, route: str | Router
) -> Iterator[str]:
    machine = _machine(name)
    for seed in SEEDS:
        where = f"{application.name} on {name}, seed {seed}"
        try:
            first, again = (
                map_application(application, machine, place, route, seed) for _ in range(2)
            )
        except Exception as error:  # whatever a strategy raises is a finding
            yield _shown(where, error)
            continue
        if first != again:
            yield f"{where}: gives another mapping the second time"


def _shown(where: str, error: Exception) -> str:
    if isinstance(error, MappingError):
        return f"{where}: {'; '.join(error.problems)}"
    if isinstance(error, ChipsimError):
        return f"{where}: {error}"
    return f"{where}: raises {type(error).__name__}: {error}"


def _raise(kind: str, problems: list[str]) -> None:
    if problems:
        raise MappingError(f"conformance of a {kind}", problems)
