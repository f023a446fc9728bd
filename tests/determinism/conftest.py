"""Every simulation of these tests keeps books of its copies."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def _conservation(conservation: None) -> None:
    """Every simulation of these tests is checked for conservation."""
