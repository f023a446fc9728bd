"""Memory traffic that compiled code serves on its way: the same as when Python is told of it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from chipsim.sim import served
from chipsim.sim.simulation import Simulation
from chipsim.testing.scripted import scripted_simulation

WAYS = [("compiled", True), ("compiled", False), ("simpy", True)]


def counted(simulation: Simulation) -> tuple[int, int, int]:
    counters = simulation.network.counters()
    return counters.sent, counters.delivered, counters.packet_hops


def loads(network: str, short_cuts: bool, early: bool, second: bool) -> tuple[Any, ...]:
    """Return what a PE and its memory saw of host writes that were ordered while it computed."""
    seen: list[Any] = []
    orders: list[Any] = []
    memory = np.zeros(40, dtype=np.uint32)

    def order(pe: Any) -> Any:
        yield pe.next_tick()
        host, end = pe.simulation.host, pe.simulation.endpoint_of["a"]
        orders.append(host.write(end, "data", 0, np.arange(1, 20, dtype=np.uint32), "first"))
        if second:
            orders.append(host.write(end, "data", 20, np.arange(20, dtype=np.uint32), "second"))

    def use(pe: Any) -> Any:
        yield pe.next_tick()
        yield pe.compute(synapse=1 if early else 100_000)
        seen.append(len(pe.simulation.transfers.open))
        for transfer in orders:
            yield pe.wait(transfer)
            seen.append((int(pe.simulation.env.now), memory.tolist(), transfer.left))

    simulation = scripted_simulation(
        {"b": order, "a": use, "host": None},
        places={"host": (5, 7)},
        sram={"a": {"data": 160}},
        network=network,
    )
    simulation.pes["a"].sram.map("data", memory)
    simulation.short_cuts = short_cuts
    simulation.run()
    port = simulation.memory(simulation.endpoint_of["a"])
    assert not simulation.transfers.open
    assert not port.incoming
    assert not simulation.watches
    return seen, port.bytes_moved, int(simulation.env.now), counted(simulation)


@pytest.mark.parametrize("second", [False, True])
@pytest.mark.parametrize("early", [False, True])
def test_a_host_write_ends_alike_whoever_serves_it(early: bool, second: bool) -> None:
    found = [loads(*way, early=early, second=second) for way in WAYS]
    assert found[0] == found[1] == found[2]
    waiting = found[0][0][0]
    assert waiting == (1 + second if early else 0)


def reads(network: str, short_cuts: bool, monkeypatch: pytest.MonkeyPatch) -> tuple[Any, ...]:
    """Return what two PEs read of a third one's memory, and how often Python was told of it."""
    seen: list[Any] = []
    store = np.arange(300, dtype=np.uint32)

    def reader(name: str, words: int) -> Any:
        def read(pe: Any) -> Any:
            yield pe.next_tick()
            for k in range(5):
                target = pe.simulation.endpoint_of["store"]
                got = yield pe.wait(pe.dma_read(target, "data", 7 * k, words, name))
                seen.append((name, int(pe.simulation.env.now), got.tolist()))
                store[7 * k + 8] += 1  # the next request finds this

        return read

    def idle(pe: Any) -> Any:
        yield pe.next_tick()

    simulation = scripted_simulation(
        {"a": reader("a", 5), "b": reader("b", 90), "store": idle},
        sram={"store": {"data": 1200}},
        network=network,
    )
    simulation.pes["store"].sram.map("data", store)
    simulation.short_cuts = short_cuts
    port = simulation.memory(simulation.endpoint_of["store"])
    told: list[int] = []
    reply = port._reply
    monkeypatch.setattr(port, "_reply", lambda *of: (told.append(1), reply(*of)))
    simulation.run()
    figures = seen, port.bytes_moved, port.free_ps, simulation.sequence.tolist()
    return figures, int(simulation.env.now), counted(simulation), len(told)


def test_read_requests_are_answered_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    *short, told = reads("compiled", True, monkeypatch)
    *long, told_long = reads("compiled", False, monkeypatch)
    *reference, told_reference = reads("simpy", True, monkeypatch)
    assert short == long == reference
    assert told < told_long == told_reference == 10


def test_requests_that_find_no_record_are_left_to_python(monkeypatch: pytest.MonkeyPatch) -> None:
    *expected, _ = reads("compiled", True, monkeypatch)
    monkeypatch.setattr(served, "note_request", lambda *_: None)
    *found, told = reads("compiled", True, monkeypatch)
    assert found == expected
    assert told == 10
