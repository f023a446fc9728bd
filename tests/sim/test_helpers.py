"""The ledger finds what it is there to find, and tampering does what it says."""

from __future__ import annotations

import doctest
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from chipsim.errors import TraceError
from chipsim.mapping.application import Net
from chipsim.sim.account import account
from chipsim.sim.simulation import Simulation
from chipsim.testing import ledger as ledger_module
from chipsim.testing.ledger import Ledger
from chipsim.testing.scripted import scripted_simulation
from chipsim.testing.tamper import Alter, Delay, Drop, data_flits, requests

TICK = 1_000_000_000


def small(network: str, *probes: object) -> tuple[Simulation, list[Any]]:
    """``a`` sends keys 0 to 3 in tick 0, each to two PEs; they look in ticks 1 and 2."""
    seen: list[Any] = []

    def talk(pe: Any) -> Any:
        yield pe.next_tick()
        pe.send("out", range(4), np.arange(10, 14))

    def listen(pe: Any) -> Any:
        for _ in range(3):
            tick = yield pe.next_tick()
            packets = pe.take_packets()
            values = zip(packets.key.tolist(), packets.payload[:, 0].tolist(), strict=True)
            seen.extend((pe.vertex, tick, key, value) for key, value in values)

    simulation = scripted_simulation(
        {"a": talk, "b": listen, "c": listen},
        [Net("out", "a", ("b", "c"), "spike", 3, 32)],
        places={"a": (1, 1, 0), "b": (2, 1, 0), "c": (2, 1, 1)},
        network=network,
        probes=probes,
    )
    return simulation, seen


def test_an_untouched_run_balances(network: str) -> None:
    ledger = Ledger()
    simulation, seen = small(network, ledger)
    simulation.run()
    assert len(seen) == 8
    assert ledger.check() == {
        "expected": 8,
        "taken": 8,
        "dropped": 0,
        "in_flight": 0,
        "in_inboxes": 0,
    }


def test_the_ledger_balances_at_any_time(network: str) -> None:
    ledger = Ledger()
    simulation, _ = small(network, ledger)
    states = []
    for until in range(TICK + 1_700_000, TICK + 2_200_000, 12_345):
        simulation.run(until_ps=until)
        states.append(tuple(ledger.check().values()))
    assert len(set(states)) > 4
    assert states[0] == (8, 0, 0, 8, 0)
    assert states[-1] == (8, 0, 0, 0, 8)


class Forger:
    """Changes what comes out of the network, behind the ledger's back."""

    def __init__(self, change: Any) -> None:
        self.change = change

    def on_start(self, simulation: Any) -> None:
        take = simulation.network.take
        simulation.network.take = lambda *what: self.change(take(*what))


FORGERIES = {
    "lost": lambda rows: rows.select(slice(1, None)),
    "doubled": lambda rows: rows.select(np.r_[0, : len(rows)] if len(rows) else slice(0)),
    "another key": lambda rows: replace(rows, key=rows.key ^ np.uint32(4)),
}


@pytest.mark.parametrize("change", FORGERIES.values(), ids=FORGERIES.keys())
def test_the_ledger_sees_a_network_that_cheats(
    change: Any, fast: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()  # the fixture's own ledger would stop the run
    ledger = Ledger()
    simulation, _ = small(fast, Forger(change), ledger)
    simulation.run()
    with pytest.raises(AssertionError, match=r"more copies ended than were sent|inboxes hold 0"):
        ledger.check()


def test_the_ledger_compares_the_network_s_own_counters(
    fast: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    ledger = Ledger()
    simulation, _ = small(fast, ledger)
    simulation.run()
    count = simulation.network.counters
    simulation.network.counters = lambda: replace(count(), delivered=7)  # type: ignore[method-assign]
    with pytest.raises(AssertionError, match=r"the network counts .* \(8, 7, 0, 0\), the ledger"):
        ledger.check()


def test_drop(network: str) -> None:
    probe = Drop("spike", 2)
    simulation, seen = small(network, probe)
    simulation.run()
    assert sorted({key for _, _, key, _ in seen}) == [0, 1, 3]
    assert (probe.hits, probe.seen, probe.rows[0].key.tolist()) == (1, 4, [2])
    summary = account(simulation)
    assert summary["copies_expected"] == 8
    assert summary["copies_dropped"] == 2, "a packet's copies are lost with it"
    assert summary["copies_delivered"] == 6


def test_drop_all_of_a_kind(network: str) -> None:
    probe = Drop("spike", -1)
    simulation, seen = small(network, probe)
    simulation.run()
    assert seen == []
    assert probe.hits == 4
    none = Drop("error", -1)
    simulation, seen = small(network, none)
    simulation.run()
    assert len(seen) == 8
    assert none.hits == 0


def test_delay(network: str) -> None:
    probe = Delay("spike", 1, delay_ps=TICK)
    simulation, seen = small(network, probe)
    simulation.run()
    assert {(tick, key) for _, tick, key, _ in seen} == {(1, 0), (1, 2), (1, 3), (2, 1)}
    summary = account(simulation)
    assert summary["copies_expected"] == summary["copies_delivered"] == 8
    assert summary["copies_dropped"] == 0
    assert summary["late_spikes"] == 2


def test_alter(network: str) -> None:
    simulation, seen = small(network, Alter("spike", 3, key_xor=4, payload_xor=1))
    simulation.run()
    assert sorted({(key, value) for _, _, key, value in seen}) == [
        (0, 10),
        (1, 11),
        (2, 12),
        (7, 12),
    ]


def test_requests_and_data_flits_are_told_apart(fast: str) -> None:
    def read(pe: Any) -> Any:
        yield pe.next_tick()
        words = yield pe.wait(pe.dma_read(pe.simulation.endpoint_of["b"], "data", 0, 9, "a read"))
        got.append(words.tolist())

    def idle(pe: Any) -> Any:
        yield pe.next_tick()

    got: list[list[int]] = []
    asked, data = Alter("gradient", -1, requests), Alter("gradient", 1, data_flits, payload_xor=64)
    simulation = scripted_simulation(
        {"a": read, "b": idle},
        [Net("weights", "b", ("a",), "gradient", payload_bits=128, dma=True)],
        sram={"b": {"data": 36}},
        network=fast,
        probes=[asked, data],
    )
    simulation.pes["b"].sram.map("data", np.arange(9, dtype=np.uint32))
    simulation.run()
    assert (asked.hits, asked.seen, data.hits, data.seen) == (0 + 1, 1, 1, 3)
    assert got == [[0, 1, 2, 3, 68, 5, 6, 7, 8]]


def test_a_probe_without_methods_is_refused(fast: str) -> None:
    with pytest.raises(TraceError, match="got an object without any of on_start"):
        small(fast, object())


def test_the_ledger_s_example() -> None:
    failed, tried = doctest.testmod(ledger_module)
    assert tried > 0
    assert failed == 0
