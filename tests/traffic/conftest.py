from __future__ import annotations

import importlib

import pytest

NETWORKS = ["simpy"]
if hasattr(importlib.import_module("chipsim.network.compiled"), "Network"):
    NETWORKS.append("compiled")


@pytest.fixture(params=NETWORKS)
def network(request: pytest.FixtureRequest) -> str:
    """Each network model's name."""
    return str(request.param)
