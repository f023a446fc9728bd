"""Which frames are hit on a link that errs: a hash of (seed, channel, packet, attempt), no state.

Because a draw depends on nothing but these numbers, both network models draw alike in whatever
order they come to it, and a link's errors do not shift another link's.

References
----------
G. L. Steele, D. Lea, C. H. Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014,
doi:10.1145/2660193.2660195 (the finaliser).
"""

from __future__ import annotations

WORD = 2**64 - 1
BITS = 53
GAMMA = 0x9E3779B97F4A7C15


def mixed(word: int) -> int:
    """Return 64 bits that look nothing like ``word`` (SplitMix64)."""
    word = (word + GAMMA) & WORD
    word = ((word ^ (word >> 30)) * 0xBF58476D1CE4E5B9) & WORD
    word = ((word ^ (word >> 27)) * 0x94D049BB133111EB) & WORD
    return word ^ (word >> 31)


def threshold(chance: float) -> int:
    """Return the draw, of 2**53, below which a frame is hit."""
    return int(chance * 2**BITS)


def hits(seed: int, channel: int, number: int, frames: int, limit: int) -> int:
    """Return how often frames of one packet are hit until all of them are through.

    Parameters
    ----------
    seed, channel : int
    number : int
        How many packets the channel has carried before.
    frames : int
        Frames of the packet.
    limit : int
        As :func:`threshold` says.
    """
    state = mixed(mixed(mixed(seed & WORD) ^ channel) ^ number)
    lost = 0
    through = 0
    while through < frames:
        if mixed(state ^ (through + lost)) >> (64 - BITS) < limit:
            lost += 1
        else:
            through += 1
    return lost
