"""``chipsim export``: a run's trace in a form that other programs open."""

from __future__ import annotations

import argparse
from pathlib import Path

from chipsim.cli.command import UsageError, note
from chipsim.errors import UnitError

FORMATS = ("csv", "perfetto")

DESCRIPTION = """\
Write a run's trace in a form that other programs open. RUN is a directory that
`chipsim run --out` has written with --set trace.level=packets or hops.

  csv        a directory with one file a data set (RUN-csv)
  perfetto   one JSON file for https://ui.perfetto.dev (RUN.perfetto.json): handlers of PEs, packets
             as arrows, loads of channels; Chrome's trace event format

Parquet needs no export: pandas, polars and duckdb read the directories in RUN as they are."""


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
    from chipsim.analysis.csv_export import export_csv
    from chipsim.analysis.perfetto import export_perfetto
    from chipsim.analysis.run import open_run
    from chipsim.analysis.window import Window
    from chipsim.units import FOREVER

    opened = open_run(arguments.run)
    end = FOREVER if arguments.end_ms is None else _ps("--end-ms", arguments.end_ms)
    window = Window(_ps("--start-ms", arguments.start_ms), end, arguments.limit)
    for text in opened.notes:
        note(f"chipsim: note: {text}")
    out: Path | None = arguments.out
    if arguments.to == "csv":
        files = export_csv(opened, out or _beside(opened.path, "-csv"), window)
        print("\n".join(f"{path}: {rows:,} rows" for path, rows in files))
    else:
        path = out or _beside(opened.path, ".perfetto.json")
        events = export_perfetto(opened, path, window)
        print(f"{path}: {events:,} events; open it at https://ui.perfetto.dev")
    return 0


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
