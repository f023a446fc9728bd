"""``chipsim report``: one HTML page about a run, or about several side by side."""

from __future__ import annotations

import argparse
from pathlib import Path

from chipsim.cli.command import note
from chipsim.errors import TraceError

DESCRIPTION = """\
Write one self-contained HTML page about a run: what was run and on which assumptions, the chip's
map with loads over time, latencies, a batch over time, spikes and errors, energy, and tables of
what is hottest, slowest and late. Several runs are shown side by side.

  chipsim report RUN                    writes RUN/report.html
  chipsim report A B --out ab.html      two runs side by side (without --out: report.html here)

RUN is a directory that `chipsim run --out` has written. What its trace's level does not hold is
named on the page. The page needs no network and no other file."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``chipsim report``."""
    parser.description = DESCRIPTION
    parser.add_argument("runs", metavar="RUN", nargs="+", help="a run's directory")
    parser.add_argument("--out", metavar="FILE", type=Path, help="the page to write")
    parser.add_argument("--force", action="store_true", help="replace a file that stands in --out")


def run(arguments: argparse.Namespace) -> int:
    """Write the page and say where it is."""
    from chipsim.analysis.report.page import write_report
    from chipsim.analysis.run import open_run
    from chipsim.trace.layout import REPORT

    runs = [open_run(path) for path in arguments.runs]
    out: Path | None = arguments.out
    if out is None and len(runs) == 1:
        out = runs[0].path / REPORT  # a run's own page: always the newest
    else:
        out = Path(REPORT) if out is None else out
        if out.exists() and not arguments.force:
            raise TraceError(f"{out}: exists; give another file with --out, or --force")
    for opened in runs:
        for text in opened.notes:
            note(f"chipsim: note: {opened.path}: {text}")
    size = write_report(runs, out)
    print(f"{out}: {size:,} bytes; open it in a browser")
    return 0
