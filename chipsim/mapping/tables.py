"""Routing tables: key, mask and outputs, one table per node that looks keys up.

A packet's key is compared with the entries in order; the first that matches names the outputs, as
bits of :class:`chipsim.mapping.outlets.Outlets`. A packet that matches none leaves by the link
opposite to the one it came by (default routing); where it has no opposite link it is an error.
Tables hold what travels by key: multicast nets. Direct NoC packets and DMA carry a destination.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from chipsim.errors import MappingError
from chipsim.machine.model import Machine, Routing
from chipsim.machine.route import SINK, Route
from chipsim.machine.topology import topology
from chipsim.mapping.application import Application, Name
from chipsim.mapping.outlets import OutletBook, Outlets, outlets

if TYPE_CHECKING:
    from chipsim.mapping.mapping import Mapping as ChipMapping

SEVERAL = -1
"""The net of an entry that serves several nets, or arrivals."""

WORD_BITS = 64


@dataclass(frozen=True)
class RouterTable:
    """The entries of one node, first match first.

    Attributes
    ----------
    outlets : Outlets
        The node, and what the bits of a route stand for.
    key, mask : ndarray of uint32, shape (entries,)
        A key ``k`` matches where ``k & mask == key``.
    route : ndarray of uint64, shape (entries, words)
        Bit ``b`` of a route is bit ``b % 64`` of word ``b // 64``.
    net : ndarray of int32, shape (entries,)
        Number of the net in the application that the entry was made for; -1 for several.
    came_by : ndarray of int32, shape (entries,)
        The link by which the net's packets come: the channel that left the node with a table
        before; -1 where they come from a PE, or by several.
    """

    outlets: Outlets
    key: NDArray[np.uint32]
    mask: NDArray[np.uint32]
    route: NDArray[np.uint64]
    net: NDArray[np.int32]
    came_by: NDArray[np.int32]

    @property
    def node(self) -> int:
        """The node that the table is of."""
        return self.outlets.node

    def __len__(self) -> int:
        return len(self.key)

    def find(self, key: int) -> int:
        """Return the entry that a key matches first, -1 if it matches none.

        O(entries).
        """
        hits = np.flatnonzero((np.uint32(key) & self.mask) == self.key)
        return int(hits[0]) if len(hits) else -1

    def outputs(self, entry: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Return (link channels, local endpoints) of an entry, in the order of their bits."""
        return split(self.outlets, as_int(self.route[entry]))

    def default(self, came_by: int) -> int:
        """Return the link channel of an unmatched packet that came by a link, -1 if none."""
        bit = self.outlets.onward.get(came_by, -1)
        return self.outlets.links[bit] if bit >= 0 else -1

    def defaulted(self) -> NDArray[np.bool_]:
        """Return which entries do what default routing would do anyway, bool of shape (entries,).

        Their packets come by one link and leave by the one opposite only.
        """
        found = np.zeros(len(self), dtype=bool)
        for entry, (came, route) in enumerate(zip(self.came_by.tolist(), self.route, strict=True)):
            bit = self.outlets.onward.get(came, -1)
            found[entry] = bit >= 0 and as_int(route) == 1 << bit
        return found

    def lines(self) -> Iterator[str]:
        """Yield the entries as text: pattern of key bits (X: any), outputs in hexadecimal."""
        for key, mask, route in zip(self.key.tolist(), self.mask.tolist(), self.route, strict=True):
            bits = range(31, -1, -1)
            shown = "".join(str(key >> b & 1) if mask >> b & 1 else "X" for b in bits)
            yield f"{shown} -> {as_int(route):#x}"


Tables = dict[int, RouterTable]
"""Tables by node, ascending; nodes without an entry are left out."""


def as_int(words: NDArray[np.uint64]) -> int:
    """Return a route's words as one integer."""
    return sum(word << (WORD_BITS * i) for i, word in enumerate(words.tolist()))


def as_words(routes: Sequence[int], bits: int) -> NDArray[np.uint64]:
    """Return routes as words, uint64 of shape (routes, words for ``bits``)."""
    words = max(1, -(-bits // WORD_BITS))
    low = (1 << WORD_BITS) - 1
    rows = [[route >> (WORD_BITS * i) & low for i in range(words)] for route in routes]
    return np.array(rows, dtype=np.uint64).reshape(len(routes), words)


def split(known: Outlets, route: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return (link channels, local endpoints) of a route's bits."""
    links = tuple(channel for bit, channel in enumerate(known.links) if route >> bit & 1)
    rest = route >> len(known.links)
    return links, tuple(end for bit, end in enumerate(known.locals) if rest >> bit & 1)


def capacity(machine: Machine) -> int | None:
    """Return how many entries of a router are free for nets, None if that is not known.

    ``router.usable_entries`` where the description gives it (SpiNNaker1's monitor keeps one of the
    ``router.table_entries``), else all.
    """
    names = ("router.table_entries", "router.usable_entries")
    known = [machine.description.integer(n) for n in names if n in machine.description]
    return min(known, default=None)


def make_tables(mapping: ChipMapping) -> Tables:
    """Return the tables of a mapping, with an entry per net and node, in the order of the nets.

    Entries that default routing makes needless are still there
    (:func:`chipsim.mapping.minimise.minimise` removes them).

    Raises
    ------
    MappingError
        Naming every net whose tree passes a node twice: one key has one entry there.

    Notes
    -----
    O(branches of all routes).
    """
    return tables_of(mapping.application, mapping.machine, mapping.routes, mapping.keys)


def tables_of(
    application: Application,
    machine: Machine,
    routes: Mapping[Name, tuple[Route, ...]],
    keys: Mapping[Name, tuple[int, int]],
) -> Tables:
    """Return the tables of routes and keys; see :func:`make_tables`."""
    trees = (
        Tree(f"net {net.name!r}", number, *keys[net.name], routes[net.name])
        for number, net in enumerate(application.nets)
        if not net.dma and application.transport_of(net) == "router_multicast"
    )
    return tables_of_trees(machine, trees, f"application {application.name!r}")


class Tree(NamedTuple):
    """What entries are made for.

    Attributes
    ----------
    label : str
        For messages.
    number : int
        Goes into the entries' ``net``.
    base, mask : int
        The keys.
    routes : sequence of Route
    """

    label: str
    number: int
    base: int
    mask: int
    routes: Sequence[Route]


def tables_of_trees(machine: Machine, trees: Iterable[Tree], subject: str) -> Tables:
    """Return tables with an entry per tree and node; see :func:`make_tables`."""
    book = outlets(machine)
    rows: dict[int, list[tuple[int, int, int, int, int]]] = {}
    problems = []
    for tree in trees:
        seen: set[int] = set()
        for route in tree.routes:
            for node, came_by, bits in visits(book, route):
                if node in seen:
                    problems.append(
                        f"{tree.label} passes {machine.node_labels[node]} twice; a key has one "
                        "entry there: route it as a tree of nodes"
                    )
                seen.add(node)
                row = (tree.base, tree.mask, bits, tree.number, came_by)
                rows.setdefault(node, []).append(row)
    if problems:
        raise MappingError(f"tables of {subject}", problems)
    return {node: _table(book[node], rows[node]) for node in sorted(rows)}


def _table(known: Outlets, rows: list[tuple[int, int, int, int, int]]) -> RouterTable:
    key, mask, bits, net, came_by = zip(*rows, strict=True)
    return RouterTable(
        known,
        np.array(key, dtype=np.uint32),
        np.array(mask, dtype=np.uint32),
        as_words(bits, known.bits),
        np.array(net, dtype=np.int32),
        np.array(came_by, dtype=np.int32),
    )


def visits(book: OutletBook, route: Route) -> Iterator[tuple[int, int, int]]:
    """Yield (node with a table, link it is reached by or -1, outputs as bits) along a route."""
    known = topology(book.machine)
    start = int(book.machine.port_node[route.port])
    stack = [(0, start, -1)]
    while stack:
        stage, node, came_by = stack.pop()
        onward = []
        bits = 0
        for channel, following in route.stages[stage]:
            if channel in book.far:
                bits |= 1 << book[node].link_bit[channel]
                came = channel
            else:
                came = came_by
                if known.routing[node] == Routing.TABLE:
                    bits |= _local_bits(book, node, route, channel, following)
                    continue
            if following != SINK:
                onward.append((following, known.far[channel], came))
        if known.routing[node] == Routing.TABLE:
            yield node, came_by, bits
        stack += onward[::-1]


def _local_bits(book: OutletBook, node: int, route: Route, channel: int, following: int) -> int:
    """Return the bits of the PEs below a branch that is no link."""
    known, here = topology(book.machine), book[node]
    bits = 0
    todo = [(channel, following)]
    while todo:
        at, stage = todo.pop()
        if stage == SINK:
            end = known.sink_of[known.port[at]]
            bits |= 1 << here.local_bit[end]
        else:
            todo += route.stages[stage]
    return bits
