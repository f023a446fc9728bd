"""A run whose packets can never move again ends with the reason, although PEs tick on."""

from __future__ import annotations

import pytest

from chipsim.errors import DeadlockError
from chipsim.mapping.application import Net
from chipsim.testing.scripted import scripted_simulation

STALL = {"pe.rx_full": "stall", "pe.rx_fifo_packets": 1}
PLACES = {"a": (1, 1, 0), "b": (3, 1, 0), "c": (5, 1, 0)}


def flood(pe):
    yield pe.next_tick()
    pe.send("many", range(16))


def deaf(pe):
    yield pe.next_tick()


def ticking(pe):
    while True:
        yield pe.next_tick()


def waiting(pe):
    yield pe.receive(count=2)  # the FIFO holds one packet: a second can never arrive


@pytest.mark.parametrize("network", ["compiled", "simpy"])
def test_while_another_pe_ticks_for_ever(network):
    simulation = scripted_simulation(
        {"a": flood, "b": deaf, "c": ticking},
        [Net("many", "a", ("b",), key_bits=4)],
        places=PLACES,
        network=network,
        settings=STALL,
    )
    with pytest.raises(DeadlockError, match="wait for a sink that nobody empties") as caught:
        simulation.run()
    assert "PE(3,1,0)" in str(caught.value)
    # Seen at the look after the packets have been stuck for two ticks: the first, at tick 255.
    assert simulation.clock.current() == 255


@pytest.mark.parametrize("network", ["compiled", "simpy"])
def test_when_every_program_waits(network):
    simulation = scripted_simulation(
        {"a": flood, "b": waiting},
        [Net("many", "a", ("b",), key_bits=4)],
        places={name: PLACES[name] for name in "ab"},
        network=network,
        settings=STALL,
    )
    with pytest.raises(DeadlockError, match="PE\\(3,1,0\\)"):
        simulation.run()
