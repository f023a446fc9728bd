"""What programs can do, one effect after another, on both networks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from chipsim.mapping.application import Net
from chipsim.sim.program import Program
from chipsim.testing.scripted import scripted_simulation

TICK = 1_000_000_000


def send_once(*keys: int, net: str = "out", payload: Any = None) -> Any:
    def body(pe: Any) -> Any:
        yield pe.next_tick()
        pe.send(net, keys, payload)

    return body


class Relay(Program):
    """The example of the design: passes on what it received in the tick before."""

    def __init__(self, out: str) -> None:
        self.out = out

    def run(self, pe: Any) -> Any:
        for _ in range(3):
            yield pe.next_tick()
            packets = pe.take_packets()
            yield pe.compute(synapse=len(packets))
            pe.send(self.out, packets.key, packets.payload)


def test_relays_pass_keys_and_payloads_on_tick_by_tick(network: str) -> None:
    got: list[tuple[int, int, int, int]] = []

    def listen(pe: Any) -> Any:
        for _ in range(4):
            tick = yield pe.next_tick()
            packets = pe.take_packets()
            for key, payload, time in zip(
                packets.key, packets.payload[:, 0], packets.time_ps, strict=True
            ):
                got.append((tick, int(key) - base, int(payload), int(time)))

    simulation = scripted_simulation(
        {
            "first": send_once(5, 2, 7, net="a", payload=np.array([50, 20, 70])),
            "second": Relay("b"),
            "third": Relay("c"),
            "last": listen,
        },
        [
            Net("a", "first", ("second",), key_bits=3, payload_bits=32),
            Net("b", "second", ("third",), key_bits=3, payload_bits=32),
            Net("c", "third", ("last",), key_bits=3, payload_bits=32),
        ],
        places={"first": (1, 1), "second": (2, 1), "third": (3, 1), "last": (4, 1)},
        network=network,
    )
    base = simulation.mapping.keys["c"].base
    simulation.run()
    # Sorted by key at every stop; the third stop takes them in tick 3.
    assert [(tick, key, payload) for tick, key, payload, _ in got] == [
        (3, 2, 20),
        (3, 5, 50),
        (3, 7, 70),
    ]
    # Overhead and three synapses, then the k-th send; three channels to the neighbour.
    handler = 3 * TICK + 1_666_667 + 3 * 60_000
    assert [time for *_, time in got] == [handler + k * 83_333 + 3 * 16_667 for k in (1, 2, 3)]


def test_receive_waits_for_a_number_of_packets(network: str) -> None:
    seen: list[tuple[int, list[int]]] = []

    def talk(pe: Any) -> Any:
        for k in range(3):
            yield pe.next_tick()
            pe.send("out", [k, k + 3])

    def listen(pe: Any) -> Any:
        for count in (1, 3, 2):
            packets = yield pe.receive(count)
            seen.append((int(pe.simulation.env.now) // TICK, packets.key.tolist()))

    simulation = scripted_simulation(
        {"a": talk, "b": listen}, [Net("out", "a", ("b",), key_bits=3)], network=network
    )
    simulation.run()
    # One at once; then the rest of the first pair and the second pair; then the third.
    assert seen == [(1, [0]), (2, [1, 3, 4]), (3, [2, 5])]


def test_packets_that_are_there_already_are_received_at_once(network: str) -> None:
    def listen(pe: Any) -> Any:
        yield pe.next_tick()
        yield pe.next_tick()
        packets = yield pe.receive(2)
        assert packets.key.tolist() == [0, 1]
        assert pe.simulation.env.now == 2 * TICK + 1_666_667

    simulation = scripted_simulation(
        {"a": send_once(1, 0), "b": listen},
        [Net("out", "a", ("b",), key_bits=1)],
        network=network,
    )
    simulation.run()


def test_whole_numbers_travel_as_words(network: str) -> None:
    given = [0, 2**32 - 1, -1, 7]

    def listen(pe: Any) -> Any:
        packets = yield pe.receive(4)
        assert packets.payload[:, 0].tolist() == [0, 2**32 - 1, 2**32 - 1, 7]

    simulation = scripted_simulation(
        {"a": send_once(0, 1, 2, 3, payload=given), "b": listen},
        [Net("out", "a", ("b",), key_bits=2, payload_bits=32)],
        network=network,
    )
    simulation.run()


def test_floats_travel_as_their_bits(network: str) -> None:
    singles = np.array([1.5, -2.25e-30, np.pi], dtype=np.float32)
    doubles = np.array([np.e, -1e-300])
    got: dict[str, np.ndarray] = {}

    def talk(pe: Any) -> Any:
        yield pe.next_tick()
        pe.send("single", [0, 1, 2], singles)
        pe.send("double", [0, 1], doubles, tag=7)

    def listen(pe: Any) -> Any:
        packets = yield pe.receive(5)
        narrow = packets.select(packets.net == 0)
        wide = packets.select(packets.net == 1)
        got["single"] = np.ascontiguousarray(narrow.payload[:, :1]).view(np.float32)[:, 0]
        got["double"] = np.ascontiguousarray(wide.payload[:, :2]).view(np.float64)[:, 0]
        assert narrow.tag.tolist() == [-1] * 3
        assert wide.tag.tolist() == [7] * 2

    simulation = scripted_simulation(
        {"a": talk, "b": listen},
        [
            Net("single", "a", ("b",), key_bits=2, payload_bits=32),
            Net("double", "a", ("b",), key_bits=1, payload_bits=64),
        ],
        network=network,
    )
    simulation.run()
    assert got["single"].tobytes() == singles.tobytes()
    assert got["double"].tobytes() == doubles.tobytes()


@pytest.mark.parametrize("memory", [(3, 2, 1), (0, 5)], ids=["SRAM", "DRAM"])
def test_dma_writes_and_reads_back(memory: tuple[int, ...], network: str) -> None:
    is_dram = len(memory) == 2
    store = np.zeros(16, dtype=np.uint32)

    def work(pe: Any) -> Any:
        yield pe.next_tick()
        end = pe.simulation.endpoint_of["b"]
        out = np.arange(100, 107, dtype=np.uint32)
        yield pe.wait(pe.dma_write(end, "data", 5, out, "there"))
        assert store.tolist() == [0] * 5 + list(range(100, 107)) + [0] * 4
        one = pe.dma_read(end, "data", 4, 3, "and back")
        two = pe.dma_read(end, "data", 11, 2, "and the end")
        assert (yield pe.wait(two)).tolist() == [106, 0]
        assert (yield pe.wait(one)).tolist() == [0, 100, 101]

    def idle(pe: Any) -> Any:
        yield pe.next_tick()

    simulation = scripted_simulation(
        {"a": work, "b": None if is_dram else idle},
        places={"a": (1, 1, 0), "b": memory},
        sram={} if is_dram else {"b": {"data": 64}},
        network=network,
    )
    sram = simulation.memory(simulation.endpoint_of["b"]).sram
    if is_dram:
        sram.reserve("data", 64)
    sram.map("data", store)
    simulation.run()
    assert simulation.transfers.dram_bytes_moved == ((7 + 3 + 2) * 4 if is_dram else 0)


def test_a_dma_engine_keeps_so_many_transfers_under_way(network: str) -> None:
    """Ten reads of one flit: with four at once the fifth starts when the first has come back."""

    def work(pe: Any) -> Any:
        yield pe.next_tick()
        end = pe.simulation.endpoint_of["b"]
        orders = [pe.dma_read(end, "data", k, 1, f"word {k}") for k in range(10)]
        for k, order in enumerate(orders):
            assert (yield pe.wait(order)).tolist() == [k]
            times.append(int(pe.simulation.env.now))

    def idle(pe: Any) -> Any:
        yield pe.next_tick()

    found = {}
    for most in (4, 1):
        times: list[int] = []
        simulation = scripted_simulation(
            {"a": work, "b": idle},
            places={"a": (1, 1, 0), "b": (2, 1, 0)},
            sram={"b": {"data": 40}},
            settings={"dma.max_outstanding": most},
            network=network,
        )
        simulation.pes["b"].sram.map("data", np.arange(10, dtype=np.uint32))
        simulation.run()
        found[most] = [time - TICK for time in times]
    # Set-up, three channels there, a cycle, three channels back; handlers of 0 cycles in between.
    round_trip = 133_333 + 3 * 16_667 + 3_333 + 3 * 16_667
    # The tick's handler ends after 500 cycles: what has come before is taken then.
    expected = [max(1_666_667, (k + 1) * round_trip) for k in range(10)]
    assert found[1] == expected
    assert found[4][0] == found[4][3] == 1_666_667
    assert max(found[4]) < max(found[1])


def test_programs_may_end_and_others_go_on(network: str) -> None:
    def short(pe: Any) -> Any:
        yield pe.next_tick()

    def long(pe: Any) -> Any:
        for _ in range(5):
            yield pe.next_tick()

    simulation = scripted_simulation({"a": short, "b": long}, network=network)
    simulation.run()
    assert simulation.env.now == 5 * TICK + 1_666_667
    assert all(pe.finished for pe in simulation.pe_list)


def test_a_full_receive_fifo_drops_and_counts(network: str) -> None:
    def listen(pe: Any) -> Any:
        yield pe.next_tick()
        yield pe.next_tick()
        assert pe.take_packets().key.tolist() == [0, 1, 2]

    simulation = scripted_simulation(
        {"a": send_once(*range(5)), "b": listen},
        [Net("out", "a", ("b",), key_bits=3)],
        settings={"pe.rx_fifo_packets": 3},
        network=network,
    )
    simulation.run()
    counters = simulation.network.counters()
    assert (counters.expected, counters.delivered, counters.dropped) == (5, 3, 2)


def test_operations_are_charged_and_listed(network: str) -> None:
    def work(pe: Any) -> Any:
        yield pe.next_tick()
        yield pe.compute(synapse=7, neuron_lif=2)
        yield pe.compute(synapse=1)
        pe.send("out", [0])

    simulation = scripted_simulation(
        {"a": work, "b": None}, [Net("out", "a", ("b",))], network=network
    )
    simulation.run()
    simulation.charge_kernels()
    used = {name: count for name, count in simulation.costs.used.items() if count}
    assert used == {"synapse": 8, "neuron_lif": 2, "tick_overhead": 1, "send_per_qpe": 1}
    assert simulation.tick_log.cycles == 8 * 18 + 2 * 80 + 500 + 25
    assert [row[0] for row in simulation.costs.assumptions()] == [
        "cycles.send_per_qpe",
        "cycles.tick_overhead",
    ]
