"""Traffic on machines with packet routers goes where their tables send it."""

from __future__ import annotations

from typing import Any

import pytest

from chipsim.errors import MappingError, RouteError
from chipsim.machine.library import load_machine
from chipsim.machine.model import Machine
from chipsim.network.traffic import Request, Span, TrafficError, prepare, run_traffic, synthetic
from chipsim.network.traffic.parcel import Parcel, make_route
from chipsim.network.traffic.tabled import TabledRoutes
from chipsim.network.traffic.workload import Synthetic

SAME = ("cpu_s", "packet_hops_per_cpu_s")
FEW = "multicast:k=3,sets=1"


def figures(machine: Machine, pattern: str, parcel: Parcel, network: str) -> dict[str, Any]:
    workload = synthetic(pattern, machine, 0.004, 3)
    found = run_traffic(machine, workload, Span(300, 20, 3000), network=network, parcel=parcel)
    # SpiNNaker1's links are too slow for this load: its routers drop packets, the same ones.
    ended = found.packets_delivered + found.packets_dropped
    assert ended + found.packets_in_flight == found.packets_injected > 100
    assert found.packets_delivered > 50
    return {name: value for name, value in found.as_dict().items() if name not in SAME}


@pytest.mark.parametrize(
    ("name", "pattern", "transport"),
    [
        ("spinnaker2", FEW, "auto"),
        ("spinnaker2", "permutation", "router"),
        ("spinnaker1-48", FEW, "auto"),
        ("spinnaker1-48", "permutation", "auto"),
    ],
)
def test_tables_give_what_the_trees_gave(
    name: str, pattern: str, transport: str, network: str
) -> None:
    settings = {"router.table_entries": 65536} if name == "spinnaker1-48" else {}
    machine = load_machine(name, settings)
    by_trees = figures(machine, pattern, Parcel(0, transport, "trees"), network)
    assert figures(machine, pattern, Parcel(0, transport, "fit"), network) == by_trees
    if network == "compiled" and name == "spinnaker2":
        assert figures(machine, pattern, Parcel(0, transport, "short"), network) == by_trees


def routes(machine: Machine, tables: str) -> tuple[TabledRoutes, Synthetic]:
    workload = synthetic(FEW, machine, 0.01, 3)
    return TabledRoutes(machine, workload, Parcel(0, "auto", tables)), workload


def test_a_table_is_made_shorter_where_its_router_has_no_room() -> None:
    def length(tables: str, room: int) -> int:
        machine = load_machine("spinnaker1-48", {"router.table_entries": room})
        made, _ = routes(machine, tables)
        return max(map(len, made.tables.values()))

    every = length("fit", 65536)
    short = length("short", 65536)
    assert short < every
    assert short <= length("fit", every - 1) <= every - 1
    with pytest.raises(MappingError, match=rf"{every} entries come down to .*the target is 9"):
        length("fit", 9)


def test_what_a_table_does_is_what_happens() -> None:
    """A table that has lost its entries sends no packet to where its flow was meant to go."""
    machine = load_machine("spinnaker2")
    made, workload = routes(machine, "fit")
    by_key = [f for f in range(152) if made._by_router(tree(machine, workload, f))]
    source, dests = workload.ends(by_key[0])
    assert len(made.route(by_key[0]).stages) > 1 and len(dests) == 3
    (table,) = made.tables.values()
    table.key[:] ^= 1 << 31
    with pytest.raises(RouteError, match=r"key 0x\w+ from PE\(.*by the tables to endpoints \["):
        made.route(by_key[0])
    assert machine.endpoint_label(source).startswith("PE")


def tree(machine: Machine, workload: Synthetic, flow: int) -> Any:
    return make_route(machine, *workload.ends(flow), Parcel())


def test_unknown_tables_are_named() -> None:
    with pytest.raises(TrafficError, match="unknown tables 'tree'; did you mean 'trees'"):
        prepare(Request("spinnaker2", "uniform", "0.01", tables="tree"))
