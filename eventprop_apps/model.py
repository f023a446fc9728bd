"""The spiking network that is trained: layers, time steps, factors, loss, number format."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from chipsim.errors import DataError
from eventprop_apps.kernels.factors import Factors
from eventprop_apps.losses.ttfs import TTFSLoss


@dataclass(frozen=True)
class Model:
    """A feed-forward network of LIF layers.

    Attributes
    ----------
    sizes : tuple of int
        Input lines, then neurons of each layer.
    steps : int
        Time steps T of a sample, at least 2.
    factors : Factors
        Decay factors of every layer.
    loss : TTFSLoss
    dtype : dtype
        float32 (the M4F's) or float64 (not the hardware's).
    """

    sizes: tuple[int, ...]
    steps: int
    factors: Factors
    loss: TTFSLoss
    dtype: np.dtype[Any]

    @classmethod
    def make(
        cls,
        sizes: tuple[int, ...],
        steps: int,
        factors: Factors,
        loss: TTFSLoss,
        dtype: DTypeLike = np.float32,
    ) -> Model:
        """Return a checked model.

        Raises
        ------
        DataError
            Naming what does not fit.
        """
        kind = np.dtype(dtype)
        if len(sizes) < 2 or min(sizes) < 1:
            raise DataError(f"model: got sizes {sizes}, expected input lines and at least a layer")
        if steps < 2:
            raise DataError(f"model: got {steps} time steps, expected at least 2")
        if kind not in (np.dtype(np.float32), np.dtype(np.float64)):
            raise DataError(f"model: got dtype {kind}, expected float32 or float64")
        return cls(tuple(int(n) for n in sizes), int(steps), factors, loss, kind)

    @property
    def layers(self) -> int:
        """Number of LIF layers."""
        return len(self.sizes) - 1

    @property
    def word_count(self) -> int:
        """32-bit words of one number."""
        return self.dtype.itemsize // 4

    def shape(self, layer: int) -> tuple[int, int]:
        """Return (n_out, n_in) of a layer's weights."""
        return self.sizes[layer + 1], self.sizes[layer]

    @property
    def weights(self) -> int:
        """Number of weights."""
        return sum(out * into for out, into in map(self.shape, range(self.layers)))
