"""Progress of a run: a line an epoch, and on a terminal one that moves in between.

An experiment calls it with named values as often as it likes. Values with an ``accuracy`` (or any
name that ends so) are the end of an epoch and stay; others are shown on a terminal only.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import Any, TextIO

_EVERY_S = 0.1
"""Between two refreshes of the moving line."""


class Progress:
    """Prints what an experiment says of itself. Use it as a context manager.

    Parameters
    ----------
    stream : text file
        Standard error, so that a result on standard output stays clean.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._terminal = stream.isatty()
        self._begun = time.monotonic()
        self._shown = float("-inf")
        self._width = 0

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._clear()

    def __call__(self, values: Mapping[str, Any]) -> None:
        """Show named values (``epoch``, ``accuracy``, ``simulated_s``, ``packets``…)."""
        now = time.monotonic()
        stays = any(name.endswith("accuracy") for name in values)
        if not stays and (not self._terminal or now - self._shown < _EVERY_S):
            return
        line = ", ".join([*_phrases(values), f"{now - self._begun:.1f} s real"])
        self._clear()
        if stays:
            print(line, file=self._stream, flush=True)
            return
        self._shown = now
        self._width = len(line)
        print(f"\r{line}", end="", file=self._stream, flush=True)

    def _clear(self) -> None:
        if self._width:
            print(f"\r{' ' * self._width}\r", end="", file=self._stream, flush=True)
            self._width = 0


def _phrases(values: Mapping[str, Any]) -> Iterator[str]:
    """Yield a phrase per value: ``epoch 2/5``, ``test accuracy 91.2 %``, ``1.234 s simulated``."""
    wholes = {n: f"{n}{end}" for n in values for end in ("s", "es") if f"{n}{end}" in values}
    for name, value in values.items():
        label = name.replace("_", " ")
        if name in wholes.values():  # `epochs` is shown with `epoch`
            continue
        if isinstance(value, float) and name.endswith("accuracy"):
            yield f"{label} {100 * value:.1f} %"
        elif name in wholes:
            yield f"{label} {value}/{values[wholes[name]]}"
        elif name.endswith("_s"):
            yield f"{value:.3f} s {name.removesuffix('_s').replace('_', ' ')}"
        elif name.startswith("packets") and isinstance(value, int):
            yield f"{value:,} {label}"
        elif isinstance(value, float):
            yield f"{label} {value:.4g}"
        else:
            yield f"{label} {value}"
