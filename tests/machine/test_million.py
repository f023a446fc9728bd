"""A million cores: built in little memory, and usable."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from chipsim.machine import routes
from chipsim.machine.library import load_machine

SCRIPT = Path(__file__).parents[1] / "benchmarks" / "machine_build.py"


@pytest.mark.nightly
@pytest.mark.parametrize(
    ("name", "cores"),
    [
        ("spinnaker1-torus-256x256", 256 * 256 * 18),
        ("spinnaker2-triads-6x8", 6 * 8 * 3 * 48 * 152),
    ],
)
def test_memory_of_a_million_cores(name: str, cores: int) -> None:
    """Arrays in 250 MB, and no more than twice that at the peak of building."""
    done = subprocess.run(
        [sys.executable, str(SCRIPT), "--one", name], capture_output=True, text=True, check=True
    )
    found = json.loads(done.stdout)
    assert found["cores"] == cores
    assert found["array_bytes"] < 250e6
    assert found["peak_bytes"] < 500e6


@pytest.mark.nightly
def test_routes_over_a_million_cores() -> None:
    machine = load_machine("spinnaker1-torus-256x256")
    assert machine.chips is not None
    far = machine.endpoint_at(0, 0, 3, chip=machine.chips.at(128, 100))
    route = routes.unicast(machine, 1, far)
    routes.validate(machine, route)
    (time,) = routes.zero_load_ps(machine, route).values()
    assert time == 2 * 25_000 + 129 * 37_594 + 128 * (20_000 + 220_000)


def test_a_hundred_thousand_cores_hold_their_arrays_once() -> None:
    """Every array is as long as what it describes; labels and tables are shared."""
    machine = load_machine("spinnaker1-torus-72x72")
    assert machine.endpoints == 72 * 72 * (18 + 1) + 36 * 3, "cores, SDRAM; hosts by board"
    assert len(machine.node_labels) == machine.nodes
    assert machine.node_labels[-1 + machine.nodes].endswith(" SDRAM")
    two = load_machine("spinnaker2-triads-2x2")
    one = load_machine("spinnaker2-48")
    assert two.lut is not None
    assert one.lut is not None
    assert two.lut.shape == one.lut.shape, "with and without a host, however many chips"
