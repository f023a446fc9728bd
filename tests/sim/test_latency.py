"""Zero-load latencies through the whole simulation, in picoseconds, against sums made by hand.

At 300 MHz a hop, an injection and an ejection take 5 cycles, 16,667 ps each, and a flit a cycle,
3,333 ps; the packet router's look-up takes 10 ns. QPE (4,3) and (4,4) are the packet router,
(7,3) and (7,4) do not exist.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chipsim.mapping.application import Net
from chipsim.testing.scripted import Body, scripted_simulation, trace_rows

HOP = 16_667
FLIT = 3_333
LOOKUP = 10_000
SETUP = 133_333
"""A DMA engine's 40 cycles at 300 MHz."""
SRAM = 3_333
"""A NoC cycle from a read request to its first reply."""
TICK = 1_000_000_000


def idle(pe: Any) -> Any:
    yield pe.next_tick()


def once(*keys: int) -> Body:
    def body(pe: Any) -> Any:
        yield pe.next_tick()
        pe.send("out", keys)

    return body


def receive(count: int) -> Body:
    def body(pe: Any) -> Any:
        yield pe.receive(count)

    return body


# (from, to, channels of 5 cycles on the way: inject, hops, eject)
DIRECT = {
    "to itself": ((1, 1, 0), (1, 1, 0), 2),
    "next PE": ((1, 1, 0), (1, 1, 1), 2),
    "one east": ((1, 1, 0), (2, 1, 3), 3),
    "one south": ((3, 2, 1), (3, 1, 0), 3),
    "6 east, 1 north": ((1, 1, 0), (7, 2, 0), 9),
    "3 west, 5 south": ((4, 6, 2), (1, 1, 0), 10),
    "corner to corner round (7,3): 6 east and 5 north in all": ((1, 1, 0), (7, 6, 0), 13),
    "round the packet router by row 2, eastward": ((3, 3, 0), (5, 3, 0), 6),
    "round the packet router by row 2, westward": ((5, 4, 0), (3, 4, 0), 8),
    "along row 5, past the packet router": ((2, 5, 0), (6, 5, 0), 6),
}


@pytest.mark.parametrize(("source", "sink", "channels"), DIRECT.values(), ids=DIRECT.keys())
def test_spikes_by_noc(
    source: tuple[int, ...],
    sink: tuple[int, ...],
    channels: int,
    network: str,
    tmp_path: Path,
) -> None:
    if source == sink:

        def both(pe: Any) -> Any:
            yield pe.next_tick()
            pe.send("out", [1])
            yield pe.receive()

        simulation = scripted_simulation(
            {"a": both},
            [Net("out", "a", ("a",), key_bits=2)],
            places={"a": source},
            network=network,
            trace=tmp_path / "t",
        )
    else:
        simulation = scripted_simulation(
            {"a": once(1), "b": receive(1)},
            [Net("out", "a", ("b",), key_bits=2)],
            places={"a": source, "b": sink},
            network=network,
            trace=tmp_path / "t",
        )
    simulation.run()
    (row,) = trace_rows(simulation, tmp_path / "t")
    # 500 cycles of tick overhead and 25 for the send, before the packet leaves.
    assert row["injected_ps"] == TICK + 1_666_667 + 83_333
    assert row["ended_ps"] - row["injected_ps"] == channels * HOP
    assert row["hops"] == channels - 1
    assert row["waited_ps"] == 0


# (from, [(to, channels of 5 cycles)]): inject, hops to the nearest port, in, out, hops, eject
MULTICAST = {
    "at a port": ((3, 3, 0), [((3, 3, 1), 4)]),
    "to two QPEs by two ports": ((2, 3, 0), [((1, 4, 0), 7), ((4, 1, 2), 6)]),
    "to the far corner by port (5,4)": ((3, 4, 0), [((6, 6, 0), 7)]),
    "from above": ((4, 6, 0), [((4, 5, 0), 5), ((4, 2, 3), 5)]),
}


@pytest.mark.parametrize(("source", "sinks"), MULTICAST.values(), ids=MULTICAST.keys())
def test_spikes_by_packet_router(
    source: tuple[int, ...],
    sinks: list[tuple[tuple[int, ...], int]],
    network: str,
    tmp_path: Path,
) -> None:
    names = [f"b{i}" for i in range(len(sinks))]
    simulation = scripted_simulation(
        {"a": once(0), **{name: receive(1) for name in names}},
        [Net("out", "a", tuple(names))],
        places={"a": source, **{n: place for n, (place, _) in zip(names, sinks, strict=True)}},
        transport="router_multicast",
        network=network,
        trace=tmp_path / "t",
    )
    simulation.run()
    rows = trace_rows(simulation, tmp_path / "t")
    found = {row["destination"]: row["ended_ps"] - row["injected_ps"] for row in rows}
    endpoints = [simulation.endpoint_of[name] for name in names]
    assert [found[e] for e in endpoints] == [count * HOP + LOOKUP for _, count in sinks]
    assert {row["packet_seq"] for row in rows} == {0}, "one packet, several copies"


@pytest.mark.parametrize("transport", ["noc_direct", "router_multicast"])
def test_one_packet_reaches_the_pes_of_a_quad_together(
    transport: str, network: str, tmp_path: Path
) -> None:
    simulation = scripted_simulation(
        {"a": once(0), "b": receive(1), "c": receive(1), "d": receive(1)},
        [Net("out", "a", ("b", "c", "d"))],
        places={"a": (3, 3, 0), "b": (3, 3, 1), "c": (3, 3, 2), "d": (3, 3, 3)},
        transport=transport,  # type: ignore[arg-type]
        network=network,
        trace=tmp_path / "t",
    )
    simulation.run()
    rows = trace_rows(simulation, tmp_path / "t")
    expected = 2 * HOP if transport == "noc_direct" else 4 * HOP + LOOKUP
    assert [row["ended_ps"] - row["injected_ps"] for row in rows] == [expected] * 3


def reads(target: str, words: int) -> Body:
    def body(pe: Any) -> Any:
        yield pe.next_tick()
        other = pe.simulation.endpoint_of[target]
        got = yield pe.wait(pe.dma_read(other, "data", 0, words, "a read"))
        assert got.tolist() == list(range(words))

    return body


# (reader, memory, channels each way): the DRAM interfaces join QPEs (1,5), (1,6) and (1,1), (1,2).
READS = {
    "neighbour's SRAM": ((1, 1, 0), (2, 1, 0), 3),
    "SRAM across the chip": ((2, 6, 0), (6, 1, 3), 11),
    "DRAM A": ((1, 1, 0), (0, 5), 6),
    "DRAM B": ((6, 1, 0), (0, 1), 7),
}


@pytest.mark.parametrize(("reader", "memory", "channels"), READS.values(), ids=READS.keys())
def test_dma_reads(
    reader: tuple[int, ...], memory: tuple[int, ...], channels: int, network: str, tmp_path: Path
) -> None:
    is_dram = len(memory) == 2
    simulation = scripted_simulation(
        {"a": reads("b", 10), "b": None if is_dram else idle},
        places={"a": reader, "b": memory},
        sram={} if is_dram else {"b": {"data": 40}},
        network=network,
        trace=tmp_path / "t",
    )
    sram = simulation.memory(simulation.endpoint_of["b"]).sram
    if is_dram:
        sram.reserve("data", 40)
    sram.map("data", np.arange(10, dtype=np.uint32))
    simulation.run()
    request, *replies = trace_rows(simulation, tmp_path / "t")
    assert request["injected_ps"] == TICK + SETUP
    assert request["ended_ps"] == TICK + SETUP + channels * HOP
    # A DRAM answers after 100 ns, with 16 byte every 6,667 ps (25.6 Gbit/s at 75 %).
    first = request["ended_ps"] + (100_000 if is_dram else SRAM)
    gap = 6_667 if is_dram else FLIT
    assert [row["ended_ps"] for row in replies] == [
        first + channels * HOP + k * gap for k in range(3)
    ]


@pytest.mark.parametrize(
    ("target", "channels"),
    [((5, 6, 0), 2), ((1, 1, 0), 11), ((6, 5, 2), 3)],
    ids=["under the host", "far corner", "by the other tile"],
)
def test_host_writes(target: tuple[int, ...], channels: int, network: str, tmp_path: Path) -> None:
    memory = np.zeros(9, dtype=np.uint32)

    def load(pe: Any) -> Any:
        yield pe.wait(order[0])
        assert memory.tolist() == list(range(10, 19))

    simulation = scripted_simulation(
        {"a": load, "host": None},
        places={"a": target, "host": (5, 7)},
        sram={"a": {"data": 36}},
        network=network,
        trace=tmp_path / "t",
    )
    simulation.pes["a"].sram.map("data", memory)
    words = np.arange(10, 19, dtype=np.uint32)
    order = [simulation.host.write(simulation.endpoint_of["a"], "data", 0, words, "a sample")]
    simulation.run()
    rows = trace_rows(simulation, tmp_path / "t")
    # 100 us to the first flit, then 16 byte every 128 ns (1 Gbit/s).
    assert [row["injected_ps"] for row in rows] == [100_000_000 + k * 128_000 for k in range(3)]
    assert [row["ended_ps"] - row["injected_ps"] for row in rows] == [channels * HOP] * 3


def test_latency_moves_with_one_input(network: str, tmp_path: Path) -> None:
    """One cycle more per hop is 3,333 or 3,334 ps more per channel: 6 cycles are 20,000 ps."""
    found = {}
    for name, settings in {
        "5": {},
        "6": {"noc.hop_cycles": 6},
        "in": {"noc.inject_cycles": 6},
    }.items():
        simulation = scripted_simulation(
            {"a": once(0), "b": receive(1)},
            [Net("out", "a", ("b",))],
            places={"a": (1, 1, 0), "b": (4, 2, 0)},
            settings=settings,
            network=network,
            trace=tmp_path / name,
        )
        simulation.run()
        (row,) = trace_rows(simulation, tmp_path / name)
        found[name] = row["ended_ps"] - row["injected_ps"]
    # inject, 4 hops, eject
    assert found == {"5": 6 * 16_667, "6": 16_667 + 5 * 20_000, "in": 20_000 + 5 * 16_667}
