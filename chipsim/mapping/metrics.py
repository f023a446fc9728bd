"""Static figures of a mapping: tree lengths, channel loads and zero-load latencies, no simulation.

Loads and weighted figures count the expected packets per tick that the nets state, by phase; a net
that states none weighs nothing and is counted in ``unstated_nets``.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from chipsim.machine.model import Machine, PortKind
from chipsim.mapping.walked import Walked, walked

if TYPE_CHECKING:
    from chipsim.mapping.mapping import Mapping


@dataclass(frozen=True)
class Flow:
    """The traffic of some nets in some phase.

    Attributes
    ----------
    packets_per_tick : float
        Packets that sources send (one per route).
    copies_per_tick : float
        Deliveries.
    tree_hops : float
        Flits per tick summed over all links: the weighted tree hops of the literature, with every
        flit of every leg counted. A flit is what a packet without payload takes on the link (on
        SpiNNaker's chip links 11 symbols).
    max_link_load, mean_link_load, sd_link_load : float
        Flits per tick over all links of the machine (population standard deviation).
    hottest_link : str
        Label of the link with the greatest load, the first of several; empty without load.
    mean_hops : float
        Links per copy, weighted by packets; 0 without packets.
    mean_latency_ns, max_latency_ns : float
        Zero-load latency of a copy: mean weighted by packets, and worst case of the nets that
        carry any; 0 without packets [ns].
    energy_nj : dict of str to float
        Energy per tick of the flits on all channels, links or not, by part of the chip's account
        (``noc``, ``router``, ``links``): sum of load × energy per flit [nJ].
    """

    packets_per_tick: float
    copies_per_tick: float
    tree_hops: float
    max_link_load: float
    mean_link_load: float
    sd_link_load: float
    hottest_link: str
    mean_hops: float
    mean_latency_ns: float
    max_latency_ns: float
    energy_nj: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Metrics:
    """Static figures of a mapping.

    Attributes
    ----------
    total : Flow
        All nets, all phases.
    by_phase, by_kind : dict of str to Flow
        Phases and kinds that occur, in the application's order.
    tree_links : int
        Links used, summed over all routes, unweighted.
    max_depth : int
        Most links on the way to any sink.
    worst_latency_ns : float
        Greatest zero-load latency of all nets, whatever their traffic [ns].
    nets, routes, unstated_nets : int
        Number of nets, of routes, and of nets that state no traffic.
    tiles_used, chips_used : int
        Tiles and chips with at least one vertex.
    replica_locality : float or None
        Of the weighted copies between vertices of one group (replica), the share that stays on one
        tile; None where no group has traffic of its own.
    replica_hops : float or None
        Mean links of those copies; None likewise.
    """

    total: Flow
    by_phase: dict[str, Flow]
    by_kind: dict[str, Flow]
    tree_links: int
    max_depth: int
    worst_latency_ns: float
    nets: int
    routes: int
    unstated_nets: int
    tiles_used: int
    chips_used: int
    replica_locality: float | None = None
    replica_hops: float | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return nested plain dictionaries, ready for JSON."""
        return asdict(self)


def links(machine: Machine) -> NDArray[np.bool_]:
    """Return which channels count as links, bool of shape (channels,).

    Between chips where there are several chips; else the channels that leave a router
    (``node_hop``) for another node, so not injection, ejection and the router's own look-up.
    """
    far = machine.port_node[machine.channel_port]
    onward = machine.port_kind[machine.channel_port] == PortKind.LINK
    if machine.nodes and int(machine.node_chip.max()) > 0:
        return np.asarray(
            onward & (machine.node_chip[machine.channel_node] != machine.node_chip[far])
        )
    return np.asarray(onward & (machine.node_hop[machine.channel_node] == 1))


def channel_load(
    mapping: Mapping, *, phase: str | None = None, kind: str | None = None
) -> NDArray[np.float64]:
    """Return the expected flits per tick of every channel, float64 of shape (channels,).

    Parameters
    ----------
    mapping : Mapping
    phase, kind : str, optional
        Count this phase or this kind of net only.
    """
    return _load(mapping, walked(mapping), _weights(mapping, phase, kind))


def link_load(mapping: Mapping) -> NDArray[np.float64]:
    """Return the load that ``max_link_load`` is the maximum of, float64 of shape (channels,).

    Packets per tick on links, 0 elsewhere: a chip link's frame or symbol is no packet, so flits
    count by those of a packet without payload.
    """
    machine = mapping.machine
    return _on_links(machine, channel_load(mapping), links(machine))


def measure(mapping: Mapping) -> Metrics:
    """Compute the static figures of a mapping.

    Notes
    -----
    O(branches of all routes × (phases + kinds)). Zero-load latencies follow the network's rules
    without other packets: a packet asks on arrival, arrives ``latency + (flits - 1) * flit time``
    after its grant, and copies on one output go one after another.
    """
    application, machine = mapping.application, mapping.machine
    is_link = links(machine)
    way = walked(mapping, is_link)
    kinds = dict.fromkeys(net.kind for net in application.nets)

    def flow(phase: str | None = None, kind: str | None = None) -> Flow:
        return _flow(mapping, way, is_link, _weights(mapping, phase, kind))

    ends = list(mapping.placement.values())
    chips = machine.endpoint_chip[ends].tolist()
    locality, replica_hops = _replicas(mapping, way)
    where = zip(
        chips, machine.endpoint_x[ends].tolist(), machine.endpoint_y[ends].tolist(), strict=True
    )
    return Metrics(
        total=flow(),
        by_phase={phase: flow(phase=phase) for phase in application.phases},
        by_kind={kind: flow(kind=kind) for kind in kinds},
        tree_links=int(is_link[way.channel].sum()),
        max_depth=int(way.leaf_links.max(initial=0)),
        worst_latency_ns=int(way.leaf_ps.max(initial=0)) / 1000,
        nets=len(application.nets),
        routes=int(way.routes.sum()),
        unstated_nets=sum(not net.packets_per_tick for net in application.nets),
        tiles_used=len(set(where)),
        chips_used=len(set(chips)),
        replica_locality=locality,
        replica_hops=replica_hops,
    )


def _replicas(mapping: Mapping, way: Walked) -> tuple[float | None, float | None]:
    """Return (share of replicas' own copies that stay on a tile, mean links of these copies)."""
    machine, application = mapping.machine, mapping.application
    number = {group: i for i, group in enumerate(application.groups)}
    group = np.full(machine.endpoints, -1, dtype=np.int64)
    for vertex in application.vertices:
        if vertex.group is not None:
            group[mapping.placement[vertex.name]] = number[vertex.group]
    source = np.array([mapping.placement[net.source] for net in application.nets], dtype=np.int64)
    start, end = source[way.leaf_net], way.leaf_endpoint
    weight = _weights(mapping, None, None)[way.leaf_net]
    own = (group[start] >= 0) & (group[start] == group[end]) & (weight > 0)
    start, end, weight = start[own], end[own], weight[own]
    chip, x, y = machine.endpoint_chip, machine.endpoint_x, machine.endpoint_y
    stays = (chip[start] == chip[end]) & (x[start] == x[end]) & (y[start] == y[end])
    copies = _total(weight)
    if not copies:
        return None, None
    return _total(weight * stays) / copies, _total(weight * way.leaf_links[own]) / copies


def _energy(machine: Machine, load: NDArray[np.float64]) -> dict[str, float]:
    """Return nanojoules of a load [flits] by part of the account."""
    parts: dict[str, float] = {}
    for number, cls in enumerate(machine.classes):
        flits = float(load[machine.channel_class == number].sum())
        if flits:
            parts[cls.energy_part] = parts.get(cls.energy_part, 0.0) + flits * cls.pj_per_flit / 1e3
    return parts


def _weights(mapping: Mapping, phase: str | None, kind: str | None) -> NDArray[np.float64]:
    """Return the packets per tick of every net; 0 for nets of other kinds."""
    nets = mapping.application.nets
    chosen = [net.weight(phase) if kind is None or net.kind == kind else 0.0 for net in nets]
    return np.array(chosen, dtype=np.float64)


def _on_links(
    machine: Machine, every: NDArray[np.float64], is_link: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Return a load in flits as packets without payload on links, 0 elsewhere."""
    shortest = [cls.flits[min(cls.flits)] for cls in machine.classes]
    unit = np.array(shortest, dtype=np.float64)[machine.channel_class]
    return np.where(is_link, every / unit, 0.0)


def _total(values: NDArray[np.float64]) -> float:
    """Return a sum, term by term: the same whatever the length of the processor's vectors."""
    return float(np.cumsum(values)[-1]) if len(values) else 0.0


def _load(mapping: Mapping, way: Walked, weight: NDArray[np.float64]) -> NDArray[np.float64]:
    flits = weight[way.net] * way.flits
    load = np.bincount(way.channel, weights=flits, minlength=mapping.machine.channels)
    return np.asarray(load, dtype=np.float64)


def _flow(
    mapping: Mapping, way: Walked, is_link: NDArray[np.bool_], weight: NDArray[np.float64]
) -> Flow:
    every = _load(mapping, way, weight)
    load = _on_links(mapping.machine, every, is_link)
    on_links = load[is_link]
    copy = weight[way.leaf_net]
    packets, copies = _total(weight * way.routes), _total(copy)
    hops, latency = _total(copy * way.leaf_links), _total(copy * way.leaf_ps)
    worst = int(way.leaf_ps[copy > 0].max(initial=0))
    loaded = bool(on_links.size) and float(on_links.max()) > 0
    return Flow(
        packets_per_tick=packets,
        copies_per_tick=copies,
        tree_hops=float(on_links.sum()),
        max_link_load=float(on_links.max()) if loaded else 0.0,
        mean_link_load=float(on_links.mean()) if loaded else 0.0,
        sd_link_load=float(on_links.std()) if loaded else 0.0,
        hottest_link=mapping.machine.channel_label(int(load.argmax())) if loaded else "",
        mean_hops=hops / copies if copies else 0.0,
        mean_latency_ns=latency / copies / 1000 if copies else 0.0,
        max_latency_ns=worst / 1000,
        energy_nj=_energy(mapping.machine, every),
    )
