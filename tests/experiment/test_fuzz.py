"""Whatever stands in a file, the answer is an experiment or one ExperimentError."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chipsim.errors import ExperimentError
from chipsim.experiment import resolve
from chipsim.trace import toml
from eventprop_apps.experiment import YINYANG

TEXT = YINYANG.defaults.read_text()
PATHS = [
    f"{section}.{name}"
    for section, field in YINYANG.model.model_fields.items()
    for form in (get_args(field.annotation) or (field.annotation,))  # a section may be optional
    for name in getattr(form, "model_fields", ())
] + [
    "machine.noc.hop_cycles",
    "costs",
    "costs.adam_update",
    "machine.noc",
    "machine.pe.cycles.x",
    "train",
    "x",
    "x.y",
    "train.x",
]

leaves = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(["mesh-2x2", "torus-0x9", "hops", "20 ms", "float64"])
)
anything = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=2)
    ),
    max_leaves=4,
)
quiet = settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])


def outcome(source: Any, sets: dict[str, Any] | None = None) -> str:
    """Return whether it was taken; a warning about a machine (a torus may deadlock) is no error."""
    try:
        experiment = resolve(source, sets)
    except ExperimentError as error:
        assert error.problems
        assert all("\n" not in str(problem) or '"' in problem for problem in error.problems)
        return "refused"
    assert resolve_again(experiment.table())
    return "taken"


def resolve_again(table: dict[str, Any]) -> bool:
    return bool(toml.dumps(table))


@quiet
@given(
    cut=st.tuples(st.integers(0, len(TEXT)), st.integers(0, 12)),
    junk=st.text(alphabet='[]{}=".,#\n\t -_0123456789abcetrue\\é', max_size=8),
)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_mutated_text(tmp_path: Path, cut: tuple[int, int], junk: str) -> None:
    start, length = cut
    path = tmp_path / "fuzz.toml"
    path.write_text(TEXT[:start] + junk + TEXT[start + length :])
    assert outcome(path) in ("taken", "refused")


@quiet
@given(st.binary(max_size=60))
def test_any_bytes(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "fuzz.toml"
    path.write_bytes(data)
    assert outcome(path) == "refused"


@quiet
@given(st.dictionaries(st.sampled_from(PATHS), anything, min_size=1, max_size=3))
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_any_settings(sets: dict[str, Any]) -> None:
    assert outcome("yinyang", sets) in ("taken", "refused")


def test_the_fuzzing_reaches_both_outcomes(tmp_path: Path) -> None:
    path = tmp_path / "fuzz.toml"
    path.write_text(TEXT)
    assert outcome(path) == "taken"
    path.write_text(TEXT.replace("epochs", "epoch"))
    assert outcome(path) == "refused"
