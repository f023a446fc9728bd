"""Tables of chips: what they hold, and that packets go where they say."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from chipsim.errors import MappingError, RouteError
from chipsim.machine import typed_routes
from chipsim.machine.library import load_machine
from chipsim.machine.model import Machine
from chipsim.mapping.chip_tables import ADDRESSES, LOCAL, NOWHERE, ChipTables
from chipsim.mapping.table_routes import TableRoutes

FAULTS = {"faults.random_links": 12, "faults.chips": [[3, 3]], "faults.seed": 5}


def first_pe(machine: Machine, chip: int, number: int = 0) -> int:
    ends = machine.pes()
    return int(ends[machine.endpoint_chip[ends] == chip][number])


@pytest.mark.parametrize("name", ["spinnaker1-48", "spinnaker2-triads-1x1"])
@pytest.mark.parametrize("faults", [{}, FAULTS], ids=["whole", "faults"])
def test_packets_go_the_ways_that_were_planned(name: str, faults: dict[str, Any]) -> None:
    machine = load_machine(name, faults)
    assert machine.chips is not None
    walker = TableRoutes(machine, {})
    alive = np.flatnonzero(machine.chips.alive)
    for here, there in np.random.default_rng(1).choice(alive, (60, 2)).tolist():
        source, dest = first_pe(machine, here), first_pe(machine, there, 1)
        found = walker.core_to_core(source, dest, 32)
        assert found.route == typed_routes.core_to_core(machine, source, dest, 32)
        assert found.dumped == 0
    assert walker.machine is machine


def test_a_table_as_the_hardware_addresses_it() -> None:
    machine = load_machine("spinnaker1-48", {"faults.chips": [[3, 3]]})
    chips = machine.chips
    assert chips is not None
    tables = ChipTables(machine)
    table = tables.by_address(chips.at(2, 1))
    assert table.shape == (ADDRESSES,) and table[2 << 8 | 1] == LOCAL
    assert table[3 << 8 | 1] == 0 and table[5 << 8 | 4] == 1 and table[2 << 8 | 5] == 2
    assert table[3 << 8 | 3] == NOWHERE, "a dead chip"
    assert (table != NOWHERE).sum() == 47
    assert table[7 << 8 | 0] == NOWHERE, "no chip of the hexagon"


def test_changed_entries_have_their_effect() -> None:
    machine = load_machine("spinnaker2-48")
    chips = machine.chips
    assert chips is not None
    here, there, beside = chips.at(0, 0), chips.at(2, 2), chips.at(1, 0)
    source, dest = first_pe(machine, here), first_pe(machine, there, 7)
    usual = ChipTables(machine)

    def ends(tables: ChipTables) -> tuple[list[int], int]:
        walker = TableRoutes(machine, {}, tables)
        route, dumped = walker.core_to_core(source, dest)
        made = walker.machine
        sinks = [b.channel for stage in route.stages for b in stage if b.next < 0]
        ports = made.channel_port[sinks].tolist()
        return [e for p in ports for e in np.flatnonzero(made.endpoint_sink == p).tolist()], dumped

    assert ends(usual) == ([dest], 0)
    assert ends(usual.changed(here, there, 0)) == ([dest], 0), "by another way"
    assert ends(usual.changed(here, there, NOWHERE)) == ([], 1)
    assert ends(usual.changed(here, there, 3)) == ([], 1), "no chip in the west of (0,0)"
    round_about = usual.changed(here, there, 0).changed(beside, there, 3)
    assert ends(round_about) == ([], 1), "a circle"
    other = first_pe(machine, chips.at(1, 1), 7)
    assert ends(usual.changed(chips.at(1, 1), there, LOCAL)) == ([other], 0), "the same core there"


def test_bad_tables_are_refused() -> None:
    machine = load_machine("spinnaker1-48")
    with pytest.raises(MappingError, match=r"expected \(48,\), entries from 0 to 7"):
        ChipTables(machine, {0: np.zeros(4, dtype=np.uint8)})
    with pytest.raises(MappingError, match="entries up to 9"):
        ChipTables(machine).changed(0, 1, 9)
    with pytest.raises(RouteError, match="has no packet router"):
        ChipTables(load_machine("mesh-4x4"))
