"""What operations cost: an open table of PE cycles by operation.

The chip's own table is ``[pe.cycles]`` of its description; applications add theirs (EventProp's in
``eventprop_apps/costs.toml``, all of them assumed). An operation that no table lists is an error,
never zero.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from chipsim.errors import ProgramError, did_you_mean

SYNAPTIC_EVENTS = "Total_pre_synaptic_events"
"""The provenance counter of operations that are synaptic events."""


@dataclass(frozen=True)
class Cost:
    """Cycles of one operation, with where the figure is from.

    ``counter`` names the provenance counter of a core that counts the operation, if there is one.
    """

    cycles: int
    kind: str
    source: str
    counter: str = ""


@dataclass
class CostTable:
    """Cycles per operation; remembers which operations a run used.

    Attributes
    ----------
    costs : dict of str to Cost
    used : dict of str to int
        How often each operation was charged, over all PEs.
    """

    costs: dict[str, Cost]
    used: dict[str, int] = field(default_factory=dict)

    def cycles(self, operations: Mapping[str, int]) -> int:
        """Return the cycles of some operation counts and note their use.

        Raises
        ------
        ProgramError
            For an operation that is not listed, or a negative count.
        """
        total = 0
        for name, count in operations.items():
            if count < 0:
                raise ProgramError(f"operation {name!r}: got a count of {count}, expected >= 0")
            total += self.cost(name) * int(count)
            self.used[name] = self.used.get(name, 0) + int(count)
        return total

    def cost(self, name: str) -> int:
        """Return the cycles of one operation."""
        cost = self.costs.get(name)
        if cost is None:
            raise ProgramError(
                f"operation {name!r} has no cost{did_you_mean(name, self.costs)}; "
                "list it under [pe.cycles] of the chip's description or in the application's costs"
            )
        return cost.cycles

    def vector(self, names: Iterable[str]) -> NDArray[np.int64]:
        """Return the cycles of several operations as an array, for stacked calls."""
        return np.array([self.cost(name) for name in names], dtype=np.int64)

    def assumptions(self) -> list[tuple[str, int, str, str]]:
        """Return (name, cycles, kind, source) of the assumed costs that the run charged."""
        return [
            (
                f"cycles.{name}",
                self.costs[name].cycles,
                self.costs[name].kind,
                self.costs[name].source,
            )
            for name in sorted(self.used)
            if self.used[name] and self.costs[name].kind in ("A", "U")
        ]

    def unread_settings(self) -> list[str]:
        """Return the costs set by the user that the run has not charged, named as above."""
        return [
            f"cycles.{name}"
            for name in sorted(self.costs)
            if self.costs[name].kind == "U" and not self.used.get(name)
        ]
