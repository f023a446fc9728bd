"""Several PEs a tile: endpoints are added, links stay as they are."""

import numpy as np
import pytest

from chipsim.errors import MappingError
from chipsim.machine.library import load_machine
from chipsim.mapping.crowd import with_pes_per_tile
from chipsim.mapping.generators import ff
from chipsim.mapping.mapping import map_application
from chipsim.mapping.metrics import links
from tests.mapping.helpers import machine


@pytest.mark.parametrize("name", ["mesh-3x2", "torus-6x5"])
@pytest.mark.parametrize("count", [1, 2, 5])
def test_each_tile_has_so_many_pes_and_the_links_stay(name: str, count: int) -> None:
    plain, crowded = machine(name), with_pes_per_tile(machine(name), count)
    assert crowded.endpoints == count * plain.endpoints
    assert links(crowded).sum() == links(plain).sum()
    for tile in range(plain.endpoints):
        x, y = int(plain.endpoint_x[tile]), int(plain.endpoint_y[tile])
        ends = [crowded.endpoint_at(x, y, pe) for pe in range(count)]
        ports = crowded.endpoint_port[ends]
        assert len(set(ports.tolist())) == count
        assert set(crowded.port_node[ports].tolist()) == {tile}
        for end in ends:
            into = np.flatnonzero(crowded.channel_port == crowded.endpoint_sink[end])
            assert crowded.channel_node[into].tolist() == [tile]


def test_a_full_machine_is_mapped() -> None:
    holes = load_machine("mesh-3x3", {"floor.holes": [[1, 1]]})
    mapping = map_application(ff(32, 4, True), with_pes_per_tile(holes, 4), "sequential")
    assert len(set(mapping.placement.values())) == 32


def test_what_cannot_be() -> None:
    assert with_pes_per_tile(machine("spinnaker2"), 4) is machine("spinnaker2")
    with pytest.raises(MappingError, match="spinnaker2 has 4 PEs on each tile, got 3; only synth"):
        with_pes_per_tile(machine("spinnaker2"), 3)
    with pytest.raises(MappingError, match="got 0; expected an integer of 1 to 1024"):
        with_pes_per_tile(machine("mesh-3x2"), 0)
