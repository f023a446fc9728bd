from __future__ import annotations

from itertools import islice

import numpy as np
import pytest

from chipsim import seeds
from chipsim.errors import NetworkError
from chipsim.machine.library import load_machine
from chipsim.network.traffic import synthetic
from chipsim.network.traffic.arrivals import BLOCK, Arrivals, Bernoulli, Poisson, Spiking


def first(arrivals: Arrivals, blocks: int) -> tuple[np.ndarray, np.ndarray]:
    drawn = list(islice(arrivals.blocks(seeds.rng(3)), blocks))
    return np.concatenate([t for t, _ in drawn]), np.concatenate([s for _, s in drawn])


def test_bernoulli_is_one_trial_a_node_and_cycle() -> None:
    nodes, rate = 10, 0.3
    time_ps, source = first(Bernoulli(nodes, rate, 1000), 4)
    assert (np.diff(time_ps) >= 0).all()
    assert (time_ps % 1000 == 0).all()
    trial = time_ps // 1000 * nodes + source
    assert (np.diff(trial) > 0).all()  # nobody twice in a cycle
    cycles = int(time_ps[-1]) // 1000 + 1
    happened = np.zeros((cycles, nodes))
    happened[time_ps // 1000, source] = 1
    n = cycles * nodes
    assert abs(happened.mean() - rate) < 4 * (rate * (1 - rate) / n) ** 0.5
    # Independent: neither the next cycle nor the next node knows of it.
    for one, other in (
        (happened[:-1], happened[1:]),
        (happened[:, :-1], happened[:, 1:]),
    ):
        assert abs(np.corrcoef(one.ravel(), other.ravel())[0, 1]) < 4 / n**0.5


def test_bernoulli_at_full_rate_is_every_cycle() -> None:
    time_ps, source = first(Bernoulli(4, 1.0, 1000), 1)
    assert time_ps[:9].tolist() == [0, 0, 0, 0, 1000, 1000, 1000, 1000, 2000]
    assert source[:5].tolist() == [0, 1, 2, 3, 0]


def test_bernoulli_above_one_a_cycle() -> None:
    time_ps, source = first(Bernoulli(2, 1.5, 1000), 4)
    cycles = int(time_ps[-1]) // 1000
    assert abs(len(source) / (2 * cycles) - 1.5) < 0.02
    assert np.bincount(time_ps[source == 0] // 1000).max() == 2


def test_poisson_gaps() -> None:
    nodes, rate = 5, 0.2
    time_ps, source = first(Poisson(nodes, rate, 500), 4)  # cycles of 2 ns
    gaps = np.diff(time_ps)
    mean = 2000 / (rate * nodes)
    assert (gaps >= 0).all()
    assert abs(gaps.mean() / mean - 1) < 4 / len(gaps) ** 0.5
    assert abs(gaps.std() / mean - 1) < 0.05  # exponential
    assert np.bincount(source).min() > 0.9 * len(source) / nodes


def test_spiking_bursts_at_ticks() -> None:
    arrivals = Spiking(nodes=8, rate=0.05, clock_mhz=1000, period=100, neurons=20)
    time_ps, source = first(arrivals, 200)
    assert set((time_ps % 100_000).tolist()) == {0}
    counts = np.zeros((200, 8))
    np.add.at(counts, (time_ps // 100_000, source), 1)
    # Binomial(20, 0.25): mean 5, variance 3.75
    assert abs(counts.mean() - 5) < 4 * (3.75 / 1600) ** 0.5
    assert abs(counts.var() - 3.75) < 0.6
    assert counts.max() <= 20


@pytest.mark.parametrize(
    "arrivals",
    [
        Bernoulli(7, 0.3, 1000),
        Bernoulli(7, 1e-4, 133.33),
        Poisson(7, 0.3, 300),
        Spiking(7, 0.01, 1000, 500, 20),
    ],
)
def test_all_packets_before_the_end_and_none_after(arrivals: Arrivals) -> None:
    long_ps, long = first(arrivals, 30)
    for end_ps in (1, int(long_ps[len(long_ps) // 3]), int(long_ps[-1])):
        drawn = list(arrivals.blocks(seeds.rng(3), end_ps))
        time_ps = np.concatenate([t for t, _ in drawn])
        source = np.concatenate([s for _, s in drawn])
        count = int(np.searchsorted(long_ps, end_ps))
        assert time_ps.tolist() == long_ps[:count].tolist()
        assert source.tolist() == long[:count].tolist()


@pytest.mark.parametrize("rate", [1e-300, 1e-18, 1e-12, 1e-6])
@pytest.mark.parametrize("pattern", ["uniform", "poisson", "spiking"])
def test_hardly_any_packets(pattern: str, rate: float) -> None:
    work = synthetic(pattern, load_machine("mesh-2x2"), rate, 1)
    packets = sum(len(time_ps) for time_ps, _ in work.blocks(100_000_000))
    assert packets <= 5  # 100,000 cycles of 4 nodes


def test_cycles_of_a_clock_are_rounded_once() -> None:
    time_ps, _ = first(Bernoulli(1, 1.0, 300), 1)
    assert time_ps[:4].tolist() == [0, 3333, 6667, 10000]


@pytest.mark.parametrize("pattern", ["uniform", "poisson", "spiking", "multicast:2"])
def test_rate_zero_sends_nothing(pattern: str) -> None:
    work = synthetic(pattern, load_machine("mesh-4x4"), 0.0, 1)
    assert list(work.blocks()) == []


def test_same_seed_same_packets_and_streams_apart() -> None:
    machine = load_machine("mesh-4x4")

    def drawn(pattern: str, seed: int) -> tuple[list[int], list[int]]:
        time_ps, flow = next(synthetic(pattern, machine, 0.1, seed).blocks())
        return time_ps.tolist(), flow.tolist()

    assert drawn("uniform", 1) == drawn("uniform", 1)
    assert drawn("uniform", 1) != drawn("uniform", 2)
    # Another choice of destinations does not shift the arrivals.
    other = drawn("hotspot", 1)
    assert other[0] == drawn("uniform", 1)[0]
    assert [f // 16 for f in other[1]] == [f // 16 for f in drawn("uniform", 1)[1]]
    assert len(other[0]) == BLOCK


def test_destinations_of_temporal_patterns() -> None:
    machine = load_machine("mesh-4x4")
    work = synthetic("poisson(to=transpose)", machine, 0.1, 1)
    _, flow = next(work.blocks())
    for source, (dest,) in {work.ends(f) for f in flow.tolist()}:
        assert dest == source % 4 * 4 + source // 4


def test_more_spikes_than_neurons() -> None:
    with pytest.raises(NetworkError, match="need 100 spikes a tick of 1000 cycles; expected at mo"):
        synthetic("spiking(neurons=64)", load_machine("mesh-4x4"), 0.1, 1)
