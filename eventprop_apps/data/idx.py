"""IDX files: MNIST, Fashion-MNIST and others in their format, plain or gzipped.

A file is a magic number (two zero bytes, the type of the values, the number of dimensions), each
dimension as a big-endian 32-bit number, then the values, big-endian, the last dimension fastest.
"""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chipsim.errors import DataError
from eventprop_apps.data.dataset import Dataset
from eventprop_apps.data.encode import encoded

TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
"""The format's type codes, as NumPy names them."""
FILES = {
    "train": ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
    "test": ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
}
"""Names of the files as published, for both MNIST and Fashion-MNIST."""
GZIP_MAGIC = b"\x1f\x8b"


def read_idx(path: str | Path) -> NDArray[Any]:
    """Return the array of an IDX file.

    Parameters
    ----------
    path : str or Path
        Plain or gzipped; the content decides, not the name.

    Returns
    -------
    ndarray
        In the machine's byte order, of the type that the file gives.

    Raises
    ------
    DataError
        If the file is missing, is no IDX file, is cut off or has bytes left over.
    """
    path = Path(path)
    data = _content(path)
    if len(data) < 4 or data[:2] != b"\0\0":
        raise DataError(
            f"{path}: got the first bytes {data[:4].hex(' ') or 'of an empty file'}, expected an "
            "IDX file, which begins with 00 00"
        )
    kind, dims = data[2], data[3]
    if kind not in TYPES or dims < 1:
        known = ", ".join(f"{code:#04x}" for code in TYPES)
        raise DataError(
            f"{path}: got type {kind:#04x} in {dims} dimensions, expected one of the types {known} "
            "and at least 1 dimension; the file is broken: get it again"
        )
    start = 4 + 4 * dims
    if len(data) < start:
        raise DataError(f"{path}: ends within its header; the file is cut off: get it again")
    shape = struct.unpack(f">{dims}I", data[4:start])
    dtype = np.dtype(TYPES[kind])
    expected = start + math.prod(shape) * dtype.itemsize
    if len(data) != expected:
        what = "is cut off" if len(data) < expected else "has bytes left over"
        raise DataError(
            f"{path}: got {len(data)} bytes, expected {expected} for {' x '.join(map(str, shape))} "
            f"values of {dtype.itemsize} bytes; the file {what}: get it again"
        )
    values = np.frombuffer(data, dtype, offset=start).reshape(shape)
    return values.astype(dtype.newbyteorder("="))


def load_idx(
    images: str | Path,
    labels: str | Path,
    *,
    name: str = "idx",
    classes: int = 10,
    limit: int | None = None,
    encoding: str = "latency",
    steps: int = 27,
    **options: Any,
) -> Dataset:
    """Return images and labels of two IDX files as a data set.

    Parameters
    ----------
    images, labels : str or Path
        Bytes of shape (samples, ...), and of shape (samples,).
    name : str
        For messages and summaries.
    classes : int
        Number of classes.
    limit : int, optional
        Take the first samples only.
    encoding, steps, **options
        As in `encoded`; pixels are divided by 255.

    Raises
    ------
    DataError
        As `read_idx`, and if images and labels do not fit each other.
    """
    pixels, label = read_idx(images), read_idx(labels)
    for path, array, dims in ((images, pixels, "2 or more"), (labels, label, "1")):
        fits = array.ndim == 1 if dims == "1" else array.ndim >= 2
        if array.dtype != np.uint8 or not fits or array.size == 0:
            raise DataError(
                f"{path}: got {array.dtype} of shape {array.shape}, expected bytes in {dims} "
                f"dimension{'s' if dims != '1' else ''}; are images and labels swapped?"
            )
    if len(pixels) != len(label):
        raise DataError(
            f"{images}: got {len(pixels)} images, but {labels} has {len(label)} labels; "
            "take the two files of one split"
        )
    if label.max() >= classes:
        raise DataError(
            f"{labels}: got the label {int(label.max())}, expected 0..{classes - 1} for {classes} "
            "classes"
        )
    if limit is not None and limit < 1:
        raise DataError(f"load_idx: got limit = {limit}, expected at least 1")
    x = pixels.reshape(len(pixels), -1)[:limit] / 255.0
    return encoded(
        name, x, label[:limit].astype(np.int64), classes, encoding=encoding, steps=steps, **options
    )


def load_mnist(directory: str | Path, split: str = "train", **options: Any) -> Dataset:
    """Return MNIST or Fashion-MNIST from a directory with the files as published.

    Parameters
    ----------
    directory : str or Path
        Holds ``train-images-idx3-ubyte`` and so on, plain or with ``.gz``.
    split : {"train", "test"}
    **options
        As in `load_idx`.

    Raises
    ------
    DataError
        If a file is missing or broken.
    """
    if split not in FILES:
        raise DataError(f"load_mnist: got split {split!r}, expected one of {', '.join(FILES)}")
    images, labels = (_either(Path(directory), name) for name in FILES[split])
    return load_idx(images, labels, **{"name": f"{Path(directory).name} ({split})"} | options)


def _either(directory: Path, name: str) -> Path:
    for path in (directory / name, directory / f"{name}.gz"):
        if path.is_file():
            return path
    raise DataError(
        f"{directory}: holds neither {name} nor {name}.gz; put the published files there "
        "(chipsim downloads nothing)"
    )


def _content(path: Path) -> bytes:
    try:
        data = path.read_bytes()
        return gzip.decompress(data) if data[:2] == GZIP_MAGIC else data
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(f"{path}: broken gzip data: {error}; get the file again") from error
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}; check the path") from error
