from __future__ import annotations

import pytest

from chipsim.machine.library import load_machine
from chipsim.machine.model import Machine


@pytest.fixture(scope="session")
def chip() -> Machine:
    return load_machine("spinnaker2")


@pytest.fixture(scope="session")
def mesh() -> Machine:
    return load_machine("mesh-8x8")
