"""``chipsim export``: a run's trace in a form that other programs open."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from chipsim.cli.command import UsageError, note
from chipsim.errors import UnitError

if TYPE_CHECKING:
    from chipsim.analysis.export.window import Window
    from chipsim.analysis.run import Run

FORMATS = ("csv", "perfetto", "vcd", "nirdata", "neo")

SUFFIXES = {"csv": "-csv", "perfetto": ".pftrace", "vcd": ".vcd", "nirdata": ".h5", "neo": ".pkl"}
"""What is added to the run's name where no --out is given."""

DESCRIPTION = """\
Write a run's trace in a form that other programs open. RUN is a directory that
`chipsim run --out` has written with --set trace.level=packets or hops.

  csv        a directory with one file a data set (RUN-csv)
  perfetto   for https://ui.perfetto.dev (RUN.pftrace): handlers of PEs, packets as flows, routers
             and links, counters of queues, packets in flight and power
  vcd        for waveform viewers such as GTKWave or Surfer (RUN.vcd): PEs and channels as signals
  nirdata    spikes as NIRData in HDF5 (RUN.h5); needs chipsim[nir]
  neo        spikes as a Neo block (RUN.pkl, or --out NAME.nix); needs chipsim[neo]

--start-ms and --end-ms take a part; what is larger than --limit is refused with its size. Parquet
needs no export: pandas, polars and duckdb read the directories in RUN as they are."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``chipsim export``."""
    parser.description = DESCRIPTION
    parser.add_argument("run", metavar="RUN", help="a run's directory")
    parser.add_argument("--to", required=True, choices=FORMATS, help="the form")
    parser.add_argument("--out", metavar="PATH", type=Path, help="what to write")
    parser.add_argument("--start-ms", metavar="T", default="0", help="chip time of the start [ms]")
    parser.add_argument("--end-ms", metavar="T", help="chip time of the end [ms], not included")
    parser.add_argument(
        "--limit", metavar="N", type=int, default=1_000_000, help="most rows or events (1,000,000)"
    )


def run(arguments: argparse.Namespace) -> int:
    """Write the export and say what was written."""
    from chipsim.analysis.export.tables import export_csv
    from chipsim.analysis.export.window import Window
    from chipsim.analysis.run import open_run
    from chipsim.units import FOREVER

    opened = open_run(arguments.run)
    end = FOREVER if arguments.end_ms is None else _ps("--end-ms", arguments.end_ms)
    window = Window(_ps("--start-ms", arguments.start_ms), end, arguments.limit)
    for text in opened.notes:
        note(f"chipsim: note: {text}")
    path: Path = arguments.out or _beside(opened.path, SUFFIXES[arguments.to])
    if arguments.to == "csv":
        files = export_csv(opened, path, window)
        print("\n".join(f"{file}: {rows:,} rows" for file, rows in files))
    else:
        write, what = _writer(arguments.to)
        print(f"{path}: {write(opened, path, window):,} {what}")
    return 0


def _writer(form: str) -> tuple[Callable[[Run, Path, Window], int], str]:
    """Return what writes a form, and what its count counts; only that module is imported."""
    if form == "perfetto":
        from chipsim.analysis.export.perfetto import export_perfetto

        return export_perfetto, "events; open it at https://ui.perfetto.dev"
    if form == "vcd":
        from chipsim.analysis.export.vcd import export_vcd

        return export_vcd, "value changes; open it in a waveform viewer"
    if form == "nirdata":
        from chipsim.analysis.export.nirdata import export_nirdata

        return export_nirdata, "spikes; chipsim.analysis.export.nirdata.read_nirdata reads them"
    from chipsim.analysis.export.neo import export_neo

    return export_neo, "spikes; neo.io.get_io reads them"


def _beside(run: Path, suffix: str) -> Path:
    """Return a path beside the run's directory: nothing foreign is put into it."""
    if not run.name or run.name == "..":
        run = run.resolve()
    return run.with_name(f"{run.name}{suffix}")


def _ps(option: str, text: str) -> int:
    from chipsim.units import ms

    try:
        return ms(float(text))
    except (UnitError, ValueError) as error:
        raise UsageError(
            f"chipsim export: {option}: got {text!r}, expected milliseconds such as 1.5"
        ) from error
