"""Keys: one aligned block of a power of two per net, so that one mask covers it."""

from __future__ import annotations

from typing import NamedTuple

from chipsim.errors import MappingError
from chipsim.mapping.application import KEY_BITS, Application, Name

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
    wanted = sum(1 << net.key_bits for net in application.nets)
    if wanted > 1 << KEY_BITS:
        largest = max(application.nets, key=lambda net: net.key_bits)
        raise MappingError(
            f"keys of application {application.name!r}",
            [
                f"{len(application.nets)} nets want {wanted} keys, but {KEY_BITS} bits hold "
                f"{1 << KEY_BITS}; the largest block is {largest.key_bits} bits for net "
                f"{largest.name!r}: lower key_bits"
            ],
        )
    blocks: dict[Name, KeyBlock] = {}
    base = 0
    for net in sorted(application.nets, key=lambda net: -net.key_bits):
        size = 1 << net.key_bits
        blocks[net.name] = KeyBlock(base, _ALL & ~(size - 1))
        base += size
    return {net.name: blocks[net.name] for net in application.nets}
