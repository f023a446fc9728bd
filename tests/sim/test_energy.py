"""The account of energy, line by line, and by how much one input moves it; computed by hand.

75.2 mW uncore; 152 PEs asleep at 3.22 mW (high) or 1.05 mW (low); 15.0 or 8.3 pJ a cycle;
192 bit x 0.17 pJ = 32.64 pJ a flit and channel; 200 pJ a look-up; 60 pJ a byte of DRAM.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from chipsim.mapping.application import Net
from chipsim.sim.energy import account
from chipsim.testing.scripted import scripted_simulation

PJ = 1e-9
FLIT = 192 * 0.17


def energy(network: str, *, packets: int = 1, ticks: int = 2, **options: Any) -> dict[str, float]:
    """Send some packets in tick 0 over one hop, and end with the overhead of the last tick."""

    def talk(pe: Any) -> Any:
        yield pe.next_tick()
        pe.send("out", range(packets))
        for _ in range(ticks - 1):
            yield pe.next_tick()

    simulation = scripted_simulation(
        {"a": talk, "b": None},
        [Net("out", "a", ("b",), key_bits=3)],
        places={"a": (3, 3, 0), "b": (3, 2, 0)},
        network=network,
        **options,
    )
    simulation.run()
    return account(simulation)


def difference(a: dict[str, float], b: dict[str, float]) -> dict[str, float]:
    """Return b - a [pJ], for the parts that differ."""
    assert a.keys() == b.keys()
    return {name: (b[name] - a[name]) / PJ for name in a if b[name] != a[name]}


def test_the_whole_account(network: str) -> None:
    # Ends 500 cycles after the start of tick 1, at 2 ms.
    elapsed_ps = 2_000_000_000 + 1_666_667
    assert energy(network) == pytest.approx(
        {
            "uncore": 75.2 * elapsed_ps * 1e-12,
            "pe_sleep": 152 * 3.22 * elapsed_ps * 1e-12,
            "pe_active": (2 * 500 + 25) * 15.0 * PJ,
            "noc": 3 * FLIT * PJ,  # inject, one hop, eject
            "router": 0.0,
        },
        rel=1e-12,
    )


def test_one_more_packet(network: str) -> None:
    moved = difference(energy(network), energy(network, packets=2))
    assert moved == pytest.approx({"pe_active": 25 * 15.0, "noc": 3 * FLIT}, rel=1e-6)


def test_through_the_packet_router(network: str) -> None:
    """(3,3) to (3,2): injected, in, looked up, out, one hop, ejected."""
    moved = difference(energy(network), energy(network, transport="router_multicast"))
    assert moved == pytest.approx({"noc": (5 - 3) * FLIT, "router": 200.0}, rel=1e-6)


def test_one_more_tick(network: str) -> None:
    moved = difference(energy(network), energy(network, ticks=3))
    expected = {"uncore": 75.2e6, "pe_sleep": 152 * 3.22e6, "pe_active": 500 * 15.0}
    assert moved == pytest.approx(expected, rel=1e-6)


def test_the_lower_clock_level(network: str) -> None:
    elapsed_ps = 2_000_000_000 + 3_333_333
    low = energy(network, level="low")
    assert low == pytest.approx(
        {
            "uncore": 75.2 * elapsed_ps * 1e-12,
            "pe_sleep": 152 * 1.05 * elapsed_ps * 1e-12,
            "pe_active": 1025 * 8.3 * PJ,
            "noc": 3 * FLIT * PJ,
            "router": 0.0,
        },
        rel=1e-12,
    )


def test_energy_of_a_figure_that_the_user_sets(network: str) -> None:
    moved = difference(energy(network), energy(network, settings={"energy.noc_bit_hop_pj": 0.27}))
    assert moved == pytest.approx({"noc": 3 * 192 * 0.10}, rel=1e-6)


def test_dram_bytes(network: str) -> None:
    def read(pe: Any) -> Any:
        yield pe.next_tick()
        yield pe.wait(pe.dma_read(pe.simulation.endpoint_of["b"], "data", 0, 10, "a read"))

    simulation = scripted_simulation(
        {"a": read, "b": None}, places={"a": (1, 5, 0), "b": (0, 5)}, network=network
    )
    memory = simulation.memory(simulation.endpoint_of["b"]).sram
    memory.reserve("data", 40)
    memory.map("data", np.zeros(10, dtype=np.uint32))
    simulation.run()
    parts = account(simulation)
    assert parts["dram"] == pytest.approx(40 * 60.0 * PJ)
    assert parts["noc"] == pytest.approx((1 + 3) * 2 * FLIT * PJ)  # a request, three flits back
