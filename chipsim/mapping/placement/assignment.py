"""Places of clusters by traffic times distance: a quick start where exact trees are dear.

One exchange of two clusters of an irregular graph renews hundreds of trees; its traffic times
distance is a sum over the places. The best exchange that is not forbidden is made, up or down (tabu
search); what all others would bring then changes by a term of four distances each.

References
----------
Taillard, "Robust taboo search for the quadratic assignment problem", Parallel Computing 17 (1991),
doi:10.1016/S0167-8191(05)80147-4
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from chipsim.compiled import compiled
from chipsim.mapping.placement.traffic_kernel import Groups

I32 = NDArray[np.int32]
I64 = NDArray[np.int64]
F64 = NDArray[np.float64]

ROUNDS, MOST_ROUNDS = 10, 500
"""Exchanges per place, and in all."""

MOST_PLACES = 200
"""Above, the start along the curve is taken."""

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
    O((rounds + slots) x slots**2). An exchanged pair rests for as many rounds as there
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
    rounds = min(ROUNDS * slots, MOST_ROUNDS)
    return holder[searched(traffic, away, slots, rounds)]


@compiled
def searched(traffic: F64, away: F64, slots: int, rounds: int) -> I64:
    """Return which thing each of the first ``slots`` places gets; ``traffic`` becomes scratch.

    ``traffic`` is between the things on the places at the beginning, ``away`` between the places;
    both are symmetric, in whole numbers, with nothing on the diagonal.
    """
    at = np.arange(slots)  # the thing on each place
    rests = np.zeros((slots, slots), dtype=np.int64)
    change = np.zeros((slots, slots))
    for a in range(slots):
        for b in range(a + 1, slots):
            change[a, b] = price(traffic, away, a, b)
    cost = 0.0  # against the beginning
    least = 0.0
    best = at.copy()
    for number in range(1, rounds + 1):
        u, v, lowest = -1, -1, np.inf
        for a in range(slots):
            for b in range(a + 1, slots):
                if change[a, b] < lowest:
                    resting = rests[at[a], at[b]] > number
                    if not resting or cost + change[a, b] < least:
                        u, v, lowest = a, b, change[a, b]
        if u < 0:
            break
        cost += lowest
        rests[at[u], at[v]] = rests[at[v], at[u]] = number + slots
        at[u], at[v] = at[v], at[u]
        if cost < least:
            least = cost
            best[:] = at
        for a in range(slots):
            for b in range(a + 1, slots):
                if a != u and a != v and b != u and b != v:
                    more = traffic[b, v] - traffic[a, v] - traffic[b, u] + traffic[a, u]
                    change[a, b] += more * (away[a, u] - away[b, u] - away[a, v] + away[b, v])
        exchange(traffic, u, v)
        for k in range(slots):
            if k != u:
                change[min(k, u), max(k, u)] = price(traffic, away, k, u)
            if k != v:
                change[min(k, v), max(k, v)] = price(traffic, away, k, v)
    return best


@compiled
def price(traffic: F64, away: F64, a: int, b: int) -> float:
    """Return what the cost changes by when the things on places a and b are exchanged."""
    total = 0.0
    for k in range(len(traffic)):
        if k != a and k != b:
            total += (traffic[b, k] - traffic[a, k]) * (away[a, k] - away[b, k])
    return total


@compiled
def exchange(traffic: F64, u: int, v: int) -> None:
    """Exchange the things on places u and v in the matrix of their traffic."""
    for k in range(len(traffic)):
        traffic[u, k], traffic[v, k] = traffic[v, k], traffic[u, k]
    for k in range(len(traffic)):
        traffic[k, u], traffic[k, v] = traffic[k, v], traffic[k, u]


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
