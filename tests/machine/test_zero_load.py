"""What :func:`zero_load_ps` says is what a packet alone in the network really takes."""

from __future__ import annotations

import pytest

from chipsim.machine import routes
from chipsim.machine.library import load_machine
from chipsim.machine.model import Machine
from chipsim.machine.route import Route
from chipsim.network.api import NetworkOptions
from chipsim.testing.conformance import reference_factory, run_script
from chipsim.testing.scripts import Case, Row, Send

APART = 5_000_000
"""Far more than any packet needs [ps], so that none meets another."""


def measured(machine: Machine, every: list[Route]) -> list[dict[int, int]]:
    """Send one packet per route, alone, and return its latency by endpoint."""
    rows = tuple(Row(i, (i + 1) * APART, 0, key=i, seq=i) for i in range(len(every)))
    end = (len(every) + 2) * APART
    case = Case(machine, tuple(every), (Send(0, rows),), end, NetworkOptions(hop_log=True))
    (taken,) = run_script(reference_factory, case).taken
    found: list[dict[int, int]] = [{} for _ in every]
    columns = (taken.key, taken.endpoint, taken.time_ps, taken.injected_ps)
    for key, endpoint, time_ps, start_ps in zip(*(c.tolist() for c in columns), strict=True):
        found[key][endpoint] = time_ps - start_ps
    return [dict(sorted(row.items())) for row in found]


def test_on_the_chip(chip: Machine) -> None:
    ends = range(0, chip.endpoints, 7)
    every = [routes.unicast(chip, a, (5 * a + 11) % chip.endpoints, 128, True) for a in ends]
    every.append(routes.direct(chip, 0, [chip.endpoint_at(5, 4, i) for i in (0, 1, 3)]))
    every.append(routes.router_multicast(chip, chip.endpoint_at(1, 6), chip.pes().tolist()))
    few = [chip.endpoint_at(x, y) for x, y in ((7, 1), (7, 2), (6, 2), (6, 3), (5, 3))]
    every.append(routes.router_multicast(chip, chip.endpoint_at(1, 1), few, 64))
    assert measured(chip, every) == [routes.zero_load_ps(chip, route) for route in every]


@pytest.mark.parametrize("name", ["mesh-5x4", "torus-5x4"])
def test_on_synthetic_machines(name: str) -> None:
    machine = load_machine(name, {"noc.max_payload_bits": "32", "noc.hop_cycles": "3"})
    every = [routes.unicast(machine, a, (3 * a + 1) % 20, 64) for a in range(20)]
    every.append(routes.tree(machine, 7, range(20), 128))
    assert measured(machine, every) == [routes.zero_load_ps(machine, route) for route in every]
