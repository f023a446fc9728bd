"""In a run packets go where the routing tables say, right or wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from chipsim.machine.library import load_machine
from chipsim.machine.route import SINK, Route
from chipsim.mapping.application import Application, Net, Vertex
from chipsim.mapping.mapping import Mapping, map_application
from chipsim.mapping.tables import RouterTable, as_int, as_words
from chipsim.sim.packet_router import plan_by_tables
from chipsim.sim.simulation import Simulation
from chipsim.testing.scripted import Scripted


def paths(route: Route) -> Counter[tuple[int, ...]]:
    """Return every way from the source to a sink."""
    found: Counter[tuple[int, ...]] = Counter()
    todo: list[tuple[int, tuple[int, ...]]] = [(0, ())]
    while todo:
        stage, path = todo.pop()
        for channel, following in route.stages[stage]:
            if following == SINK:
                found[(*path, channel)] += 1
            else:
                todo.append((following, (*path, channel)))
    return found


def spread(machine: str, nets: int = 12, key_bits: int = 2) -> Mapping:
    """Return nets between vertices all over a machine."""
    chip = load_machine(machine)
    draw = np.random.default_rng(3)
    count = 40
    ends = draw.choice(chip.pes(), count, replace=False)
    vertices = []
    for number, end in enumerate(ends.tolist()):
        place = (chip.endpoint_x, chip.endpoint_y, chip.endpoint_index, chip.endpoint_chip)
        vertices.append(Vertex(f"v{number}", fixed=tuple(int(column[end]) for column in place)))
    wires = tuple(
        Net(f"n{n}", f"v{n}", tuple(f"v{s}" for s in draw.choice(count, 5, replace=False)),
            key_bits=key_bits)
        for n in range(nets)
    )  # fmt: skip
    application = Application("spread", tuple(vertices), wires, "router_multicast")
    return map_application(application, chip, "sequential")


@pytest.mark.parametrize("minimise", [None, "best"])
@pytest.mark.parametrize("machine", ["spinnaker2", "spinnaker1-48", "spinnaker2-48"])
def test_tables_give_the_trees_they_were_made_of(machine: str, minimise: str | None) -> None:
    mapping = spread(machine).with_tables(minimise)
    plan = plan_by_tables(mapping)
    assert set(plan.routes) == set(mapping.routes)
    for name, keyed in plan.routes.items():
        for found in keyed:
            assert paths(found.route) == paths(mapping.routes[name][0])
            assert found.dumped == 0
    assert plan.machine is mapping.machine  # nothing to dump


def test_minimised_tables_route_by_default_where_packets_go_straight_on() -> None:
    plan = plan_by_tables(spread("spinnaker1-48").with_tables("best"))
    assert any(keyed[0].route.defaulted for keyed in plan.routes.values())


def pair(machine: str = "spinnaker1-48", key_bits: int = 1) -> Mapping:
    """Return a net over two chips and more, with a bystander on the destination's chip."""
    places = {"a": (0, 0, 1, 0), "b": (0, 0, 2, 2), "by": (0, 0, 3, 2)}
    vertices = tuple(Vertex(name, fixed=place) for name, place in places.items())
    nets = (Net("net", "a", ("b",), key_bits=key_bits),)
    application = Application("pair", vertices, nets, "router_multicast")
    return map_application(application, load_machine(machine), "sequential").with_tables(None)


def run(mapping: Mapping, keys: tuple[int, ...], network: str) -> tuple[Simulation, Any]:
    got: dict[str, list[int]] = {"b": [], "by": []}

    def talk(pe: Any) -> Any:
        yield pe.next_tick()
        pe.send("net", keys)

    def listen(name: str) -> Callable[[Any], Any]:
        def body(pe: Any) -> Any:
            for _ in range(3):
                yield pe.next_tick()
                got[name] += (pe.take_packets().key - mapping.keys["net"].base).tolist()

        return body

    programs = {"a": Scripted(talk), "b": Scripted(listen("b")), "by": Scripted(listen("by"))}
    simulation = Simulation(mapping, programs, network=network)
    simulation.run()
    return simulation, got


def changed(mapping: Mapping, node: int, **columns: Any) -> Mapping:
    assert mapping.tables is not None
    return replace(
        mapping, tables={**mapping.tables, node: replace(mapping.tables[node], **columns)}
    )


def last_node(mapping: Mapping) -> int:
    assert mapping.machine.chips is not None
    return int(mapping.machine.chips.pool[2])


def test_right_tables_deliver(network: str) -> None:
    simulation, got = run(pair(), (0, 1), network)
    assert got == {"b": [0, 1], "by": []}
    assert simulation.network.counters().dropped == 0


def test_a_wrong_entry_delivers_to_the_wrong_core(network: str) -> None:
    mapping = pair()
    node = last_node(mapping)
    assert mapping.tables is not None
    table = mapping.tables[node]
    bystander = table.outlets.local_bit[mapping.placement["by"]]
    wrong = changed(mapping, node, route=as_words([1 << bystander], table.outlets.bits))
    _, got = run(wrong, (0, 1), network)
    assert got == {"b": [], "by": [0, 1]}


def split_entry(table: RouterTable, route: int) -> dict[str, Any]:
    """Return a table's columns with an entry before the others for the odd keys."""
    return {
        "key": np.concatenate((table.key[:1] | np.uint32(1), table.key)),
        "mask": np.concatenate((table.mask[:1] | np.uint32(1), table.mask)),
        "route": np.concatenate((as_words([route], table.outlets.bits), table.route)),
        "net": np.concatenate((table.net[:1], table.net)),
        "came_by": np.concatenate((table.came_by[:1], table.came_by)),
    }


def test_keys_of_one_net_may_part_and_the_first_match_wins(network: str) -> None:
    mapping = pair()
    node = last_node(mapping)
    assert mapping.tables is not None
    table = mapping.tables[node]
    both = as_int(table.route[0]) | 1 << table.outlets.local_bit[mapping.placement["by"]]
    _, got = run(changed(mapping, node, **split_entry(table, both)), (0, 1), network)
    assert got == {"b": [0, 1], "by": [1]}


def test_a_missing_entry_at_the_source_drops_and_counts(network: str) -> None:
    mapping = pair()
    assert mapping.tables is not None and mapping.machine.chips is not None
    home = int(mapping.machine.chips.pool[0])
    tables = {node: table for node, table in mapping.tables.items() if node != home}
    simulation, got = run(replace(mapping, tables=tables), (0, 1), network)
    assert got == {"b": [], "by": []}
    counts = simulation.network.counters()
    assert (counts.expected, counts.delivered, counts.dropped, counts.in_flight) == (2, 0, 2, 0)
    behaviour = simulation.machine.behaviour
    assert behaviour is not None and behaviour.dump_ports is not None
    assert int(counts.dropped_at[behaviour.dump_ports].sum()) == 2


def test_a_missing_entry_at_the_destination_sends_straight_on_off_the_board(network: str) -> None:
    mapping = pair()
    assert mapping.tables is not None
    node = last_node(mapping)
    tables = {other: table for other, table in mapping.tables.items() if other != node}
    plan = plan_by_tables(replace(mapping, tables=tables))
    (found,) = plan.routes["net"]
    assert found.dumped == 1 and found.route.defaulted
    simulation, got = run(replace(mapping, tables=tables), (0, 1), network)
    assert got == {"b": [], "by": []} and simulation.network.counters().dropped == 2


def test_tables_that_turn_in_a_circle_end_in_a_dump() -> None:
    mapping = pair()
    assert mapping.tables is not None
    home, node = sorted(mapping.tables)[0], last_node(mapping)
    table = mapping.tables[node]
    back = mapping.machine.chips.link[2]  # type: ignore[union-attr]
    wrong = 0
    for channel in table.outlets.links:
        if channel in back.tolist():
            wrong |= 1 << table.outlets.link_bit[channel]
    # Whatever comes back to the first chip is sent out again by its entry for the net.
    plan = plan_by_tables(changed(mapping, node, route=as_words([wrong], table.outlets.bits)))
    (found,) = plan.routes["net"]
    assert found.dumped > 0 and home in mapping.tables
