from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chipsim.errors import TraceError
from chipsim.trace import latency as latency_module
from chipsim.trace.latency import LatencyCounts

values = st.lists(st.integers(1, 40) | st.integers(1, 2**60), min_size=1, max_size=60)


def counted(parts: list[list[int]]) -> LatencyCounts:
    counts = LatencyCounts()
    for part in parts:
        counts.add(np.array(part, np.int64))
    return counts


@given(parts=st.lists(values, min_size=1, max_size=4), percent=st.integers(0, 100))
def test_quantiles_are_those_of_the_sorted_list(parts: list[list[int]], percent: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(latency_module, "_BLOCK", 16)
        counts = counted(parts)
        everything = sorted(value for part in parts for value in part)
        rank = max(1, -(-percent * len(everything) // 100))
        assert counts.quantile(percent / 100) == everything[rank - 1]
        assert counts.max() == everything[-1]
        assert counts.quantile(0) == everything[0]
        assert len(counts) == len(everything)
        assert Fraction(counts.mean()) == Fraction(sum(everything) / len(everything))


@given(a=values, b=values)
def test_update_adds_the_counts_of_another(a: list[int], b: list[int]) -> None:
    left, right, both = counted([a]), counted([b]), counted([a, b])
    left.update(right)
    assert [x.tolist() for x in left.items()] == [x.tolist() for x in both.items()]
    assert len(right) == len(b)


def test_blocks_larger_than_one_are_counted_whole() -> None:
    data = np.random.default_rng(3).integers(1, 500, 200_000)
    counts = LatencyCounts()
    counts.add(data[:70_000])
    counts.add(data[70_000:])
    values, times = counts.items()
    expected, expected_times = np.unique(data, return_counts=True)
    assert values.tolist() == expected.tolist()
    assert times.tolist() == expected_times.tolist()


def test_p99_of_a_hundred_values_is_the_99th() -> None:
    counts = counted([list(range(1000, 101_000, 1000))])
    assert counts.p99() == 99_000
    assert counts.median() == 50_000
    assert counts.summary_ns() == {"median": 50.0, "p99": 99.0, "max": 100.0}


def test_results_are_plain_numbers() -> None:
    counts = counted([[3, 5]])
    assert [type(x) for x in (counts.median(), counts.max(), len(counts))] == [int] * 3
    assert type(counts.mean()) is float


def test_nothing_counted_has_no_quantile() -> None:
    assert LatencyCounts().summary_ns() is None
    with pytest.raises(TraceError, match=r"no packet was delivered"):
        LatencyCounts().median()
    with pytest.raises(TraceError, match=r"no packet was delivered"):
        LatencyCounts().mean()
    with pytest.raises(TraceError, match=r"got q = 99, expected a number from 0 to 1"):
        counted([[1]]).quantile(99)
