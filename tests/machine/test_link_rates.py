"""What a link carries in the network: packets sent as fast as it goes, counted at the far chip."""

from __future__ import annotations

from itertools import pairwise

import pytest

from chipsim.machine import routes
from chipsim.machine.library import load_machine
from chipsim.machine.model import Machine
from chipsim.network.api import NetworkOptions
from chipsim.testing.conformance import compiled_factory, run_script
from chipsim.testing.scripts import Case, Row, Send

COUNT = 24


def arrivals(machine: Machine, here: int, there: int, bits: int) -> list[int]:
    """Send packets from four cores of a chip to four of another; return when they arrive [ps]."""
    assert machine.chips is not None
    pes = machine.pes()
    mine, far = (pes[machine.endpoint_chip[pes] == chip].tolist() for chip in (here, there))
    every = tuple(routes.unicast(machine, mine[i], far[i], bits) for i in range(4))
    rows = tuple(Row(i % 4, 1000, 0, key=i, seq=i) for i in range(COUNT))
    case = Case(machine, every, (Send(0, rows),), 50_000_000, NetworkOptions())
    (taken,) = run_script(compiled_factory, case).taken
    return sorted(taken.time_ps.tolist())


@pytest.mark.parametrize(
    ("name", "to", "bits", "gap_ps"),
    [
        ("spinnaker1-48", (1, 0), 0, 220_000),
        ("spinnaker1-48", (1, 0), 32, 380_000),
        ("spinnaker2-48", (1, 1), 0, 16_000),
        ("spinnaker2-48", (1, 1), 128, 32_000),
        ("spinnaker2-triads-1x1", (11, 0), 0, 60_000),
    ],
)
def test_a_link_is_as_fast_as_documented(
    name: str, to: tuple[int, int], bits: int, gap_ps: int
) -> None:
    """SpiNNaker1: 4.5 and 2.6 M packets/s. SpiNNaker2: 62.5 M frames/s, 60 ns between boards."""
    machine = load_machine(name)
    assert machine.chips is not None
    times = arrivals(machine, 0, machine.chips.at(*to), bits)
    assert len(times) == COUNT
    gaps = [b - a for a, b in pairwise(times)]
    assert max(gaps, key=gaps.count) == pytest.approx(gap_ps, abs=3_334), "a NoC flit"
    # The legs at the end differ by what a QPE's four PEs get from one flit each.
    assert sum(gaps) == pytest.approx((COUNT - 1) * gap_ps, abs=16_667)
