"""Clock levels of the PEs: which level a handler runs at, and what its cycles take.

A PE runs at the level that its policy gives each handler (``pe.dvfs``):

- ``start``: always at the level that software starts at (``pe.levels.start``);
- ``low``, ``high``: always at that level, asleep as well;
- ``auto``: asleep at the low level; a handler that finds more than ``pe.dvfs_threshold_packets``
  packets waiting in the receive FIFO first switches to the high level (``pe.levels.switch_ns``) and
  goes back with its end. That is the rule of py-spinnaker2's ``DVFSParams`` (hardware.md §8).
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from chipsim.errors import DescriptionError, did_you_mean
from chipsim.machine.description import Description
from chipsim.units import PS_PER_US, cycles, ns

LEVELS = ("low", "high")
"""Names of the clock levels by their numbers."""
POLICIES = ("start", *LEVELS, "auto")

_POLICY = "pe.dvfs"


def level_number(name: str) -> int:
    """Return the number of a clock level.

    Raises
    ------
    DescriptionError
        For a name that is none.
    """
    if name not in LEVELS:
        raise DescriptionError("clock level", [f"got {name!r}{did_you_mean(name, LEVELS)}"])
    return LEVELS.index(name)


@dataclass(frozen=True)
class ClockLevels:
    """The clock levels that a run uses, and the policy that chooses among them.

    Attributes
    ----------
    policy : str
        One of :data:`POLICIES`.
    base : int
        Level of PEs that sleep, and of all handlers unless the policy is ``auto``.
    mhz : tuple of float
        Clock by level [MHz]. A level that the policy never takes has that of ``base``.
    threshold_packets : int
        Waiting packets above which a handler runs at the high level; -1 unless ``auto``.
    switch_ps : int
        Time of a change of level [ps].
    """

    policy: str
    base: int
    mhz: tuple[float, ...]
    threshold_packets: int
    switch_ps: int

    @classmethod
    def read(cls, figures: Description, policy: str | None = None) -> ClockLevels:
        """Read the figures that a policy needs; None: the one of the description.

        Raises
        ------
        DescriptionError
            For an unknown policy or level.
        UnknownFigureError
            If the chip has no such level.
        """
        if policy is None:
            policy = figures.text(_POLICY) if _POLICY in figures else "start"
        if policy not in POLICIES:
            raise DescriptionError(
                "clock policy (pe.dvfs)", [f"got {policy!r}{did_you_mean(policy, POLICIES)}"]
            )
        if policy == "auto":
            clocks = tuple(figures.number(f"pe.levels.{name}_mhz") for name in LEVELS)
            threshold = figures.integer("pe.dvfs_threshold_packets")
            return cls(policy, 0, clocks, threshold, ns(figures.number("pe.levels.switch_ns")))
        base = level_number(figures.text("pe.levels.start") if policy == "start" else policy)
        clock = figures.number(f"pe.levels.{LEVELS[base]}_mhz")
        return cls(policy, base, (clock,) * len(LEVELS), -1, 0)

    @property
    def auto(self) -> bool:
        """Whether handlers may run at different levels."""
        return self.threshold_packets >= 0

    def rates(self) -> NDArray[np.int64]:
        """Return ps per cycle by level as fractions, shape (levels, 2)."""
        ratios = [PS_PER_US / Fraction(str(clock)) for clock in self.mhz]
        return np.array([[r.numerator, r.denominator] for r in ratios], dtype=np.int64)

    def times(self, count: int) -> tuple[int, ...]:
        """Return the time of ``count`` cycles at each level [ps]."""
        return tuple(cycles(count, clock) for clock in self.mhz)
