"""What samples can be asked besides their class, and wanted spike times from a file."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chipsim.errors import DataError
from chipsim.seeds import rng
from eventprop_apps.data.dataset import Dataset


@dataclass(frozen=True)
class Label:
    """A question about a sample, which a head of outputs answers.

    Attributes
    ----------
    classes : int
        Number of answers, so of the head's outputs.
    of : callable
        Returns the right answer for every sample of a set, shape (samples,), int64.
    """

    classes: int
    of: Callable[[Dataset], NDArray[Any]]


YINYANG_LABELS: Mapping[str, Label] = {
    "class": Label(3, lambda data: data.label),
    "side": Label(2, lambda data: data.x[:, 0] >= 0.5),
}
"""``class``: yang, yin, dot; ``side``: left or right half (x at least 0.5)."""

DIGITS_LABELS: Mapping[str, Label] = {
    "digit": Label(10, lambda data: data.label),
    "parity": Label(2, lambda data: data.label % 2),
    "large": Label(2, lambda data: data.label >= 5),
}
"""``digit``: 0 to 9; ``parity``: even or odd; ``large``: less than 5, or not."""


def with_labels(data: Dataset, labels: Mapping[str, Label], names: Sequence[str]) -> Dataset:
    """Return a set whose samples have several labels.

    Parameters
    ----------
    data : Dataset
        With one label a sample.
    labels : mapping
        What can be asked of it.
    names : sequence of str
        Labels in the order of the heads; without any, the set is returned as it is.
    """
    if not names:
        return data
    columns = [np.asarray(labels[name].of(data)).astype(np.int64) for name in names]
    classes = sum(labels[name].classes for name in names)
    return replace(data, label=np.stack(columns, axis=1), classes=classes)


def held_out(data: Dataset, share: float, seed: int) -> tuple[Dataset, Dataset]:
    """Return a set without some of its samples, and these: for the validation of a search.

    Parameters
    ----------
    data : Dataset
    share : float
        Of the samples, in (0, 1); rounded to whole samples, at least one on either side.
    seed : int
        Decides which; the stream is ``("data", "validation")``.

    Raises
    ------
    DataError
        For fewer than two samples.
    """
    if len(data) < 2:
        raise DataError(f"{data.name}: got {len(data)} sample, expected some for validation too")
    kept = min(max(1, round(share * len(data))), len(data) - 1)
    order = rng(seed, "data", "validation").permutation(len(data)).astype(np.int64)
    return data.take(np.sort(order[kept:])), data.take(np.sort(order[:kept]))


def with_wanted(data: Dataset, path: str | Path, part: str, outputs: int) -> Dataset:
    """Return a set whose samples bring a wanted spike time for each output.

    Parameters
    ----------
    data : Dataset
    path : str or Path
        An ``.npz`` file.
    part : {"train", "test"}
        Name of the array in it, of shape (samples, outputs) [steps].
    outputs : int

    Raises
    ------
    DataError
        If the file is missing or broken, or the array is missing or does not fit.
    """
    from eventprop_apps.offchip.weights import read_arrays

    arrays = read_arrays(Path(path))
    if part not in arrays:
        raise DataError(
            f"{path}: got the arrays {', '.join(sorted(arrays)) or 'none'}, expected train and test"
        )
    wanted = arrays[part]
    expected = (len(data), outputs)
    numbers = wanted.dtype.kind in "fiu"
    if wanted.shape != expected or not numbers:
        raise DataError(
            f"{path}: {part}: got {wanted.dtype} of shape {wanted.shape}, expected numbers of "
            f"shape {expected}: a step for each output of each sample of {data.name}"
        )
    steps = np.ascontiguousarray(wanted, np.float64)
    if not (np.isfinite(steps) & (steps >= 0)).all():
        raise DataError(f"{path}: {part}: holds values that are no step, expected at least 0")
    return replace(data, wanted=steps)
