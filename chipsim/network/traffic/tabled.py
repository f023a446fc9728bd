"""Routes of traffic on machines with packet routers: as the routers' tables send the packets.

A flow to one PE goes core to core, by the tables of chips; one to several PEs has a key of its
own, and an entry in the table of every router on its tree. What stays inside the NoC passes no
router, and memories are reached by destination.
"""

from __future__ import annotations

from chipsim.errors import RouteError
from chipsim.machine.model import EndpointKind, Machine
from chipsim.machine.route import SINK, Route
from chipsim.machine.topology import topology
from chipsim.mapping.minimise import minimise_tables
from chipsim.mapping.outlets import outlets
from chipsim.mapping.table_routes import TableRoutes
from chipsim.mapping.tables import Tables, Tree, capacity, tables_of_trees, visits
from chipsim.network.traffic.parcel import Parcel, make_route
from chipsim.network.traffic.workload import Workload

MOST_FLOWS = 1 << 18
"""Multicast flows for which tables are made: all of them, before the run."""
ONE_KEY = 0xFFFFFFFF
"""The mask of an entry that one key matches."""


class TabledRoutes:
    """Makes routes from tables that are made before.

    Parameters
    ----------
    machine : Machine
        With packet routers.
    workload : Workload
    parcel : Parcel

    Attributes
    ----------
    tables : dict of node to RouterTable
        Empty for workloads without flows to several PEs.

    Raises
    ------
    MappingError
        If a router's table is too small, however short it is made.
    RouteError
        For too many flows to several PEs.
    """

    def __init__(self, machine: Machine, workload: Workload, parcel: Parcel) -> None:
        self._machine = machine
        self._workload = workload
        self._parcel = parcel
        self._book = outlets(machine)
        self.tables: Tables = self._make_tables()
        self._walker = TableRoutes(machine, self.tables)

    def route(self, flow: int) -> Route:
        """Return a flow's route.

        Raises
        ------
        RouteError
            If there is no way, or the tables send the flow's packets elsewhere.
        """
        source, dests = self._workload.ends(flow)
        if len(dests) == 1:
            return self._to_one(source, dests[0])
        tree = make_route(self._machine, source, dests, self._parcel)
        if not self._by_router(tree):
            return tree
        bits = self._parcel.payload_bits
        found = self._walker.routes(source, flow, ONE_KEY, bits)[0]
        self._check(found.route, dests, f"key {flow:#010x} from", source)
        return found.route

    def _to_one(self, source: int, dest: int) -> Route:
        machine = self._machine
        route = make_route(machine, source, (dest,), self._parcel)
        if machine.endpoint_kind[dest] != EndpointKind.PE or not self._by_router(route):
            return route
        found = self._walker.core_to_core(source, dest, self._parcel.payload_bits)
        self._check(found.route, (dest,), "a core-to-core packet from", source)
        return found.route

    def _by_router(self, route: Route) -> bool:
        """Return whether the route passes a node with a table."""
        return next(visits(self._book, route), None) is not None

    def _check(self, route: Route, dests: tuple[int, ...], what: str, source: int) -> None:
        known = topology(self._walker.machine)  # with dumps, once a packet has met one
        ports = [known.port[b.channel] for stage in route.stages for b in stage if b.next == SINK]
        ends = sorted(known.sink_of[port] for port in ports)
        if ends != sorted(dests):
            raise RouteError(
                f"{self._machine.name}: {what} {self._machine.endpoint_label(source)} goes by the "
                f"tables to endpoints {ends}; expected {sorted(dests)}"
            )

    def _make_tables(self) -> Tables:
        """Return tables for every flow to several PEs, no longer than the routers hold."""
        if self._workload.copies == 1:
            return {}
        flows = self._workload.used(MOST_FLOWS)
        if flows is None:
            raise RouteError(
                f"{self._machine.name}: {self._workload.flows} flows to several PEs each; tables "
                f"are made for at most {MOST_FLOWS}; draw fewer sets (multicast:k=4,sets=1), or "
                "take tables=trees (--tables trees)"
            )
        trees = []
        for flow in flows.tolist():
            source, dests = self._workload.ends(flow)
            if len(dests) > 1:
                route = make_route(self._machine, source, dests, self._parcel)
                trees.append(Tree(f"flow {flow}", flow, flow, ONE_KEY, (route,)))
        made = tables_of_trees(self._machine, trees, "traffic")
        limit = capacity(self._machine)
        if self._parcel.tables == "short":
            made = minimise_tables(made, None, "best", self._machine)
        return made if limit is None else minimise_tables(made, limit, "best", self._machine)
