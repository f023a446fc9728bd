"""Key blocks: aligned, apart, in order, and refused only when 32 bits really do not suffice."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chipsim.errors import MappingError
from chipsim.mapping.application import Application, Net, Vertex
from chipsim.mapping.keys import KeyBlock, allocate_keys


def application(bits: list[int]) -> Application:
    nets = tuple(Net(i, "v", ("v",), key_bits=b) for i, b in enumerate(bits))
    return Application("keys", (Vertex("v"),), nets)


def test_small_example() -> None:
    assert allocate_keys(application([0, 7, 2, 7])) == {
        0: KeyBlock(0x104, 0xFFFFFFFF),
        1: KeyBlock(0x000, 0xFFFFFF80),
        2: KeyBlock(0x100, 0xFFFFFFFC),
        3: KeyBlock(0x080, 0xFFFFFF80),
    }


@given(st.lists(st.integers(0, 32), max_size=40))
def test_blocks_are_aligned_and_apart(bits: list[int]) -> None:
    if sum(1 << b for b in bits) > 1 << 32:
        with pytest.raises(MappingError, match=r"bits hold 4294967296; .* lower key_bits"):
            allocate_keys(application(bits))
        return
    blocks = allocate_keys(application(bits))
    assert list(blocks) == list(range(len(bits)))
    assert [block.size for block in blocks.values()] == [1 << b for b in bits]
    assert all(block.base & ~block.mask == 0 for block in blocks.values())
    spans = sorted((block.base, block.base + block.size) for block in blocks.values())
    assert all(a[1] <= b[0] for a, b in pairwise(spans))
    assert not spans or spans[-1][1] <= 1 << 32


def test_all_of_the_key_space_can_be_used() -> None:
    blocks = allocate_keys(application([31, 30, 30]))
    assert blocks[2] == KeyBlock(0xC0000000, 0xC0000000)
    assert str(blocks[2]) == "11" + "X" * 30


def test_too_many_keys_name_the_largest_net() -> None:
    with pytest.raises(MappingError) as caught:
        allocate_keys(application([31, 31, 0]))
    assert caught.value.problems == (
        "3 nets want 4294967297 keys, but 32 bits hold 4294967296; the largest block is 31 bits "
        "for net 0: lower key_bits",
    )
