from __future__ import annotations

from dataclasses import replace

import pytest

from chipsim.errors import RouteError
from chipsim.machine import routes
from chipsim.machine.library import load_machine
from chipsim.machine.model import Machine
from chipsim.machine.route import SINK, Branch, Route
from chipsim.machine.topology import channel_to, topology


def node(machine: Machine, label: str) -> int:
    return machine.node_labels.index(label)


def via(machine: Machine, source: int, labels: list[str], dest: int) -> Route:
    """A route through the named nodes, whatever the machine's tables say."""
    known = topology(machine)
    at = int(machine.port_node[machine.endpoint_port[source]])
    path = []
    for label in labels:
        path.append(channel_to(machine, at, node(machine, label)))
        at = known.far[path[-1]]
    path.append(next(c for c in known.into[dest] if known.source[c] == at))
    return routes.from_paths(machine, source, [path])


def refuse(machine: Machine, route: Route, message: str) -> None:
    with pytest.raises(RouteError, match=message):
        routes.validate(machine, route)


def test_a_route_by_hand_is_valid(chip: Machine) -> None:
    dest = chip.endpoint_at(2, 2, 3)
    route = via(chip, 0, ["router(1,1)", "router(2,1)", "router(2,2)"], dest)
    routes.validate(chip, route)
    assert route == routes.unicast(chip, 0, dest)


def test_disagreement_with_the_table_is_named(chip: Machine) -> None:
    route = via(chip, 0, ["router(1,1)", "router(1,2)", "router(2,2)"], chip.endpoint_at(2, 2))
    refuse(
        chip,
        route,
        r"^spinnaker2: stage 1 at router\(1,1\), noc router\(1,1\) -> router\(1,2\): towards tile "
        r"\(2, 2\) its LUT routing gives noc router\(1,1\) -> router\(2,1\)$",
    )


def test_a_way_into_the_packet_router_that_the_table_does_not_give(chip: Machine) -> None:
    right = routes.router_multicast(chip, chip.endpoint_at(3, 3), [0])
    stages = list(right.stages)
    known = topology(chip)
    entry = chip.extras["packet_router_input"]
    detour = [
        channel_to(chip, node(chip, "PE(3,3,0)"), node(chip, "router(3,3)")),
        channel_to(chip, node(chip, "router(3,3)"), node(chip, "router(3,4)")),
        channel_to(chip, node(chip, "router(3,4)"), entry),
        known.out[entry][0],
    ]
    path = detour + [stage[0].channel for stage in stages[3:]]
    route = routes.from_paths(chip, chip.endpoint_at(3, 3), [path])
    refuse(chip, route, r"stage 1 at router\(3,3\).*towards tile \(4, 3\) its LUT routing gives")


def test_xy_disagreement_on_a_mesh() -> None:
    strict = load_machine("mesh-4x4", {"noc.routing": "xy"})
    route = via(strict, 0, ["router(0,1)", "router(1,1)"], strict.endpoint_at(1, 1))
    refuse(strict, route, r"towards tile \(1, 1\) its XY routing gives noc .* -> router\(1,0\)")
    free = load_machine("mesh-4x4")
    routes.validate(free, via(free, 0, ["router(0,1)", "router(1,1)"], free.endpoint_at(1, 1)))


def test_qpe_routers_split_in_their_own_tile_only(chip: Machine) -> None:
    merged = routes.tree(chip, 0, [1, chip.endpoint_at(2, 1)])
    refuse(
        chip,
        merged,
        r"stage 1 at router\(1,1\), noc router\(1,1\) -> router\(2,1\): this node splits a packet "
        r"among the PEs of its own tile only",
    )


def test_a_memory_is_no_pe_of_the_tile(chip: Machine) -> None:
    both = routes.tree(chip, 0, [1, chip.extras["endpoint_dram_b"]])
    refuse(chip, both, r"-> DRAM\(0,1\): this node splits a packet among the PEs")


def test_endpoint_nodes_do_not_split(chip: Machine) -> None:
    memory = chip.extras["endpoint_dram_a"]
    known = topology(chip)
    first, second = known.out[node(chip, "DRAM(0,5)")]
    paths = [[first, known.into[chip.endpoint_at(1, 5)][0]]]
    paths.append([second, known.into[chip.endpoint_at(1, 6)][0]])
    refuse(chip, routes.from_paths(chip, memory, paths), "this node cannot split a packet")


def broken(route: Route, stage: int, branches: tuple[Branch, ...]) -> Route:
    stages = list(route.stages)
    stages[stage] = branches
    return replace(route, stages=tuple(stages))


def test_broken_trees(mesh: Machine) -> None:
    route = routes.unicast(mesh, 0, 2)
    first, second, last = (stage[0].channel for stage in route.stages)
    for stage, branches, message in (
        (1, (Branch(first, 2),), r"stage 1 at router\(1,0\), noc router\(0,0\).*\(disconnected\)"),
        (1, (Branch(second, SINK),), r"the channel ends at router\(2,0\), so next must be a furt"),
        (2, (Branch(last, 0),), "the channel ends in a sink, so next must be SINK"),
        (2, (), r"stage 2 at router\(2,0\) has no branches, so a copy would end there"),
        (1, (Branch(second, 0),), r"stage 0 is reached twice \(loop\)"),
        (1, (Branch(second, 7),), "there is no stage 7"),
        (2, (Branch(last, SINK), Branch(last, SINK)), "this sink is reached twice"),
        (1, (Branch(second, 2), Branch(second, 2)), r"stage 2 is reached twice \(loop\)"),
        (1, (Branch(99999, 2),), r"stage 1 at router\(1,0\), channel 99999: .*disconnected"),
    ):
        refuse(mesh, broken(route, stage, branches), message)


def test_starts_sizes_and_left_over_stages(mesh: Machine) -> None:
    route = routes.unicast(mesh, 0, 2)
    sink = int(mesh.endpoint_sink[0])
    refuse(mesh, replace(route, port=sink), f"starts at a source port, got port {sink}")
    refuse(mesh, replace(route, port=-1), "starts at a source port, got port -1")
    other = int(mesh.endpoint_port[5])
    refuse(mesh, replace(route, port=other), r"stage 0 at router\(5,0\).*disconnected")
    refuse(mesh, replace(route, payload_bits=3), "got a payload of 3 bit, expected one of 0, 32")
    extra = (*route.stages, (Branch(0, SINK),))
    refuse(mesh, replace(route, stages=extra), "stage 3 of a route is never reached")
    refuse(mesh, replace(route, stages=()), r"stage 0 at router\(0,0\) has no branches")


def test_two_flits_to_one_qpe_on_one_output_are_fine(chip: Machine) -> None:
    """Several branches of a stage may share an output: they go one after another."""
    a, b = chip.endpoint_at(5, 3, 0), chip.endpoint_at(5, 3, 1)
    one = routes.router_multicast(chip, 0, [a])
    known = topology(chip)
    pool = len(one.stages) - 2
    (out,) = one.stages[pool]
    stages = [*one.stages[:pool], (out, Branch(out.channel, pool + 2)), one.stages[pool + 1]]
    stages.append((Branch(known.into[b][0], SINK),))
    route = replace(one, stages=tuple(stages))
    routes.validate(chip, route)
    times = routes.zero_load_ps(chip, route)
    assert times[b] - times[a] == 3_333
