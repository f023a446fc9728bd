"""The independent check of look-up tables: every router's entry for every tile is walked.

Works on the machine's arrays alone, and shares no code with what writes tables.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

import networkx as nx
import numpy as np

from chipsim.errors import MappingError
from chipsim.machine.dependencies import name_cycle
from chipsim.machine.model import EndpointKind, Machine, PortKind, Routing


def check_lookup(machine: Machine, chips: Collection[int], *, by: str = "") -> None:
    """Raise if the look-up tables of some chips do not serve all pairs, or can deadlock.

    Parameters
    ----------
    machine : Machine
    chips : collection of int
        Whose tables are looked at.
    by : str
        Who made them, for the message.

    Raises
    ------
    MappingError
        With every problem: an entry that is not its router's, over a dead channel, in a circle or
        nowhere; a tile with PEs that the packet router or another tile has no entry for; channels
        that wait for each other in a circle, over all pairs of tiles and all ways through the
        packet router.

    Notes
    -----
    O(routers x tiles x length of a way) a chip.
    """
    problems = [problem for chip in sorted(chips) for problem in _Chip(machine, chip).problems()]
    if problems:
        raise MappingError(f"look-up tables on {machine.name}{f' ({by})' if by else ''}", problems)


class _Chip:
    def __init__(self, machine: Machine, chip: int) -> None:
        self.machine = machine
        own = machine.node_chip == chip
        self.routers = np.flatnonzero(own & (machine.node_routing == int(Routing.LUT))).tolist()
        self.tile = {
            node: self._tile(machine.node_x, machine.node_y, node) for node in self.routers
        }
        self.rows = dict(
            zip(self.routers, machine.lut_rows(np.array(self.routers)).tolist(), strict=True)
        )
        here = machine.endpoint_chip == chip
        pes = here & (machine.endpoint_kind == EndpointKind.PE) & machine.endpoint_alive
        self.wanted = sorted(
            {
                self._tile(machine.endpoint_x, machine.endpoint_y, e)
                for e in np.flatnonzero(pes).tolist()
            }
        )
        assert machine.chips is not None
        self.entry = int(machine.chips.entry[chip])
        self.pool = int(machine.chips.pool[chip])
        self.alive = machine.channel_alive
        self.after: nx.DiGraph = nx.DiGraph()

    def _tile(self, xs: np.ndarray, ys: np.ndarray, i: int) -> int:
        return int(ys[i]) * self.machine.grid_width + int(xs[i])

    def problems(self) -> Iterator[str]:
        yield from self._between_tiles()
        yield from self._from_router()
        try:
            circle = [first for first, _ in nx.find_cycle(self.after)]
        except nx.NetworkXNoCycle:
            return
        yield f"channels wait for each other in a circle: {name_cycle(self.machine, circle)}"

    def _between_tiles(self) -> Iterator[str]:
        """Walk from every live tile to every tile that has entries, the packet router's too."""
        starts = [node for node in self.routers if self.tile[node] in self.wanted]
        columns = sorted({t for row in self.rows.values() for t, c in enumerate(row) if c >= 0})
        enters = set()
        for tile in sorted({*columns, *self.wanted}):
            for node in starts:
                way, problem = self._walk(node, tile)
                if problem:
                    yield problem
                    continue
                nx.add_path(self.after, way)
                if way and self._far(way[-1]) == self.entry:
                    enters.add((node, way[-1]))
        lookup = self._lookup()
        self.after.add_edges_from((channel, lookup) for _, channel in enters)
        for node in sorted(set(starts) - {node for node, _ in enters}):
            yield f"{self.machine.node_labels[node]} has no way to the packet router"

    def _from_router(self) -> Iterator[str]:
        row = self.machine.lut_row(self.pool).tolist()
        for tile in self.wanted:
            out = row[tile]
            label = f"the packet router's entry for tile {self._at(tile)}"
            if out < 0 or int(self.machine.channel_node[out]) != self.pool:
                yield f"{label} is {out}; expected a channel out of it"
            elif not self.alive[out]:
                yield f"{label} is {self.machine.channel_label(out)}, which is dead"
            else:
                way, _ = self._walk(self._far(out), tile)  # its problems are told above
                nx.add_path(self.after, [self._lookup(), out, *way])

    def _walk(self, node: int, tile: int) -> tuple[list[int], str]:
        """Follow the entries for a tile: the channels taken, and what is wrong (or "")."""
        machine, start = self.machine, node
        way: list[int] = []
        seen: set[int] = set()
        who = f"{machine.node_labels[start]} towards tile {self._at(tile)}"
        while node in self.rows:
            if node in seen:
                return way, f"{who}: the entries go in a circle at {machine.node_labels[node]}"
            seen.add(node)
            channel = self.rows[node][tile]
            if channel < 0:
                if self.tile[node] == tile:
                    return way, ""
                return way, f"{who}: {machine.node_labels[node]} has no entry"
            if int(machine.channel_node[channel]) != node:
                return way, f"{who}: {machine.node_labels[node]} has the channel of another node"
            if not self.alive[channel]:
                return way, f"{who}: {machine.channel_label(channel)} is dead"
            way.append(channel)
            node = self._far(channel)
        return way, ""

    def _far(self, channel: int) -> int:
        """Return the node at the end of a channel, -1 for a sink."""
        port = int(self.machine.channel_port[channel])
        sink = self.machine.port_kind[port] == PortKind.SINK
        return -1 if sink else int(self.machine.port_node[port])

    def _lookup(self) -> int:
        return int(np.flatnonzero(self.machine.channel_node == self.entry)[0])

    def _at(self, tile: int) -> str:
        y, x = divmod(tile, self.machine.grid_width)
        return f"({x},{y})"
