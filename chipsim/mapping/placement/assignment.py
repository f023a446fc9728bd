"""Places of clusters by traffic times distance: a quick start where exact trees are dear.

One exchange of two clusters of an irregular graph renews hundreds of trees; its traffic times
distance takes one row of a matrix product. All exchanges are priced at once, and the best one that
is not forbidden is made, up or down (tabu search).

References
----------
Taillard, "Robust taboo search for the quadratic assignment problem", Parallel Computing 17 (1991),
doi:10.1016/S0167-8191(05)80147-4
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from chipsim.mapping.placement.traffic_kernel import Groups

I32 = NDArray[np.int32]
F64 = NDArray[np.float64]

ROUNDS, MOST_ROUNDS = 10, 500
"""Exchanges per place, and in all."""

MOST_PLACES = 200
"""Above, the start along the curve is taken: a round costs the third power."""

SCALE = 1 << 20
"""Traffic is rounded to so many parts of the greatest, so that sums are exact in any order."""


def assigned(
    groups: Groups, holder: I32, slot_site: I32, distance: NDArray[np.int16], fixed: I32
) -> I32:
    """Return what slots hold after a tabu search from ``holder``.

    Parameters
    ----------
    groups : Groups
        Nets between things.
    holder : ndarray of int32, shape (slots,)
        Thing on each slot, -1 for none.
    slot_site, fixed : ndarray of int32
        Site of each slot; site of each thing that does not move, -1 for the others.
    distance : ndarray of int16, shape (sites, sites)

    Notes
    -----
    O(rounds x slots**3) by matrix products. An exchanged pair rests for as many rounds as there
    are slots, unless going back gives the least cost met.
    """
    slots = len(holder)
    if slots > MOST_PLACES or slots < 3:
        return holder
    flow = _flow(groups, len(fixed))
    # What lies on slots, then what does not move; free slots are things without traffic.
    still = np.flatnonzero(fixed >= 0)
    things = np.concatenate((holder, still)).astype(np.int64)
    traffic = np.zeros((len(things), len(things)))
    real = np.flatnonzero(things >= 0)
    traffic[np.ix_(real, real)] = flow[np.ix_(things[real], things[real])]
    sites = np.concatenate((slot_site, fixed[still]))
    away = distance[np.ix_(sites, sites)].astype(np.float64)
    return holder[_searched(traffic, away, slots)]


def _searched(traffic: F64, away: F64, slots: int) -> NDArray[np.int64]:
    """Return which thing each of the first ``slots`` places gets."""
    at = np.arange(len(traffic))  # the thing on each place
    rests: NDArray[np.int64] = np.zeros((slots, slots), dtype=np.int64)
    same = np.tri(slots, dtype=np.bool_)
    cost = least = float((traffic * away).sum())
    best = at[:slots].copy()
    for number in range(1, min(ROUNDS * slots, MOST_ROUNDS) + 1):
        flow = traffic[np.ix_(at, at)]
        gain = (flow @ away)[:slots, :slots]
        own = np.diag(gain)
        change = gain + gain.T - own[:, None] - own[None, :]
        change = 2 * (change + 2 * (flow * away)[:slots, :slots])
        held = at[:slots]
        resting = np.greater(rests[held[:, None], held[None, :]], number)
        barred = same | (resting & (cost + change >= least))
        change[barred] = np.inf
        a, b = np.unravel_index(int(np.argmin(change)), change.shape)
        if not np.isfinite(change[a, b]):
            break
        cost += float(change[a, b])
        rests[at[a], at[b]] = rests[at[b], at[a]] = number + slots
        at[a], at[b] = at[b], at[a]
        if cost < least:
            least, best = cost, at[:slots].copy()
    return best


def _flow(groups: Groups, things: int) -> F64:
    """Return the traffic between each two things, both ways together, in whole numbers."""
    flow = np.zeros((things, things))
    source = np.repeat(np.arange(things), np.diff(groups.out_start))
    for thing, group, weight in zip(
        source.tolist(), groups.out_group.tolist(), groups.out_weight.tolist(), strict=True
    ):
        flow[thing, groups.sinks[groups.start[group] : groups.start[group + 1]]] += weight
    np.fill_diagonal(flow, 0.0)
    most = float(flow.max(initial=0.0))
    return np.rint((flow + flow.T) * (SCALE / most)) if most else flow
