from __future__ import annotations

from importlib.metadata import EntryPoint

import pytest

from chipsim import registry

GROUP = "chipsim.experiments"


@pytest.fixture(autouse=True)
def _entry_points(monkeypatch: pytest.MonkeyPatch) -> None:
    """The entry point of pyproject.toml, also where the source tree is not installed."""
    value = "eventprop_apps.experiment:YINYANG"
    points = {"yinyang": EntryPoint(name="yinyang", value=value, group=GROUP)}
    before = registry.entries
    monkeypatch.setattr(registry, "entries", lambda g: points if g == GROUP else before(g))
