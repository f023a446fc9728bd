"""The route of each flow, made when the flow first occurs."""

from __future__ import annotations

import time

import numpy as np
from numpy.typing import NDArray

from chipsim.errors import RouteError
from chipsim.machine.route import Route
from chipsim.network.api import Network
from chipsim.network.traffic.parcel import Parcel, make_route
from chipsim.network.traffic.tabled import TabledRoutes
from chipsim.network.traffic.workload import Workload

I32 = NDArray[np.int32]
I64 = NDArray[np.int64]

_MOST_IN_TABLE = 1 << 22
"""Flows up to which a table (16 MB) gives the route; beyond, a dictionary over those that occur."""


class RouteBook:
    """The routes of a workload in a network.

    Parameters
    ----------
    network : Network
        Where routes are registered.
    workload : Workload
    parcel : Parcel
    """

    def __init__(self, network: Network, workload: Workload, parcel: Parcel) -> None:
        self._network = network
        self._workload = workload
        self._parcel = parcel
        self._tabled: TabledRoutes | None = None
        begun = time.process_time()
        if network.machine.chips is not None and parcel.tables != "trees":
            self._tabled = TabledRoutes(network.machine, workload, parcel)
        self._table: I32 | None = None
        if workload.flows <= _MOST_IN_TABLE:
            self._table = np.full(workload.flows, -1, dtype=np.int32)
        self._known: dict[int, int] = {}
        self._port = np.zeros(0, dtype=np.int32)
        self._source = np.zeros(0, dtype=np.int32)
        self._made = 0
        self.cpu_s = time.process_time() - begun
        """CPU time spent on making routes, which is done once per flow."""

    def prepare(self, most: int) -> list[Route] | None:
        """Make every route that can occur and return them; None if more than ``most``."""
        flows = self._workload.used(most)
        return None if flows is None else self._add(flows)

    def numbers(self, flows: I64) -> I32:
        """Return the network's number of each flow's route; new ones are made."""
        if self._table is not None:
            found = self._table[flows]
            if found.size and found.min() < 0:
                self._add(np.unique(flows[found < 0]))
                found = self._table[flows]
            return found
        different, inverse = np.unique(flows, return_inverse=True)
        keys = different.tolist()
        self._add(np.array([key for key in keys if key not in self._known], dtype=np.int64))
        numbers = np.array([self._known[key] for key in keys], dtype=np.int32)
        return np.asarray(numbers[inverse], dtype=np.int32)

    def ports(self, numbers: I32) -> I32:
        """Return the source port of each route."""
        return self._port[numbers]

    def sources(self, numbers: I32) -> I32:
        """Return the source endpoint of each route."""
        return self._source[numbers]

    def _add(self, flows: I64) -> list[Route]:
        if not len(flows):
            return []
        begun = time.process_time()
        new = self._make(flows)
        self.cpu_s += time.process_time() - begun
        return new

    def _make(self, flows: I64) -> list[Route]:
        machine, parcel = self._network.machine, self._parcel
        ends = [self._workload.ends(flow) for flow in flows.tolist()]
        if self._tabled is not None:
            new = [self._tabled.route(flow) for flow in flows.tolist()]
        else:
            new = [make_route(machine, source, dests, parcel) for source, dests in ends]
        numbers = self._network.add_routes(new)
        if numbers.tolist() != list(range(self._made, self._made + len(new))):
            raise RouteError(
                f"{machine.name}: routes were added to the network by somebody else; expected "
                "numbers that go on from the last; give traffic a network of its own"
            )
        self._made += len(new)
        self._port = np.append(self._port, np.array([r.port for r in new], dtype=np.int32))
        self._source = np.append(self._source, np.array([s for s, _ in ends], dtype=np.int32))
        if self._table is not None:
            self._table[flows] = numbers
        else:
            self._known.update(zip(flows.tolist(), numbers.tolist(), strict=True))
        return new
