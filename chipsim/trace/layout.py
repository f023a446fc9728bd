"""What stands in a run's directory, by name."""

from __future__ import annotations

from chipsim.trace.schema import SCHEMAS

FORMAT = "chipsim-run/1"
"""Version of the directory's layout."""

STATUS, LOCK, SUMMARY = "status.json", ".lock", "summary.json"
EXPERIMENT, METRICS, WEIGHTS = "experiment.toml", "metrics.csv", "weights.npz"
REPORT = "report.html"
NAMES = "vertices.json"
PARTS = "parts.json"
CHECKPOINT = "checkpoint.npz"
_OTHERS = ("provenance.sqlite3", REPORT, CHECKPOINT)
OURS = frozenset(
    {STATUS, LOCK, SUMMARY, NAMES, PARTS, EXPERIMENT, METRICS, WEIGHTS, *_OTHERS}
    | {schema.directory for schema in SCHEMAS.values()}
)
"""Every name that a run writes."""
