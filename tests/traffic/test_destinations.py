"""Patterns against definitions written anew: digits and bits as text, not as arithmetic."""

from __future__ import annotations

import numpy as np
import pytest

from chipsim import seeds
from chipsim.errors import NetworkError
from chipsim.machine.library import load_machine
from chipsim.network.traffic import Synthetic
from chipsim.network.traffic.arrivals import Bernoulli
from chipsim.network.traffic.destinations import SPATIAL, Destinations, Fixed, destinations
from chipsim.network.traffic.nodes import Nodes


def make(pattern: str, machine: str = "mesh-8x8") -> Destinations:
    return destinations(pattern, Nodes.of(load_machine(machine)), seeds.rng(1, "once"))


def table(pattern: str, machine: str = "mesh-8x8") -> list[int]:
    made = make(pattern, machine)
    assert isinstance(made, Fixed)
    return made.table.tolist()


def by_bits(bits: int, change: object) -> list[int]:
    return [int(change(f"{n:0{bits}b}"), 2) for n in range(1 << bits)]  # type: ignore[operator]


def test_bit_patterns() -> None:
    flip = str.maketrans("01", "10")
    assert table("bit-complement") == by_bits(6, lambda b: b.translate(flip))
    assert table("bit-reverse") == by_bits(6, lambda b: b[::-1])
    assert table("shuffle") == by_bits(6, lambda b: b[1:] + b[0])
    # On 8 x 8 a node's number is y in the high and x in the low three bits.
    assert table("transpose") == by_bits(6, lambda b: b[3:] + b[:3])


@pytest.mark.parametrize("pattern", ["bit-complement", "bit-reverse", "shuffle"])
def test_bit_patterns_on_one_node(pattern: str) -> None:
    assert table(pattern, "mesh-1x1") == [0]


def test_digit_patterns_on_an_oblong() -> None:
    width, height = 5, 4
    tornado, neighbour = table("tornado", "mesh-5x4"), table("neighbour", "torus-5x4")
    for y in range(height):
        for x in range(width):
            # ceil(5 / 2) - 1 = 2, ceil(4 / 2) - 1 = 1
            assert tornado[y * width + x] == (y + 1) % 4 * width + (x + 2) % 5
            assert neighbour[y * width + x] == (y + 1) % 4 * width + (x + 1) % 5


@pytest.mark.parametrize(
    "pattern",
    [
        "permutation",
        "transpose",
        "bit-complement",
        "bit-reverse",
        "shuffle",
        "tornado",
        "neighbour",
    ],
)
def test_fixed_patterns_are_permutations(pattern: str) -> None:
    assert sorted(table(pattern)) == list(range(64))


def test_nodes_without_destination_do_not_send() -> None:
    nodes = Nodes.of(load_machine("mesh-4x1"))
    made = Fixed(nodes, np.array([3, -1, -1, 0]))
    work = Synthetic(Bernoulli(4, 0.5, 1000), made, 1)
    _, flow = next(work.blocks())
    assert {work.ends(f) for f in flow.tolist()} == {(0, (3,)), (3, (0,))}
    used = made.used(10)
    assert used is not None
    assert used.tolist() == sorted(set(flow.tolist()))


def test_permutation_comes_from_the_seed() -> None:
    nodes = Nodes.of(load_machine("mesh-8x8"))
    one, other = (destinations("permutation", nodes, seeds.rng(s, "once")) for s in (1, 2))
    assert isinstance(one, Fixed)
    assert isinstance(other, Fixed)
    assert one.table.tolist() == table("permutation")
    assert one.table.tolist() != other.table.tolist()


def test_uniform_reaches_all_and_itself_alike() -> None:
    made = make("uniform", "mesh-4x4")
    flows = made.draw(np.repeat(np.arange(16), 4000), seeds.rng(1))
    counts = np.bincount(flows, minlength=256)
    # 250 expected a pair; 6 standard deviations.
    assert np.abs(counts - 250).max() < 6 * 250**0.5


def test_hotspot_share() -> None:
    made = make("hotspot(node=5, share=0.3)", "mesh-4x4")
    dests = made.to(np.zeros(40_000, dtype=np.int64), seeds.rng(1))
    share = float((dests == 5).mean())
    assert abs(share - (0.3 + 0.7 / 16)) < 0.01


def test_hotspot_is_in_the_middle_by_default() -> None:
    dests = make("hotspot(share=1)", "mesh-5x4").to(np.arange(20), seeds.rng(1))
    assert dests.tolist() == [2 * 5 + 2] * 20


def test_multicast_sets() -> None:
    made = make("multicast(3, sets=2)", "mesh-4x4")
    assert (made.flows, made.copies) == (32, 3)
    seen = set()
    for flow in made.draw(np.repeat(np.arange(16), 50), seeds.rng(1)).tolist():
        source, dests = made.ends(flow)
        assert source == flow // 2
        assert len(set(dests)) == 3
        assert all(0 <= dest < 16 for dest in dests)
        seen.add(flow)
    assert seen == set(range(32))


def test_flows_and_ends_agree() -> None:
    made = make("transpose", "mesh-4x4")
    flows = made.draw(np.arange(16), seeds.rng(1))
    assert made.ends(int(flows[1])) == (1, (4,))
    used = made.used(1000)
    assert used is not None
    assert used.tolist() == sorted(flows.tolist())
    assert made.used(3) is None
    assert make("uniform", "mesh-4x4").used(255) is None


@pytest.mark.parametrize(
    ("pattern", "machine", "message"),
    [
        ("transpose", "mesh-4x3", r"mesh-4x3 is 4 x 3; expected a square"),
        ("bit-reverse", "mesh-3x3", r"has 9 nodes; expected a power of two .* 8 or 16"),
        ("shuffle", "spinnaker2", r"has 152 nodes; expected a power of two"),
        ("tornado", "spinnaker2", r"152 PEs on a floor of 8 x 8 tiles; expected one PE on every"),
        ("hotspot:node=16", "mesh-4x4", r"node 16 is not on mesh-4x4; expected 0\.\.15"),
        ("multicast:17", "mesh-4x4", r"k = 17, but mesh-4x4 has 16 nodes"),
        ("tornadoo", "mesh-4x4", r"unknown pattern 'tornadoo'; did you mean 'tornado'\?"),
        ("uniform:3", "mesh-4x4", r"'3' is one argument too many; it takes none"),
    ],
)
def test_machines_that_a_pattern_does_not_suit(pattern: str, machine: str, message: str) -> None:
    with pytest.raises(NetworkError, match=message):
        make(pattern, machine)


@pytest.mark.parametrize("pattern", ["uniform", "permutation", "hotspot", "multicast"])
def test_patterns_without_places_suit_the_chip(pattern: str) -> None:
    made = make(pattern, "spinnaker2")
    machine = made.nodes.machine
    pes = set(machine.pes().tolist())
    flows = made.draw(np.arange(152), seeds.rng(1))
    for flow in flows.tolist():
        source, dests = made.ends(flow)
        assert {source, *dests} <= pes


def test_every_pattern_says_what_it_is() -> None:
    assert all(entry.about and entry.make.__doc__ for entry in SPATIAL.values())
