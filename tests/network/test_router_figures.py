"""Latency and throughput of look-ups and links against the documented figures."""

from __future__ import annotations

import numpy as np
import pytest

from chipsim.machine.library import load_machine
from chipsim.machine.model import Machine
from chipsim.machine.route import Route
from chipsim.machine.routes import router_multicast, unicast
from chipsim.network.api import Counters, NetworkOptions, Sends
from chipsim.network.compiled import Network

PS_PER_US = 1_000_000


def saturate(
    machine: Machine, routes: list[Route], rows: int, from_us: int, to_us: int
) -> tuple[Counters, Counters]:
    """Let every route's source send without a pause; return the counts at two times."""
    network = Network(machine, options=NetworkOptions(consume=True))
    numbers = network.add_routes(routes)
    count = rows * len(routes)
    zeros = np.zeros(count, dtype=np.int32)
    network.send(
        Sends(
            port=np.repeat([route.port for route in routes], rows).astype(np.int32),
            earliest_ps=np.ones(count, dtype=np.int64),
            gap_ps=np.zeros(count, dtype=np.int64),
            route=np.repeat(numbers, rows),
            source=np.repeat(np.arange(len(routes)), rows).astype(np.int32),
            seq=np.tile(np.arange(rows), len(routes)).astype(np.int64),
            key=zeros.astype(np.uint32),
            payload=np.zeros((count, 4), dtype=np.uint32),
            net=zeros,
            tick=zeros,
            tag=zeros,
        )
    )
    network.advance(from_us * PS_PER_US)
    before = network.counters()
    network.advance(to_us * PS_PER_US)
    return before, network.counters()


def channel_of(machine: Machine, name: str, chip: int = 0) -> int:
    number = next(i for i, cls in enumerate(machine.classes) if cls.name == name)
    here = machine.node_chip[machine.channel_node] == chip
    return int(np.flatnonzero((machine.channel_class == number) & here)[0])


def rate(pair: tuple[Counters, Counters], channel: int, us: int) -> float:
    """Return packets per second."""
    before, after = (int(counts.channel_packets[channel]) for counts in pair)
    return (after - before) / us * 1e6


def far_pairs(machine: Machine, step: int) -> list[tuple[int, int]]:
    pes = machine.pes().tolist()
    return [(pe, pes[(i + step) % len(pes)]) for i, pe in enumerate(pes)]


def test_spinnaker2_looks_up_400_million_packets_a_second() -> None:
    machine = load_machine("spinnaker2")
    lookup = channel_of(machine, "lookup")
    assert int(machine.channel_latency_ps[lookup]) == 10_000  # 4 stages at 400 MHz
    routes = [router_multicast(machine, a, (b,)) for a, b in far_pairs(machine, 70)]
    pair = saturate(machine, routes, 200, 10, 40)
    # Never more than one a cycle; nearly that, with six ports that each bring up to 300 M/s.
    assert 0.97 * 400e6 <= rate(pair, lookup, 30) <= 400e6


def test_spinnaker2_fan_out_is_bound_by_flits_not_by_look_ups() -> None:
    machine = load_machine("spinnaker2")
    lookup = channel_of(machine, "lookup")
    tiles = [machine.endpoint_at(x, y) for x, y in ((1, 1), (1, 6), (2, 1), (2, 6), (3, 1), (3, 6))]
    routes = [router_multicast(machine, pe, tiles) for pe in machine.pes().tolist()]
    pair = saturate(machine, routes, 60, 10, 20)
    out = np.flatnonzero(machine.channel_node == machine.extras["packet_router"])
    flits = (pair[1].channel_packets - pair[0].channel_packets)[out].sum() / 10 * 1e6
    # One flit per destination QPE, six of them, through the ports that the floor plan names.
    assert flits == pytest.approx(6 * rate(pair, lookup, 10), rel=0.02)
    assert flits <= len(out) * 300e6
    assert rate(pair, lookup, 10) < 350e6


def link_rate(name: str, payload: int, us: int, rows: int) -> float:
    """Return packets a second over the link (0, 0) -> (1, 0) when four cores want it."""
    machine = load_machine(name)
    chips = machine.chips
    assert chips is not None
    ends = [
        machine.pes()[machine.endpoint_chip[machine.pes()] == chip].tolist()[:4]
        for chip in (0, int(chips.neighbour[0, 0]))
    ]
    routes = [unicast(machine, a, b, payload) for a, b in zip(*ends, strict=True)]
    pair = saturate(machine, routes, rows, us // 4, us + us // 4)
    return rate(pair, int(chips.link[0, 0]), us)


@pytest.mark.parametrize(("transit", "rows"), [(False, (1, 2, 5, 6)), (True, (1, 2, 3, 4, 5, 6))])
def test_a_permutation_across_the_middle_fills_the_links(
    transit: bool, rows: tuple[int, ...]
) -> None:
    """Four open rows, two ways: 8 x 38.4 = 307.2 Gbit/s, the published bisection. In the other
    reading, where the router's block passes packets on, six rows of PEs are open.
    """
    machine = load_machine("spinnaker2", {"floor.router_transit": transit})
    ends = [(x, y, pe) for x in (1, 2, 3, 5, 6, 7) for y in rows for pe in range(4)]
    ends = [(x, y, pe) for x, y, pe in ends if y not in (3, 4) or x not in (1, 7)]
    pairs = [
        (machine.endpoint_at(x, y, pe), machine.endpoint_at(8 - x, y, pe)) for x, y, pe in ends
    ]
    routes = [unicast(machine, a, b) for a, b in pairs]
    counts = saturate(machine, routes, 4000, 5, 15)
    across = [channel for channel in range(machine.channels) if crosses(machine, channel)]
    flit_per_s = 300e6
    carried = sum(rate(counts, channel, 10) for channel in across)
    assert carried >= 0.95 * 2 * len(rows) * flit_per_s
    assert carried * 128 / 1e9 <= 2 * len(rows) * 38.4 + 0.1


def crosses(machine: Machine, channel: int) -> bool:
    """Return whether a NoC channel leads from a column up to 3 to one from 4 on, or back."""
    if machine.classes[machine.channel_class[channel]].name != "noc":
        return False
    here = machine.channel_node[channel]
    there = machine.port_node[machine.channel_port[channel]]
    return bool((machine.node_x[here] < 4) != (machine.node_x[there] < 4))


@pytest.mark.parametrize(("payload", "per_second"), [(0, 4.5e6), (32, 2.6e6)])
def test_spinnaker1_links(payload: int, per_second: float) -> None:
    assert link_rate("spinnaker1-48", payload, 400, 800) == pytest.approx(per_second, rel=0.02)


@pytest.mark.parametrize(
    ("payload", "frames"), [(0, 62.5e6), (32, 62.5e6), (64, 31.25e6), (128, 31.25e6)]
)
def test_spinnaker2_links(payload: int, frames: float) -> None:
    assert link_rate("spinnaker2-48", payload, 20, 900) == pytest.approx(frames, rel=0.02)


def test_spinnaker1_looks_up_one_packet_a_cycle() -> None:
    machine = load_machine("spinnaker1")
    lookup = channel_of(machine, "lookup")
    assert int(machine.channel_flit_ps[lookup]) == pytest.approx(1e6 / 133, abs=1)
    assert int(machine.channel_latency_ps[lookup]) == pytest.approx(5e6 / 133, abs=1)
    routes = [unicast(machine, a, b) for a, b in far_pairs(machine, 5)]
    pair = saturate(machine, routes, 600, 2, 12)
    assert 0.9 * 133e6 <= rate(pair, lookup, 10) <= 133.1e6


def errors(name: str, rate_of: float, seed: int) -> tuple[Counters, Machine]:
    machine = load_machine(name, {"links.short.error_rate": rate_of})
    chips = machine.chips
    assert chips is not None
    ends = [np.flatnonzero(machine.endpoint_chip == chip)[:4].tolist() for chip in (0, 1)]
    routes = [unicast(machine, a, b, 128) for a, b in zip(*ends, strict=True)]
    network = Network(machine, options=NetworkOptions(consume=True, error_seed=seed))
    numbers = network.add_routes(routes)
    zeros = np.zeros(4000, dtype=np.int32)
    port = np.repeat([route.port for route in routes], 1000).astype(np.int32)
    network.send(
        Sends(
            port, np.ones(4000, np.int64), np.zeros(4000, np.int64), np.repeat(numbers, 1000),
            zeros, np.arange(4000), zeros.astype(np.uint32), np.zeros((4000, 4), np.uint32),
            zeros, zeros, zeros,
        )
    )  # fmt: skip
    network.advance(10**10)
    return network.counters(), machine


def test_link_errors_are_sent_again_and_nothing_is_lost() -> None:
    counts, machine = errors("spinnaker2-48", 0.1, 1)
    assert machine.chips is not None
    link = int(machine.chips.link[0].max())
    used = np.flatnonzero(counts.channel_resent)
    assert len(used) and counts.delivered == 4000 and counts.dropped == 0
    # 8,000 frames with a chance of 0.1 a transmission: 889 hits are expected, give or take 31.
    frames = int(counts.channel_flits[used].sum() - counts.channel_resent[used].sum())
    expected = frames * 0.1 / 0.9
    assert abs(int(counts.channel_resent.sum()) - expected) < 5 * np.sqrt(expected / 0.9)
    assert link >= 0


def test_one_seed_gives_one_outcome() -> None:
    first, again, other = (errors("spinnaker2-48", 0.05, seed)[0] for seed in (1, 1, 2))
    assert first.channel_resent.tolist() == again.channel_resent.tolist()
    assert first.channel_resent.tolist() != other.channel_resent.tolist()
