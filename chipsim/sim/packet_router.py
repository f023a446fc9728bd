"""What the routers' tables make of a mapping's nets.

A run follows the tables (:mod:`chipsim.mapping.table_routes`), not the trees that they were made
from: before it begins, the keys of every net walk through the tables of all routers that they meet,
and its core-to-core packets through the tables of chips.
"""

from __future__ import annotations

from dataclasses import dataclass

from chipsim.machine.model import Machine
from chipsim.mapping.application import Name
from chipsim.mapping.mapping import Mapping
from chipsim.mapping.routing.default import sinks_in_order
from chipsim.mapping.table_routes import ChipRoute, KeyedRoute, TableRoutes
from chipsim.mapping.tables import Tables, make_tables


@dataclass(frozen=True)
class TablePlan:
    """What the tables make of a mapping.

    Attributes
    ----------
    machine : Machine
        The mapping's, with dumps if a packet needs one.
    routes : dict of net name to list of KeyedRoute
        For nets that go through packet routers by key.
    chip_routes : dict of net name to list of ChipRoute
        For nets of core-to-core packets, one a sink.
    tables : dict of node to RouterTable
    """

    machine: Machine
    routes: dict[Name, list[KeyedRoute]]
    chip_routes: dict[Name, list[ChipRoute]]
    tables: Tables


def plan_by_tables(mapping: Mapping) -> TablePlan:
    """Return where a mapping's tables send the packets of its nets.

    The tables are ``mapping.tables``, or where it has none those with an entry per net that follow
    from its routes; for core-to-core packets ``mapping.chip_tables``. Nets by other transports
    (DMA, one NoC packet per QPE) are not in tables.
    """
    machine, application = mapping.machine, mapping.application
    if machine.chips is None:
        return TablePlan(machine, {}, {}, {})
    nets = [
        net
        for net in application.nets
        if not net.dma and application.transport_of(net) == "router_multicast"
    ]
    typed = [net for net in application.nets if not net.dma and net.packet == "c2c"]
    tables: Tables = {}
    if nets:
        tables = make_tables(mapping) if mapping.tables is None else mapping.tables
    walker = TableRoutes(machine, tables, mapping.chip_tables)
    by_key, by_chip = {}, {}
    for net in nets:
        base, mask = mapping.keys[net.name]
        source = mapping.placement[net.source]
        by_key[net.name] = walker.routes(source, int(base), int(mask), net.payload_bits)
    for net in typed:
        source = mapping.placement[net.source]
        ends = sinks_in_order(machine, [mapping.placement[sink] for sink in net.sinks])
        by_chip[net.name] = [walker.core_to_core(source, end, net.payload_bits) for end in ends]
    return TablePlan(walker.machine, by_key, by_chip, tables)
