"""The Hilbert curve over a machine's tiles."""

from __future__ import annotations

from chipsim.machine.model import Machine
from chipsim.mapping.fabric import fabric


def hilbert_sites(machine: Machine) -> list[int]:
    """Return the sites along a Hilbert curve: over the chips of a board, or over a chip's tiles."""
    known = fabric(machine)
    order = 1
    while order <= max(known.x.max(initial=0), known.y.max(initial=0)):
        order *= 2
    # Where chips are the sites the curve runs over chips, else over the tiles of each.
    several = machine.chips is not None and len(machine.chips) > 1
    chip = [0] * known.sites if several else known.chip.tolist()
    where = zip(chip, known.x.tolist(), known.y.tolist(), strict=True)
    key = [(chip, hilbert_index(order, x, y)) for chip, x, y in where]
    return sorted(range(known.sites), key=key.__getitem__)


def hilbert_index(order: int, x: int, y: int) -> int:
    """Return the position of (x, y) on the Hilbert curve over a square of side ``order``.

    Parameters
    ----------
    order : int
        A power of two.
    x, y : int
        0 to ``order - 1``.
    """
    index = 0
    side = order // 2
    while side:
        right, up = int(bool(x & side)), int(bool(y & side))
        index += side * side * ((3 * right) ^ up)
        if not up:
            if right:
                x, y = order - 1 - x, order - 1 - y
            x, y = y, x
        side //= 2
    return index
