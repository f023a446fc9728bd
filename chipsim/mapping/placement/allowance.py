"""How much work a search may do: counted, never timed, so that every run does the same."""

from __future__ import annotations


class Allowance:
    """Work that is still allowed; what was done is taken off.

    Parameters
    ----------
    work : float
        In the units of annealing: a site that is visited when a tree is grown, or a move. Half a
        microsecond each, within a third, on all of the graphs measured.
    """

    def __init__(self, work: float) -> None:
        self.left = max(0, int(work))

    def take(self, work: float) -> None:
        """Take work that was done off what is left."""
        self.left = max(0, self.left - int(work))

    def share(self, part: float) -> int:
        """Return this part of what is left, at least 1: no work at all would be no search."""
        return max(1, int(part * self.left))
