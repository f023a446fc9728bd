"""Time is an integer number of picoseconds; these helpers are the only way to make one.

A number of clock cycles is rounded **once**, from the count and the clock, so that
``cycles(5, 300)`` is 16,667 ps and not five times a rounded 3,333 ps.
"""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from chipsim.errors import UnitError

PS_PER_NS = 1_000
PS_PER_US = 1_000_000
PS_PER_MS = 1_000_000_000
PS_PER_S = 1_000_000_000_000

FOREVER = 2**62
"""A time no simulation reaches (53 days of chip time), in ps."""


@lru_cache(maxsize=4096)
def cycles(count: int, clock_mhz: float) -> int:
    """Return the duration of ``count`` clock cycles [ps], rounded once, half to even.

    Parameters
    ----------
    count : int
        Number of cycles, at least 0.
    clock_mhz : float
        Clock frequency [MHz], above 0; taken at its shortest decimal form (133.33 is 133.33).

    Raises
    ------
    UnitError
        For a negative count or a clock that is not positive.
    """
    if count < 0 or clock_mhz <= 0:
        raise UnitError(
            f"cycles: got {count} cycles at {clock_mhz} MHz, expected a count of at least 0 "
            "and a clock above 0 MHz; check the figure in the machine's description"
        )
    return round(Fraction(int(count)) * PS_PER_US / Fraction(str(clock_mhz)))


def cycles_array(counts: NDArray[np.int64], clock_mhz: float) -> NDArray[np.int64]:
    """Return :func:`cycles` of every count, as int64 [ps]; exact, rounded half to even."""
    per_cycle = PS_PER_US / Fraction(str(clock_mhz))
    quotient, rest = np.divmod(counts * per_cycle.numerator, per_cycle.denominator)
    twice = 2 * rest
    up = (twice > per_cycle.denominator) | ((twice == per_cycle.denominator) & (quotient % 2 == 1))
    return np.asarray(quotient + up, dtype=np.int64)


def ns(value: float) -> int:
    """Return ``value`` nanoseconds in ps; a value that is no whole number of ps is an error."""
    return _exact(value, PS_PER_NS, "ns")


def us(value: float) -> int:
    """Return ``value`` microseconds in ps; a value that is no whole number of ps is an error."""
    return _exact(value, PS_PER_US, "us")


def ms(value: float) -> int:
    """Return ``value`` milliseconds in ps; a value that is no whole number of ps is an error."""
    return _exact(value, PS_PER_MS, "ms")


def _exact(value: float, scale: int, unit: str) -> int:
    time = Fraction(str(value)) * scale
    if time.denominator != 1:
        raise UnitError(
            f"{unit}: got {value} {unit}, which is {float(time)} ps; expected a whole number of "
            "picoseconds; round the value or give it in cycles"
        )
    return int(time)


def format_time(time_ps: int) -> str:
    """Return a time for people, exact to three decimals of the unit that fits (``16.667 ns``)."""
    for unit, scale in (("s", PS_PER_S), ("ms", PS_PER_MS), ("us", PS_PER_US), ("ns", PS_PER_NS)):
        if abs(time_ps) >= scale:
            return f"{time_ps / scale:.3f} {unit}"
    return f"{time_ps} ps"
