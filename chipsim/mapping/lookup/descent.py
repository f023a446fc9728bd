"""Local search over look-up tables: one router's entry at a time, while that cools the chip."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from chipsim.mapping.lookup.state import NONE, State
from chipsim.mapping.lookup.waits import Pair

LEAST = 1e-9
"""Gain below which a move is none: sums of loads in other orders differ by less."""

HOP = 1e-4
"""What a channel's load adds to the 8-norm beside its power: of equally cool ways the short one."""

Gain = Callable[[Sequence[int], Sequence[int], float], bool]
"""Whether to move a flow from channels that it leaves to channels that it comes to."""


def descend(state: State, rng: np.random.Generator, sweeps: int) -> None:
    """Move entries while that lowers the 8-norm of the loads, then while it saves hops.

    Notes
    -----
    O(sweeps x entries with traffic x channels of a way). An entry moves if no circle of waiting
    closes; entries without traffic stay. The second part never raises the hottest channel.
    """
    scale = max(state.load, default=0.0)
    if scale <= 0.0:
        return
    _sweep(state, rng, sweeps, _cools(state, scale))
    _sweep(state, rng, sweeps, _shortens(state))


def norm(state: State, scale: float) -> float:
    """Return what the first part of :func:`descend` makes less, for loads at ``scale`` as 1."""
    return sum(_eighth(load / scale) + HOP * load / scale for load in state.load)


def _cools(state: State, scale: float) -> Gain:
    load = state.load

    def gain(leaves: Sequence[int], comes: Sequence[int], flow: float) -> bool:
        change = flow * HOP * (len(comes) - len(leaves)) / scale
        for channel in leaves:
            change += _eighth((load[channel] - flow) / scale) - _eighth(load[channel] / scale)
        for channel in comes:
            change += _eighth((load[channel] + flow) / scale) - _eighth(load[channel] / scale)
        return change < -LEAST

    return gain


def _shortens(state: State) -> Gain:
    load, most = state.load, max(state.load) * (1 + LEAST)

    def gain(leaves: Sequence[int], comes: Sequence[int], flow: float) -> bool:
        return len(comes) < len(leaves) and all(load[c] + flow <= most for c in comes)

    return gain


def _eighth(share: float) -> float:
    square = share * share
    fourth = square * square
    return fourth * fourth


def _sweep(state: State, rng: np.random.Generator, sweeps: int, gain: Gain) -> None:
    mesh = state.mesh
    entries = [(dest, r) for dest in [*mesh.ends, mesh.hub] for r in mesh.members(dest)]
    entries += [(dest, NONE) for dest in mesh.ends]
    for _ in range(sweeps):
        moved = False
        for number in rng.permutation(len(entries)).tolist():
            dest, router = entries[number]
            if router == NONE:
                moved |= _try_ports(state, dest, gain)
            elif state.flow[dest][router] > 0.0:
                moved |= _try_ways(state, dest, router, gain)
        if not moved:
            return


def _try_ways(state: State, dest: int, router: int, gain: Gain) -> bool:
    old, flow = state.out[dest][router], state.flow[dest][router]
    old_way = list(state.path(router, dest))
    for new in state.mesh.options(router, dest):
        if new == old:
            continue
        new_way = [new, *state.path(state.mesh.far[new], dest)]
        heads = {state.mesh.head[channel] for channel in new_way[1:]}
        if router in heads:
            continue
        leaves, comes = _apart(old_way, new_way)
        if gain(leaves, comes, flow) and _may_turn(state, dest, router, old, new):
            state.out[dest][router] = new
            _shift(state, dest, leaves, comes, flow)
            return True
    return False


def _try_ports(state: State, dest: int, gain: Gain) -> bool:
    mesh, old, flow = state.mesh, state.port[dest], state.from_hub[dest]
    if flow <= 0.0:
        return False
    old_way = [old, *state.path(mesh.far[old], dest)]
    for new in mesh.leave:
        if new == old:
            continue
        new_way = [new, *state.path(mesh.far[new], dest)]
        leaves, comes = _apart(old_way, new_way)
        if not gain(leaves, comes, flow):
            continue
        before, after = (_onward(state, dest, channel) for channel in (old, new))
        state.waits.remove(before)
        if not state.waits.admit(after):
            state.waits.add(before)
            continue
        state.port[dest] = new
        _shift(state, dest, leaves, comes, flow)
        return True
    return False


def _onward(state: State, dest: int, channel: int) -> list[Pair]:
    far = state.mesh.far[channel]
    return [] if far == dest else [(channel, state.out[dest][far])]


def _apart(old: list[int], new: list[int]) -> tuple[list[int], list[int]]:
    """Return what each of two ways to one destination has before they join."""
    both = 0
    for a, b in zip(reversed(old), reversed(new), strict=False):
        if a != b:
            break
        both += 1
    return old[: len(old) - both], new[: len(new) - both]


def _may_turn(state: State, dest: int, router: int, old: int, new: int) -> bool:
    """Exchange the edges of one entry; restore them and return False if a circle closes."""
    ways = state.before(router, dest)
    before = [(channel, old) for channel in ways] + _onward(state, dest, old)
    after = [(channel, new) for channel in ways] + _onward(state, dest, new)
    state.waits.remove(before)
    if state.waits.admit(after):
        return True
    state.waits.add(before)
    return False


def _shift(
    state: State, dest: int, leaves: Sequence[int], comes: Sequence[int], flow: float
) -> None:
    load, through, mesh = state.load, state.flow[dest], state.mesh
    for channels, sign in ((leaves, -1.0), (comes, 1.0)):
        for channel in channels:
            load[channel] += sign * flow
            if mesh.head[channel] != mesh.hub:
                through[mesh.head[channel]] += sign * flow
