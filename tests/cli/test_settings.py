"""``--set`` words become typed settings."""

from __future__ import annotations

from typing import Any

import pytest

from chipsim.cli.command import UsageError
from chipsim.cli.settings import parse_settings


@pytest.mark.parametrize(
    ("word", "key", "value"),
    [
        ("train.epochs=3", "train.epochs", 3),
        ("noc.clock_mhz=300.5", "noc.clock_mhz", 300.5),
        ("optimizer.lr=1e-3", "optimizer.lr", 0.001),
        ("trace.packets=true", "trace.packets", True),
        ("model.layers=[5, 120, 3]", "model.layers", [5, 120, 3]),
        ("machine.name=spinnaker2", "machine.name", "spinnaker2"),
        ("machine.name=mesh-4x4", "machine.name", "mesh-4x4"),
        ('machine.name="3"', "machine.name", "3"),
        ("mapping.file=a=b.json", "mapping.file", "a=b.json"),
        ("seed=7", "seed", 7),
        ("tick.us=", "tick.us", ""),
        ("data.note=1\ntrain.epochs = 2", "data.note", "1\ntrain.epochs = 2"),
        ("data.note=1 # two", "data.note", 1),
    ],
)
def test_values_are_typed(word: str, key: str, value: Any) -> None:
    settings = parse_settings([word])
    assert settings == {key: value}
    assert type(settings[key]) is type(value)


def test_the_last_of_two_wins() -> None:
    assert parse_settings(["a.b=1", "c.d=2", "a.b=3"]) == {"c.d": 2, "a.b": 3}


def test_all_wrong_words_are_named() -> None:
    with pytest.raises(UsageError) as caught:
        parse_settings(["train.epochs", "=3", "train.batch=2", "a b=1"])
    assert str(caught.value) == (
        "--set: got 'train.epochs', '=3', 'a b=1'; expected KEY=VALUE, for example train.epochs=3"
    )
