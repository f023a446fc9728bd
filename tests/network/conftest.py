"""Every network test runs over both models."""

from __future__ import annotations

import pytest

from chipsim.testing.conformance import NetworkFactory, compiled_factory, reference_factory


@pytest.fixture(params=["reference", "compiled"])
def factory(request: pytest.FixtureRequest) -> NetworkFactory:
    if request.param == "reference":
        return reference_factory
    if not hasattr(pytest.importorskip("chipsim.network.compiled"), "Network"):
        pytest.skip("the compiled network does not exist yet")
    return compiled_factory
