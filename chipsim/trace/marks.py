"""Marks in ``status.json``: length and checksum of a run's small files, so that none is foreign.

``parts.json`` has those of the data sets, and is marked itself: a directory put together from two
runs, or edited by hand, is noticed from ``status.json`` down.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from chipsim.errors import TraceError
from chipsim.trace.files import read_json, summary_bytes
from chipsim.trace.layout import EXPERIMENT, METRICS, PARTS, STATUS, SUMMARY
from chipsim.trace.summary import HOST_FIELDS

Mark = dict[str, Any]
"""``bytes`` and ``crc32`` of a file."""

MARKED = (SUMMARY, EXPERIMENT, METRICS, PARTS)
"""The files that are marked: those from which readers take figures. None holds anything of the host
but the summary, whose mark leaves that out: the same run gives the same marks."""
_BLOCK = 1 << 20


def mark(path: Path) -> Mark:
    """Return the mark of a file, read in blocks of 1 MB."""
    checksum = length = 0
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            checksum = zlib.crc32(block, checksum)
            length += len(block)
    return {"bytes": length, "crc32": f"{checksum:08x}"}


def told(found: Mapping[str, Any]) -> str:
    """Return a mark in words."""
    return f"{found.get('bytes')} bytes with checksum {found.get('crc32')}"


def marks_of(directory: Path) -> dict[str, Mark]:
    """Return the marks of those of :data:`MARKED` that are there, by name."""
    return {name: _mark_of(directory / name) for name in MARKED if (directory / name).is_file()}


def difference(directory: Path, name: str, marks: Mapping[str, Mark] | None) -> str:
    """Return how a file differs from what the run has written; empty if it does not.

    Parameters
    ----------
    directory : Path
        The run's.
    name : str
        One of :data:`MARKED`.
    marks : mapping or None
        What ``status.json`` has; None (a killed run, or one of an earlier chipsim) knows nothing.
    """
    if marks is None:
        return ""
    path, wanted = directory / name, marks.get(name)
    if not path.is_file():
        return "" if wanted is None else f"{path}: is missing ({STATUS} has its mark)"
    if wanted is None:
        return f"{path}: is none that this run wrote ({STATUS} has the marks of those)"
    got = _mark_of(path)
    if got == wanted:
        return ""
    less = " (fields of the host left out)" if name == SUMMARY else ""
    return (
        f"{path}: got {told(got)}{less}, this run wrote {told(wanted)} ({STATUS}); "
        "the file was edited, or is of another run"
    )


def check_mark(directory: Path, name: str, marks: Mapping[str, Mark] | None) -> None:
    """Refuse a file that is not what the run has written; see :func:`difference`.

    Raises
    ------
    TraceError
    """
    found = difference(directory, name, marks)
    if found:
        raise TraceError(f"{found}; copy the directory again, or run again")


def _mark_of(path: Path) -> Mark:
    if path.name != SUMMARY:
        return mark(path)
    plain = {key: value for key, value in read_json(path).items() if key not in HOST_FIELDS}
    data = summary_bytes(plain)
    return {"bytes": len(data), "crc32": f"{zlib.crc32(data):08x}"}
