"""Values as spikes: how many a line has instead of when it has its one."""

from __future__ import annotations

from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from chipsim.errors import DataError, did_you_mean
from chipsim.seeds import rng
from eventprop_apps.data.dataset import Dataset, SpikeEvents
from eventprop_apps.data.yinyang import encode_latency

Encoding = Literal["latency", "rate"]
ENCODINGS: tuple[str, ...] = get_args(Encoding)


def encode_rate(
    x: ArrayLike,
    *,
    steps: int = 27,
    rate: float = 0.5,
    seed: int = 0,
    stream: str = "rate",
    bias: bool = True,
) -> SpikeEvents:
    """Return spikes drawn step by step, each with a probability that the value gives.

    Parameters
    ----------
    x : array_like, shape (samples, features)
        Values in [0, 1].
    steps : int
        Number of time steps T, at least 2.
    rate : float
        Probability of a spike in a step for the value 1, in (0, 1]; 0 stays silent.
    seed, stream : int, str
        The draws are the stream ``("data", stream, sample)``, so that a sample's spikes depend
        neither on how many samples there are nor on the others.
    bias : bool
        Add a line that spikes at step 0.

    Returns
    -------
    SpikeEvents
        ``features + bias`` lines.

    Notes
    -----
    A spike in the last step is never seen by the next layer.
    """
    values = unit_values("encode_rate", x)
    if steps < 2 or not 0 < rate <= 1:
        raise DataError(
            f"encode_rate: got {steps} steps and rate = {rate}, expected at least 2 steps and a "
            "rate in (0, 1]"
        )
    samples, features = values.shape
    spikes = np.zeros((steps, samples, features + bias), np.uint8)
    for b in range(samples):
        draws = rng(seed, "data", stream, b).random((steps, features))
        spikes[:, b, :features] = draws < rate * values[b]
    if bias:
        spikes[0, :, features] = 1
    return SpikeEvents.from_dense(spikes)


def unit_values(where: str, x: ArrayLike) -> NDArray[np.float64]:
    """Return ``x`` as an array (samples, features) of values in [0, 1], or refuse it."""
    values = np.asarray(x, np.float64)
    if values.ndim != 2 or values.size == 0 or not ((values >= 0) & (values <= 1)).all():
        raise DataError(f"{where}: expected an array (samples, features) of values in [0, 1]")
    return values


def encoded(
    name: str,
    x: NDArray[np.float64],
    label: NDArray[np.int64],
    classes: int,
    *,
    encoding: str = "latency",
    steps: int = 27,
    **options: Any,
) -> Dataset:
    """Return values in [0, 1] and their labels as a data set.

    Parameters
    ----------
    name : str
        For messages and summaries; it also names the stream of rate-encoded spikes.
    x : ndarray, shape (samples, features)
        Values in [0, 1].
    label : ndarray, shape (samples,), int64
    classes : int
    encoding : {"latency", "rate"}
        One spike per line, early for large values (`encode_latency`), or more spikes for larger
        values (`encode_rate`).
    steps : int
        Number of time steps T.
    **options
        Further settings of the encoding: ``t_min``, ``bias`` and ``silent_below`` (values up to
        it do not spike; all do by default) or ``rate``, ``seed``, ``bias``.
    """
    if encoding not in ENCODINGS:
        raise DataError(f"{name}: got encoding {encoding!r}{did_you_mean(encoding, ENCODINGS)}")
    known = ("t_min", "bias", "silent_below") if encoding == "latency" else ("rate", "seed", "bias")
    for option in options:
        if option not in known:
            raise DataError(
                f"{name}: encoding {encoding!r} has no option {option!r}"
                f"{did_you_mean(option, known)}"
            )
    if encoding == "latency":
        limit = options.pop("silent_below", None)
        times = encode_latency(x, steps=steps, **options)
        if limit is None:
            events = SpikeEvents.from_times(times, steps)
        else:
            events = SpikeEvents.from_dense(_dense(x, times, steps, limit))
    else:
        events = encode_rate(x, steps=steps, stream=name, **options)
    return Dataset(name, x, label, classes, events)


def _dense(
    x: NDArray[np.float64], times: NDArray[np.int32], steps: int, limit: float
) -> NDArray[np.uint8]:
    """Return spikes of shape (steps, samples, lines) without those of values up to ``limit``."""
    spikes = np.zeros((steps, *times.shape), np.uint8)
    speaks = np.ones(times.shape, np.bool_)
    speaks[:, : x.shape[1]] = x > limit
    sample, line = np.nonzero(speaks)
    spikes[times[sample, line], sample, line] = 1
    return spikes
