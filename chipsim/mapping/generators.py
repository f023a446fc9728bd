"""Application graphs from a few integers: layers, convolutions, replicas, geometric, small-world.

The same arguments give the same graph everywhere: weights come from Python's own
``random.Random``, graphs from networkx with a seed.
"""

from __future__ import annotations

import inspect
import random
from collections.abc import Callable
from itertools import pairwise
from math import pi, sqrt
from typing import Any

import networkx as nx

from chipsim.errors import MappingError, did_you_mean
from chipsim.mapping.application import Application, Net, Vertex

PHASE = "all"
"""The phase that the weights of graphs are stated for."""


def application(
    name: str, vertices: list[Vertex], nets: list[tuple[int, list[int], float]]
) -> Application:
    """Return an application of nets (source, sinks, weight), which are called by number."""
    return Application(
        name,
        tuple(vertices),
        tuple(
            Net(number, source, tuple(sinks), packets_per_tick={PHASE: float(weight)})
            for number, (source, sinks, weight) in enumerate(nets)
        ),
        transport="router_multicast",
    )


def ff(n: int, layers: int, reverse: bool = False, seed: int = 1) -> Application:
    """Return n cores in equal layers, each core multicasting to all cores of the next layer.

    Parameters
    ----------
    n : int
        Cores; ids run in layer order.
    layers : int
        Layers; the remainder of ``n / layers`` goes to the first ones, a core each.
    reverse : bool
        Whether each core of a later layer also multicasts to all cores of the layer before (one
        error event per spike), with the same weight.
    seed : int
        Weights are ``random.Random(seed).randint(5, 15)``, once per core in id order.

    Raises
    ------
    MappingError
        If there are fewer cores than layers, or no layer.
    """
    nets = _ff_nets(n, layers, reverse, seed)
    name = f"ff-{n}-{layers}-{'fb' if reverse else 'fwd'}"
    return application(name, [Vertex(i) for i in range(n)], nets)


def replicas(n: int, layers: int, copies: int, seed: int = 1) -> Application:
    """Return copies of ``ff(n, layers, True)``, with gradients from each copy to copy 0.

    Core i of each copy but the first has a net of weight 1 to core i of copy 0. The copies are the
    groups of the application.
    """
    _at_least(1, "replicas", copies=copies)
    nets: list[tuple[int, list[int], float]] = []
    for copy in range(copies):
        base = copy * n
        nets += [
            (base + source, [base + sink for sink in sinks], weight)
            for source, sinks, weight in _ff_nets(n, layers, True, seed)
        ]
    nets += [(copy * n + i, [i], 1.0) for copy in range(1, copies) for i in range(n)]
    vertices = [Vertex(i, group=i // n) for i in range(n * copies)]
    return application(f"replicas-{n}-{layers}x{copies}", vertices, nets)


def rgg(n: int, seed: int = 42, weight_seed: int = 7) -> Application:
    """Return a random geometric graph of mean degree about 8, one multicast net per vertex.

    Radius ``sqrt(8 / (pi n))``; weights are ``random.Random(weight_seed).randint(1, 16)``, one per
    vertex in id order, also for vertices without neighbours, which have no net.
    """
    _at_least(1, "rgg", n=n)
    graph = nx.random_geometric_graph(n, sqrt(8 / (pi * n)), seed=seed)
    return _of_graph(f"rgg-{n}", graph, weight_seed)


def ws(n: int, seed: int = 42, weight_seed: int = 7) -> Application:
    """Return a Watts–Strogatz small world (8 neighbours, 0.1 rewired), weights as for ``rgg``."""
    _at_least(8, "ws", n=n)
    return _of_graph(f"ws-{n}", nx.watts_strogatz_graph(n, 8, 0.1, seed=seed), weight_seed)


def conv(
    size: int, layers: int, kernel: int = 3, reverse: bool = False, seed: int = 1
) -> Application:
    """Return square layers of size x size cores, each core multicasting to a window of the next.

    Parameters
    ----------
    size : int
        Cores along a layer's edge; ids run by layer, row, column.
    layers : int
    kernel : int
        Width of the window around a core's own place, odd; it is cut at the layer's edges.
    reverse : bool
        Whether each core of a later layer also multicasts to the window of the layer before.
    seed : int
        Weights are ``random.Random(seed).randint(5, 15)``, once per core in id order.

    Raises
    ------
    MappingError
        If there is no core or layer, or the kernel is even.
    """
    _at_least(1, "conv", size=size, layers=layers, kernel=kernel)
    if kernel % 2 == 0:
        raise MappingError("graph generator conv", [f"kernel is {kernel}; expected an odd number"])
    draw = random.Random(seed)
    area, half = size * size, kernel // 2
    weights = [float(draw.randint(5, 15)) for _ in range(area * layers)]

    def window(layer: int, x: int, y: int) -> list[int]:
        rows = range(max(0, y - half), min(size, y + half + 1))
        columns = range(max(0, x - half), min(size, x + half + 1))
        return [layer * area + v * size + u for v in rows for u in columns]

    nets: list[tuple[int, list[int], float]] = []
    for step, sources in ((1, range(layers - 1)), (-1, range(1, layers) if reverse else range(0))):
        for layer in sources:
            for y in range(size):
                for x in range(size):
                    core = layer * area + y * size + x
                    nets.append((core, window(layer + step, x, y), weights[core]))
    way = "fb" if reverse else "fwd"
    name = f"conv-{size}x{size}-{layers}-{kernel}-{way}"
    return application(name, [Vertex(i) for i in range(area * layers)], nets)


GENERATORS: dict[str, Callable[..., Application]] = {
    "conv": conv,
    "ff": ff,
    "replicas": replicas,
    "rgg": rgg,
    "ws": ws,
}
"""Generators by the name that ``chipsim map`` takes."""


def generate(text: str) -> Application:
    """Return the graph that a word such as ``ff:n=64,layers=4,reverse=1`` describes.

    Raises
    ------
    MappingError
        For an unknown generator, unknown, missing or doubled parameters, and values that are no
        integers; all at once.
    """
    name, _, given = text.partition(":")
    if name not in GENERATORS:
        raise MappingError(
            f"graph {text!r}", [f"unknown generator {name!r}{did_you_mean(name, GENERATORS)}"]
        )
    parameters = inspect.signature(GENERATORS[name]).parameters
    values: dict[str, Any] = {}
    problems = []
    for word in filter(None, given.split(",")):
        key, _, value = word.partition("=")
        if key not in parameters:
            problems.append(f"unknown parameter {key!r}{did_you_mean(key, parameters)}")
        elif key in values:
            problems.append(f"parameter {key!r} is given twice; give it once")
        else:
            values[key] = 0
            try:
                values[key] = int(value)
            except ValueError:
                problems.append(f"parameter {key!r} is {value!r}; expected an integer")
    problems += [
        f"parameter {key!r} is missing; for example {name}:{key}=4"
        for key, parameter in parameters.items()
        if parameter.default is parameter.empty and key not in values
    ]
    if problems:
        raise MappingError(f"graph {text!r}", problems)
    if "reverse" in values:
        values["reverse"] = bool(values["reverse"])
    return GENERATORS[name](**values)


def _ff_nets(n: int, layers: int, reverse: bool, seed: int) -> list[tuple[int, list[int], float]]:
    _at_least(1, "ff", layers=layers)
    _at_least(layers, "ff", n=n)
    size, more = divmod(n, layers)
    bounds = [0]
    for layer in range(layers):
        bounds.append(bounds[-1] + size + (layer < more))
    members = [list(range(a, b)) for a, b in pairwise(bounds)]
    draw = random.Random(seed)
    weights = [float(draw.randint(5, 15)) for _ in range(n)]
    nets: list[tuple[int, list[int], float]] = []
    for layer in range(layers - 1):
        nets += [(core, members[layer + 1], weights[core]) for core in members[layer]]
    if reverse:
        for layer in range(1, layers):
            nets += [(core, members[layer - 1], weights[core]) for core in members[layer]]
    return nets


def _of_graph(name: str, graph: Any, weight_seed: int) -> Application:
    draw = random.Random(weight_seed)
    weights = [draw.randint(1, 16) for _ in range(len(graph))]
    nets = [(v, sorted(graph[v]), float(weights[v])) for v in sorted(graph) if len(graph[v])]
    return application(name, [Vertex(v) for v in sorted(graph)], nets)


def _at_least(least: int, generator: str, **values: int) -> None:
    problems = [
        f"{key} is {value}; expected at least {least}"
        for key, value in values.items()
        if value < least
    ]
    if problems:
        raise MappingError(f"graph generator {generator}", problems)
