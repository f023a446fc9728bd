"""Which channel's packets wait for which other channel: what can close a circle of waiting.

Channel *a* depends on channel *b* if some packet holds a slot behind *a* until it is granted *b*.
Without a cycle of such dependencies no set of packets can deadlock; with one, some may.

References
----------
W. J. Dally, C. L. Seitz, "Deadlock-free message routing in multiprocessor interconnection
networks", IEEE Trans. Computers C-36 (1987), doi:10.1109/TC.1987.1676939.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

import networkx as nx

from chipsim.machine.model import UNBOUNDED, FullPolicy, Machine, PortKind
from chipsim.machine.route import SINK, Route

EndpointEdges = Iterable[tuple[int, int]]
"""Pairs (endpoint, source port): the endpoint takes nothing from its sink while what it has put
into the source port does not get on (a memory that answers requests, a program that stops reading
until its sends are accepted)."""


def dependency_graph(
    machine: Machine, routes: Iterable[Route], endpoint_edges: EndpointEdges = ()
) -> nx.DiGraph:
    """Return which channel's packets wait for which other channel.

    Parameters
    ----------
    machine : Machine
    routes : iterable of Route
    endpoint_edges : iterable of (int, int)
        See :data:`EndpointEdges`; they lead from the channels into the endpoint's sink to the
        first channels of the routes from the source port.

    Returns
    -------
    networkx.DiGraph
        Nodes are the channels that the routes use, edges lead from a channel to what its packets
        ask for next. An edge's ``holds`` is false where nothing can be held up: because the FIFO
        at the end of either channel is unbounded (or a sink that never stalls), or because the
        node between them drops packets that wait.

    Notes
    -----
    Time and memory are linear in the branches of all routes.
    """
    edges = list(endpoint_edges)
    forced = {int(machine.endpoint_sink[endpoint]) for endpoint, _ in edges}
    graph = nx.DiGraph()
    first: dict[int, set[int]] = {}
    last: dict[int, set[int]] = {}
    stalling: set[int] = set()
    pairs: set[tuple[int, int]] = set()
    for route in routes:
        entered = _entrances(route)
        first.setdefault(route.port, set()).update(b.channel for b in route.stages[0])
        for stage, branches in enumerate(route.stages):
            for channel, following in branches:
                graph.add_node(channel)
                if stage:
                    pairs.add((entered[stage], channel))
                if following == SINK:
                    last.setdefault(int(machine.channel_port[channel]), set()).add(channel)
                    if not route.memory:
                        stalling.add(channel)
    bounded = {c: _is_bounded(machine, c, c in stalling, forced) for c in graph}
    for one, other in sorted(pairs):
        between = int(machine.channel_node[other])
        patient = int(machine.node_wait_ps[between]) < 0
        graph.add_edge(one, other, holds=bounded[one] and bounded[other] and patient)
    for endpoint, port in edges:
        for one in sorted(last.get(int(machine.endpoint_sink[endpoint]), ())):
            for other in sorted(first.get(port, ())):
                graph.add_edge(one, other, holds=bounded[other])
    return graph


def _entrances(route: Route) -> dict[int, int]:
    """Return the channel by which each stage but the first is entered."""
    return {
        branch.next: branch.channel
        for branches in route.stages
        for branch in branches
        if branch.next != SINK
    }


def _is_bounded(machine: Machine, channel: int, stalling: bool, forced: Collection[int]) -> bool:
    port = int(machine.channel_port[channel])
    if port in forced:
        return True
    if int(machine.port_capacity[port]) == UNBOUNDED:
        return False
    if machine.port_kind[port] != PortKind.SINK:
        return True
    return stalling and bool(machine.port_full[port] == FullPolicy.STALL)


def find_cycle(graph: nx.DiGraph, *, all_edges: bool = False) -> list[int]:
    """Return channels that depend on each other in a circle, [] if there are none.

    Parameters
    ----------
    graph : networkx.DiGraph
        As from :func:`dependency_graph`.
    all_edges : bool
        Also follow dependencies that hold nothing up (as if every FIFO were finite).

    Returns
    -------
    list of int
        A shortest cycle through the lowest channel that is in one; the last depends on the first.
    """
    held = [(a, b) for a, b, holds in graph.edges(data="holds") if holds or all_edges]
    reduced = nx.DiGraph(held)
    knots = [
        knot
        for knot in nx.strongly_connected_components(reduced)
        if len(knot) > 1 or any(reduced.has_edge(c, c) for c in knot)
    ]
    if not knots:
        return []
    knot = min(knots, key=min)
    start = min(knot)
    paths = nx.single_source_shortest_path(reduced.subgraph(knot), start)
    back = min((c for c in knot if reduced.has_edge(c, start)), key=lambda c: (len(paths[c]), c))
    return [int(channel) for channel in paths[back]]


def name_cycle(machine: Machine, cycle: Sequence[int]) -> str:
    """Return a cycle of channels in words, closed."""
    return " => ".join(machine.channel_label(c) for c in [*cycle, cycle[0]])
