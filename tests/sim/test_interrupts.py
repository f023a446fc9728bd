"""Programs woken by packets, transfers and ticks, whichever comes first; times by hand.

A cycle at 300 MHz is 3,333.3 ps; entering a handler takes 12 cycles (40,000 ps).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from chipsim.errors import StalledError
from chipsim.mapping.application import Net
from chipsim.sim.account import account
from chipsim.testing.scripted import scripted_simulation

US = 1_000_000
TICK_US = 100


def test_a_packet_wakes_its_program_before_the_tick(network: str) -> None:
    log: list[tuple[str, int, int]] = []

    def talk(pe: Any) -> Any:
        yield pe.next_tick()
        pe.send("out", [3])

    def listen(pe: Any) -> Any:
        for _ in range(3):
            woken = yield pe.interrupt()
            keys = woken.packets.key.tolist() if woken.packets is not None else []
            log.append((woken.cause, len(keys), int(pe.simulation.env.now)))
            yield pe.compute(synapse=1)
            log.append(("done", 0, int(pe.simulation.env.now)))

    simulation = scripted_simulation(
        {"a": talk, "b": listen},
        [Net("out", "a", ("b",), key_bits=2)],
        places={"a": (1, 1, 0), "b": (2, 1, 0)},
        network=network,
        tick_us=TICK_US,
    )
    simulation.run()
    # 525 cycles to the send (1.75 us), then three channels of 16,667 ps
    arrival = 100 * US + 1_750_000 + 3 * 16_667
    tick, work = 500 * 10_000 // 3, 60_000
    assert log == [
        ("tick", 0, 100 * US),
        ("done", 0, pytest.approx(100 * US + tick + work, abs=3)),
        ("packet", 1, pytest.approx(arrival, abs=3)),
        ("done", 0, pytest.approx(arrival + 40_000 + work, abs=3)),
        ("tick", 0, 200 * US),
        ("done", 0, pytest.approx(200 * US + tick + work, abs=3)),
    ]
    assumed = {row["name"] for row in account(simulation)["assumptions"]}
    assert "cycles.irq_entry" in assumed


def test_without_the_timer_packets_alone_wake_it(network: str) -> None:
    got: list[int] = []

    def talk(pe: Any) -> Any:
        for k in range(3):
            yield pe.next_tick()
            pe.send("out", [k])

    def listen(pe: Any) -> Any:
        while len(got) < 3:
            woken = yield pe.interrupt(tick=False)
            assert woken.cause == "packet"
            got.extend((woken.packets.key & 3).tolist())

    simulation = scripted_simulation(
        {"a": talk, "b": listen}, [Net("out", "a", ("b",), key_bits=2)], network=network
    )
    simulation.run()
    assert got == [0, 1, 2]
    assert simulation.tick_handlers == 3, "the listener handles no tick"


def test_what_comes_in_a_handler_waits_and_packets_come_first(network: str) -> None:
    """The SpiNNaker1 order: packets, then ends of transfers, then the timer."""
    causes: list[str] = []

    def talk(pe: Any) -> Any:
        yield pe.next_tick()
        pe.send("out", [1])

    def listen(pe: Any) -> Any:
        other = pe.simulation.endpoint_of["m"]
        yield pe.next_tick()
        transfer = pe.dma_read(other, "data", 0, 4, "a row")
        yield pe.compute(synapse=4000)  # 72,000 cycles, 240 us: packet, transfer and ticks wait
        for _ in range(4):
            open_ = () if "transfer" in causes else (transfer,)
            woken = yield pe.interrupt(*open_)
            causes.append(woken.cause)

    simulation = scripted_simulation(
        {"a": talk, "b": listen, "m": None},
        [Net("out", "a", ("b",), key_bits=2)],
        places={"a": (1, 1, 0), "b": (1, 5, 0), "m": (0, 5)},
        network=network,
        tick_us=TICK_US,
    )
    memory = simulation.memory(simulation.endpoint_of["m"]).sram
    memory.reserve("data", 16)
    memory.map("data", np.zeros(4, dtype=np.uint32))
    simulation.run()
    assert causes == ["packet", "transfer", "tick", "tick"]


def test_nothing_to_come() -> None:
    def listen(pe: Any) -> Any:
        yield pe.interrupt(tick=False)

    simulation = scripted_simulation({"b": listen})
    with pytest.raises(StalledError, match="waits for an interrupt by packets"):
        simulation.run()
