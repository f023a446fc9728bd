"""Spiking Heidelberg Digits and Spiking Speech Commands: HDF5 files of spike lists.

``spikes/times`` (seconds, float16) and ``spikes/units`` (0..699) hold one list a sample,
``labels`` one class a sample.

References
----------
Cramer, Stradmann, Schemmel, Zenke 2022, doi 10.1109/TNNLS.2020.3044364.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chipsim.errors import DataError, PluginError
from eventprop_apps.data.dataset import Dataset, SpikeEvents

CHANNELS = 700
FIELDS = ("spikes/times", "spikes/units", "labels")


@dataclass(frozen=True)
class SpikeLists:
    """Spike lists as published.

    Parameters
    ----------
    times : sequence of ndarray, float64
        Times of each sample's spikes [s], as the file's float16 values give them.
    units : sequence of ndarray, int64
        Their channels, 0..699.
    label : ndarray, shape (samples,), int64
    """

    times: Sequence[NDArray[np.float64]]
    units: Sequence[NDArray[np.int64]]
    label: NDArray[np.int64]


def read_spike_lists(path: str | Path, *, limit: int | None = None) -> SpikeLists:
    """Return the spike lists and labels of an HDF5 file as published.

    Parameters
    ----------
    path : str or Path
        ``shd_train.h5``, ``ssc_test.h5`` and so on, unpacked.
    limit : int, optional
        Take the first samples only.

    Raises
    ------
    DataError
        If the file is missing, is no HDF5 file, lacks a field, or its fields do not fit.
    PluginError
        If h5py is not installed.
    """
    try:
        import h5py
    except ImportError as error:
        raise PluginError(
            "read_spike_lists: HDF5 files need h5py, which is not installed; "
            "pip install 'chipsim[data]'"
        ) from error
    path = Path(path)
    if not path.is_file():
        raise DataError(f"{path}: no such file; get it and unpack it (chipsim downloads nothing)")
    try:
        with h5py.File(path, "r") as file:
            missing = [name for name in FIELDS if not isinstance(file.get(name), h5py.Dataset)]
            if missing:
                raise DataError(
                    f"{path}: lacks {', '.join(missing)}, expected {', '.join(FIELDS)}; is it a "
                    "file of SHD or SSC?"
                )
            times, units, label = (file[name][:limit] for name in FIELDS)
    except (OSError, RuntimeError) as error:
        raise DataError(
            f"{path}: cannot be read as HDF5: {error}; unpack it (gunzip) or get it again"
        ) from error
    return _checked(path, times, units, label)


def load_spike_lists(
    path: str | Path,
    *,
    classes: int | None = None,
    steps: int = 100,
    dt_ms: float = 10.0,
    units_per_line: int = 1,
    limit: int | None = None,
    name: str | None = None,
) -> Dataset:
    """Return a file of SHD or SSC as a data set, in time steps.

    Parameters
    ----------
    path, limit
        As in `read_spike_lists`.
    classes : int, optional
        Number of classes: 20 in SHD, 35 in SSC; the largest label + 1 by default.
    steps : int
        Number of time steps T, at least 2; later spikes are left out.
    dt_ms : float
        Length of a step [ms]: a spike at time t is in step floor(t / dt).
    units_per_line : int
        Neighbouring channels that share an input line; 1 keeps all 700.
    name : str, optional
        The file's name by default.

    Returns
    -------
    Dataset
        ``x`` has no columns: the spikes are the samples. Spikes of one line in one step are one.

    Raises
    ------
    DataError
        As `read_spike_lists`, and for settings out of their range.
    """
    if steps < 2 or not dt_ms > 0 or not 1 <= units_per_line <= CHANNELS:
        raise DataError(
            f"{path}: got steps = {steps}, dt_ms = {dt_ms}, units_per_line = {units_per_line}; "
            f"expected at least 2 steps, a positive dt_ms and 1..{CHANNELS} units a line"
        )
    lists = read_spike_lists(path, limit=limit)
    largest = int(lists.label.max())
    count = largest + 1 if classes is None else classes
    if largest >= count:
        raise DataError(f"{path}: got the label {largest}, expected 0..{count - 1}")
    lines = -(-CHANNELS // units_per_line)
    events = _events(lists, steps, dt_ms, units_per_line, lines)
    x = np.zeros((lists.label.size, 0))
    return Dataset(name or Path(path).stem, x, lists.label, count, events)


def _events(lists: SpikeLists, steps: int, dt_ms: float, per_line: int, lines: int) -> SpikeEvents:
    found, edges = [], [0]
    for times, units in zip(lists.times, lists.units, strict=True):
        step = np.floor(times * 1e3 / dt_ms)
        inside = step < steps
        keys = np.unique(step[inside].astype(np.int64) * lines + units[inside] // per_line)
        found.append(keys)
        edges.append(edges[-1] + keys.size)
    keys, edge = np.concatenate(found), np.array(edges, np.int64)
    return SpikeEvents(
        (keys % lines).astype(np.int32),
        (keys // lines).astype(np.int32),
        edge[:-1],
        edge[1:],
        lines,
        steps,
    )


def _checked(path: Path, times: Any, units: Any, label: Any) -> SpikeLists:
    labels = np.asarray(label)
    if not len(times) == len(units) == len(labels) or len(labels) == 0:
        raise DataError(
            f"{path}: got {len(times)} lists of times, {len(units)} of units and {len(labels)} "
            "labels, expected the same number, at least 1; get the file again"
        )
    if labels.ndim != 1 or not np.issubdtype(labels.dtype, np.integer) or labels.min() < 0:
        raise DataError(f"{path}: labels: got {labels.dtype}, expected integers of at least 0")
    all_times, all_units = [], []
    for b, (own, channel) in enumerate(zip(times, units, strict=True)):
        # Cast before anything is scaled: a product rounded to float16 (1 ms apart above 1,024 ms)
        # would move spikes across steps.
        t, u = np.asarray(own).astype(np.float64), np.asarray(channel)
        if t.ndim != 1 or t.shape != u.shape or not np.issubdtype(u.dtype, np.integer):
            raise DataError(
                f"{path}: sample {b} has times of shape {t.shape} and units of shape {u.shape} "
                f"({u.dtype}), expected two lists of one length, units as integers"
            )
        if t.size and not (np.isfinite(t).all() and t.min() >= 0):
            raise DataError(f"{path}: sample {b} has times that are negative or not finite")
        if u.size and (u.min() < 0 or u.max() >= CHANNELS):
            raise DataError(
                f"{path}: sample {b} has units {int(u.min())}..{int(u.max())}, expected "
                f"0..{CHANNELS - 1}"
            )
        all_times.append(t)
        all_units.append(u.astype(np.int64))
    return SpikeLists(all_times, all_units, labels.astype(np.int64))
