"""What the report says of grants: queues for channels, where the slowest waited, who loads what."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from chipsim.analysis.report.rows import GRANTS, TABLE_ROWS, Cell, Json, chunks, numbers, table_json
from chipsim.analysis.run import Run
from chipsim.analysis.slowest import way_of
from chipsim.trace.schema import SCHEMAS

SLOWEST = 10
"""Of how many of the slowest copies the page tells where they waited."""

_COLUMNS = ("packet_source", "packet_seq", "channel", "arrived_ps", "granted_ps", "far_ps")


class GrantPass:
    """Gathers waits by channel, and all grants of the slowest packets.

    Parameters
    ----------
    run : Run
        With hops traced.
    slowest : list of rows
        Copies, the slowest first; the first :data:`SLOWEST` are followed.
    """

    def __init__(self, run: Run, slowest: list[dict[str, int | str]]) -> None:
        self.run = run
        self.slowest = slowest[:SLOWEST]
        channels = run.machine.channels
        self.grants = np.zeros(channels, np.int64)
        self.waited = np.zeros(channels, np.int64)
        self.longest = np.zeros(channels, np.int64)
        self._theirs: list[pa.Table] = []
        sources = pa.array([r["packet_source"] for r in self.slowest], pa.int32())
        seqs = pa.array([r["packet_seq"] for r in self.slowest], pa.int64())
        for chunk in chunks(run, "hops", _COLUMNS):
            channel = numbers(chunk, "channel")
            waited = numbers(chunk, "granted_ps") - numbers(chunk, "arrived_ps")
            np.add.at(self.grants, channel, 1)
            np.add.at(self.waited, channel, waited)
            np.maximum.at(self.longest, channel, waited)
            mine = pc.and_(
                pc.is_in(chunk["packet_source"], sources), pc.is_in(chunk["packet_seq"], seqs)
            )
            self._theirs.append(chunk.filter(mine))

    def waits_json(self) -> Json:
        """Return the channels that packets waited for longest in all."""
        columns = [
            ("channel", "text"),
            ("grants", "count"),
            ("waited in all", "ps"),
            ("mean wait", "ps"),
            ("longest wait", "ps"),
        ]
        used = np.flatnonzero(self.grants)
        order = used[np.argsort(-self.waited[used], kind="stable")][:TABLE_ROWS].tolist()
        rows: list[list[Cell]] = [
            [
                self.run.machine.channel_label(c),
                int(self.grants[c]),
                int(self.waited[c]),
                int(self.waited[c]) / int(self.grants[c]),
                int(self.longest[c]),
            ]
            for c in order
        ]
        return table_json("Channels that packets waited for", columns, rows, len(used))

    def where_json(self) -> Json:
        """Return every stage of the slowest copies' ways with its wait."""
        columns = [
            ("rank", "count"),
            ("packet", "text"),
            ("hop", "count"),
            ("channel", "text"),
            ("arrived", "moment"),
            ("waited", "ps"),
        ]
        rows: list[list[Cell]] = []
        theirs = pa.concat_tables(
            [SCHEMAS["hops"].arrow().empty_table().select(_COLUMNS), *self._theirs]
        )
        for rank, copy in enumerate(self.slowest):
            source, seq = int(copy["packet_source"]), int(copy["packet_seq"])
            mask = pc.and_(
                pc.equal(theirs["packet_source"], source), pc.equal(theirs["packet_seq"], seq)
            )
            ends = {name: int(copy[name]) for name in ("destination", "ended_ps")}
            for stage in way_of(self.run, theirs.filter(mask), ends).to_pylist():
                where = [stage["hop"], stage["name"], stage["arrived_ps"], stage["waited_ps"]]
                rows.append([rank, f"{source}:{seq}", *where])
        title = f"Where the {len(self.slowest)} slowest packets waited"
        return table_json(title, columns, rows, len(rows))

    def users_json(self) -> Json | None:
        """Return who loads the five hottest channels; None of a trace too long to join."""
        if int(self.grants.sum()) > GRANTS:
            return None
        table = self.run.channel_users(5)
        columns = [
            ("channel", "text"),
            ("kind", "text"),
            ("from", "text"),
            ("packets", "count"),
            ("share", "share"),
            ("waited", "ps"),
        ]
        names = ("name", "kind", "from", "packets", "share", "waited_ps")
        rows: list[list[Cell]] = [
            [row[name] for name in names] for row in table.slice(0, TABLE_ROWS).to_pylist()
        ]
        return table_json("Who loads the hottest channels", columns, rows, len(table))
