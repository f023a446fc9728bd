"""A PE's SRAM: a budget by region, and the arrays that other PEs can read through the NoC."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from chipsim.errors import SramError, did_you_mean


@dataclass
class Sram:
    """One PE's data memory.

    Attributes
    ----------
    label : str
        The PE, for messages.
    limit_bytes : int
        Bytes that an application may use.
    regions : dict of str to int
        Reserved bytes by region.
    """

    label: str
    limit_bytes: int
    regions: dict[str, int] = field(default_factory=dict)
    _mapped: list[NDArray[np.uint32]] = field(default_factory=list)
    _numbers: dict[str, int] = field(default_factory=dict)

    @property
    def used_bytes(self) -> int:
        """Reserved bytes."""
        return sum(self.regions.values())

    def reserve(self, region: str, nbytes: int) -> None:
        """Reserve bytes for a region.

        Raises
        ------
        SramError
            If they do not fit any more.
        """
        if self.used_bytes + nbytes > self.limit_bytes:
            held = ", ".join(f"{name} {size}" for name, size in self.regions.items()) or "nothing"
            raise SramError(
                f"{self.label}: region {region!r} wants {nbytes} bytes, "
                f"{self.limit_bytes - self.used_bytes} of {self.limit_bytes} are left "
                f"(held: {held}); use fewer neurons per PE or a smaller buffer"
            )
        self.regions[region] = self.regions.get(region, 0) + nbytes

    def map(self, region: str, array: NDArray[np.generic]) -> int:
        """Let other PEs read ``array`` (contiguous, whole words) as ``region``; return its number.

        The region must have been reserved with at least the array's size.
        """
        if self.regions.get(region, 0) < array.nbytes:
            raise SramError(
                f"{self.label}: region {region!r} holds {self.regions.get(region, 0)} bytes, "
                f"the array mapped there has {array.nbytes}; reserve it in Program.sram()"
            )
        words = array.reshape(-1).view(np.uint32)
        if region in self._numbers:
            self._mapped[self._numbers[region]] = words
        else:
            self._numbers[region] = len(self._mapped)
            self._mapped.append(words)
        return self._numbers[region]

    def mapped(self) -> tuple[NDArray[np.uint32], ...]:
        """Return the words of all mapped regions, by number, as views."""
        return tuple(self._mapped)

    def number(self, region: str) -> int:
        """Return the number of a mapped region."""
        if region not in self._numbers:
            raise SramError(
                f"{self.label}: no mapped region {region!r}{did_you_mean(region, self._numbers)}"
            )
        return self._numbers[region]

    def words(self, number: int, offset: int, count: int) -> NDArray[np.uint32]:
        """Return the memory itself: ``count`` words of a mapped region from ``offset``."""
        if not 0 <= number < len(self._mapped):
            raise SramError(f"{self.label}: no mapped region number {number}")
        region = self._mapped[number]
        if offset < 0 or count < 0 or offset + count > len(region):
            raise SramError(
                f"{self.label}: words {offset} to {offset + count} lie outside region {number} of "
                f"{len(region)} words"
            )
        return region[offset : offset + count]
