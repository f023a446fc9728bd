"""SpiNNaker1 against its data sheet: packets a second, waits, energies; times added up by hand."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from chipsim.errors import DescriptionError, RouteError
from chipsim.machine import routes
from chipsim.machine.library import load_machine
from chipsim.machine.model import Branching, Machine, NodeKind, Routing
from chipsim.machine.outfit import with_dumps

BYTE = 5_000  # 8 bit at 200 MHz
LOOKUP = 37_594  # 5 cycles at 133 MHz
SYMBOL, LONG_SYMBOL = 20_000, 30_000
FIXED, LONG_FIXED = 20_000, 250_000  # assumed


@pytest.fixture(scope="module")
def old_chip() -> Machine:
    return load_machine("spinnaker1")


@pytest.fixture(scope="module")
def triad() -> Machine:
    return load_machine("spinnaker1-torus-12x12")


def classes_of(machine: Machine) -> dict[str, int]:
    return {cls.name: i for i, cls in enumerate(machine.classes)}


def test_a_chip(old_chip: Machine) -> None:
    assert Counter(old_chip.endpoint_kind.tolist()) == {0: 18, 1: 1, 2: 1}
    assert old_chip.pes().tolist() == list(range(1, 18)), "core 0 is the monitor's: 17 are left"
    assert len(load_machine("spinnaker1", {"floor.reserved_pes": 2}).pes()) == 16
    assert old_chip.endpoint_at(0, 0, 17) == 17
    assert old_chip.endpoint_label(17) == "core(17)"
    assert old_chip.chips is not None
    pool = int(old_chip.chips.pool[0])
    assert old_chip.node_kind[pool] == NodeKind.FIFO
    assert old_chip.node_branching[pool] == Branching.ANY
    assert old_chip.node_routing[pool] == Routing.TABLE
    assert int(old_chip.node_hop.sum()) == 1


def test_a_blocked_packet_is_dropped_after_240_cycles(old_chip: Machine) -> None:
    """1.8 us at 133 MHz; 480 cycles as sPyNNaker's extra monitor sets it; never, if told so."""
    pool = int(old_chip.extras["packet_router"])
    assert old_chip.node_wait_ps[pool] == round(240 / 133e6 * 1e12)
    assert (np.delete(old_chip.node_wait_ps, pool) == -1).all()
    twice = load_machine("spinnaker1", {"router.wait1_cycles": 480})
    assert twice.node_wait_ps[pool] == round(480 / 133e6 * 1e12)
    patient = load_machine("spinnaker1", {"router.blocked_policy": "backpressure"})
    assert patient.node_wait_ps[pool] == -1


def test_link_rates(triad: Machine) -> None:
    """4.5 and 2.6 million packets a second (220 and 380 ns); half as long again between boards."""
    number = classes_of(triad)
    for name, symbol, times in (("link_short", SYMBOL, (220, 380)), ("link_long", 30_000, None)):
        members = triad.channel_class == number[name]
        assert set(triad.channel_flit_ps[members].tolist()) == {symbol}
        flits = triad.classes[number[name]].flits
        assert flits == {0: 11, 32: 19}
        if times is not None:
            assert tuple(flits[bits] * symbol // 1000 for bits in (0, 32)) == times
            assert [round(1e3 / t, 1) for t in times] == [4.5, 2.6]
    assert LONG_SYMBOL / SYMBOL == 1.5


@pytest.mark.parametrize(
    ("bits", "to", "link_ps"),
    [
        (0, (0, 0), []),
        (32, (0, 0), []),
        (0, (1, 1), [FIXED + 11 * SYMBOL]),
        (32, (1, 1), [FIXED + 19 * SYMBOL]),
        (0, (4, 2), [FIXED + 11 * SYMBOL] * 4),
        (0, (11, 0), [LONG_FIXED + 11 * LONG_SYMBOL]),
        (0, (11, 11), [LONG_FIXED + 11 * LONG_SYMBOL]),
    ],
)
def test_zero_load(triad: Machine, bits: int, to: tuple[int, int], link_ps: list[int]) -> None:
    """Bytes into the router, a look-up a chip, symbols over links, bytes into the core."""
    assert triad.chips is not None
    source = triad.endpoint_at(0, 0, 1)
    dest = triad.endpoint_at(0, 0, 5, chip=triad.chips.at(*to))
    route = routes.unicast(triad, source, dest, bits)
    routes.validate(triad, route)
    ends = 2 * (5 + bits // 8) * BYTE  # 40 or 72 bits
    expected = ends + (len(link_ps) + 1) * LOOKUP + sum(link_ps)
    assert routes.zero_load_ps(triad, route) == {dest: expected}


def test_energy_is_25_pj_a_routed_bit(triad: Machine) -> None:
    """1.0 and 1.8 nJ for each router that a packet visits: the sum over its channels."""
    assert triad.chips is not None
    source = triad.endpoint_at(0, 0, 1)
    dest = triad.endpoint_at(0, 0, 5, chip=triad.chips.at(2, 1))
    for bits, packet_pj in ((0, 1000), (32, 1800)):
        route = routes.unicast(triad, source, dest, bits)
        total = 0.0
        for stage in route.stages:
            for channel, _ in stage:
                cls = triad.classes[int(triad.channel_class[channel])]
                total += cls.flits[bits] * cls.pj_per_flit + cls.pj_per_packet
        assert total == pytest.approx(3 * packet_pj)


def test_emergency_routing_goes_round_a_triangle() -> None:
    """Its next lower link, and from there on to the chip that the blocked link leads to."""
    asked = {"router.emergency": True, "router.wait2_cycles": 240}
    machine = load_machine("spinnaker1-torus-5x4", asked)
    chips, behaviour = machine.chips, machine.behaviour
    assert chips is not None
    assert behaviour is not None
    assert behaviour.channel_detour is not None
    assert behaviour.node_wait2_ps is not None
    assert behaviour.node_wait2_ps[chips.pool].tolist() == [round(240 / 133e6 * 1e12)] * 20
    for chip in range(20):
        for direction in range(6):
            link = int(chips.link[chip, direction])
            first, middle, last = behaviour.channel_detour[link].tolist()
            between = int(chips.neighbour[chip, (direction - 1) % 6])
            assert first == chips.link[chip, (direction - 1) % 6]
            assert machine.channel_node[middle] == chips.entry[between]
            assert last == chips.link[between, (direction + 1) % 6]
            assert chips.neighbour[between, (direction + 1) % 6] == chips.neighbour[chip, direction]
    with pytest.raises(DescriptionError, match=r"router.emergency: got true with router.wait2_cy"):
        load_machine("spinnaker1", {"router.emergency": True})


def test_reinjection_gives_each_router_a_port_of_its_monitor() -> None:
    plain = load_machine("spinnaker1-48")
    assert plain.behaviour is None or plain.behaviour.reinjection is None
    machine = load_machine("spinnaker1-48", {"router.reinjection": True})
    assert machine.chips is not None
    assert machine.behaviour is not None
    monitors = machine.behaviour.reinjection
    assert monitors is not None
    ports = monitors.port[machine.chips.pool]
    assert ports.tolist() == list(range(plain.ports, plain.ports + 48))
    assert (machine.port_node[ports] == machine.chips.pool).all()
    assert "router.reinject_read_ns" in {a.name for a in machine.description.assumptions()}


def test_dumps_come_last() -> None:
    for name in ("spinnaker1-48", "spinnaker2"):
        plain = load_machine(name)
        assert plain.chips is not None
        machine = with_dumps(plain)
        count = len(plain.chips)
        assert machine.behaviour is not None
        assert machine.behaviour.dump_ports is not None
        assert machine.behaviour.dump_ports.tolist() == list(range(plain.ports, machine.ports))
        np.testing.assert_array_equal(machine.channel_node[:-count], plain.channel_node)
        assert machine.channel_node[-count:].tolist() == plain.chips.pool.tolist()
        assert machine.classes[-1].name == "dump"
        assert with_dumps(machine) is machine


def test_link_errors_reach_the_channels() -> None:
    machine = load_machine("spinnaker2-48", {"links.short.error_rate": 0.01})
    assert machine.behaviour is not None
    errors = machine.behaviour.channel_error
    assert errors is not None
    is_link = np.asarray(machine.channel_direction) >= 0
    assert (errors == np.where(is_link, 0.01, 0.0)).all()


def test_every_chip_has_an_sdram_behind_the_system_noc() -> None:
    """A word in 15 ns by DMA, 16 byte in 60 ns; 1 GB/s at the SDRAM, 16 byte in 16 ns."""
    machine = load_machine("spinnaker1-48")
    drams = np.flatnonzero(machine.endpoint_kind == 1)
    assert machine.endpoint_chip[drams].tolist() == list(range(48))
    assert machine.endpoint_label(int(drams[9])).endswith(" DRAM")
    chip = int(machine.endpoint_chip[drams[9]])
    core = machine.endpoint_at(0, 0, 5, chip=chip)
    for source, dest in ((core, int(drams[9])), (int(drams[9]), core)):
        route = routes.unicast(machine, source, dest, 128, memory=True, dma=True)
        routes.validate(machine, route)
        assert routes.zero_load_ps(machine, route) == {dest: 60_000 + 16_000}
        names = [machine.channel_label(stage[0].channel) for stage in route.stages]
        assert all("System NoC" in name and "router" not in name for name in names)
        assert machine.sink_owner(int(machine.channel_port[route.stages[-1][0].channel])) == dest
    other = machine.endpoint_at(0, 0, 5, chip=chip + 1)
    for dest in (other, machine.endpoint_at(0, 0, 6, chip=chip), int(drams[10])):
        with pytest.raises(RouteError, match="joins cores to the SDRAM of their own chip alone"):
            routes.unicast(machine, core, dest, 128, memory=True, dma=True)
    with pytest.raises(RouteError, match="payload of 128 bit, expected one of 0, 32 bit"):
        packet = routes.unicast(machine, core, other)
        routes.validate(machine, replace(packet, payload_bits=128))


def test_unpublished_figures_are_assumptions(old_chip: Machine) -> None:
    names = {a.name for a in load_machine("spinnaker1-48").description.assumptions()}
    assert {"links.short.latency_ns", "router.input_packets"} <= names
    assert "links.long.latency_ns" not in names  # one board
    torus = {a.name for a in load_machine("spinnaker1-torus-12x12").description.assumptions()}
    assert {"links.short.latency_ns", "links.long.latency_ns"} <= torus
    assert "links.short.symbol_ns" not in names
    assert "links.short.latency_ns" not in {a.name for a in old_chip.description.assumptions()}
