"""The order in which samples are trained: a named stream per epoch."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from chipsim.errors import DataError
from chipsim.seeds import rng


def batches(
    seed: int, epoch: int, samples: int, batch: int, *, drop_last: bool = True
) -> list[NDArray[np.int64]]:
    """Return the sample numbers of each batch of an epoch, shuffled.

    Parameters
    ----------
    seed : int
        The run's seed; the stream is ``("train", "shuffle", epoch)``.
    epoch : int
        Number of the epoch, from 0; its order does not depend on the epochs before.
    samples, batch : int
        Size of the training set and of a batch.
    drop_last : bool
        Leave out an incomplete last batch, as the authors' code does.

    Raises
    ------
    DataError
        If no batch would be left.
    """
    if batch < 1 or samples < (batch if drop_last else 1):
        raise DataError(
            f"batches: got {samples} samples in batches of {batch}, expected at least one whole "
            "batch; take a smaller batch or more samples"
        )
    order = rng(seed, "train", "shuffle", epoch).permutation(samples).astype(np.int64)
    stop = samples - samples % batch if drop_last else samples
    return [order[at : at + batch] for at in range(0, stop, batch)]
