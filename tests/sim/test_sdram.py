"""SpiNNaker1's SDRAM by DMA, against its figures (hardware.md §5) and added up by hand.

A word takes 15 ns by DMA, so a core moves 267 MB/s; the SDRAM has 1 GB/s for all cores of its chip;
a single access takes more than 100 ns. sPyNNaker plans with 250 MiB/s for a core.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chipsim.errors import RouteError
from chipsim.mapping.application import Net
from chipsim.sim.account import account
from chipsim.sim.simulation import Simulation
from chipsim.testing.scripted import scripted_simulation, trace_rows

SDRAM = (0, 0, 19)
CORE_MB_S, SDRAM_MB_S = 4 / 15e-9 / 1e6, 1000
SETUP_PS = 40 * 5_000  # 40 cycles at 200 MHz, assumed
DMA_FLIT, SDRAM_FLIT, LATENCY = 60_000, 16_000, 100_000
WORDS = 512


def sdram_of(simulation: Simulation, words: int) -> np.ndarray:
    """Give the SDRAM a region of numbers and return them."""
    data = np.arange(words, dtype=np.uint32)
    memory = simulation.memory(simulation.endpoint_of["sdram"]).sram
    memory.reserve("data", 4 * words)
    memory.map("data", data)
    return data


def moved(
    cores: int,
    write: bool,
    network: str,
    words: int = WORDS,
    count: int = 4,
    trace: Path | None = None,
    **settings: Any,
) -> tuple[float, Simulation]:
    """Let cores move words at once; return the rate over all [MB/s], from the first order on."""
    starts: list[int] = []
    ends: list[int] = []

    def body(pe: Any) -> Any:
        yield pe.next_tick()
        starts.append(int(pe.simulation.env.now))
        end = pe.simulation.endpoint_of["sdram"]
        orders = []
        for _ in range(count):
            if write:
                given = np.arange(words, dtype=np.uint32) + 7
                orders.append(pe.dma_write(end, "data", 0, given, "a write"))
            else:
                orders.append(pe.dma_read(end, "data", 0, words, "a read"))
        for order in orders:
            order.done.callbacks.append(lambda _: ends.append(int(pe.simulation.env.now)))
        for order in orders:
            got = yield pe.wait(order)
            if not write:
                assert got.tolist() == list(range(words))

    simulation = scripted_simulation(
        {**{f"core{i}": body for i in range(cores)}, "sdram": None},
        machine="spinnaker1",
        places={"sdram": SDRAM},
        transport="router_multicast",
        network=network,
        settings=settings,
        trace=trace,
        trace_level="hops",
    )
    data = sdram_of(simulation, words)
    simulation.run()
    if write:
        assert data.tolist() == list(range(7, words + 7))
    return 4 * words * count * cores / (max(ends) - min(starts)) * 1e6, simulation


def idle(pe: Any) -> Any:
    yield pe.next_tick()


@pytest.mark.parametrize("write", [False, True])
def test_a_core_moves_a_word_in_15_ns(network: str, write: bool) -> None:
    rate, _ = moved(1, write, network)
    assert 0.97 * CORE_MB_S < rate < CORE_MB_S
    assert rate == pytest.approx(250 * 2**20 / 1e6, rel=0.03)  # sPyNNaker's planning value


@pytest.mark.parametrize("write", [False, True])
def test_the_cores_of_a_chip_share_one_gb_a_second(network: str, write: bool) -> None:
    rate, _ = moved(8, write, network, words=64, count=24)
    assert 0.95 * SDRAM_MB_S < rate < SDRAM_MB_S
    two, _ = moved(2, write, network, words=64, count=24)
    assert 0.97 * 2 * CORE_MB_S < two < 2 * CORE_MB_S  # below it nobody is in another's way


def test_a_single_access(network: str) -> None:
    """Set-up, request there, the SDRAM's latency, one flit back: more than 100 ns."""
    rate, _ = moved(1, False, network, words=1, count=1)
    expected = SETUP_PS + 2 * (DMA_FLIT + SDRAM_FLIT) + LATENCY
    assert 4 / rate * 1e6 == pytest.approx(expected) and expected - SETUP_PS > LATENCY


def test_figures_decide() -> None:
    usual, _ = moved(1, False, "compiled")
    slower, _ = moved(1, False, "compiled", **{"dma.word_ns": 30})
    assert slower == pytest.approx(usual / 2, rel=0.03)
    shared, _ = moved(8, False, "compiled", words=64, count=24, **{"dram.interface_gbps": 4})
    assert 0.95 * SDRAM_MB_S / 2 < shared < SDRAM_MB_S / 2
    one, _ = moved(1, False, "compiled", words=1, count=1)
    far, _ = moved(1, False, "compiled", words=1, count=1, **{"dram.latency_ns": 1100})
    assert 4 / far * 1e6 - 4 / one * 1e6 == pytest.approx(1_000_000)


def test_spikes_go_another_way(network: str) -> None:
    """Packets between cores take as long whether or not the System NoC is full."""
    arrived: dict[bool, list[int]] = {}

    def talk(pe: Any) -> Any:
        yield pe.next_tick()
        pe.send("net", range(20))

    def listen(busy: bool) -> Any:
        def body(pe: Any) -> Any:
            yield pe.next_tick()
            end = pe.simulation.endpoint_of["sdram"]
            if busy:
                orders = [pe.dma_read(end, "data", 0, WORDS, "a read") for _ in range(2)]
                for order in orders:
                    yield pe.wait(order)
            packets = yield pe.receive(20) if not busy else pe.next_tick()
            packets = pe.take_packets() if busy else packets
            arrived[busy] = packets.time_ps.tolist()

        return body

    for busy in (False, True):
        simulation = scripted_simulation(
            {"a": talk, "b": listen(busy), "sdram": None},
            [Net("net", "a", ("b",), key_bits=5)],
            machine="spinnaker1",
            places={"sdram": SDRAM},
            transport="router_multicast",
            network=network,
            tick_us=100,
        )
        sdram_of(simulation, WORDS)
        simulation.run()
    assert len(arrived[True]) == 20 and arrived[True] == arrived[False]


@pytest.mark.parametrize("write", [False, True])
def test_both_networks_agree_grant_by_grant(write: bool, tmp_path: Path) -> None:
    """With few places in the System NoC as well, so that packets wait for credits."""
    found = []
    for network in ("compiled", "simpy"):
        small: dict[str, Any] = {"dma.noc_packets": 3}
        _, made = moved(5, write, network, 40, 6, tmp_path / network, **small)
        rows = [trace_rows(made, tmp_path / network, name) for name in ("hops", "packets")]
        found.append((rows, made.provenance()))
    assert found[0] == found[1] and len(found[0][0][0]) >= 5 * 6 * 10 * 2


def test_a_full_queue_is_counted_and_energy_has_no_line() -> None:
    """Two transfers are under way, sixteen wait; of 30 ordered at once twelve find no room."""
    _, simulation = moved(1, False, "compiled", words=8, count=30)
    counted = {row.name: row.value for row in simulation.provenance() if row.table == "core"}
    assert counted["Times_the_dma_queue_was_overloaded"] == 30 - 2 - 16
    assert counted["DMA's that were completed"] == 30
    summary = account(simulation)
    assert "dram" not in summary["energy_mj"]  # no figure is published
    assert "dma.noc_packets" in {row["name"] for row in summary["assumptions"]}


def test_cores_do_not_reach_each_other_by_dma() -> None:
    def body(pe: Any) -> Any:
        yield pe.next_tick()
        yield pe.wait(pe.dma_read(pe.simulation.endpoint_of["b"], "state", 0, 4, "a peek"))

    simulation = scripted_simulation(
        {"a": body, "b": idle},
        sram={"b": {"state": 16}},
        machine="spinnaker1",
        transport="router_multicast",
    )
    state = simulation.memory(simulation.endpoint_of["b"]).sram
    state.map("state", np.zeros(4, dtype=np.uint32))
    with pytest.raises(RouteError, match=r"no DMA between core\(1\) and core\(2\)"):
        simulation.run()
