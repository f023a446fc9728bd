"""The compiled network against the reference: every picosecond, drop, hop and count.

Chip against off-chip, over drawn networks, losses and splits: tests/eventprop_chip/test_bitwise.py
and test_forms.py.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import Phase, given, settings

from chipsim.network.api import Network
from chipsim.testing.conformance import (
    Coverage,
    Outcome,
    assert_conserved,
    assert_same,
    compare,
    compiled_factory,
    reference_factory,
    run_script,
)
from chipsim.testing.random_networks import cases, describe, random_case
from chipsim.testing.scripts import Case, Row, Send, drive, make_sends

DEFAULT_CASES = 400
NIGHTLY_CASES = 6000
BUSY_PS = 250_000
RARE = {
    "detour": 8,
    "frame hit": 40,
    "reinjected": 20,
    "reinjection missed": 10,
    "reinjection overflowed": 1,
    "dumped": 80,
    "router visit": 100,
}
"""Cases out of 400 that must show what only some machines can do."""


@pytest.fixture
def compiled() -> None:
    if not hasattr(pytest.importorskip("chipsim.network.compiled"), "Network"):
        pytest.skip("the compiled network does not exist yet")


def compare_described(case: Case, coverage: Coverage | None, name: str) -> None:
    try:
        compare(compiled_factory, case, coverage)
    except Exception as error:
        error.add_note(f"{name}:\n{describe(case)}")
        raise


def compare_all(seeds: range, capsys: pytest.CaptureFixture[str]) -> None:
    coverage = Coverage()
    for seed in seeds:
        compare_described(random_case(seed), coverage, f"case {seed}")
    with capsys.disabled():
        print(f"\nnetwork conformance: {coverage.report()}")
    coverage.check()
    for name, least in RARE.items():
        assert coverage.seen[name] >= least, f"{name}: only {coverage.report()}"


@pytest.mark.usefixtures("compiled")
def test_compiled_equals_reference(capsys: pytest.CaptureFixture[str]) -> None:
    compare_all(range(DEFAULT_CASES), capsys)


@pytest.mark.nightly
@pytest.mark.usefixtures("compiled")
def test_compiled_equals_reference_at_length(capsys: pytest.CaptureFixture[str]) -> None:
    compare_all(range(DEFAULT_CASES, DEFAULT_CASES + NIGHTLY_CASES), capsys)


@pytest.mark.usefixtures("compiled")
def test_compiled_equals_reference_where_hypothesis_looks() -> None:
    # Shrinking a case of some hundred decisions takes minutes: that is for the nightly run.
    @settings(
        settings.get_profile("default"), max_examples=60, phases=(Phase.explicit, Phase.generate)
    )
    @given(cases())
    def check(case: Case) -> None:
        compare_described(case, None, "case")

    check()


@pytest.mark.nightly
@pytest.mark.usefixtures("compiled")
def test_compiled_equals_reference_where_hypothesis_looks_longer() -> None:
    @settings(settings.get_profile("nightly"), max_examples=2000)
    @given(cases())
    def check(case: Case) -> None:
        compare_described(case, None, "case")

    check()


@pytest.mark.usefixtures("compiled")
def test_how_often_a_lazy_network_is_advanced_does_not_matter() -> None:
    for seed in range(40):
        case = random_case(seed)
        once = run_script(compiled_factory, case)
        often = run_script(_stepping(compiled_factory), case)
        assert_same(once, often)


def _stepping(factory: Callable[..., Network]) -> Callable[..., Network]:
    """Return a factory of networks that are advanced in steps of 700 ps, while much happens."""

    def make(*arguments: object) -> Network:
        network = factory(*arguments)
        advance = network.advance
        reached = [0]

        def in_steps(until_ps: int) -> int:
            while reached[0] < until_ps:
                step = min(reached[0] + 700, until_ps) if reached[0] < BUSY_PS else until_ps
                got = advance(step)
                if got < step:  # a watch fired
                    reached[0] = got
                    return got
                reached[0] = step
            return until_ps

        network.advance = in_steps  # type: ignore[method-assign]
        return network

    return make


def test_reference_alone_conserves_and_covers(capsys: pytest.CaptureFixture[str]) -> None:
    coverage = Coverage()
    for seed in range(150):
        compare(reference_factory, random_case(seed), coverage)
    with capsys.disabled():
        print(f"\nreference network: {coverage.report()}")
    coverage.check()


# The suite itself -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def outcome() -> tuple[Case, Outcome]:
    case = random_case(7)
    return case, run_script(reference_factory, case)


def test_a_seed_gives_the_same_case_every_time() -> None:
    assert describe(random_case(11)) == describe(random_case(11))
    assert describe(random_case(11)) != describe(random_case(12))


def change(outcome: Outcome, table: str, column: str) -> Outcome:
    """Return ``outcome`` with one number of one table changed by one."""
    changed = copy.deepcopy(outcome)
    tables = {
        "taken": next((t for t in changed.taken if len(t)), changed.taken[-1]),
        "drops": changed.drops,
        "hops": changed.hops,
        "counters": changed.views[-1].counters,
        "in_flight": changed.views[0].in_flight,
    }
    values = getattr(tables[table], column)
    if isinstance(values, int):
        setattr(tables[table], column, values + 1)
    else:
        assert len(values), f"case has no {table}"
        values[0] += 1
    return changed


@pytest.mark.parametrize(
    ("table", "column"),
    [
        ("taken", "time_ps"),
        ("taken", "waited_ps"),
        ("taken", "hops"),
        ("taken", "injected_ps"),
        ("taken", "tag"),
        ("hops", "granted_ps"),
        ("hops", "far_ps"),
        ("counters", "packet_hops"),
        ("counters", "channel_flits"),
        ("counters", "given_up_at"),
        ("counters", "reinjected"),
        ("counters", "channel_emergency"),
        ("counters", "channel_resent"),
        ("in_flight", "since_ps"),
    ],
)
def test_one_picosecond_is_seen(outcome: tuple[Case, Outcome], table: str, column: str) -> None:
    _, same = outcome
    assert_same(same, copy.deepcopy(same))
    with pytest.raises(AssertionError):
        assert_same(same, change(same, table, column))


def test_a_lost_and_a_made_copy_are_seen() -> None:
    seed = next(s for s in range(50) if len(run_script(reference_factory, random_case(s)).drops))
    case = random_case(seed)
    good = run_script(reference_factory, case)
    assert_conserved(case, good)
    first = np.arange(len(good.drops)) > 0
    with pytest.raises(AssertionError, match="per key: lost"):
        assert_conserved(case, replace(good, drops=good.drops.select(first)))
    twice = np.concatenate([[0], np.arange(len(good.drops))])
    with pytest.raises(AssertionError, match="made"):
        assert_conserved(case, replace(good, drops=good.drops.select(twice)))


def test_thin_coverage_fails() -> None:
    coverage = Coverage(cases=100)
    coverage.seen.update({"blocked": 90, "multicast": 90, "contest": 29})
    with pytest.raises(AssertionError, match=r"only 29 of 100 cases have 'contest'"):
        coverage.check()
    coverage.seen["contest"] = 30
    coverage.check()


def test_sends_are_columns_of_their_rows() -> None:
    case = random_case(3)
    rows = [Row(0, 5, 2, key=9, source=4, seq=8), Row(1, 7)]
    sends = make_sends(case.routes, [10, 11], rows)
    assert sends.port.tolist() == [case.routes[0].port, case.routes[1].port]
    assert sends.route.tolist() == [10, 11]
    assert (sends.key[0], sends.source[0], sends.seq[0]) == (9, 4, 8)
    assert case.rows() == [r for a in case.actions if isinstance(a, Send) for r in a.rows]


def test_drive_reaches_its_time() -> None:
    network = reference_factory(random_case(1).machine, lambda *_: None, random_case(1).options)
    drive(network, 12_345)
    assert network.env.now == 12_345
