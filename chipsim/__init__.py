"""A packet-level, discrete-event simulator of neuromorphic many-core chips.

The public names of this package are loaded on first use, so that ``import chipsim`` and
``chipsim --help`` cost nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_LAZY: dict[str, str] = {
    "open_run": "chipsim.analysis.run",
}
"""Public name -> module that defines it; one line per name."""


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("chipsim")
    if name in _LAZY:
        return getattr(import_module(_LAZY[name]), name)
    raise AttributeError(f"module 'chipsim' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), "__version__", *_LAZY])
