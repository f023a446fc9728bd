"""A run that is read, and the questions to it.

Examples
--------
::

    run = chipsim.open_run("short")
    run.packets                      # a pyarrow.Table; pandas, polars, duckdb take it as it is
    run.latency(by=("kind", "phase"))
    run.hottest_channels(5)
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa

from chipsim.analysis import channels, cost, late, latency, pes, power, slowest
from chipsim.analysis.recorded import Recorded


class Run(Recorded):
    """What a run directory holds, and the questions to it. Made by :func:`open_run`.

    Each question is a function of a module of one idea; these are their short names.
    """

    def latency(self, by: str | Sequence[str] = "kind") -> pa.Table:
        """See :func:`chipsim.analysis.latency.latency`."""
        return latency.latency(self, by)

    def slowest(self, count: int = 10) -> pa.Table:
        """See :func:`chipsim.analysis.slowest.slowest`."""
        return slowest.slowest(self, count)

    def where_waited(self, count: int = 10) -> pa.Table:
        """See :func:`chipsim.analysis.slowest.where_waited`."""
        return slowest.where_waited(self, count)

    def packet(self, source: int, seq: int) -> pa.Table:
        """See :func:`chipsim.analysis.slowest.packet_life`."""
        return slowest.packet_life(self, source, seq)

    def hottest_channels(self, count: int | None = None) -> pa.Table:
        """See :func:`chipsim.analysis.channels.hottest_channels`."""
        return channels.hottest_channels(self, count)

    def channel_waits(self, count: int | None = None) -> pa.Table:
        """See :func:`chipsim.analysis.channels.channel_waits`."""
        return channels.channel_waits(self, count)

    def channel_users(self, count: int = 5) -> pa.Table:
        """See :func:`chipsim.analysis.channels.channel_users`."""
        return channels.channel_users(self, count)

    def pe_use(self) -> pa.Table:
        """See :func:`chipsim.analysis.pes.pe_use`."""
        return pes.pe_use(self)

    def cycles_by_operation(self) -> pa.Table:
        """See :func:`chipsim.analysis.pes.cycles_by_operation`."""
        return pes.cycles_by_operation(self)

    def overruns(self) -> pa.Table:
        """See :func:`chipsim.analysis.pes.overruns`."""
        return pes.overruns(self)

    def late_packets(self) -> pa.Table:
        """See :func:`chipsim.analysis.late.late_packets`."""
        return late.late_packets(self)

    def lateness(self) -> pa.Table:
        """See :func:`chipsim.analysis.late.lateness`."""
        return late.lateness(self)

    def sample_cost(self) -> pa.Table:
        """See :func:`chipsim.analysis.cost.sample_cost`."""
        return cost.sample_cost(self)

    def phase_cost(self) -> pa.Table:
        """See :func:`chipsim.analysis.cost.phase_cost`."""
        return cost.phase_cost(self)

    def power(self) -> pa.Table:
        """See :func:`chipsim.analysis.power.power`."""
        return power.power(self)


def open_run(directory: str | Path) -> Run:
    """Open a run directory for reading.

    Parameters
    ----------
    directory : str or Path
        What ``chipsim run --out`` has written; of a run that is still going on or was killed,
        what is there so far (:attr:`Run.notes` says so).

    Returns
    -------
    Run

    Raises
    ------
    TraceError
        If the directory is missing, no run directory, of another version, or its files broken.
    """
    return Run(Path(directory))
