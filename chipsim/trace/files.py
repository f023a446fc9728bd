"""Files of a run: written at once and with the same bytes for the same content, read with care."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chipsim.errors import TraceError


def write_file(path: Path, data: bytes) -> None:
    """Put a file in the place of what was there, at once.

    Raises
    ------
    TraceError
        If it cannot be written.
    """
    aside = path.with_name(f".{path.name}.tmp")
    try:
        aside.write_bytes(data)
        aside.replace(path)
    except OSError as error:
        raise TraceError(f"{path}: cannot be written: {error.strerror}; free some space") from error


def read_json(path: Path) -> dict[str, Any]:
    """Return the named fields that a JSON file holds.

    Raises
    ------
    TraceError
        If it cannot be read, or is no object.
    """
    try:
        value = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise TraceError(
            f"{path}: cannot be read: {error}; the file is broken: run again"
        ) from error
    if not isinstance(value, dict):
        raise TraceError(f"{path}: got {type(value).__name__}, expected named fields; run again")
    return value


def summary_bytes(summary: Mapping[str, Any]) -> bytes:
    """Return a summary as the bytes of ``summary.json``: sorted, indented, no NaN.

    Raises
    ------
    TraceError
        If a value has no JSON form (a NumPy scalar, a NaN).
    """
    try:
        text = json.dumps(summary, indent=2, sort_keys=True, allow_nan=False, ensure_ascii=False)
    except (TypeError, ValueError) as error:
        raise TraceError(f"summary: {error}; hand over plain Python values") from error
    return text.encode() + b"\n"


def npz_bytes(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """Return named arrays in NumPy's ``.npz`` form, the same bytes for the same arrays.

    Nothing of the host is in it: the time is the ZIP format's first day, and nothing is
    compressed (other versions of zlib give other bytes).
    """
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, array in arrays.items():
            info = zipfile.ZipInfo(f"{name}.npy", date_time=(1980, 1, 1, 0, 0, 0))
            info.create_system = 3  # else the writing host's system is noted
            data = io.BytesIO()
            np.lib.format.write_array(data, np.asarray(array, order="C"), allow_pickle=False)
            archive.writestr(info, data.getvalue())
    return buffer.getvalue()
