"""The page: one HTML file with its data, style and script, that needs nothing from elsewhere."""

from __future__ import annotations

import html
import json
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

from chipsim.analysis.report.gather import gather
from chipsim.analysis.report.rows import RULES, Json
from chipsim.analysis.run import Run
from chipsim.errors import TraceError

SCRIPTS = ("draw.js", "charts.js", "map.js", "page.js")
"""In the order in which they build on each other."""


def report_data(runs: Sequence[Run]) -> Json:
    """Return everything that the page of some runs shows, as plain values.

    Runs are named by their directories where there are several; one run is not, so that its page
    does not depend on where it stands.

    Raises
    ------
    TraceError
        If there is no run, or one cannot be read.
    """
    if not runs:
        raise TraceError("report: got no run, expected one or more")
    names = run_names([run.path for run in runs])
    return {
        "format": "chipsim-report/1",
        "title": _title(runs),
        "rules": list(RULES),
        "runs": [gather(run, name) for run, name in zip(runs, names, strict=True)],
    }


def render_page(data: Json) -> str:
    """Return the page of :func:`report_data` as HTML; equal data give equal text."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    parts = {
        "TITLE": html.escape(str(data["title"])),
        "STYLE": _file("page.css"),
        # What ends a script element may stand in a setting; in JSON it has another form.
        "DATA": text.replace("<", "\\u003c"),
        "SCRIPT": "\n".join(_file(name) for name in SCRIPTS),
    }
    page = _file("page.html")
    pieces = page.split("@")
    return "".join(parts.get(piece, piece) for piece in pieces)


def write_report(runs: Sequence[Run], path: Path) -> int:
    """Write the page of one or several runs and return its size in bytes.

    Raises
    ------
    TraceError
        As :func:`report_data`, or if the file cannot be written.
    """
    content = render_page(report_data(runs)).encode()
    aside = path.with_name(f".{path.name}.tmp")
    try:
        aside.write_bytes(content)
        aside.replace(path)
    except OSError as error:
        raise TraceError(
            f"{path}: cannot be written: {error.strerror}; give another --out"
        ) from error
    return len(content)


def run_names(paths: Sequence[Path]) -> list[str]:
    """Return a short name for each run: its directory's, with its parents' where needed."""
    if len(paths) == 1:
        return ["run"]
    parts = [path.resolve().parts for path in paths]
    for depth in range(1, max(map(len, parts)) + 1):
        names = ["/".join(part[-depth:]) for part in parts]
        if len(set(names)) == len(names):
            return names
    # The same directory twice is a fair question: is a run equal to itself?
    return [f"{'/'.join(part[-1:])} ({number})" for number, part in enumerate(parts, 1)]


def _title(runs: Sequence[Run]) -> str:
    if len(runs) > 1:
        return f"{len(runs)} runs side by side"
    run = runs[0]
    name = run.experiment.get("experiment", run.summary.get("experiment", "run"))
    train = run.experiment.get("train", {})
    seed = run.summary.get("seed", train.get("seed"))
    return f"{name}, seed {seed}" if seed is not None else str(name)


def _file(name: str) -> str:
    return (files("chipsim.analysis.report") / name).read_text(encoding="utf-8").rstrip("\n")
