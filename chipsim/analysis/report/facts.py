"""What the report says without a trace: experiment, assumptions, result, learning curve, energy."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterator, Mapping
from typing import Any

from chipsim.analysis.report.rows import Cell, Json, table_json
from chipsim.analysis.run import Run
from chipsim.errors import TraceError
from chipsim.trace.layout import METRICS
from chipsim.trace.summary import HOST_FIELDS, SUMMARY_FIELDS

HEADLINE = (
    ("test_accuracy", "test accuracy", "share"),
    ("train_accuracy", "train accuracy", "share"),
    ("packets_injected", "packets", "count"),
    ("copies_delivered", "copies delivered", "count"),
    ("copies_dropped", "copies lost", "count"),
    ("latency_ns.median", "median latency", "ns"),
    ("latency_ns.p99", "p99 latency", "ns"),
    ("late_spikes", "late spikes", "count"),
    ("late_errors", "late errors", "count"),
    ("tick_overruns", "tick overruns", "count"),
    ("tick_use_max", "longest tick", "share"),
    ("simulated_s", "chip time", "s"),
    ("energy_mj.total", "energy", "mJ"),
)
"""Fields of the summary that open the page: name, label, form."""


def headline(summary: Mapping[str, Any]) -> list[Json]:
    """Return the figures that open the page; those that a summary has not are left out."""
    found = []
    parts = summary.get("energy_mj")
    if isinstance(parts, Mapping) and parts and "total" not in parts:
        summary = {**summary, "energy_mj": {**parts, "total": sum(parts.values())}}
    for name, label, form in HEADLINE:
        value: Any = summary
        for part in name.split("."):
            value = value.get(part) if isinstance(value, Mapping) else None
        if isinstance(value, int | float):
            found.append({"name": name, "label": label, "form": form, "value": value})
    return found


def settings(run: Run) -> list[list[Cell]]:
    """Return the resolved experiment as (setting, value) pairs."""
    return [[name, _plain(value)] for name, value in _flat(run.experiment)]


def assumptions(run: Run) -> Json | None:
    """Return the figures that the run read and that no publication gives."""
    rows = run.summary.get("assumptions")
    if rows is None:
        return None
    columns = [("figure", "text"), ("value", "text"), ("kind", "text"), ("source", "text")]
    cells = [[str(r["name"]), _plain(r["value"]), str(r["kind"]), str(r["source"])] for r in rows]
    note = "kind A: assumed, U: set by the user, I: inferred; energy rests on the energy figures"
    return table_json("Assumed figures that the run has read", columns, cells, len(cells), note)


def summary_rows(run: Run) -> list[list[Cell]]:
    """Return the summary's plain fields; those of the host are in ``summary.json`` alone."""
    rows: list[list[Cell]] = []
    for name, value in _flat(run.summary):
        top = name.split(".")[0]
        if top in HOST_FIELDS or top == "assumptions":
            continue
        unit = SUMMARY_FIELDS[top].unit if top in SUMMARY_FIELDS else ""
        rows.append([name, _plain(value), unit])
    return rows


def learning(run: Run) -> Json | None:
    """Return ``metrics.csv`` as columns of numbers; None if no epoch was finished.

    What is not finite (the loss of a training that diverged) is None.

    Raises
    ------
    TraceError
        If the file is broken, missing, or not the one that the run has written.
    """
    path = run.path / METRICS
    if not path.is_file():
        run.check_file(METRICS)
        return None
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.reader(file))
        names, values = rows[0], [[_finite(float(cell)) for cell in row] for row in rows[1:]]
        if any(len(row) != len(names) for row in values):
            raise ValueError("rows of different lengths")
        if "epoch" not in names or any(row[names.index("epoch")] is None for row in values):
            raise ValueError("no column of epochs")
    except (OSError, ValueError, IndexError, csv.Error) as error:
        raise TraceError(
            f"{path}: cannot be read: {error}; the file is broken: run again"
        ) from error
    run.check_file(METRICS)
    if not values:
        return None
    return {"columns": names, "rows": values}


def energy(run: Run) -> Json | None:
    """Return energy by part [mJ] and the mean power [mW]; None without them in the summary."""
    parts = run.summary.get("energy_mj")
    if not isinstance(parts, dict) or not parts:
        return None
    found = {name: value for name, value in parts.items() if name != "total"}
    total = parts.get("total", sum(found.values()))
    seconds = run.summary.get("simulated_s")
    assumed = {str(row["name"]) for row in run.summary.get("assumptions", ())}
    marked = [
        name
        for name in found
        if any(a.startswith(f"energy.{name.split('_')[0].rstrip('s')}_") for a in assumed)
    ]
    return {
        "parts": found,
        "total": total,
        "assumed": marked,
        "mean_mw": total / seconds if seconds else None,
    }


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _plain(value: Any) -> Cell:
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)  # JSON has no form for it
    if isinstance(value, str | int | float | bool) or value is None:
        return value
    return json.dumps(value, ensure_ascii=False, default=str)


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
