"""``vertices.json``: the vertices and nets that a trace numbers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from chipsim.errors import TraceError
from chipsim.trace.files import read_json, write_file
from chipsim.trace.layout import NAMES

NAMES_FORMAT = "chipsim-names/1"


def write_names(
    directory: str | Path, vertices: list[dict[str, Any]], nets: list[dict[str, Any]]
) -> None:
    """Write ``vertices.json``: the vertices and nets that a trace numbers, in their order."""
    value = {"format": NAMES_FORMAT, "vertices": vertices, "nets": nets}
    write_file(Path(directory) / NAMES, json.dumps(value, indent=1, ensure_ascii=False).encode())


def read_names(directory: str | Path) -> dict[str, list[dict[str, Any]]]:
    """Return ``vertices`` and ``nets`` of ``vertices.json``; empty lists if there is no such file.

    Raises
    ------
    TraceError
        If it is broken, or of another version.
    """
    path = Path(directory) / NAMES
    if not path.is_file():
        return {"vertices": [], "nets": []}
    value = read_json(path)
    if value.get("format") != NAMES_FORMAT:
        raise TraceError(
            f"{path}: got format {value.get('format')!r}, this chipsim reads {NAMES_FORMAT!r}; "
            "read it with the version that wrote it, or run again"
        )
    fields = {"vertices": {"name", "endpoint", "place"}, "nets": {"name", "kind", "source"}}
    for part, wanted in fields.items():
        rows = value.get(part)
        if not isinstance(rows, list) or not all(
            isinstance(row, dict) and wanted <= row.keys() for row in rows
        ):
            raise TraceError(
                f"{path}: {part}: expected a list of {', '.join(sorted(wanted))} each; the file is "
                "broken: run again"
            )
    return {part: value[part] for part in fields}
