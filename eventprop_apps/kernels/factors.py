"""The scalar factors of one LIF layer, computed in float64 and cast once."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from chipsim.errors import DataError, did_you_mean

KINDS = ("euler", "exp")

# Places in the array that kernels get: one array instead of eight scalars, so that every factor
# has the kernel's dtype (a bare Python float would turn float32 sums into float64 in Numba).
DECAY_I, DECAY_V, GAIN_I, GAIN_V, TAU_S, THRESHOLD, TINY, ZERO, READOUT = range(9)

VDOT_OFFSET = 1e-10
"""Added to ``I - Vpre`` at a spike, as the off-chip code of the paper's authors does."""


@dataclass(frozen=True)
class Factors:
    """Decay factors of a LIF layer's forward and adjoint pass.

    Parameters
    ----------
    a, b : float
        What is left of the current and of the voltage after one step.
    one_minus_a, one_minus_b : float
        ``1 - a`` and ``1 - b``, each computed in float64.
    tau_s : float
        Synaptic time constant [s]; the factor of the weight gradient.
    threshold : float
        Firing threshold; a spike needs ``Vpre > threshold``.
    dt_s : float
        Length of a step [s].
    """

    a: float
    b: float
    one_minus_a: float
    one_minus_b: float
    tau_s: float
    threshold: float = 1.0
    dt_s: float = 1e-3

    @classmethod
    def make(
        cls,
        kind: str = "exp",
        *,
        dt_ms: float = 1.0,
        tau_mem_ms: float = 20.0,
        tau_syn_ms: float = 5.0,
        threshold: float = 1.0,
    ) -> Factors:
        """Return the factors of a layer from its time constants.

        Parameters
        ----------
        kind : {"euler", "exp"}
            ``1 - dt/tau``, which the chip was checked against, or ``exp(-dt/tau)``.
        dt_ms, tau_mem_ms, tau_syn_ms : float
            Step and time constants [ms], above 0; with "euler" no constant may be below the step.
        threshold : float
            Firing threshold, above 0.

        Raises
        ------
        DataError
            For an unknown kind or a value out of its range.
        """
        if kind not in KINDS:
            raise DataError(f"factors: got {kind!r}{did_you_mean(kind, KINDS)}")
        values = {
            "dt_ms": dt_ms,
            "tau_mem_ms": tau_mem_ms,
            "tau_syn_ms": tau_syn_ms,
            "threshold": threshold,
        }
        for name, value in values.items():
            if not (math.isfinite(value) and value > 0):
                raise DataError(f"factors: got {name} = {value}, expected a finite value above 0")
        if kind == "euler" and dt_ms > min(tau_mem_ms, tau_syn_ms):
            raise DataError(
                f"factors: got dt_ms = {dt_ms} with time constants {tau_mem_ms} and {tau_syn_ms} "
                'ms, expected a step of at most the shorter one; take a shorter step or "exp"'
            )
        if kind == "euler":
            a, b = 1.0 - dt_ms / tau_syn_ms, 1.0 - dt_ms / tau_mem_ms
        else:
            a, b = math.exp(-dt_ms / tau_syn_ms), math.exp(-dt_ms / tau_mem_ms)
        tau_s = tau_syn_ms * 1e-3
        return cls(a, b, 1.0 - a, 1.0 - b, tau_s, float(threshold), dt_ms * 1e-3)

    def array(self, dtype: DTypeLike) -> NDArray[Any]:
        """Return the factors as kernels take them: float64 values, cast once to ``dtype``.

        The last one, ``-dt (1 - b) / (tau_s (1 - a))``, turns dL/dV of a leaky read-out into the
        source of its adjoint, so that ``-tau_s lambda_I`` sums up to dt dL/dW (docs/eventprop.md).
        """
        values = np.zeros(9, np.float64)
        values[DECAY_I], values[DECAY_V] = self.a, self.b
        values[GAIN_I], values[GAIN_V] = self.one_minus_a, self.one_minus_b
        values[TAU_S], values[THRESHOLD], values[TINY] = self.tau_s, self.threshold, VDOT_OFFSET
        values[READOUT] = -self.dt_s * self.one_minus_b / (self.tau_s * self.one_minus_a)
        return values.astype(dtype)
