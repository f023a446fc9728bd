"""Ruin and regrow: take some destinations' ways out at once, and grow them by prices again."""

from __future__ import annotations

import numpy as np

from chipsim.mapping.lookup.descent import LEAST, norm
from chipsim.mapping.lookup.state import State
from chipsim.mapping.lookup.trees import regrow

ROUNDS = 120
MOST = 6
"""Destinations taken out at once, at most."""


def refine(state: State, rng: np.random.Generator) -> None:
    """Regrow the ways to a few destinations at a time; keep what does not raise the 8-norm.

    Notes
    -----
    Destinations whose traffic is on the hottest channel are drawn more often; taking out several
    also frees the edges of entries without traffic, which stand in the way of others.
    O(rounds x routers x channels).
    """
    mesh = state.mesh
    scale = max(state.load)
    best = norm(state, scale)
    every = [*mesh.ends, mesh.hub]
    for _ in range(ROUNDS):
        share = np.array(_on_hottest(state, every))
        chance = 2.0 * share / max(float(share.sum()), LEAST) + 1.0 / len(every)
        count = min(len(every), int(rng.integers(1, MOST + 1)))
        drawn = rng.choice(len(every), size=count, replace=False, p=chance / chance.sum())
        dests = [every[number] for number in drawn.tolist()]
        found = _regrown(state, dests, rng, scale, best)
        best = best if found is None else found


def _on_hottest(state: State, every: list[int]) -> list[float]:
    """Return how much of the hottest channel's load is for each destination."""
    hottest = max(range(len(state.load)), key=state.load.__getitem__)
    head, hub = state.mesh.head[hottest], state.mesh.hub
    if head == hub:
        return [
            state.from_hub[dest] if dest != hub and state.port[dest] == hottest else 0.0
            for dest in every
        ]
    return [state.flow[d][head] if state.out[d][head] == hottest else 0.0 for d in every]


def _regrown(
    state: State, dests: list[int], rng: np.random.Generator, scale: float, best: float
) -> float | None:
    """Regrow some destinations and return the new norm; None, all restored, if it is higher."""
    old = {dest: state.take(dest) for dest in dests}
    done = []
    for dest in dests:
        if not regrow(state, dest, rng, max(*state.load, scale / 2)):
            break
        done.append(dest)
    if len(done) == len(dests):
        new = norm(state, scale)
        if new <= best:
            return new
    for dest in done:
        state.take(dest)
    for dest, (out, port) in old.items():
        state.put(dest, out, port)
        state.waits.add(state.pairs(dest))
    return None
