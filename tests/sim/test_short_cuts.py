"""Short cuts that must not be seen: work without a wait, known ends, many writes in one call,
memories served without a SimPy event. Each is held against the long way or a figure by hand.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import simpy

from chipsim.mapping.application import Net
from chipsim.network.api import PlainSends, Sends
from chipsim.network.instant import PROGRAM, alarm, at, happen_all
from chipsim.sim.simulation import Simulation
from chipsim.testing.scripted import scripted_simulation, trace_rows

TICK = 1_000_000_000
SYNAPSES = {"a": 40, "b": 10}
CYCLES = {name: 500 + 18 * count for name, count in SYNAPSES.items()}


def _meet(found: dict[str, Any], name: str, wait: bool) -> Any:
    def body(pe: Any) -> Any:
        yield pe.next_tick()
        if wait:
            yield pe.compute(synapse=SYNAPSES[name])
        else:
            pe.work(synapse=SYNAPSES[name])
            found[f"{name} goes on"] = int(pe.simulation.env.now)
        yield pe.barrier("all")
        found[name] = int(pe.simulation.env.now)

    return body


@pytest.mark.parametrize("traced", [False, True], ids=["counted", "traced"])
@pytest.mark.parametrize("wait", [True, False], ids=["compute", "work"])
def test_a_barrier_knows_when_handlers_end(
    wait: bool, traced: bool, network: str, tmp_path: Path
) -> None:
    found: dict[str, Any] = {}
    simulation = scripted_simulation(
        {name: _meet(found, name, wait) for name in SYNAPSES},
        network=network,
        trace=tmp_path / "t" if traced else None,
    )
    simulation.add_barrier("all", list(SYNAPSES))
    simulation.run()
    # At 300 MHz: the later handler's end, rounded as a whole or in its two parts, and the barrier.
    end = TICK + CYCLES["a"] * 10_000 // 3
    release = end + int(simulation.machine.description.number("pe.barrier_us") * 1e6)
    assert abs(found["a"] - release) <= 1
    assert found["a"] == found["b"]
    assert simulation.cores.awake_cycles.tolist() == list(CYCLES.values())
    if not wait:  # the program itself did not wait for the work
        assert found["a goes on"] == found["b goes on"] == TICK


def test_work_delays_what_is_sent_after_it(network: str, tmp_path: Path) -> None:
    def talk(pe: Any) -> Any:
        yield pe.next_tick()
        pe.send("out", [0])
        pe.work(synapse=100)
        pe.send("out", [1])

    def listen(pe: Any) -> Any:
        yield pe.receive(2)

    simulation = scripted_simulation(
        {"a": talk, "b": listen},
        [Net("out", "a", ("b",), key_bits=1)],
        network=network,
        trace=tmp_path / "t",
    )
    simulation.run()
    rows = {row["key"]: row["injected_ps"] for row in trace_rows(simulation, tmp_path / "t")}
    first, second = (rows[key] for key in sorted(rows))
    assert first == TICK + 1_666_667 + 83_333
    assert second - first >= 100 * 18 * 10_000 // 3


def _loads(network: str, directory: Path, at_once: bool) -> tuple[list[Any], list[Any]]:
    """Return the packet rows of five host writes, and when each was complete."""
    sizes = {"a": (1, 9), "b": (4, 5), "c": (12,)}
    done: list[Any] = []
    orders: dict[str, list[Any]] = {name: [] for name in sizes}

    def body(name: str) -> Any:
        def load(pe: Any) -> Any:
            for transfer in orders[name]:
                yield pe.wait(transfer)
                done.append((name, int(pe.simulation.env.now)))

        return load

    simulation = scripted_simulation(
        {**{name: body(name) for name in sizes}, "host": None},
        places={"host": (5, 7)},
        sram={name: {f"r{k}": 48 for k in range(len(s))} for name, s in sizes.items()},
        network=network,
        trace=directory,
    )
    writes, names, memories = [], [], []
    for name, counts in sizes.items():
        for k, count in enumerate(counts):
            memory = np.zeros(12, dtype=np.uint32)
            simulation.pes[name].sram.map(f"r{k}", memory)
            words = np.arange(count, dtype=np.uint32) + 100 * len(writes)
            writes.append((simulation.endpoint_of[name], f"r{k}", 0, words, "a load"))
            names.append(name)
            memories.append((memory, words))
    if at_once:
        transfers = simulation.host.write_all(writes)
    else:
        transfers = [simulation.host.write(*write) for write in writes]
    for name, transfer in zip(names, transfers, strict=True):
        orders[name].append(transfer)
    simulation.run()
    for memory, words in memories:
        assert memory[: len(words)].tolist() == words.tolist()
    return trace_rows(simulation, directory), done


def test_many_host_writes_are_one_after_another(network: str, tmp_path: Path) -> None:
    single = _loads(network, tmp_path / "single", at_once=False)
    many = _loads(network, tmp_path / "many", at_once=True)
    assert many == single
    assert len(many[0]) == 1 + 3 + 1 + 2 + 3


def test_no_host_writes_are_nothing(network: str) -> None:
    def idle(pe: Any) -> Any:
        yield pe.next_tick()

    simulation = scripted_simulation(
        {"a": idle, "host": None}, places={"host": (5, 7)}, network=network
    )
    assert simulation.host.write_all([]) == []
    simulation.run()
    assert simulation.network.counters().sent == 0


def _reads(network: str) -> tuple[list[Any], Simulation]:
    """Two PEs read a third one's memory while all tick and talk; return when each word came."""
    found: list[Any] = []
    words = np.arange(64, dtype=np.uint32)

    def reader(name: str) -> Any:
        def read(pe: Any) -> Any:
            yield pe.next_tick()
            there = pe.simulation.endpoint_of["store"]
            reads = [pe.dma_read(there, "data", 5 * k, 5 + k, "a part") for k in range(6)]
            for k, transfer in enumerate(reads):
                got = yield pe.wait(transfer)
                assert got.tolist() == list(range(5 * k, 6 * k + 5))
                found.append((name, k, int(pe.simulation.env.now)))
                pe.work(synapse=k)
                pe.send(f"from {name}", [k])

        return read

    def store(pe: Any) -> Any:
        for _ in range(12):
            packets = yield pe.receive(1)
            found.append(("store", len(packets), int(pe.simulation.env.now)))
            if sum(count for name, count, _ in found if name == "store") == 12:
                return

    simulation = scripted_simulation(
        {"a": reader("a"), "b": reader("b"), "store": store},
        [Net("from a", "a", ("store",), key_bits=3), Net("from b", "b", ("store",), key_bits=3)],
        sram={"store": {"data": 256}},
        network=network,
    )
    simulation.pes["store"].sram.map("data", words)
    simulation.run()
    return found, simulation


def test_memories_answer_alike_in_both_networks() -> None:
    (compiled, first), (reference, second) = _reads("compiled"), _reads("simpy")
    assert compiled == reference
    assert len(compiled) > 12
    assert first.env.now == second.env.now
    assert first.network.counters().packet_hops == second.network.counters().packet_hops


def test_a_device_keeps_its_place_at_an_instant(network: str) -> None:
    """A transfer that is complete at the instant of an alarm was so before the alarm's process."""
    seen: list[bool] = []
    arrived: list[int] = []

    def load(pe: Any) -> Any:
        yield pe.wait(order[0])
        arrived.append(int(pe.simulation.env.now))
        yield pe.next_tick()

    def build() -> Any:
        simulation = scripted_simulation(
            {"a": load, "host": None}, places={"host": (5, 7)}, sram={"a": {"data": 16}},
            network=network,
        )  # fmt: skip
        simulation.pes["a"].sram.map("data", np.zeros(4, dtype=np.uint32))
        words = np.ones(4, dtype=np.uint32)
        return simulation, [
            simulation.host.write(simulation.endpoint_of["a"], "data", 0, words, "x")
        ]

    simulation, order = build()
    simulation.run()
    simulation, order = build()
    for early in (1, 0):
        at(
            simulation.env, arrived[0] - early, PROGRAM,
            lambda: seen.append(order[0].done.triggered),
        )  # fmt: skip
    simulation.run()
    assert arrived[0] == arrived[1]
    assert seen == [False, True]


def test_happen_all_goes_in_order_and_at_once() -> None:
    env = simpy.Environment()
    seen: list[Any] = []
    events = [env.event() for _ in range(3)]

    def wait(name: str, event: simpy.Event) -> Any:
        yield event
        seen.append((name, int(env.now)))
        yield alarm(env, int(env.now) + 5, PROGRAM)
        seen.append((name, int(env.now)))

    for name, event in zip("cab", events, strict=True):
        env.process(wait(name, event))

    def both() -> None:
        happen_all(events[:2])
        seen.append("both")

    at(env, 7, PROGRAM, both)
    env.run()
    assert seen == [("c", 7), ("a", 7), "both", ("c", 12), ("a", 12)]
    assert not events[2].triggered


def test_plain_sends_are_sends() -> None:
    count = 4
    columns = {
        name: np.arange(count, dtype=dtype)
        for name, dtype in {
            "port": np.int32, "earliest_ps": np.int64, "gap_ps": np.int64, "route": np.int32,
            "source": np.int32, "seq": np.int64, "key": np.uint32, "net": np.int32,
            "tick": np.int32, "tag": np.int32,
        }.items()
    }  # fmt: skip
    plain = PlainSends(payload=np.zeros((count, 4), dtype=np.uint32), **columns)
    chosen = plain.select(np.array([2, 0]))
    assert type(chosen) is Sends  # a selection need not be contiguous
    assert chosen.seq.tolist() == [2, 0]
    assert len(plain) == count


def test_a_host_write_may_begin_within_a_flit(network: str) -> None:
    memory = np.zeros(12, dtype=np.uint32)

    def load(pe: Any) -> Any:
        yield pe.wait(order[0])

    simulation = scripted_simulation(
        {"a": load, "host": None},
        places={"host": (5, 7)},
        sram={"a": {"data": 48}},
        network=network,
    )
    simulation.pes["a"].sram.map("data", memory)
    words = np.arange(1, 7, dtype=np.uint32)
    order = [simulation.host.write(simulation.endpoint_of["a"], "data", 3, words, "a part")]
    simulation.run()
    assert memory.tolist() == [0, 0, 0, 1, 2, 3, 4, 5, 6, 0, 0, 0]
    assert simulation.network.counters().sent == 3  # words 3, 4 to 7, and 8
