"""``tick.us = "auto"``: the shortest tick without an overrun or a late packet."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from chipsim.cli.main import main
from chipsim.cli.summary import render
from chipsim.errors import ExperimentError
from chipsim.experiment import resolve
from eventprop_apps.shortest_tick import LONGEST_US, Step, search

SMALL = {
    "model.layers": [5, 12, 3],
    "data.train_samples": 12,
    "data.test_samples": 3,
    "train.batch": 4,
    "train.epochs": 1,
}


class Chip:
    """A chip on which ticks below a limit overrun; the limit grows in a whole epoch."""

    def __init__(self, limit: int, longest: float, epoch: int | None = None) -> None:
        self.limit, self.longest, self.epoch = limit, longest, epoch or limit

    def __call__(self, us: int, batches: int | None) -> Step:
        limit = self.limit if batches is not None else self.epoch
        return Step(us, batches or 99, int(us < limit), 0, 0, self.longest)


@pytest.mark.parametrize("limit", [1, 2, 3, 57, 999, 1000, 1001, 1500, 40_000])
@pytest.mark.parametrize("says", ["the limit", "too little", "too much"])
def test_every_limit_is_found(limit: int, says: str) -> None:
    """Whatever the longest handler makes believe."""
    longest = {"the limit": limit - 0.5, "too little": 0.5, "too much": 5.0 * limit}[says]
    found, steps = search(Chip(limit, longest))
    assert found == limit
    assert steps[-1].us == limit and steps[-1].batches == 99 and steps[-1].enough()
    if limit > 1:
        assert any(s.us == limit - 1 and not s.enough() for s in steps)
    if says == "the limit" and 3 < limit < 999:
        assert [s.us for s in steps] == [1000, limit, limit - 1, limit]


def test_an_epoch_may_ask_for_more() -> None:
    found, steps = search(Chip(57, 56.5, epoch=60))
    assert found == 60
    assert [s.us for s in steps[-4:]] == [57, 58, 59, 60]


@pytest.mark.parametrize(("late_below", "found"), [(0, 60), (68, 68), (75, 75)])
def test_a_handler_behind_an_overrun_does_not_make_the_tick_too_long(
    late_below: int, found: int
) -> None:
    """Ten batches take 57 us and the epoch 60; after overruns the longest handler says 75."""

    def probe(us: int, batches: int | None) -> Step:
        limit, longest = (60, 59.5) if batches is None else (57, 56.5)
        late = int(us < late_below) if batches is None else 0
        return Step(us, batches or 99, int(us < limit), late, 0, 75.0 if us < limit else longest)

    us, steps = search(probe)
    assert us == found
    epochs = [s.us for s in steps if s.batches == 99]
    assert epochs[:2] == [57, 75]
    if found == 60:
        assert epochs == [57, 75, 60]
    else:
        assert not next(s for s in steps if s.us == found - 1).enough()


def test_packets_that_are_late_in_any_tick_do_not_count() -> None:
    def probe(us: int, batches: int | None) -> Step:
        return Step(us, 1, int(us < 80), 3, 0, 79.2)

    found, steps = search(probe)
    assert found == 80 and [s.us for s in steps] == [1000, 80, 79, 80]


def test_packets_that_are_late_in_short_ticks_do() -> None:
    found, steps = search(lambda us, _: Step(us, 1, int(us < 80), 0, int(us < 91), 79.2))
    assert found == 91 and not next(s for s in steps if s.us == 90).enough()


def test_no_tick_is_enough() -> None:
    with pytest.raises(ExperimentError, match=f"a tick of {LONGEST_US} us is too short"):
        search(Chip(2 * LONGEST_US, 1.0))


def test_a_run_takes_the_tick_found(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = [f"--set={k}={v}" for k, v in SMALL.items()]
    code = main(["run", "yinyang", "--out", str(tmp_path / "a"), "--no-report", *words,
                 "--set=tick.us=auto"])  # fmt: skip
    assert code == 0
    summary = json.loads((tmp_path / "a" / "summary.json").read_text())
    us = summary["tick_us"]
    assert summary["tick_overruns"] == summary["late_spikes"] == summary["late_errors"] == 0
    assert 0.5 < summary["tick_use_max"] <= 1
    steps = summary["tick_search"]
    assert [s["us"] for s in steps] == [1000, us, us - 1, us]
    assert steps[2]["overruns"] > 0
    printed = capsys.readouterr().out
    assert f"{us} us, the shortest without overruns or late packets, found in 4 runs" in printed
    assert "chip time, training" in printed
    # The same run with that tick set, and with a shorter one: it counts what it must.
    for tick in (us, us - 1):
        experiment = resolve("yinyang", SMALL | {"tick.us": tick})
        again = experiment.kind.run(experiment, None, lambda _: None)
        assert again["tick_search"] is None and "shortest" not in render("yinyang", again)
        assert (again["tick_overruns"] == 0) == (tick == us)
        if tick == us:
            assert again["chip_s_per_epoch"] == summary["chip_s_per_epoch"]
            total = sum(again["chip_s_per_epoch"].values())
            assert total == pytest.approx(again["simulated_s"], rel=1e-12)


def test_what_a_tick_can_be() -> None:
    with pytest.raises(ExperimentError, match=r"tick\.us"):
        resolve("yinyang", {"tick.us": "shortest"})
