"""Routes and their zero-load times, each time added up here by hand."""

from __future__ import annotations

import pytest

from chipsim.errors import RouteError
from chipsim.machine import routes
from chipsim.machine.library import load_machine
from chipsim.machine.model import Machine
from chipsim.machine.route import SINK, Route
from chipsim.machine.topology import topology

HOP = 16_667  # 5 cycles at 300 MHz
FLIT = 3_333
LOOKUP = 10_000  # 4 cycles at 400 MHz


def tiles(machine: Machine, route: Route) -> list[tuple[int, int]]:
    known = topology(machine)
    nodes = [known.source[stage[0].channel] for stage in route.stages]
    return [(known.x[node], known.y[node]) for node in nodes if known.is_router(node)]


@pytest.mark.parametrize(
    ("what", "source", "dest", "expected_ps"),
    [
        ("to itself: in and out", (1, 1, 0), (1, 1, 0), 33_334),
        ("a PE of the same QPE", (1, 1, 0), (1, 1, 3), 33_334),
        ("one QPE east: 3 hops", (1, 1, 0), (2, 1, 0), 50_001),
        ("one QPE north", (7, 5, 2), (7, 6, 1), 50_001),
        ("the optimiser's QPE to a sample's: 2 + 1 + 2 hops", (1, 6, 0), (3, 5, 2), 83_335),
        ("along the top row: 6 + 2 hops", (1, 6, 0), (7, 6, 0), 133_336),
        ("x then y: 6 + 1 + 2 hops", (1, 1, 0), (7, 2, 0), 150_003),
        ("round the block by row 2: 4 + 2 hops", (3, 3, 0), (5, 3, 0), 100_002),
        ("past the block from below: 7 + 2 hops", (4, 1, 0), (4, 6, 0), 150_003),
        ("the avoided turn: 8 + 2 hops", (4, 5, 0), (5, 4, 0), 166_670),
        ("round the hole in column 7: 1 + 3 + 1 + 2 hops", (7, 2, 0), (7, 5, 0), 116_669),
    ],
)
def test_zero_load_between_pes(
    chip: Machine,
    what: str,
    source: tuple[int, int, int],
    dest: tuple[int, int, int],
    expected_ps: int,
) -> None:
    there = chip.endpoint_at(*dest)
    route = routes.unicast(chip, chip.endpoint_at(*source), there)
    routes.validate(chip, route)
    assert routes.zero_load_ps(chip, route) == {there: expected_ps}, what


def test_zero_load_to_and_from_the_edge(chip: Machine) -> None:
    memory_a, memory_b, host = (
        chip.extras[f"endpoint_{name}"] for name in ("dram_a", "dram_b", "host")
    )
    for source, dest, expected in (
        (chip.endpoint_at(1, 6), memory_a, 33_334),  # beside it
        (chip.endpoint_at(7, 1), memory_b, 133_336),  # 6 + 2 hops
        (memory_a, chip.endpoint_at(7, 6), 133_336),
        (host, chip.endpoint_at(6, 6), 33_334),
        (host, chip.endpoint_at(1, 1), 183_337),  # 4 west, 5 south, 2
    ):
        route = routes.unicast(chip, source, dest, 128, memory=True, dma=True)
        routes.validate(chip, route)
        assert routes.zero_load_ps(chip, route) == {dest: expected}
        assert route.port == chip.endpoint_dma_port[source]
        assert route.memory


def test_zero_load_through_the_packet_router(chip: Machine) -> None:
    """In, router_in, look-up, router_out, out; a second flit on a port leaves one flit later."""
    near, far = chip.endpoint_at(5, 3, 1), chip.endpoint_at(6, 3, 2)
    route = routes.router_multicast(chip, chip.endpoint_at(3, 3), [far, near])
    routes.validate(chip, route)
    assert routes.zero_load_ps(chip, route) == {
        near: 4 * HOP + LOOKUP,  # 76,668
        far: 5 * HOP + LOOKUP + FLIT,  # one hop more, and it waits for the first flit
    }


def test_flits_of_other_ports_leave_at_once(chip: Machine) -> None:
    west, east = chip.endpoint_at(3, 3), chip.endpoint_at(5, 3)
    route = routes.router_multicast(chip, chip.endpoint_at(4, 2), [west, east])
    assert routes.zero_load_ps(chip, route) == dict.fromkeys((west, east), 4 * HOP + LOOKUP)


def test_settings_move_the_zero_load_time(chip: Machine) -> None:
    slow = load_machine("spinnaker2", {"noc.hop_cycles": "6", "router.mc_latency_cycles": "8"})
    dest = slow.endpoint_at(5, 3)
    route = routes.router_multicast(slow, slow.endpoint_at(3, 3), [dest])
    # the injection has a figure of its own: 5 cycles; three hops of 6 cycles are 20,000 ps each
    assert routes.zero_load_ps(slow, route) == {dest: 16_667 + 3 * 20_000 + 20_000}


def test_a_router_multicast_is_one_flit_per_qpe(chip: Machine) -> None:
    pes = chip.pes().tolist()
    route = routes.router_multicast(chip, 0, pes, 128)
    routes.validate(chip, route)
    assert route.leaves == 152
    known = topology(chip)
    pool = next(
        s for s in route.stages if known.source[s[0].channel] == chip.extras["packet_router"]
    )
    assert len(pool) == 38
    assert sorted(routes.zero_load_ps(chip, route)) == pes


def test_direct_splits_in_the_last_qpe(chip: Machine) -> None:
    dests = [chip.endpoint_at(2, 5, i) for i in (0, 2, 3)]
    route = routes.direct(chip, chip.endpoint_at(1, 6), list(reversed(dests)))
    routes.validate(chip, route)
    assert tiles(chip, route) == [(1, 6), (2, 6), (2, 5)]
    assert [branch.next for branch in route.stages[-1]] == [SINK] * 3
    assert routes.zero_load_ps(chip, route) == dict.fromkeys(dests, 4 * HOP)


def test_packet_hops_count_routers(chip: Machine, mesh: Machine) -> None:
    assert routes.hops(chip, routes.unicast(chip, 0, chip.endpoint_at(3, 1))) == 3
    through = routes.router_multicast(chip, chip.endpoint_at(3, 3), [chip.endpoint_at(5, 3)])
    assert routes.hops(chip, through) == 3, "two QPE routers and the packet router's pool"
    assert routes.hops(mesh, routes.unicast(mesh, 0, 63)) == 15


def test_mesh_routes_are_x_first(mesh: Machine) -> None:
    route = routes.unicast(mesh, mesh.endpoint_at(1, 1), mesh.endpoint_at(3, 0))
    routes.validate(mesh, route)
    assert tiles(mesh, route) == [(1, 1), (2, 1), (3, 1), (3, 0)]
    assert route.port == mesh.endpoint_port[mesh.endpoint_at(1, 1)]


def test_mesh_trees_join_common_beginnings(mesh: Machine) -> None:
    dests = [mesh.endpoint_at(x, y) for x, y in ((3, 0), (3, 3), (5, 0))]
    route = routes.tree(mesh, 0, dests)
    routes.validate(mesh, route)
    links = sum(branch.next != SINK for stage in route.stages for branch in stage)
    assert links == 5 + 3, "five along the row, three up column 3"
    assert routes.zero_load_ps(mesh, route) == dict(zip(dests, (4000, 7000, 6000), strict=True))


def test_payloads_of_several_flits() -> None:
    """128 bit on a 32-bit network are four flits: three flit times more on the way in and out."""
    machine = load_machine("mesh-4x4", {"noc.max_payload_bits": "32"})
    route = routes.unicast(machine, 0, 1, payload_bits=128)
    assert routes.zero_load_ps(machine, route) == {1: 2 * (1000 + 3 * 1000)}
    assert routes.zero_load_ps(machine, routes.unicast(machine, 0, 1)) == {1: 2000}


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda m: routes.unicast(m, 0, 900), r"no endpoint 900; endpoints are 0\.\.154"),
        (lambda m: routes.direct(m, 0, []), "needs at least one destination, got none"),
        (lambda m: routes.direct(m, 0, [1, 1]), r"PE\(1,1,1\) is given twice; name each once"),
        (lambda m: routes.direct(m, 0, [1, 9]), r"reaches PEs of one QPE, got PE\(1,1,1\), PE\(3"),
        (
            lambda m: routes.router_multicast(m, 0, [152]),
            r"delivers to PEs, got DRAM\(0,5\); use unicast",
        ),
    ],
)
def test_routes_that_cannot_be_made(chip: Machine, call: object, message: str) -> None:
    with pytest.raises(RouteError, match=message):
        call(chip)  # type: ignore[operator]


def test_what_a_mesh_has_not(mesh: Machine) -> None:
    with pytest.raises(RouteError, match="has no packet router; use unicast, or tree"):
        routes.router_multicast(mesh, 0, [1])
    with pytest.raises(RouteError, match=r"PE\(0,0,0\) has no DMA port"):
        routes.unicast(mesh, 0, 1, dma=True)
    with pytest.raises(RouteError, match="payload of 7 bit, expected one of 0, 32, 64, 128 bit"):
        routes.zero_load_ps(mesh, routes.unicast(mesh, 0, 1, payload_bits=7))
