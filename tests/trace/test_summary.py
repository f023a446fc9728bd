from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from chipsim.errors import TraceError
from chipsim.testing.summary import same_summary, summary_differences
from chipsim.trace.rundir import RunDirectory
from chipsim.trace.summary import HOST_FIELDS, SUMMARY_FIELDS, build_summary


def fields(**changes: Any) -> dict[str, Any]:
    made: dict[str, Any] = {
        name: {"int": 0, "float": 0.5, "str": "x", "map": {"spike": 1}, "list": []}[
            field.form.rstrip("?")
        ]
        for name, field in SUMMARY_FIELDS.items()
    }
    made |= {"copies_expected": 7, "copies_delivered": 4, "copies_dropped": 2}
    return {**made, "copies_in_flight": 1, **changes}


def test_the_fields_of_the_issue_are_there() -> None:
    wanted = """test_accuracy train_accuracy epochs batches train_samples packets packets_injected
        copies_expected copies_delivered copies_dropped copies_in_flight packet_hops latency_ns
        late_spikes late_errors unmatched_errors stale_phase tick_overruns tick_use_max simulated_s
        cpu_s wall_s energy_mj assumptions versions seed"""
    assert set(wanted.split()) <= SUMMARY_FIELDS.keys()
    assert all(field.meaning for field in SUMMARY_FIELDS.values())
    assert HOST_FIELDS == ("cpu_s", "wall_s", "versions")


def test_a_good_summary_passes_in_order_with_extras_last() -> None:
    given = {"extra": 1, **dict(reversed(fields(latency_ns=None, tick_use_max=1).items()))}
    built = build_summary(given)
    assert list(built) == [*SUMMARY_FIELDS, "extra"]
    assert built == given


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"epochs": 1.0}, r"epochs is 1\.0, expected int"),
        ({"epochs": True}, r"epochs is True, expected int"),
        ({"packets": None}, r"packets is None, expected map"),
        (
            {"packets": {"spike": np.int64(3)}},
            r"packets\.spike is a numpy\.int64, expected a plain",
        ),
        ({"cpu_s": np.float64(3)}, r"cpu_s is a numpy\.float64"),
        ({"assumptions": [{"value": np.array([1])}]}, r"assumptions\[0\]\.value is a numpy\.ndar"),
        ({"assumptions": ("a",)}, r"assumptions is a builtins\.tuple"),
        ({"packets": {1: 2}}, r"packets has the key 1, no text"),
        ({"test_accuracy": float("nan")}, r"test_accuracy is nan, expected a finite number"),
        ({"copies_dropped": 3}, r"not conserved: expected 7, but delivered \+ dropped \+ in .* 8"),
    ],
)
def test_bad_fields_are_named(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(TraceError, match=message):
        build_summary(fields(**changes))


def test_all_problems_are_named_at_once() -> None:
    given = fields(epochs="3", cpu_s=float("inf"))
    given["late_spike"] = given.pop("late_spikes")
    with pytest.raises(TraceError) as caught:
        build_summary(given)
    text = str(caught.value)
    assert "late_spikes is missing (given as 'late_spike'?)" in text
    assert "epochs is '3'" in text
    assert "cpu_s is inf" in text


def test_host_and_time_are_not_compared() -> None:
    a = fields()
    assert same_summary(a, {**a, "cpu_s": 9.0, "wall_s": 9.0, "versions": {}})
    assert "cpu_s" in a  # the summaries are left as they are


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"seed": 1}, "seed: 0 != 1"),
        ({"test_accuracy": 0.5000000001}, "test_accuracy: 0.5 != 0.5000000001"),
        ({"packets": {"spike": 2}}, "packets.spike: 1 != 2"),
        ({"packets": {"spike": 1.0}}, "packets.spike: 1 != 1.0"),
        ({"packets": {"spike": 1, "error": 1}}, "packets.error: '(absent)' != 1"),
        ({"packets": {}}, "packets.spike: 1 != '(absent)'"),
        ({"assumptions": ["x"]}, "assumptions: [] != ['x']"),
    ],
)
def test_differences_are_named(change: dict[str, Any], line: str) -> None:
    assert summary_differences(fields(), fields(**change)) == [line]
    with pytest.raises(AssertionError, match=r"^the summaries differ:\n  "):
        same_summary(fields(), fields(**change))


def test_differences_within_lists_are_named() -> None:
    a, b = fields(assumptions=[{"name": "x"}]), fields(assumptions=[{"name": "y"}])
    assert summary_differences(a, b) == ["assumptions[0].name: 'x' != 'y'"]


def test_run_directories_are_compared_by_their_summaries(tmp_path: Any) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        RunDirectory.create(tmp_path / name).finish(build_summary(fields(seed=seed)))
    assert same_summary(tmp_path / "a", str(tmp_path / "b"))
    assert summary_differences(tmp_path / "a", tmp_path / "c") == ["seed: 1 != 2"]
    assert same_summary(tmp_path / "a", tmp_path / "c", ignore=(*HOST_FIELDS, "seed"))
