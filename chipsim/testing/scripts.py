"""Scripted traffic: what is sent, taken and looked at, when; and one way to drive any network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from chipsim.machine.model import Machine
from chipsim.machine.route import Route
from chipsim.network.api import PAYLOAD_WORDS, Network, NetworkOptions, Sends


class Row(NamedTuple):
    """One packet to send; the other columns follow from these.

    Attributes
    ----------
    route : int
        Index into the case's routes, which also gives the source port.
    earliest_ps, gap_ps : int
        As in :class:`chipsim.network.api.Sends`.
    key : int
    source : int
        Source vertex.
    seq : int
        Sequence number of that source.
    """

    route: int
    earliest_ps: int
    gap_ps: int = 0
    key: int = 0
    source: int = 0
    seq: int = 0


@dataclass(frozen=True)
class Send:
    """Hand over rows at a time."""

    at_ps: int
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class Take:
    """Empty inboxes at a time."""

    at_ps: int
    inboxes: tuple[int, ...]


@dataclass(frozen=True)
class Look:
    """Record counters, what is in flight and who waits, at a time."""

    at_ps: int


@dataclass(frozen=True)
class WatchInbox:
    """Arm a watch on an inbox at a time."""

    at_ps: int
    inbox: int
    count: int


@dataclass(frozen=True)
class WatchAccepted:
    """Arm a watch on a source port's script at a time."""

    at_ps: int
    port: int


Action = Send | Take | Look | WatchInbox | WatchAccepted


@dataclass(frozen=True)
class Case:
    """A machine, routes on it, and what happens.

    Attributes
    ----------
    machine : Machine
    routes : tuple of Route
    actions : tuple of Action
        Done in order of time (equal times: in this order), each after the network has processed
        its instant, as a program would. What is to happen at 0 ps is done before anything runs.
    end_ps : int
        Not before the last action. Everything is looked at and taken for the last time when the
        network has become quiet after it.
    options : NetworkOptions
    """

    machine: Machine
    routes: tuple[Route, ...]
    actions: tuple[Action, ...]
    end_ps: int
    options: NetworkOptions = field(default_factory=lambda: NetworkOptions(hop_log=True))

    def ordered(self) -> list[Action]:
        """Return the actions by time."""
        return sorted(self.actions, key=lambda action: action.at_ps)

    def rows(self) -> list[Row]:
        """Return all rows that are sent."""
        return [row for action in self.actions if isinstance(action, Send) for row in action.rows]


def make_sends(routes: Sequence[Route], numbers: Sequence[int], rows: Sequence[Row]) -> Sends:
    """Return rows as the columns that :meth:`Network.send` takes.

    Parameters
    ----------
    routes : sequence of Route
    numbers : sequence of int
        What :meth:`Network.add_routes` returned for them.
    rows : sequence of Row
        The first payload word is derived from key and sequence number and ``net``, ``tick`` and
        ``tag`` from the route and row, so that a mix-up of columns is seen.
    """
    count = len(rows)
    payload = np.zeros((count, PAYLOAD_WORDS), dtype=np.uint32)
    payload[:, 0] = [(row.key * 7919 + row.seq) % 2**32 for row in rows]
    payload[:, PAYLOAD_WORDS - 1] = [row.route + 1 for row in rows]

    def i32(values: list[int]) -> np.ndarray[tuple[int], np.dtype[np.int32]]:
        return np.array(values, dtype=np.int32)

    return Sends(
        port=i32([routes[row.route].port for row in rows]),
        earliest_ps=np.array([row.earliest_ps for row in rows], dtype=np.int64),
        gap_ps=np.array([row.gap_ps for row in rows], dtype=np.int64),
        route=i32([numbers[row.route] for row in rows]),
        source=i32([row.source for row in rows]),
        seq=np.array([row.seq for row in rows], dtype=np.int64),
        key=np.array([row.key for row in rows], dtype=np.uint32),
        payload=payload,
        net=i32([row.route for row in rows]),
        tick=i32([row.earliest_ps // 1000 for row in rows]),
        tag=i32([row.seq * 3 + 1 for row in rows]),
    )


def drive(network: Network, until_ps: int) -> None:
    """Process every instant up to and including ``until_ps``, whichever network it is."""
    if not network.lazy:
        network.run_until(until_ps)  # type: ignore[attr-defined]
        return
    while network.advance(until_ps) < until_ps:
        pass  # a watch fired on the way
