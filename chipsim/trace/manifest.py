"""``parts.json``: length and checksum of every file of a trace, so that none of another run passes.

It is written when the recorder closes: a killed run has none.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from chipsim.errors import TraceError
from chipsim.trace.files import read_json, write_file
from chipsim.trace.layout import NAMES, PARTS
from chipsim.trace.marks import mark, told
from chipsim.trace.schema import SCHEMAS

PARTS_FORMAT = "chipsim-parts/1"


def write_parts(directory: Path) -> None:
    """Write ``parts.json`` about the files of a trace that are there.

    Notes
    -----
    Reads them all, in blocks of 1 MB; CRC-32, which takes about 1 ms a megabyte.
    """
    names = [NAMES] if (directory / NAMES).is_file() else []
    for schema in SCHEMAS.values():
        folder = directory / schema.directory
        names += sorted(f"{schema.directory}/{path.name}" for path in folder.glob("part-*.parquet"))
    value = {"format": PARTS_FORMAT, "files": {name: mark(directory / name) for name in names}}
    write_file(directory / PARTS, json.dumps(value, indent=1).encode() + b"\n")


def forget_parts(directory: Path) -> None:
    """Remove ``parts.json``, for a trace that is going to change."""
    (directory / PARTS).unlink(missing_ok=True)


def read_parts(directory: Path) -> dict[str, dict[str, Any]] | None:
    """Return what ``parts.json`` says of each file, by name; None if there is no such file.

    Raises
    ------
    TraceError
        If it is broken, or of another version.
    """
    path = directory / PARTS
    if not path.is_file():
        return None
    value = read_json(path)
    if value.get("format") != PARTS_FORMAT:
        raise TraceError(
            f"{path}: got format {value.get('format')!r}, this chipsim reads {PARTS_FORMAT!r}; "
            "read it with the version that wrote it, or run again"
        )
    files = value.get("files")
    if not isinstance(files, dict) or not all(isinstance(found, dict) for found in files.values()):
        raise TraceError(
            f"{path}: files: got {json.dumps(files)[:60]}, expected a length and a checksum for "
            "each file by name; copy the directory again, or run again"
        )
    return files


def check_parts(directory: Path, files: dict[str, dict[str, Any]], folder: str) -> None:
    """Refuse a folder, or a single file, that is not what the run has written.

    Parameters
    ----------
    directory : Path
        The run's.
    files : dict
        Of :func:`read_parts`.
    folder : str
        ``packets.parquet``, ``vertices.json``, ...

    Raises
    ------
    TraceError
        For all files that are missing, too many, or differ.
    """
    wanted = {name for name in files if name == folder or name.startswith(f"{folder}/")}
    where = directory / folder
    found = {folder} if where.is_file() else {f"{folder}/{p.name}" for p in where.glob("part-*")}
    problems = [
        f"{directory / name}: {'is missing' if name in wanted else 'is none that this run wrote'} "
        f"({PARTS} lists them)"
        for name in sorted(wanted ^ found)
    ]
    for name in sorted(wanted & found):
        got = mark(directory / name)
        if got != files[name]:
            problems.append(
                f"{directory / name}: got {told(got)}, this run wrote {told(files[name])} "
                f"({PARTS}); the file is damaged or of another run"
            )
    if problems:
        raise TraceError("\n".join([*problems, "copy the directory again, or run again"]))
