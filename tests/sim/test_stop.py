"""Ends of runs: by the last program, at a time, and when asked to stop."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chipsim.mapping.application import Net
from chipsim.sim.account import account
from chipsim.sim.simulation import Simulation
from chipsim.testing.scripted import scripted_simulation, trace_rows

TICK = 1_000_000_000
TICKS = 40


def chatter(network: str, trace: Path, stop_at: int = -1, **options: Any) -> Simulation:
    """Two PEs that talk in every tick; the first asks to stop in one of them."""

    def talk(pe: Any) -> Any:
        other = "ab" if pe.vertex == "a" else "ba"
        for k in range(TICKS):
            yield pe.next_tick()
            packets = pe.take_packets()
            pe.send(other, [k % 4, *(packets.key % 4)][:3])
            if pe.vertex == "a" and k == stop_at:
                pe.simulation.stop_requested = True

    return scripted_simulation(
        {"a": talk, "b": talk},
        [Net("ab", "a", ("b",), key_bits=2), Net("ba", "b", ("a",), key_bits=2)],
        network=network,
        trace=trace,
        **options,
    )


def test_a_run_ends_with_its_last_program(network: str) -> None:
    def talk(pe: Any) -> Any:
        yield pe.next_tick()
        pe.send("out", range(8))

    simulation = scripted_simulation(
        {"a": talk, "b": None},
        [Net("out", "a", ("b",), key_bits=3)],
        places={"a": (1, 1), "b": (7, 6)},
        network=network,
    )
    simulation.run()
    # The last packet has just been accepted: it and the two before it are on their way.
    assert simulation.env.now == TICK + 1_666_667 + 8 * 83_333
    counters = simulation.network.counters()
    assert (counters.expected, counters.delivered, counters.in_flight) == (8, 5, 3)
    simulation.run()
    assert simulation.network.counters().delivered == 5, "an ended run stays as it is"


def test_a_run_goes_on_to_a_time_and_further(network: str, tmp_path: Path) -> None:
    whole = chatter(network, tmp_path / "whole")
    whole.run()
    parts = chatter(network, tmp_path / "parts")
    for until in (1, TICK, TICK + 1_700_000, 7 * TICK + 3, 7 * TICK + 3, 20 * TICK):
        parts.run(until_ps=until)
        assert parts.env.now == until
        assert parts.network.counters() is not None
    assert not any(pe.finished for pe in parts.pe_list)
    parts.run()
    assert trace_rows(parts, tmp_path / "parts") == trace_rows(whole, tmp_path / "whole")
    assert account(parts) == account(whole)


def test_at_a_time_both_networks_are_in_one_state(network: str, tmp_path: Path) -> None:
    simulation = chatter(network, tmp_path / "t")
    simulation.run(until_ps=3 * TICK + 1_666_667 + 83_333 + 40_000)
    counters = simulation.network.counters()
    # Ticks 0, 1: 1 and 2 keys each way; tick 2 offers three: one is accepted, none is there yet.
    assert (counters.expected, counters.delivered, counters.in_flight) == (12, 8, 4)


@pytest.mark.parametrize("stop_at", [0, 7])
def test_a_stop_leaves_everything_consistent_and_can_be_taken_back(
    stop_at: int, network: str, tmp_path: Path
) -> None:
    whole = chatter(network, tmp_path / "whole")
    whole.run()
    simulation = chatter(network, tmp_path / "stopped", stop_at)
    simulation.run()
    # The flag is read every few hundred events; these two PEs make some 40 a tick (SimPy network).
    assert (stop_at + 1) * TICK <= simulation.env.now < whole.env.now
    now = int(simulation.env.now)
    simulation.run()
    assert simulation.env.now == now, "a stopped run does not go on by itself"
    summary = account(simulation)
    assert summary["copies_expected"] == (
        summary["copies_delivered"] + summary["copies_in_flight"] + summary["copies_dropped"]
    )
    simulation.stop_requested = False
    simulation.run()
    assert account(simulation) == account(whole)
    assert trace_rows(simulation, tmp_path / "stopped") == trace_rows(whole, tmp_path / "whole")


def test_a_stopped_run_s_trace_is_readable(fast: str, tmp_path: Path) -> None:
    simulation = chatter(fast, tmp_path / "t", 9)
    simulation.run()
    rows = trace_rows(simulation, tmp_path / "t")
    assert len(rows) >= 2 * (1 + 2 + 3)
    times = [row["ended_ps"] for row in rows]
    assert times == sorted(times)


def test_probes_see_ticks_phases_and_packets(network: str, tmp_path: Path) -> None:
    class Look:
        def __init__(self) -> None:
            self.ticks: list[tuple[int, int]] = []
            self.sent = self.taken = 0

        def on_start(self, simulation: Simulation) -> None:
            self.simulation = simulation

        def on_tick(self, tick: int, time_ps: int) -> None:
            self.ticks.append((tick, time_ps))

        def on_sends(self, sends: Any) -> None:
            self.sent += len(sends)

        def on_deliveries(self, deliveries: Any) -> None:
            self.taken += len(deliveries)

    look = Look()
    simulation = chatter(network, tmp_path / "t", probes=[look])
    assert look.simulation is simulation
    simulation.run()
    assert look.ticks == [(k, (k + 1) * TICK) for k in range(TICKS)]
    assert look.sent == simulation.network.counters().sent
    waiting = sum(simulation.network.waiting(pe.inbox) for pe in simulation.pe_list)
    assert look.taken == simulation.network.counters().delivered - waiting
    bare = chatter(network, tmp_path / "bare")
    bare.run()
    assert trace_rows(bare, tmp_path / "bare") == trace_rows(simulation, tmp_path / "t")


def test_the_clock_sleeps_while_nobody_waits_for_it(network: str) -> None:
    """A transfer of 10 s: ticks in between would be 10,000 events that change nothing."""
    store = np.zeros(4, dtype=np.uint32)

    def wait(pe: Any) -> Any:
        yield pe.wait(order[0])
        yield pe.barrier("all")
        yield pe.next_tick()

    class Ticks:
        seen: list[int] = []  # noqa: RUF012

        def on_tick(self, tick: int, time_ps: int) -> None:
            self.seen.append(tick)

    simulation = scripted_simulation(
        {"a": wait, "host": None},
        places={"host": (5, 7)},
        sram={"a": {"data": 16}},
        settings={"host.latency_us": 10_000_000},
        network=network,
        probes=[Ticks()],
    )
    simulation.pes["a"].sram.map("data", store)
    simulation.add_barrier("all", ["a"])
    target = simulation.endpoint_of["a"]
    order = [simulation.host.write(target, "data", 0, store, "slow")]
    simulation.run()
    assert Ticks.seen == [10_000]
