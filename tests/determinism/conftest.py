"""Every simulation of these tests keeps books of its copies; both networks, where both exist."""

from __future__ import annotations

import importlib

import pytest

from chipsim.testing.ledger import watch_simulations


def _available() -> list[str]:
    compiled = importlib.import_module("chipsim.network.compiled")
    return ["compiled", "simpy"] if hasattr(compiled, "Network") else ["simpy"]


@pytest.fixture(autouse=True)
def _conservation(monkeypatch: pytest.MonkeyPatch) -> None:
    watch_simulations(monkeypatch)


@pytest.fixture(params=_available())
def network(request: pytest.FixtureRequest) -> str:
    """Each network model in turn."""
    return str(request.param)


@pytest.fixture
def fast() -> str:
    """The fastest network model."""
    return _available()[0]


@pytest.fixture
def both() -> None:
    """Skip while there is one network only."""
    if len(_available()) < 2:
        pytest.skip("the compiled network does not exist yet")
