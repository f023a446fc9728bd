"""Scikit-learn's small sets: real data that come with a package and need no download."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from chipsim.errors import DataError, PluginError, did_you_mean
from chipsim.seeds import rng
from eventprop_apps.data.dataset import Dataset
from eventprop_apps.data.encode import encoded

SMALL_SETS = ("breast_cancer", "digits", "iris", "wine")
DIGITS_MAX = 16.0
"""Largest value of a pixel of the digits (published with the set)."""


def small_set(
    name: str,
    *,
    test_share: float = 0.25,
    split_seed: int = 0,
    encoding: str = "latency",
    steps: int = 27,
    **options: Any,
) -> tuple[Dataset, Dataset]:
    """Return training and test samples of one of scikit-learn's small sets.

    Parameters
    ----------
    name : {"breast_cancer", "digits", "iris", "wine"}
        569 samples of 30 features in 2 classes; 1797 of 64 (8x8 pixels) in 10; 150 of 4 in 3;
        178 of 13 in 3.
    test_share : float
        Share of every class that is kept for the test, in (0, 1); rounded to whole samples, at
        least one on either side.
    split_seed : int
        Decides which; the stream is ``("data", name, "split")``.
    encoding, steps, **options
        As in `encoded`.

    Returns
    -------
    train, test : Dataset
        In an order that does not depend on the class. Pixels are divided by 16; features of the
        other sets run from 0 to 1 over the training samples, and test values are cut to that.

    Raises
    ------
    DataError
        For an unknown set or a share that leaves a class empty.
    PluginError
        If scikit-learn is not installed.
    """
    if name not in SMALL_SETS:
        raise DataError(f"small_set: got {name!r}{did_you_mean(name, SMALL_SETS)}")
    values, label = _read(name)
    train, test = _split(name, label, test_share, split_seed)
    x = values / DIGITS_MAX if name == "digits" else _scaled(values, train)
    classes = int(label.max()) + 1
    first, second = (
        encoded(
            f"{name} ({part})",
            x[at],
            label[at],
            classes,
            encoding=encoding,
            steps=steps,
            **options,
        )
        for part, at in (("train", train), ("test", test))
    )
    return first, second


def digits(**options: Any) -> tuple[Dataset, Dataset]:
    """Return the 8x8 digits; see `small_set`."""
    return small_set("digits", **options)


def _read(name: str) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    try:
        from sklearn import datasets
    except ImportError as error:
        raise PluginError(
            f"small_set: {name} comes with scikit-learn, which is not installed; "
            "pip install 'chipsim[data]'"
        ) from error
    found = getattr(datasets, f"load_{name}")()
    return np.asarray(found.data, np.float64), np.asarray(found.target, np.int64)


def _split(
    name: str, label: NDArray[np.int64], share: float, seed: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    if not 0 < share < 1:
        raise DataError(f"small_set: got test_share = {share}, expected a number between 0 and 1")
    order = rng(seed, "data", name, "split").permutation(label.size)
    is_test = np.zeros(label.size, np.bool_)
    for c in range(int(label.max()) + 1):
        own = order[label[order] == c]
        kept = min(max(1, round(share * own.size)), own.size - 1)
        is_test[own[:kept]] = True
    return order[~is_test[order]].astype(np.int64), order[is_test[order]].astype(np.int64)


def _scaled(values: NDArray[np.float64], train: NDArray[np.int64]) -> NDArray[np.float64]:
    low, high = values[train].min(axis=0), values[train].max(axis=0)
    span = np.where(high > low, high - low, 1.0)
    scaled: NDArray[np.float64] = np.clip((values - low) / span, 0.0, 1.0)
    return scaled
