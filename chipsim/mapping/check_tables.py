"""The independent check of routing tables: every key walks through every table that it meets.

Nothing here is shared with the code that makes or minimises tables. A net's keys go as one pattern;
where an entry matches only some of them the pattern is cut in two, so that in the end every key
has been through, without being looked at one by one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np

from chipsim.errors import MappingError
from chipsim.machine.model import Machine, Routing
from chipsim.machine.route import SINK, Route
from chipsim.mapping.application import Application, Name
from chipsim.mapping.tables import RouterTable, Tables, capacity

_ALL = (1 << 32) - 1


class _Keys(NamedTuple):
    """The keys ``k`` with ``k & mask == key``."""

    key: int
    mask: int

    def __str__(self) -> str:
        size = (~self.mask & _ALL) + 1
        return f"key {self.key:#010x}" + (f" (one of {size})" if size > 1 else "")


def check_tables(
    application: Application,
    machine: Machine,
    placement: Mapping[Name, int],
    routes: Mapping[Name, tuple[Route, ...]],
    keys: Mapping[Name, tuple[int, int]],
    tables: Tables,
    *,
    by: str = "",
) -> None:
    """Raise if tables do not do what the routes say, or do not fit their routers.

    Parameters
    ----------
    application, machine, placement, routes, keys
        A mapping's parts.
    tables : dict of node to RouterTable
    by : str
        Who made the tables, for the message.

    Raises
    ------
    MappingError
        Naming every net whose keys reach a wrong PE, miss one, reach one twice, use a link that is
        none of its tree's, turn in a circle or find no entry; and every table that is too long.

    Notes
    -----
    O(nets × nodes of a tree × entries × pieces that a net's keys fall into).
    """
    walker = _TableWalk(machine, tables)
    problems = list(_too_long(machine, tables))
    for net in application.nets:
        if net.dma or application.transport_of(net) != "router_multicast":
            continue
        block = _Keys(*(int(part) for part in keys[net.name]))
        wanted = sorted(int(placement[sink]) for sink in net.sinks)
        tree = walker.table_links(routes[net.name])
        start = walker.home(int(placement[net.source]))
        found = walker.problems(block, start, wanted, tree)
        problems += [f"net {net.name!r}: {text}" for text in found]
    if problems:
        maker = f" ({by})" if by else ""
        raise MappingError(
            f"tables of application {application.name!r} on {machine.name}{maker}", problems
        )


def _too_long(machine: Machine, tables: Tables) -> Iterator[str]:
    most = capacity(machine)
    for node, table in tables.items():
        if most is not None and len(table) > most:
            yield (
                f"{machine.node_labels[node]} of chip {int(machine.node_chip[node])} has "
                f"{len(table)} entries, its router holds {most}; minimise the tables, or spread "
                "the traffic by another placement"
            )


class _TableWalk:
    """Follows keys from table to table over the machine's arrays."""

    def __init__(self, machine: Machine, tables: Tables) -> None:
        self.machine = machine
        self.tables = tables
        self.far: list[int] = machine.port_node[machine.channel_port].tolist()
        self.source: list[int] = machine.channel_node.tolist()
        self.is_table = (machine.node_routing == Routing.TABLE).tolist()
        with_table = np.flatnonzero(machine.node_routing == Routing.TABLE)
        self.of_chip = {int(machine.node_chip[node]): int(node) for node in with_table}
        chips = machine.chips
        self.width = machine.grid_width if chips is None else chips.width
        self.height = machine.grid_height if chips is None else chips.height
        self.out: dict[int, list[int]] = {}
        self.single: dict[int, int] = {}
        for channel, node in enumerate(self.source):
            # The one way out of a node that only passes packets on.
            self.single[node] = channel if node not in self.single else -1
            if self.is_table[node]:
                self.out.setdefault(node, []).append(channel)

    def home(self, endpoint: int) -> int:
        """Return the node with a table that an endpoint's packets come to first."""
        node = int(self.machine.port_node[self.machine.endpoint_port[endpoint]])
        if self.is_table[node]:
            return node
        return self.of_chip[int(self.machine.endpoint_chip[endpoint])]

    def onward(self, channel: int) -> int:
        """Return the node with a table that a link leads to, -1 if it leads to none."""
        node = self.far[channel]
        for _ in range(len(self.is_table)):
            if node < 0 or self.is_table[node]:
                break
            following = self.single.get(node, -1)
            node = self.far[following] if following >= 0 else -1
        return node

    def table_links(self, routes: tuple[Route, ...]) -> set[int]:
        """Return the channels of routes that lead from one table to the next."""
        found = set()
        for route in routes:
            for stage in route.stages:
                for channel, following in stage:
                    if following == SINK or not self.is_table[self.source[channel]]:
                        continue
                    if self.onward(channel) >= 0:
                        found.add(channel)
        return found

    def problems(
        self, block: _Keys, start: int, wanted: list[int], tree: set[int]
    ) -> Iterator[str]:
        """Yield what is wrong with where a block's keys go; one piece of keys is shown."""
        for piece, ends, links, trouble in self.walk(block, start):
            found = list(trouble)
            if not found and sorted(ends) != wanted:
                found = list(self._differences(ends, wanted))
            if not found and links != tree:
                other = min(links ^ tree)
                what = "takes" if other in links else "does not take"
                found = [f"{what} {self.machine.channel_label(other)}, unlike its tree"]
            if found:
                yield from (f"{piece} {text}" for text in found)
                return

    def walk(
        self, block: _Keys, start: int
    ) -> Iterator[tuple[_Keys, list[int], set[int], list[str]]]:
        """Yield (keys, endpoints reached, links taken, problems) of the pieces of a block."""
        pieces = [block]
        while pieces:
            piece = pieces.pop()
            ends: list[int] = []
            links: set[int] = set()
            seen = {start}
            todo = [(start, -1)]
            trouble: list[str] = []
            while todo:
                node, came_by = todo.pop()
                found = self._look_up(node, came_by, piece)
                if isinstance(found, _Keys):
                    pieces += _cut(piece, found)
                    break
                if isinstance(found, str):
                    trouble.append(found)
                    continue
                outputs, locals_ = found
                ends += locals_
                links.update(outputs)
                for channel in outputs:
                    far = self.onward(channel)
                    if far in seen:
                        label = self.machine.node_labels[far]
                        trouble.append(f"comes to {label} a second time")
                        continue
                    seen.add(far)
                    todo.append((far, channel))
            else:
                yield piece, ends, links, trouble

    def _look_up(
        self, node: int, came_by: int, piece: _Keys
    ) -> tuple[list[int], list[int]] | _Keys | str:
        """Return outputs; or an entry that holds only part of the piece; or what is wrong."""
        table = self.tables.get(node)
        label = self.machine.node_labels[node]
        if table is not None:
            entry = _first(table, piece)
            if entry >= 0:
                own = _Keys(int(table.key[entry]), int(table.mask[entry]))
                if own.mask & ~piece.mask:
                    return own
                return self._outputs(table, entry)
        if came_by < 0:
            return f"has no entry at {label}, where it is sent"
        figures, rule = self.machine.description, "router.default_route"
        if rule in figures and figures.text(rule) == "drop":
            return f"has no entry at {label}, where such packets are dropped ({rule})"
        back = self._opposite(node, came_by)
        if back < 0:
            return f"has no entry at {label}, and no link opposite to where it comes from"
        return [back], []

    def _outputs(self, table: RouterTable, entry: int) -> tuple[list[int], list[int]]:
        words = table.route[entry].tolist()
        bits = [64 * i + b for i, word in enumerate(words) for b in range(64) if word >> b & 1]
        known = table.outlets
        split = len(known.links)
        return (
            [known.links[bit] for bit in bits if bit < split],
            [known.locals[bit - split] for bit in bits if bit >= split],
        )

    def _opposite(self, node: int, came_by: int) -> int:
        """Return the link that goes on in the direction of the one a packet came by."""
        before = self.source[came_by]
        (x0, y0), (x1, y1) = self._place(before), self._place(node)
        found = []
        for channel in self.out.get(node, ()):
            far = self.onward(channel)
            if far < 0 or far in (node, before):
                continue
            x2, y2 = self._place(far)
            ahead = ((x2 - x1) - (x1 - x0)) % self.width, ((y2 - y1) - (y1 - y0)) % self.height
            if ahead == (0, 0):
                found.append(channel)
        return found[0] if found else -1

    def _place(self, node: int) -> tuple[int, int]:
        """Return where a table is: its chip on the board, or its tile on a mesh."""
        machine = self.machine
        if machine.chips is not None:
            chip = int(machine.node_chip[node])
            return int(machine.chips.x[chip]), int(machine.chips.y[chip])
        return int(machine.node_x[node]), int(machine.node_y[node])

    def _differences(self, ends: list[int], wanted: list[int]) -> Iterator[str]:
        label = self.machine.endpoint_label
        for end in sorted(set(ends)):
            if end not in wanted:
                yield f"reaches {label(end)}, which is none of its sinks"
            elif ends.count(end) > 1:
                yield f"reaches {label(end)} {ends.count(end)} times"
        for end in wanted:
            if end not in ends:
                yield f"does not reach {label(end)}"


def _first(table: RouterTable, piece: _Keys) -> int:
    """Return the first entry that some key of a piece matches, -1 if there is none."""
    mask = table.mask.astype(np.int64)
    met = ((table.key.astype(np.int64) ^ piece.key) & mask & piece.mask) == 0
    return int(met.argmax()) if met.any() else -1


def _cut(piece: _Keys, entry: _Keys) -> list[_Keys]:
    """Cut a piece in two at the highest bit that an entry asks for and the piece leaves open."""
    bit = 1 << ((entry.mask & ~piece.mask).bit_length() - 1)
    return [_Keys(piece.key | bit, piece.mask | bit), _Keys(piece.key, piece.mask | bit)]
