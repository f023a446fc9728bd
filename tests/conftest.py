"""Settings of the whole suite: the same draws everywhere, and no window is ever opened."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, settings

os.environ.setdefault("MPLBACKEND", "Agg")

# No deadline: the first example of a test may have to compile kernels.
# The default draws the same examples on every machine and in every worker; `nightly` searches on.
settings.register_profile(
    "default",
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile(
    "nightly",
    deadline=None,
    max_examples=1000,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal's width or colours must not change what a test sees."""
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("NO_COLOR", "1")


@pytest.fixture
def conservation(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep books of every simulation's copies, key by key, and check them after each run.

    Used by every test that runs a simulation in this process.
    """
    from chipsim.testing.ledger import watch_simulations

    watch_simulations(monkeypatch)


@pytest.fixture(params=["compiled", "simpy"])
def network(request: pytest.FixtureRequest) -> str:
    """Each network model in turn."""
    return str(request.param)


@pytest.fixture
def fast() -> str:
    """The faster network model, for tests that need not see both."""
    return "compiled"
