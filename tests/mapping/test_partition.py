"""Partitioners: the limits hold, the result is checked, and more care means less traffic."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chipsim import seeds
from chipsim.errors import MappingError, PluginError
from chipsim.mapping import strategies
from chipsim.mapping.application import Application, Net, Vertex
from chipsim.mapping.generators import generate
from chipsim.mapping.mapping import map_application
from chipsim.mapping.partition import (
    Limits,
    Neurons,
    Parts,
    check_parts,
    partition_neurons,
    traffic,
    usage,
)
from tests.mapping.helpers import machine

NAMES = strategies.names("partitioner")


def run(name: str, neurons: Neurons, limits: Limits, seed: int = 0) -> Parts:
    function = strategies.partitioner(name)
    made = function(neurons, limits, seeds.rng(seed, "test"))
    return check_parts(neurons, limits, made)


@st.composite
def graphs(draw: st.DrawFn) -> Neurons:
    count = draw(st.integers(1, 30))
    pairs = draw(st.sets(st.tuples(*[st.integers(0, count - 1)] * 2), max_size=80))
    ordered = np.array(sorted(pairs), dtype=np.int64).reshape(-1, 2)
    rate = np.array(draw(st.lists(st.integers(0, 9), min_size=count, max_size=count)), float)
    return Neurons("drawn", tuple(range(count)), ordered[:, 1].copy(), ordered[:, 0].copy(), rate)


def brute_usage(neurons: Neurons, limits: Limits, parts: Parts, part: int) -> list[float]:
    inside = {i for i in range(len(neurons)) if parts[i] == part}
    synapses = [
        (s, t)
        for s, t in zip(neurons.source.tolist(), neurons.target.tolist(), strict=True)
        if t in inside
    ]
    return [
        len(inside),
        len({s for s, _ in synapses}),
        len(inside) * limits.bytes_per_neuron + len(synapses) * limits.bytes_per_synapse,
        len(inside) * limits.cycles_per_neuron
        + sum(neurons.rate[s] for s, _ in synapses) * limits.cycles_per_event,
    ]


@settings(max_examples=60, deadline=None)
@given(graphs(), st.sampled_from(NAMES), st.data())
def test_limits_hold_and_runs_repeat(neurons: Neurons, name: str, data: st.DataObject) -> None:
    free = Limits()
    alone = usage(neurons, free, np.arange(len(neurons)))
    limits = Limits(
        neurons=data.draw(st.integers(1, 8)),
        fan_in=int(alone.fan_in.max(initial=1)) + data.draw(st.integers(0, 9)) or 1,
        sram_bytes=int(alone.sram_bytes.max()) + data.draw(st.integers(0, 200)),
        cycles_per_tick=float(alone.cycles_per_tick.max()) + data.draw(st.integers(0, 900)),
    )
    parts = run(name, neurons, limits)
    assert (parts == run(name, neurons, limits)).all()
    for part in range(int(parts.max()) + 1):
        most = [limits.neurons, limits.fan_in, limits.sram_bytes, limits.cycles_per_tick]
        takes = brute_usage(neurons, limits, parts, part)
        assert takes[0] >= 1
        assert all(a <= b for a, b in zip(takes, most, strict=True))
    if name == "spikes":
        assert traffic(neurons, parts) <= traffic(neurons, run("sequential", neurons, limits))


def test_traffic_counts_each_other_part_once() -> None:
    neurons = Neurons(
        "n", tuple("abcd"), np.array([0, 0, 0, 3]), np.array([1, 2, 3, 3]), np.array([5.0, 1, 1, 2])
    )
    assert traffic(neurons, np.array([0, 0, 1, 1])) == 5.0
    assert traffic(neurons, np.array([0, 1, 2, 3])) == 15.0
    assert traffic(neurons, np.array([0, 0, 0, 0])) == 0.0


def test_balanced_needs_no_more_parts_and_evens_the_load() -> None:
    neurons, limits = Neurons.of(generate("rgg:n=300")), Limits(neurons=40)
    plain, even = run("sequential", neurons, limits), run("balanced", neurons, limits)
    assert even.max() <= plain.max()
    assert (
        usage(neurons, limits, even).cycles_per_tick.max()
        < usage(neurons, limits, plain).cycles_per_tick.max()
    )


def test_clusters_are_found_whatever_the_order() -> None:
    """Eight cliques of eight, shuffled: the multilevel partitioners put each on a part."""
    order = np.random.default_rng(1).permutation(64).tolist()
    nets = tuple(
        Net(i, order[i], tuple(order[j] for j in range(i // 8 * 8, i // 8 * 8 + 8) if j != i),
            packets_per_tick={"all": 1.0})
        for i in range(64)
    )  # fmt: skip
    cliques = Application("cliques", tuple(Vertex(i) for i in range(64)), nets, "router_multicast")
    neurons, limits = Neurons.of(cliques), Limits(neurons=8)
    assert traffic(neurons, run("sequential", neurons, limits)) > 200
    for name in ("multilevel", "spikes"):
        assert traffic(neurons, run(name, neurons, limits)) == 0


def test_spikes_pays_heed_to_rates_that_multilevel_does_not_see() -> None:
    """A ring of busy pairs with as many silent synapses across: who spikes decides."""
    rate = np.array([10.0, 0.0] * 16)
    pairs = sorted(
        {((i + 1) % 32, i) for i in range(0, 32, 2)}
        | {((i + d) % 32, i) for i in range(1, 32, 2) for d in (5, 9, 13)}
    )
    ordered = np.array(pairs, dtype=np.int64)
    neurons = Neurons("ring", tuple(range(32)), ordered[:, 1].copy(), ordered[:, 0].copy(), rate)
    limits = Limits(neurons=4)
    assert traffic(neurons, run("spikes", neurons, limits)) == 0
    assert traffic(neurons, run("multilevel", neurons, limits)) > 0


def test_the_application_of_parts_maps() -> None:
    neurons = Neurons.of(generate("ff:n=40,layers=4"))
    application = partition_neurons(neurons, Limits(neurons=10), "sequential")
    assert [net.key_bits for net in application.nets] == [4, 4, 4]
    assert application.nets[0].sinks == ("part1",)
    total = sum(net.weight() for net in application.nets)
    assert total == neurons.rate[:30].sum()
    mapping = map_application(application, machine("mesh-8x8"), "hilbert", "ner")
    assert mapping.metrics().total.tree_hops == total


@pytest.mark.parametrize(
    ("parts", "text"),
    [
        ([0, 0, 1], r"got int64 of shape \(3,\); expected the part of every neuron: integers of"),
        ([0.0, 1.0, 2.0, 3.0], r"got float64 of shape \(4,\)"),
        ([0, 0, 2, 2], "parts are numbered 0 to 2, 2 of them; expected 0, 1, …"),
        ([0, 0, 0, 1], "part 0 takes 3 neurons, the limit is 2"),
    ],
)
def test_bad_partitions_are_named(parts: list[float], text: str) -> None:
    def mine(neurons: Neurons, limits: Limits, rng: np.random.Generator) -> Parts:
        return np.array(parts)

    neurons = Neurons.of(generate("ff:n=4,layers=2"))
    with pytest.raises(MappingError, match=rf"\(partitioner '.*mine'\).*\n  - .*{text}"):
        partition_neurons(neurons, Limits(neurons=2), mine)


def test_a_neuron_that_fits_nowhere_is_named() -> None:
    neurons = Neurons.of(generate("ff:n=12,layers=2"))
    with pytest.raises(MappingError, match=r"6 neurons alone take more different sources \(fan-in"):
        partition_neurons(neurons, Limits(fan_in=5))
    with pytest.raises(MappingError, match="neurons is 0; expected at least 1"):
        Limits(neurons=0)
    with pytest.raises(PluginError, match="unknown partitioner 'multilevle'; did you mean 'mult"):
        partition_neurons(neurons, Limits(), "multilevle")
