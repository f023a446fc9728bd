"""Keys: one aligned block of a power of two per net, so that one mask covers it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from chipsim.errors import MappingError, did_you_mean
from chipsim.machine.model import Machine
from chipsim.mapping.application import KEY_BITS, Application, Name, Net

ORDERS = ("by-net", "by-place")
"""How keys can be given: in the order of the nets, or by where their sources are."""

_ALL = (1 << KEY_BITS) - 1


class KeyBlock(NamedTuple):
    """The keys ``k`` with ``k & mask == base``."""

    base: int
    mask: int

    @property
    def size(self) -> int:
        """Number of keys in the block."""
        return (~self.mask & _ALL) + 1

    def __str__(self) -> str:
        """Return the block as a bit pattern, ``X`` where any bit matches."""
        bits = range(KEY_BITS - 1, -1, -1)
        return "".join(str(self.base >> b & 1) if self.mask >> b & 1 else "X" for b in bits)


def allocate_keys(application: Application) -> dict[Name, KeyBlock]:
    """Give every net a block of ``2**key_bits`` keys.

    Parameters
    ----------
    application : Application

    Returns
    -------
    dict of net name to KeyBlock
        In the application's order of nets.

    Raises
    ------
    MappingError
        If the blocks together exceed 32 bits.

    Notes
    -----
    Largest blocks first, equal sizes in the order of the nets: every block then starts on a
    multiple of its size without gaps, so allocation fails only if the sizes really exceed
    ``2**32``, and neighbouring nets differ in low bits only, which table minimisation can merge
    into wide masks. O(n log n) in the nets.
    """
    _fits(application, sum(1 << net.key_bits for net in application.nets))
    blocks: dict[Name, KeyBlock] = {}
    _fill(blocks, application.nets, 0)
    return {net.name: blocks[net.name] for net in application.nets}


def keys_by_place(
    application: Application, placement: Mapping[Name, int], machine: Machine
) -> dict[Name, KeyBlock]:
    """Give the nets of each chip (on a synthetic machine: of each router) keys side by side.

    Parameters
    ----------
    application : Application
    placement : mapping of vertex name to endpoint
    machine : Machine

    Returns
    -------
    dict of net name to KeyBlock
        In the application's order of nets.

    Raises
    ------
    MappingError
        If the blocks with their alignment exceed 32 bits.

    Notes
    -----
    What goes the same way from one chip then has one prefix: each chip's keys stand in a block
    that is aligned to a power of two, chips in machine order, largest nets of a chip first. Worth
    most where the order of the nets says nothing about where they go (irregular graphs); layered
    graphs in layer order are as well off with :func:`allocate_keys`. O(n log n) in the nets.
    """
    synthetic = machine.chips is None
    by_place: dict[tuple[int, ...], list[Net]] = {}
    for net in application.nets:
        end = int(placement[net.source])
        where = [int(machine.endpoint_chip[end])]
        if synthetic:
            where += [int(machine.endpoint_y[end]), int(machine.endpoint_x[end])]
        by_place.setdefault(tuple(where), []).append(net)
    blocks: dict[Name, KeyBlock] = {}
    base = 0
    for place in sorted(by_place):
        wanted = sum(1 << net.key_bits for net in by_place[place])
        align = 1 << max(0, wanted - 1).bit_length()
        base = _fill(blocks, by_place[place], -(-base // align) * align)
    _fits(application, base)
    return {net.name: blocks[net.name] for net in application.nets}


def give_keys(
    order: str, application: Application, placement: Mapping[Name, int], machine: Machine
) -> dict[Name, KeyBlock]:
    """Return keys in one of :data:`ORDERS`.

    Raises
    ------
    MappingError
        For an unknown order, or more keys than 32 bits hold.
    """
    if order == "by-net":
        return allocate_keys(application)
    if order == "by-place":
        return keys_by_place(application, placement, machine)
    raise MappingError("keys", [f"unknown order {order!r}{did_you_mean(order, ORDERS)}"])


def _fits(application: Application, wanted: int) -> None:
    if wanted <= 1 << KEY_BITS:
        return
    largest = max(application.nets, key=lambda net: net.key_bits)
    raise MappingError(
        f"keys of application {application.name!r}",
        [
            f"{len(application.nets)} nets want {wanted} keys, but {KEY_BITS} bits hold "
            f"{1 << KEY_BITS}; the largest block is {largest.key_bits} bits for net "
            f"{largest.name!r}: lower key_bits"
        ],
    )


def _fill(blocks: dict[Name, KeyBlock], nets: Sequence[Net], base: int) -> int:
    """Add blocks from ``base`` on, largest first; return the first key behind them."""
    for net in sorted(nets, key=lambda net: -net.key_bits):
        size = 1 << net.key_bits
        blocks[net.name] = KeyBlock(base, _ALL & ~(size - 1))
        base += size
    return base
