"""DMA and DRAM against their documented figures: ceilings, alignment, and what they share.

A NoC channel carries 16 byte of payload a cycle of 300 MHz: 4.8 GB/s (hardware.md §4.2). A DRAM
interface has 25.6 Gbit/s, of which 75 % are assumed to be sustained: 2.4 GB/s (§5).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chipsim.errors import ProgramError
from chipsim.mapping.application import Net
from chipsim.sim.simulation import Simulation
from chipsim.testing.scripted import scripted_simulation, trace_rows

NOC_GB_S, DRAM_GB_S = 4.8, 2.4
WORDS = 1024
"""Words of a transfer: 256 flits, so that set-up and latency are a small part of four of them."""


def idle(pe: Any) -> Any:
    yield pe.next_tick()


def mapped(simulation: Simulation, vertex: str, words: int) -> np.ndarray:
    data = np.arange(words, dtype=np.uint32)
    memory = simulation.memory(simulation.endpoint_of[vertex]).sram
    if "data" not in memory.regions:
        memory.reserve("data", 4 * words)
    memory.map("data", data)
    return data


def moving(targets: list[str], write: bool, log: dict[str, tuple[int, int]], count: int) -> Any:
    """Move ``count`` transfers to or from each target, all ordered at once."""

    def body(pe: Any) -> Any:
        yield pe.next_tick()
        start = int(pe.simulation.env.now)
        orders = []
        for target in targets * count:
            end = pe.simulation.endpoint_of[target]
            if write:
                words = np.arange(WORDS, dtype=np.uint32)
                orders.append(pe.dma_write(end, "data", 0, words, "a write"))
            else:
                orders.append(pe.dma_read(end, "data", 0, WORDS, "a read"))
        for order in orders:
            yield pe.wait(order)
        log[pe.vertex] = start, int(pe.simulation.env.now)

    return body


def rate_gb_s(
    movers: dict[str, tuple[tuple[int, ...], list[str]]],
    memories: dict[str, tuple[int, ...]],
    network: str,
    write: bool = False,
    count: int = 4,
    **options: Any,
) -> float:
    """Return bytes moved over the time from the first order to the last end [GB/s]."""
    log: dict[str, tuple[int, int]] = {}
    is_dram = {name: len(place) == 2 for name, place in memories.items()}
    simulation = scripted_simulation(
        {name: moving(targets, write, log, count) for name, (_, targets) in movers.items()}
        | {name: None if is_dram[name] else idle for name in memories},
        places={name: place for name, (place, _) in movers.items()} | memories,
        sram={name: {"data": 4 * WORDS} for name in memories if not is_dram[name]},
        network=network,
        **options,
    )
    for name in memories:
        mapped(simulation, name, WORDS)
    simulation.run()
    moved = 4 * WORDS * count * sum(len(targets) for _, targets in movers.values())
    elapsed = max(end for _, end in log.values()) - min(start for start, _ in log.values())
    return moved / elapsed * 1000


@pytest.mark.parametrize("write", [False, True], ids=["read", "write"])
def test_a_dma_engine_reaches_a_flit_a_cycle(write: bool, network: str) -> None:
    found = rate_gb_s({"a": ((1, 1, 0), ["b"])}, {"b": (2, 1, 0)}, network, write)
    assert 0.9 * NOC_GB_S < found <= NOC_GB_S


def test_one_transfer_at_a_time_pays_the_way_there_each_time(network: str) -> None:
    one = {"dma.max_outstanding": 1}
    slow = rate_gb_s({"a": ((1, 1, 0), ["b"])}, {"b": (7, 6, 0)}, network, settings=one)
    fast = rate_gb_s({"a": ((1, 1, 0), ["b"])}, {"b": (7, 6, 0)}, network)
    assert slow < 0.8 * fast < fast <= NOC_GB_S


@pytest.mark.parametrize("write", [False, True], ids=["read", "write"])
def test_a_dram_interface_is_the_limit(write: bool, network: str) -> None:
    """Two PEs together get no more than what one interface sustains."""
    found = rate_gb_s(
        {"a": ((1, 5, 0), ["m"]), "b": ((2, 5, 0), ["m"])}, {"m": (0, 5)}, network, write
    )
    assert 0.95 * DRAM_GB_S < found <= DRAM_GB_S


def test_two_interfaces_give_twice_as_much(network: str) -> None:
    movers = {"a": ((1, 5, 0), ["m"]), "b": ((1, 2, 0), ["n"])}
    found = rate_gb_s(movers, {"m": (0, 5), "n": (0, 1)}, network)
    assert 1.9 * DRAM_GB_S < found <= 2 * DRAM_GB_S


def test_the_assumed_efficiency_moves_the_result() -> None:
    settings = {"dram.efficiency": 0.5}
    found = rate_gb_s({"a": ((1, 5, 0), ["m"])}, {"m": (0, 5)}, "compiled", settings=settings)
    assert 0.93 * 1.6 < found <= 1.6


def test_transfers_and_spikes_share_the_channels(network: str) -> None:
    """Each of eight spikes on the way of a train of flits takes one cycle of a channel from it."""
    ends = []
    for spikes in (0, 8):

        def pull(pe: Any) -> Any:
            yield pe.next_tick()
            source = pe.simulation.endpoint_of["m"]
            yield pe.wait(pe.dma_read(source, "data", 0, 4 * WORDS, "a long read"))
            ends.append(int(pe.simulation.env.now))

        def talk(pe: Any, spikes: int = spikes) -> Any:
            yield pe.next_tick()
            pe.send("out", range(spikes))

        simulation = scripted_simulation(
            {"a": talk, "b": pull, "m": idle},
            [Net("out", "a", ("b",), key_bits=3)],
            places={"a": (1, 2, 1), "b": (1, 1, 0), "m": (1, 2, 0)},
            sram={"m": {"data": 16 * WORDS}},
            network=network,
        )
        mapped(simulation, "m", 4 * WORDS)
        simulation.run()
    assert ends[1] - ends[0] == pytest.approx(8 * 1_000_000 / 300, abs=10)


# ------------------------------------------------------------------------------------ alignment
@pytest.mark.parametrize(
    ("offset", "words", "flits"),
    [(0, 4, 1), (4, 8, 2), (1, 3, 1), (1, 4, 2), (3, 2, 2), (2, 9, 3), (8, 1, 1)],
)
@pytest.mark.parametrize("write", [False, True], ids=["read", "write"])
def test_an_unaligned_transfer_moves_all_flits_that_it_touches(
    offset: int, words: int, flits: int, write: bool, network: str, tmp_path: Path
) -> None:
    def work(pe: Any) -> Any:
        yield pe.next_tick()
        end = pe.simulation.endpoint_of["m"]
        if write:
            given = np.arange(500, 500 + words, dtype=np.uint32)
            yield pe.wait(pe.dma_write(end, "data", offset, given, "a write"))
        else:
            got = yield pe.wait(pe.dma_read(end, "data", offset, words, "a read"))
            assert got.tolist() == list(range(offset, offset + words))

    simulation = scripted_simulation(
        {"a": work, "m": idle},
        places={"a": (1, 1, 0), "m": (2, 1, 0)},
        sram={"m": {"data": 64}},
        network=network,
        trace=tmp_path / "t",
    )
    data = mapped(simulation, "m", 16)
    simulation.run()
    assert len(trace_rows(simulation, tmp_path / "t")) == flits + (not write)
    if write:
        expected = np.arange(16)
        expected[offset : offset + words] = np.arange(500, 500 + words)
        assert data.tolist() == expected.tolist(), "the words beside it are kept"


def test_unaligned_transfers_can_be_errors() -> None:
    def work(pe: Any) -> Any:
        yield pe.next_tick()
        end = pe.simulation.endpoint_of["m"]
        yield pe.wait(pe.dma_read(end, "data", 4, 4, "an aligned read"))
        yield pe.wait(pe.dma_read(end, "data", 5, 4, "row 3"))

    simulation = scripted_simulation(
        {"a": work, "m": idle},
        sram={"m": {"data": 64}},
        settings={"dma.unaligned": "error"},
    )
    mapped(simulation, "m", 16)
    with pytest.raises(ProgramError, match=r"row 3: word 5 is byte 20 .* multiple of 16"):
        simulation.run()
