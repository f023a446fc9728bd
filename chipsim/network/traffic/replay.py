"""Replay: the packets of a recorded run, or of a CSV file, at the times they have there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
from numpy.typing import NDArray

from chipsim.errors import TraceError
from chipsim.machine.model import Machine
from chipsim.network.traffic.arrivals import BLOCK
from chipsim.units import FOREVER

I64 = NDArray[np.int64]

_RECORDED = {
    "injected_ps": "time_ps",
    "source": "source",
    "destination": "destination",
    "packet_source": "packet_source",
    "packet_seq": "packet",
}
"""Columns of a run's packets and what they are called here."""

_NEEDED = ("time_ps", "source", "destination")
_SHOWN = 3


class Replay:
    """The packets of a trace.

    Parameters
    ----------
    path : str or Path
        A run directory, its ``packets.parquet`` (directory or one file), or a CSV file with the
        columns ``time_ps, source, destination`` (endpoint numbers) and, where packets have several
        destinations, ``packet``: rows of one source, time and packet number are one packet.
    machine : Machine
        Where it is replayed; the trace's endpoints must exist there.

    Raises
    ------
    TraceError
        If the file cannot be read, lacks columns, is empty, or names endpoints or times that do
        not exist.

    Notes
    -----
    A recorded packet is created at its acceptance into the transmit registers. Rows are held in
    memory, about 40 bytes each.
    """

    def __init__(self, path: str | Path, machine: Machine) -> None:
        self._nodes = len(machine.pes())
        rows = _read(Path(path))
        _check(rows, machine, str(path))
        packet = _packets(rows)
        self.time_ps = rows["time_ps"][packet]
        self._ends: list[tuple[int, tuple[int, ...]]] = []
        self._flow = self._flows(rows["source"], rows["destination"], packet)

    @property
    def nodes(self) -> int:
        """Nodes that rates are counted by: the machine's PEs."""
        return self._nodes

    @property
    def flows(self) -> int:
        """Number of different (source, destinations)."""
        return len(self._ends)

    @property
    def copies(self) -> int:
        """The most destinations that a packet has."""
        return max(len(dests) for _, dests in self._ends)

    @property
    def last_ps(self) -> int:
        """When the last packet is created [ps]."""
        return int(self.time_ps[-1])

    def blocks(self, end_ps: int = FOREVER) -> Iterator[tuple[I64, I64]]:
        """Yield creation times [ps] and flows, by time; every call begins anew."""
        count = int(np.searchsorted(self.time_ps, end_ps))
        for at in range(0, count, BLOCK):
            upto = min(at + BLOCK, count)
            yield self.time_ps[at:upto], self._flow[at:upto]

    def ends(self, flow: int) -> tuple[int, tuple[int, ...]]:
        """Return the endpoints of a flow: source, destinations."""
        return self._ends[flow]

    def used(self, most: int) -> I64 | None:
        """Return all flows, for each occurs; None if more than ``most``."""
        return np.arange(self.flows) if self.flows <= most else None

    def _flows(self, source: I64, dest: I64, packet: I64) -> I64:
        """Return the flow of each packet; ``packet`` holds the first row of each."""
        last = np.append(packet[1:], len(source))
        flow = np.empty(len(packet), dtype=np.int64)
        known: dict[tuple[int, tuple[int, ...]], int] = {}
        single = last - packet == 1
        # Most packets have one destination; those are numbered without a Python loop over packets.
        pairs = np.stack((source[packet[single]], dest[packet[single]]), axis=1)
        if len(pairs):
            different, inverse = np.unique(pairs, axis=0, return_inverse=True)
            for at, to in different.tolist():
                known[at, (to,)] = len(known)
            flow[single] = inverse.reshape(-1)
        for i in np.flatnonzero(~single).tolist():
            to = tuple(sorted(set(dest[packet[i] : last[i]].tolist())))
            flow[i] = known.setdefault((int(source[packet[i]]), to), len(known))
        self._ends = list(known)
        return flow


def _read(path: Path) -> dict[str, I64]:
    try:
        if path.is_dir() and (path / "packets.parquet").exists():
            path = path / "packets.parquet"
        table = _csv(path) if path.suffix == ".csv" else _parquet(path)
    except FileNotFoundError:
        raise TraceError(
            f"replay: {path} does not exist; expected a run directory, a packets.parquet or a CSV "
            "file with the columns time_ps, source, destination"
        ) from None
    except (OSError, pa.ArrowException) as error:
        raise TraceError(
            f"replay: {path} cannot be read: {error}; expected a run directory, a packets.parquet "
            "or a CSV file with the columns time_ps, source, destination"
        ) from error
    if not table.num_rows:
        raise TraceError(f"replay: {path} holds no packet; record one with trace.level = packets")
    return _columns(table, path)


def _parquet(path: Path) -> Any:
    known = pq.ParquetDataset(path).schema.names
    if "injected_ps" not in known:
        return pq.read_table(path)
    return pq.read_table(path, columns=list(_RECORDED)).rename_columns(list(_RECORDED.values()))


def _csv(path: Path) -> Any:
    return pacsv.read_csv(path)


def _columns(table: Any, path: Path) -> dict[str, I64]:
    names = table.column_names
    missing = [name for name in _NEEDED if name not in names]
    if missing:
        raise TraceError(
            f"replay: {path} has no column {', '.join(missing)}; it has {', '.join(names)}; "
            "expected time_ps, source, destination (and packet for multicast)"
        )
    rows: dict[str, I64] = {}
    wanted = [name for name in (*_NEEDED, "packet_source", "packet") if name in names]
    for name in wanted:
        column = table.column(name)
        if not pa.types.is_integer(column.type) or column.null_count:
            raise TraceError(
                f"replay: {path}: column {name} is {column.type} with {column.null_count} gaps; "
                "expected whole numbers in every row"
            )
        rows[name] = column.to_numpy().astype(np.int64)
    if "packet" not in rows:  # each row is a packet of its own
        rows["packet"] = np.arange(table.num_rows, dtype=np.int64)
    rows.setdefault("packet_source", rows["source"])
    return rows


def _check(rows: dict[str, I64], machine: Machine, path: str) -> None:
    """Refuse what the machine does not have.

    Raises
    ------
    TraceError
        With the first rows that are wrong.
    """
    for name, top in (
        ("source", machine.endpoints),
        ("destination", machine.endpoints),
        ("time_ps", 2**62),
    ):
        wrong = np.flatnonzero((rows[name] < 0) | (rows[name] >= top))
        if len(wrong):
            shown = ", ".join(f"{rows[name][row]} in row {row + 1}" for row in wrong[:_SHOWN])
            expected = f"0..{top - 1}" if name != "time_ps" else "0 or later"
            raise TraceError(
                f"replay: {path}: {name}: {len(wrong)} rows are off {machine.name}: {shown}"
                f"{', ...' if len(wrong) > _SHOWN else ''}; expected {expected}; replay it on the "
                "machine that it was recorded on"
            )


def _packets(rows: dict[str, I64]) -> I64:
    """Sort the rows by time and packet, in place; return the first row of each packet."""
    keys = ("time_ps", "packet_source", "packet", "source")
    order = np.lexsort([rows["destination"], *(rows[key] for key in reversed(keys))])
    for name in rows:
        rows[name] = rows[name][order]
    new = np.ones(len(order), dtype=bool)
    new[1:] = np.any([rows[key][1:] != rows[key][:-1] for key in keys], axis=0)
    return np.flatnonzero(new)
