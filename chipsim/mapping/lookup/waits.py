"""Which channel is followed by which: without circles, and counted so that it can be taken back.

References
----------
Pearce, Kelly, "A dynamic topological sort algorithm for directed acyclic graphs", Journal of
Experimental Algorithmics 11 (2007), doi:10.1145/1187436.1210590.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from chipsim.errors import MachineError

Pair = tuple[int, int]


class Waits:
    """A directed graph over channels that stays without circles; edges are counted.

    Parameters
    ----------
    channels : int

    Notes
    -----
    Channels keep an order in which every edge leads onward. An edge that agrees with it costs
    nothing to check; another one costs a search through what lies between its ends in this order.
    """

    def __init__(self, channels: int) -> None:
        self._count: dict[Pair, int] = {}
        self._after: list[set[int]] = [set() for _ in range(channels)]
        self._before: list[set[int]] = [set() for _ in range(channels)]
        self._rank = list(range(channels))

    def admit(self, pairs: Sequence[Pair]) -> bool:
        """Add edges and return True; or, if they close a circle, leave all as it was: False."""
        for number, pair in enumerate(pairs):
            if pair in self._count:
                self._count[pair] += 1
            elif self._ordered(*pair):
                self._count[pair] = 1
                self._after[pair[0]].add(pair[1])
                self._before[pair[1]].add(pair[0])
            else:
                self.remove(pairs[:number])
                return False
        return True

    def add(self, pairs: Iterable[Pair]) -> None:
        """Add edges that are known to close no circle.

        Raises
        ------
        MachineError
            If they do.
        """
        if not self.admit(list(pairs)):
            raise MachineError("look-up tables to start from can deadlock; give others")

    def remove(self, pairs: Iterable[Pair]) -> None:
        """Take edges back, each as often as it is named."""
        for pair in pairs:
            left = self._count[pair] - 1
            if left:
                self._count[pair] = left
            else:
                del self._count[pair]
                self._after[pair[0]].remove(pair[1])
                self._before[pair[1]].remove(pair[0])

    def _ordered(self, first: int, second: int) -> bool:
        """Put ``first`` before ``second`` in the order; False if edges lead back."""
        rank = self._rank
        low, high = rank[second], rank[first]
        if high < low:
            return True
        onward = self._between(second, self._after, low, high)
        if first in onward:
            return False
        back = self._between(first, self._before, low, high)
        moved = sorted(back, key=rank.__getitem__) + sorted(onward, key=rank.__getitem__)
        for channel, place in zip(moved, sorted(rank[c] for c in moved), strict=True):
            rank[channel] = place
        return True

    def _between(self, start: int, ways: list[set[int]], low: int, high: int) -> set[int]:
        """Return what can be reached from a channel without leaving a part of the order."""
        rank, found, todo = self._rank, {start}, [start]
        while todo:
            for channel in ways[todo.pop()]:
                if channel not in found and low <= rank[channel] <= high:
                    found.add(channel)
                    todo.append(channel)
        return found
