from __future__ import annotations

import math
import tomllib
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chipsim.errors import TraceError
from chipsim.trace.toml import dumps

scalars = st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | st.text()
values = st.recursive(scalars, lambda inner: st.lists(inner, max_size=3), max_leaves=6)
tables = st.recursive(
    st.dictionaries(st.text(), values, max_size=3),
    lambda inner: st.dictionaries(st.text(), inner | values, max_size=3),
    max_leaves=12,
)


def typed(value: Any) -> Any:
    """Return a value with its types, so that 1, 1.0 and True differ."""
    if isinstance(value, dict):
        return {key: typed(item) for key, item in value.items()}
    if isinstance(value, list):
        return [typed(item) for item in value]
    return type(value), repr(value)


@given(tables)
def test_what_is_written_reads_back_equal(table: dict[str, Any]) -> None:
    assert typed(tomllib.loads(dumps(table))) == typed(table)


def test_nan_reads_back() -> None:
    assert math.isnan(tomllib.loads(dumps({"x": math.nan}))["x"])


def test_the_form_is_the_one_people_write() -> None:
    table = {"name": 'a "b"', "train": {"epochs": 5, "lr": 1e-8}, "a": {"b": {"c": [1, [2.0]]}}}
    comments = {"train": "How\nlong.", "train.epochs": "Times."}
    assert dumps(table, comments) == (
        'name = "a \\"b\\""\n\n# How long.\n[train]\n# Times.\nepochs = 5\nlr = 1e-08\n'
        "\n[a.b]\nc = [1, [2.0]]\n"
    )


@pytest.mark.parametrize("value", [None, np.int64(3), np.float64(0.5), object(), [None], b"x"])
def test_other_values_are_refused(value: object) -> None:
    with pytest.raises(TraceError, match=r"TOML value at train\.x: got .* expected a bool, int"):
        dumps({"train": {"x": value}})


def test_keys_must_be_texts() -> None:
    with pytest.raises(TraceError, match=r"TOML key 3 in \[train\]"):
        dumps({"train": {3: 1}})
