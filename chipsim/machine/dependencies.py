"""Which channel's packets wait for which other channel: what can close a circle of waiting.

Channel *a* depends on channel *b* if some packet holds a slot behind *a* until it is granted *b*.
Without a cycle of such dependencies no set of packets can deadlock; with one, some may.

References
----------
W. J. Dally, C. L. Seitz, "Deadlock-free message routing in multiprocessor interconnection
networks", IEEE Trans. Computers C-36 (1987), doi:10.1109/TC.1987.1676939.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import networkx as nx
import numpy as np
from numpy.typing import NDArray

from chipsim.machine.model import UNBOUNDED, FullPolicy, Machine, PortKind
from chipsim.machine.route import SINK, Route
from chipsim.machine.route_columns import slices

I64 = NDArray[np.int64]

EndpointEdges = Iterable[tuple[int, int]]
"""Pairs (endpoint, source port): the endpoint takes nothing from its sink while what it has put
into the source port does not get on (a memory that answers requests, a program that stops reading
until its sends are accepted)."""


@dataclass(frozen=True)
class Dependencies:
    """Which channel's packets wait for which other channel.

    Attributes
    ----------
    channels : ndarray of int64, shape (channels used,)
        What the routes use, ascending.
    before, after : ndarray of int64, shape (edges,)
        Packets that ``before`` brought ask for ``after`` next.
    holds : ndarray of bool, shape (edges,)
        False where nothing can be held up: because the FIFO at the end of either channel is
        unbounded (or a sink that never stalls), or because the node between them drops packets
        that wait.
    """

    channels: I64
    before: I64
    after: I64
    holds: NDArray[np.bool_]


def dependency_graph(
    machine: Machine, routes: Iterable[Route], endpoint_edges: EndpointEdges = ()
) -> Dependencies:
    """Return which channel's packets wait for which other channel.

    Parameters
    ----------
    machine : Machine
    routes : iterable of Route
        Sound ones: trees over the machine's channels.
    endpoint_edges : iterable of (int, int)
        See :data:`EndpointEdges`; they lead from the channels into the endpoint's sink to the
        first channels of the routes from the source port.

    Notes
    -----
    Time is linear in the branches of all routes, times their logarithm within a slice of routes;
    memory in the dependencies, which the machine's size limits.
    """
    edges = list(endpoint_edges)
    size = machine.channels
    pairs = np.zeros(0, dtype=np.int64)
    used = np.zeros(size, dtype=np.bool_)
    stalling = np.zeros(size, dtype=np.bool_)
    ending = np.zeros(size, dtype=np.bool_)
    firsts = np.zeros(0, dtype=np.int64)
    for some in slices(routes):
        used[some.channel] = True
        by = some.entry[some.stage]
        inner = by >= 0
        pairs = np.union1d(pairs, some.channel[by[inner]] * size + some.channel[inner])
        source = some.port[some.route[some.stage[~inner]]]
        firsts = np.union1d(firsts, source * size + some.channel[~inner])
        last = some.next == SINK
        ending[some.channel[last]] = True
        stalling[some.channel[last & ~some.memory[some.route[some.stage]]]] = True
    bounded = _bounded(machine, stalling, [endpoint for endpoint, _ in edges])
    before, after = np.divmod(pairs, size)
    patient = machine.node_wait_ps[machine.channel_node[after]] < 0
    holds = bounded[before] & bounded[after] & patient
    into = _from_endpoints(machine, edges, np.flatnonzero(ending), firsts)
    return Dependencies(
        np.flatnonzero(used),
        np.concatenate((before, into[0])),
        np.concatenate((after, into[1])),
        np.concatenate((holds, bounded[into[1]])),
    )


def _from_endpoints(
    machine: Machine, edges: list[tuple[int, int]], ending: I64, firsts: I64
) -> tuple[I64, I64]:
    """Return the dependencies from channels into endpoints to first channels from source ports."""
    befores, afters = [np.zeros(0, dtype=np.int64)], [np.zeros(0, dtype=np.int64)]
    ports, channels = np.divmod(firsts, machine.channels)
    for endpoint, port in edges:
        arriving = ending[machine.channel_port[ending] == machine.endpoint_sink[endpoint]]
        leaving = channels[ports == port]
        befores.append(np.repeat(arriving, len(leaving)))
        afters.append(np.tile(leaving, len(arriving)))
    return np.concatenate(befores), np.concatenate(afters)


def _bounded(machine: Machine, stalling: NDArray[np.bool_], forced: list[int]) -> NDArray[np.bool_]:
    """Return the channels whose far FIFO can be full, bool of shape (channels,).

    ``stalling`` are channels that end routes to receive FIFOs; sinks of the ``forced`` endpoints
    can be full in any case.
    """
    port = machine.channel_port
    held = np.zeros(machine.ports, dtype=np.bool_)
    sinks = machine.endpoint_sink[np.array(forced, dtype=np.int64)]
    held[sinks[sinks >= 0]] = True
    finite = machine.port_capacity[port] != UNBOUNDED
    stalls = stalling & (machine.port_full[port] == FullPolicy.STALL)
    sink = machine.port_kind[port] == PortKind.SINK
    return np.asarray(held[port] | (finite & np.where(sink, stalls, True)))


def find_cycle(graph: Dependencies, *, all_edges: bool = False) -> list[int]:
    """Return channels that depend on each other in a circle, [] if there are none.

    Parameters
    ----------
    graph : Dependencies
    all_edges : bool
        Also follow dependencies that hold nothing up (as if every FIFO were finite).

    Returns
    -------
    list of int
        A shortest cycle through the lowest channel that is in one; the last depends on the first.

    Notes
    -----
    What no cycle can pass is taken away first, whole arrays at a time, in at most as many rounds
    as ways are long; strongly connected components are looked for in the rest.
    """
    before, after = graph.before, graph.after
    if not all_edges:
        before, after = before[graph.holds], after[graph.holds]
    before, after = _knotted(before, after)
    if not len(before):
        return []
    order = np.lexsort((after, before))
    reduced = nx.DiGraph(zip(before[order].tolist(), after[order].tolist(), strict=True))
    knots = [
        knot
        for knot in nx.strongly_connected_components(reduced)
        if len(knot) > 1 or any(reduced.has_edge(c, c) for c in knot)
    ]
    knot = min(knots, key=min)
    start = min(knot)
    paths = nx.single_source_shortest_path(reduced.subgraph(knot), start)
    back = min((c for c in knot if reduced.has_edge(c, start)), key=lambda c: (len(paths[c]), c))
    return [int(channel) for channel in paths[back]]


def _knotted(before: I64, after: I64) -> tuple[I64, I64]:
    """Return the edges that are left when what leads nowhere, or comes from nowhere, is gone."""
    size = int(max(before.max(initial=-1), after.max(initial=-1))) + 1
    while len(before):
        entered, left = np.zeros(size, dtype=np.bool_), np.zeros(size, dtype=np.bool_)
        entered[after], left[before] = True, True
        inner = entered[before] & left[after]
        if inner.all():
            break
        before, after = before[inner], after[inner]
    return before, after


def name_cycle(machine: Machine, cycle: Sequence[int]) -> str:
    """Return a cycle of channels in words, closed."""
    return " => ".join(machine.channel_label(c) for c in [*cycle, cycle[0]])
