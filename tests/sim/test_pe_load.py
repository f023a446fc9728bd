"""Validation targets 2 and 4: the load of a PE, at the chip paper's 12,000 events a ms, and of a
SpiNNaker1 core; SRAM tables.

1,024 neurons at 80 cycles and 12,000 synaptic events at 18, with 500 of tick overhead; a spike's
look-up costs 40 cycles and 8 a step of the binary search among its sources, its row 20.
"""

from __future__ import annotations

from math import ceil, log2
from typing import Any

import pytest

from chipsim.mapping.application import Net
from chipsim.sim.account import account
from chipsim.sim.simulation import Simulation
from chipsim.testing.scripted import scripted_simulation

NEURONS = 1024


def load(
    spikes: int,
    synapses: int,
    level: str,
    network: str = "compiled",
    machine: str = "spinnaker2",
    neurons: int = NEURONS,
    **settings: object,
) -> Simulation:
    """Run one PE for a tick of 1 ms in which it finds ``spikes`` of ``synapses`` events each."""

    def talk(pe: Any) -> Any:
        yield pe.next_tick()
        pe.send("in", range(spikes))

    def work(pe: Any) -> Any:
        yield pe.next_tick()
        yield pe.next_tick()
        found = len(pe.take_packets())
        assert found == spikes
        yield pe.compute(
            spike_lookup=found,
            spike_lookup_step=ceil(log2(spikes)) * found,
            row_setup=found,
            synapse=synapses * found,
            neuron_lif=neurons,
        )

    simulation = scripted_simulation(
        {"source": talk, "core": work},
        [Net("in", "source", ("core",), key_bits=7)],
        level=level,
        network=network,
        machine=machine,
        settings=settings or None,
        sram={"core": {"neurons": 4 * NEURONS, "synapses": 40_000}},
    )
    simulation.run()
    return simulation


def use(simulation: Simulation) -> float:
    return float(account(simulation)["tick_use_max"])


def test_twelve_thousand_events_just_fit_a_tick_at_300_mhz(network: str) -> None:
    found = load(12, 1000, "high", network)
    cycles = 500 + 12 * (40 + 8 * 4 + 20) + 12_000 * 18 + NEURONS * 80
    assert cycles == 299_524
    assert use(found) == pytest.approx(cycles / 300_000, abs=1e-5)
    assert found.tick_log.overruns == 0


def test_half_the_clock_takes_twice_the_tick(network: str) -> None:
    high, low = load(12, 1000, "high", network), load(12, 1000, "low", network)
    assert use(low) == pytest.approx(2 * use(high), rel=1e-6)
    assert low.tick_log.overruns == 1


def test_the_same_events_from_more_spikes_overrun(network: str) -> None:
    found = load(100, 120, "high", network)
    assert use(found) == pytest.approx(
        (500 + 100 * (40 + 8 * 7 + 20) + 216_000 + 81_920) / 300_000, abs=1e-5
    )
    assert found.tick_log.overruns == 1


def test_an_assumed_cost_moves_the_result() -> None:
    """With a dearer look-up the paper's load does not fit any more."""
    found = load(12, 1000, "high", **{"pe.cycles.spike_lookup": 100})
    assert use(found) == pytest.approx((299_524 + 12 * 60) / 300_000, abs=1e-5)
    assert found.tick_log.overruns == 1


def test_a_spinnaker1_core_takes_five_to_ten_thousand_events_a_ms() -> None:
    """As sPyNNaker's do: with 128 neurons, 5,000 events fit a tick and 10,000 do not."""
    fits = load(50, 100, "high", machine="spinnaker1", neurons=128)
    cycles = 500 + 50 * (100 + 8 * 6 + 20) + 5_000 * 30 + 128 * 200
    assert use(fits) == pytest.approx(cycles / 200_000, abs=1e-5)
    assert fits.tick_log.overruns == 0
    over = load(100, 100, "high", machine="spinnaker1", neurons=128)
    assert over.tick_log.overruns == 1


def test_the_table_of_the_sram() -> None:
    simulation = load(12, 1000, "high")
    rows = {row.region: row for row in simulation.sram_table() if row.vertex == "core"}
    assert (rows["neurons"].used_bytes, rows["synapses"].used_bytes) == (4096, 40_000)
    assert (rows["application"].used_bytes, rows["application"].limit_bytes) == (44_096, 66 * 1024)
    assert rows["free"].used_bytes == 66 * 1024 - 44_096
    assert (rows["code"].used_bytes, rows["code"].limit_bytes) == (None, 32 * 1024)
    assert (rows["fifo"].used_bytes, rows["fifo"].limit_bytes) == (4 * 1024, 30 * 1024)
    assert account(simulation)["sram"] == {
        "fullest": simulation.pes["core"].label,
        "used_bytes": 44_096,
        "limit_bytes": 66 * 1024,
    }
