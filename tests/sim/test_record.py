"""Recording: cycles and room that it takes, and what is there after the run."""

from __future__ import annotations

import numpy as np
import pytest

from chipsim.errors import SramError
from chipsim.testing.scripted import scripted_simulation

TICK = 500
WORD = 6


def recorder(pe):
    for _ in range(3):
        yield pe.next_tick()
        pe.record("v", np.array([pe.tick, 2 * pe.tick], dtype=np.float32))


def test_values_cycles_and_room():
    simulation = scripted_simulation({"a": recorder}, sram={"a": {"recording": 24}})
    simulation.run()
    taken = simulation.pes["a"].recordings["v"]
    assert [(tick, values.tolist()) for tick, values in taken] == [
        (0, [0.0, 0.0]),
        (1, [1.0, 2.0]),
        (2, [2.0, 4.0]),
    ]
    assert simulation.tick_log.cycles == 3 * (TICK + 2 * WORD)


def test_a_full_region_is_an_error():
    simulation = scripted_simulation({"a": recorder}, sram={"a": {"recording": 20}})
    text = r"'v' in tick 2 wants 8 bytes, 4 of 20 are left in region 'recording'"
    with pytest.raises(SramError, match=text):
        simulation.run()
