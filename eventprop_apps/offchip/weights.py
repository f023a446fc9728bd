"""Weights as files: ``weights.npz`` of a run directory, with one array a layer."""

from __future__ import annotations

import os
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chipsim.errors import DataError
from chipsim.trace.files import npz_bytes
from chipsim.trace.layout import WEIGHTS

BROKEN = (
    ValueError, EOFError, KeyError, zipfile.BadZipFile, NotImplementedError, RuntimeError,
    zlib.error,
)  # fmt: skip
"""What NumPy and zipfile raise for broken files; RuntimeError for a member marked as encrypted."""

PREFIX = "layer"
"""Arrays are called layer0, layer1, ... from the input on."""


def save_weights(path: str | Path, weights: Sequence[NDArray[Any]]) -> None:
    """Write weights as ``chipsim run --out`` writes its ``weights.npz``.

    Parameters
    ----------
    path : str or Path
        Replaced at once, never half-written.
    weights : sequence of ndarray, shape (n_out, n_in)
        One array a layer, from the input on, in their own dtype: equal weights give equal bytes.
    """
    arrays = {f"{PREFIX}{layer}": w for layer, w in enumerate(weights)}
    replace_file(Path(path), npz_bytes(arrays))


def load_weights(
    path: str | Path, sizes: Sequence[int] | None = None, recurrent: Sequence[bool] = ()
) -> list[NDArray[Any]]:
    """Return the weights of a file or of a run directory.

    Parameters
    ----------
    path : str or Path
        An ``.npz`` file with the arrays layer0, layer1, ..., or a directory with ``weights.npz``.
    sizes : sequence of int, optional
        Input lines, then neurons of each layer, that the weights have to fit.
    recurrent : sequence of bool, optional
        Layers whose weights are ``[W | R]``, of shape (n_out, n_in + n_out).

    Returns
    -------
    list of ndarray, shape (n_out, n_in)
        One array a layer, in the file's dtype.

    Raises
    ------
    DataError
        If the file is missing or broken, or its arrays are no network or another one.
    """
    path = Path(path)
    arrays = read_arrays(path / WEIGHTS if path.is_dir() else path)
    names = [f"{PREFIX}{layer}" for layer in range(len(arrays))]
    if not arrays or sorted(arrays) != sorted(names):
        raise DataError(
            f"{path}: got the arrays {', '.join(sorted(arrays)) or 'none'}, expected {PREFIX}0, "
            f"{PREFIX}1 and so on, one a layer; take weights.npz of a run or of save_weights"
        )
    weights = [arrays[name] for name in names]
    _check(path, weights, sizes, tuple(recurrent) or (False,) * len(weights))
    return weights


def read_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """Return all arrays of an ``.npz`` file.

    Raises
    ------
    DataError
        If it is missing or broken.
    """
    try:
        file = np.load(path, allow_pickle=False)
        if isinstance(file, np.ndarray):
            raise DataError(f"{path}: holds one array, expected an .npz file with several")
        with file:
            return {name: file[name] for name in file.files}
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error
    except BROKEN as error:
        raise DataError(f"{path}: no .npz file, or a broken one: {error}") from error


def replace_file(path: Path, data: bytes) -> None:
    """Write ``data`` aside and put it in the place of ``path``, so that a kill loses neither.

    Raises
    ------
    DataError
        If it cannot be written.
    """
    aside = path.with_name(f".{path.name}.tmp")
    try:
        with aside.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        aside.replace(path)
    except OSError as error:
        raise DataError(f"{path}: cannot be written: {error.strerror}") from error


def _check(
    path: Path,
    weights: list[NDArray[Any]],
    sizes: Sequence[int] | None,
    recurrent: Sequence[bool],
) -> None:
    shapes = [w.shape for w in weights]
    for layer, w in enumerate(weights):
        if w.ndim != 2 or not np.issubdtype(w.dtype, np.floating) or 0 in w.shape:
            raise DataError(
                f"{path}: {PREFIX}{layer}: got {w.dtype} of shape {w.shape}, expected floats of "
                "shape (n_out, n_in)"
            )
        if not np.isfinite(w).all():
            raise DataError(f"{path}: {PREFIX}{layer}: holds values that are not finite")
    if len(recurrent) != len(shapes):
        raise DataError(f"{path}: got {len(shapes)} layers, expected {len(recurrent)}")
    whole = shapes
    shapes = [(n, m - n * own) for (n, m), own in zip(whole, recurrent, strict=True)]
    found = [shapes[0][1], *(shape[0] for shape in shapes)]
    if any(shape[1] != below for shape, below in zip(shapes, found[:-1], strict=True)):
        raise DataError(f"{path}: got layers of shapes {whole}, which do not fit each other")
    if sizes is not None and found != list(sizes):
        raise DataError(
            f"{path}: got weights of a {'-'.join(map(str, found))} network, expected "
            f"{'-'.join(map(str, sizes))}"
        )
