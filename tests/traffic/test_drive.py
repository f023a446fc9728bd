from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np
import pytest

from chipsim.errors import DeadlockError, NetworkError
from chipsim.machine.library import load_machine
from chipsim.machine.synthetic import DeadlockWarning
from chipsim.network.traffic import Parcel, Request, Span, TrafficResult, prepare, run_traffic
from chipsim.network.traffic.drive import _bins, make_network
from chipsim.network.traffic.parcel import make_route


def run(network: str, machine: str, pattern: str, rate: float, **more: object) -> TrafficResult:
    settings = more.pop("settings", {})
    words = {name: str(value) for name, value in more.items()}
    request = Request(
        machine,
        pattern,
        rate=str(rate),
        network=network,
        settings=settings,  # type: ignore[arg-type]
        **words,  # type: ignore[arg-type]
    )
    return prepare(request).run()


class Listed:
    """A workload written down: (time [ps], source, destinations) in blocks."""

    def __init__(self, nodes: int, *blocks: list[tuple[int, int, tuple[int, ...]]]) -> None:
        self.nodes = nodes
        self._blocks = blocks
        self._ends = list(dict.fromkeys((s, d) for block in blocks for _, s, d in block))
        self.flows = len(self._ends)

    def blocks(self, end_ps: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for block in self._blocks:
            block = [row for row in block if row[0] < end_ps]
            time_ps = np.array([t for t, _, _ in block], dtype=np.int64)
            flow = np.array([self._ends.index((s, d)) for _, s, d in block], dtype=np.int64)
            yield time_ps, flow

    def ends(self, flow: int) -> tuple[int, tuple[int, ...]]:
        return self._ends[flow]

    def used(self, most: int) -> np.ndarray | None:
        return np.arange(self.flows) if self.flows <= most else None


def test_one_packet_by_hand(network: str) -> None:
    machine = load_machine("mesh-4x4", {"noc.hop_cycles": 3})
    work = Listed(16, [(2000, 0, (15,))])
    found = run_traffic(machine, work, Span(10, 0, 100), network=network)
    assert found.packets_injected == found.packets_delivered == found.packets_created == 1
    # 7 routers from corner to corner, 3 cycles each; delivered after the window's end.
    assert found.packet_hops == 7
    assert found.mean_latency_cycles == found.max_latency_cycles == 21
    assert found.p50_latency_cycles == found.p99_latency_cycles == 21
    assert (found.offered_rate, found.accepted_rate) == (1 / 160, 0)
    # In the window it was granted at cycles 2, 5 and 8; 16 ejecting and 48 mesh channels.
    assert found.channel_load_max == 0.1
    assert found.channel_load_mean == pytest.approx(3 * 0.1 / 64)
    assert found.drain_cycles >= 13


def test_window_is_cut_exactly(network: str) -> None:
    machine = load_machine("mesh-2x1")
    # Blocks that end before, at and beyond the window's edges (cycles 10 to 20); 1 to 0: 2 cycles.
    work = Listed(
        2,
        [(0, 1, (0,)), (8000, 1, (0,)), (9000, 1, (0,)), (10000, 1, (0,))],
        [],
        [(10000, 0, (0,)), (19000, 1, (0,))],
        [(20000, 1, (0,)), (21000, 1, (0,))],
    )
    found = run_traffic(machine, work, Span(20, 10, 100), network=network)
    assert found.packets_created == 6
    assert found.offered_rate == 3 / 20
    # Node 0 ejects at 1, 9, 10, 11, 12 (at 10 its own packet contests) and 20, a cycle each.
    assert found.accepted_rate == 4 / 20
    # In the window node 1 granted at 10 and 19, node 0 at 10, 11 and 12.
    assert sorted(found.channel_loads) == [0, 0, 0.2, 0.3]


def test_latency_holds_the_source_queue(network: str) -> None:
    machine = load_machine("mesh-1x1")
    work = Listed(1, [(0, 0, (0,))] * 1, [(1000, 0, (0,))] * 4)
    found = run_traffic(machine, work, Span(5, 1, 10), network=network)
    # Four at once on one channel: 1, 2, 3 and 4 cycles.
    assert found.mean_latency_cycles == 2.5
    assert (found.p50_latency_cycles, found.p99_latency_cycles) == (2, 4)
    assert found.max_latency_cycles == 4


def test_copies_are_counted_where_multicast(network: str) -> None:
    machine = load_machine("mesh-4x1")
    work = Listed(4, [(1000, 0, (1, 3)), (50_000, 3, (2, 3))])
    found = run_traffic(machine, work, Span(100, 0, 100), network=network)
    assert found.packets_created == 2
    assert found.packets_injected == found.packets_delivered == 4
    # One tree visits 4 routers, the other 2.
    assert found.packet_hops == 6
    assert found.mean_latency_cycles == (2 + 4 + 2 + 1) / 4
    assert found.offered_rate == found.accepted_rate == 2 / 400


def test_what_does_not_arrive_is_censored(network: str) -> None:
    found = run(network, "mesh-4x4", "hotspot:share=1", 0.5, cycles=200, warmup=100, drain=50)
    assert found.packets_in_flight > 0
    in_sum = found.packets_delivered + found.packets_in_flight + found.packets_dropped
    assert in_sum == found.packets_injected
    assert 0 < found.censored <= found.packets_in_flight
    # The hot node takes one packet a cycle, whatever is offered.
    assert found.accepted_rate == pytest.approx(1 / 16)
    assert found.channel_load_max == 1
    assert "eject router(2,2)" in found.busiest_channel
    assert found.drain_cycles == 50
    assert found.saturated


def test_nothing_offered(network: str) -> None:
    found = run(network, "mesh-2x2", "uniform", 0, cycles=100)
    assert found.packets_injected == found.packet_hops == found.censored == 0
    assert found.mean_latency_cycles is None
    assert found.p99_latency_cycles is None
    assert (found.offered_rate, found.accepted_rate, found.channel_load_max) == (0, 0, 0)


def test_low_load_is_zero_load(network: str) -> None:
    found = run(network, "mesh-8x8", "uniform", 0.002, cycles=4000, seed=3)
    # Mean distance of uniform traffic on 8 x 8, self included: 2 * 63 / 24 = 5.25, plus one router.
    assert found.packet_hops / found.packets_created == pytest.approx(6.25, rel=0.05)
    assert found.mean_latency_cycles == pytest.approx(6.25, rel=0.05)
    assert found.offered_rate == pytest.approx(0.002, rel=0.2)
    assert found.censored == 0
    assert not found.saturated


@pytest.mark.parametrize(
    ("machine", "pattern", "rate", "more"),
    [
        ("mesh-4x4", "uniform", 0.3, {}),
        ("mesh-4x4", "uniform", 0.9, {"drain": 20}),
        ("mesh-4x4", "multicast:3", 0.2, {"settings": {"noc.fifo_packets": 2}}),
        ("torus-4x4", "tornado", 0.5, {}),
        ("mesh-4x4", "spiking(period=40,neurons=8)", 0.1, {"seed": 9}),
        ("mesh-4x4", "poisson", 0.3, {"settings": {"noc.clock_mhz": 700, "noc.hop_cycles": 2}}),
        ("spinnaker2", "uniform", 0.05, {"payload_bits": 128}),
        ("spinnaker2", "multicast:3", 0.002, {}),
        ("spinnaker2", "uniform", 0.01, {"transport": "router"}),
    ],
)
def test_both_networks_find_the_same(
    machine: str, pattern: str, rate: float, more: dict[str, object]
) -> None:
    pytest.importorskip("numba")
    one = run("simpy", machine, pattern, rate, cycles=200, **more)
    other = run("compiled", machine, pattern, rate, cycles=200, **more)
    host = {"network": "", "cpu_s": 0, "packet_hops_per_cpu_s": 0}
    assert dataclasses.replace(one, **host) == dataclasses.replace(other, **host)
    assert one.packets_delivered > 0


def test_same_seed_same_result(network: str) -> None:
    def once(seed: int) -> TrafficResult:
        found = run(network, "mesh-4x4", "uniform", 0.3, cycles=300, seed=seed)
        return dataclasses.replace(found, cpu_s=0, packet_hops_per_cpu_s=0)

    assert once(1) == once(1)
    assert once(1).mean_latency_cycles != once(2).mean_latency_cycles


def test_a_deadlock_ends_the_run_and_names_the_circle(network: str) -> None:
    with pytest.warns(DeadlockWarning, match="these routes can deadlock: 4 channels"):
        ready = prepare(
            Request(
                "torus-4x4",
                "uniform",
                rate="0.9",
                cycles="3000",
                network=network,
                settings={"noc.fifo_packets": 1},
            )
        )
        with pytest.raises(DeadlockError, match="4 wait for each other in a circle") as caught:
            ready.run()
    assert "waits for noc router(" in str(caught.value)


def test_a_torus_too_large_to_analyse_warns_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chipsim.network.traffic.drive._MOST_PREPARED", 3)
    with pytest.warns(DeadlockWarning, match="round a ring of finite FIFOs can deadlock"):
        run("simpy", "torus-4x4", "uniform", 0.1, cycles=50, settings={"noc.fifo_packets": 8})


def test_many_routes_are_made_as_they_occur(network: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chipsim.network.traffic.drive._MOST_PREPARED", 3)
    table = run(network, "mesh-4x4", "uniform", 0.2, cycles=100)
    monkeypatch.setattr("chipsim.network.traffic.book._MOST_IN_TABLE", 3)
    dictionary = run(network, "mesh-4x4", "uniform", 0.2, cycles=100)
    host = {"cpu_s": 0, "packet_hops_per_cpu_s": 0}
    assert dataclasses.replace(table, **host) == dataclasses.replace(dictionary, **host)
    assert table.packets_delivered == table.packets_created > 0


def test_progress_is_told(network: str) -> None:
    seen: list[dict[str, int]] = []
    ready = prepare(Request("mesh-2x2", "uniform", rate="0.5", cycles="100", network=network))
    ready.run(0, lambda values: seen.append(dict(values)))
    assert seen[0]["cycle"] == 20  # the end of the warm-up
    assert seen[-1]["cycle"] == seen[-1]["cycles"] == 100
    assert seen[-1]["packets"] > 0


def test_bins_hold_every_latency() -> None:
    assert _bins(1000, Span(1000, 0, 1000)) == (100, 20_001)
    width, bins = _bins(1000, Span(10_000_000, 0, 10_000_000))
    assert width % 1000 == 0
    assert width * bins >= 20_000_000_000
    assert bins <= 1 << 23
    assert _bins(300, Span(100, 0, 0))[0] == 333


def test_routes_that_the_chip_can_carry() -> None:
    machine = load_machine("spinnaker2")
    same_tile = make_route(machine, 0, (4, 5), Parcel())
    assert same_tile.leaves == 2
    far = make_route(machine, 0, (4, 140), Parcel())
    pool = machine.extras["packet_router"]
    nodes = [int(machine.channel_node[stage[0].channel]) for stage in far.stages]
    assert pool in nodes
    through = make_route(machine, 0, (4,), Parcel(transport="router"))
    assert pool in [int(machine.channel_node[stage[0].channel]) for stage in through.stages]
    memory = make_route(machine, 0, (machine.extras["endpoint_dram_a"],), Parcel())
    assert memory.memory


def test_unknown_network() -> None:
    from chipsim.network.api import NetworkOptions

    with pytest.raises(NetworkError, match="unknown network 'simpi'; did you mean 'simpy'"):
        make_network("simpi", load_machine("mesh-2x2"), NetworkOptions())
