"""Named random streams: a new consumer never shifts the numbers that others draw.

A stream is found from the run's seed and a path of names (``("data", "train")``), through a hash
that is the same on every machine and in every process.
"""

from __future__ import annotations

import hashlib

import numpy as np


def derive(seed: int, *names: str | int) -> int:
    """Return the 64-bit seed of the stream ``names`` under ``seed``."""
    text = "\x1f".join([str(int(seed)), *(f"{type(n).__name__}:{n}" for n in names)])
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")


def rng(seed: int, *names: str | int) -> np.random.Generator:
    """Return a fresh generator (PCG64) for the stream ``names`` under ``seed``."""
    return np.random.Generator(np.random.PCG64(derive(seed, *names)))
