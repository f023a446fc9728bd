"""Progress of a run: a line an epoch, on a terminal one that moves, for machines JSON lines.

An experiment calls it with named values as often as it likes, and may ask :attr:`Progress.live`
and :meth:`Progress.due` first whether anybody looks. Values with an ``accuracy`` (or any name that
ends so) are the end of an epoch and stay; others are shown on a terminal only.
"""

from __future__ import annotations

import json
import time
from collections import deque
from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import Any, TextIO

_EVERY_S = 0.1
"""Between two refreshes of the moving line."""
_JSON_EVERY_S = 1.0
"""Between two JSON lines within an epoch."""
_RATE_S = 2.0
"""Rates are those of the last seconds."""


class Progress:
    """Prints what an experiment says of itself. Use it as a context manager.

    Parameters
    ----------
    stream : text file
        Standard error, so that a result on standard output stays clean.
    log_json : bool
        Write JSON objects, one a line, instead of lines for people; see docs/progress.md.

    Attributes
    ----------
    live : bool
        Whether anything but ends of epochs is shown: on a terminal, and as JSON.
    """

    def __init__(self, stream: TextIO, log_json: bool = False) -> None:
        self._stream = stream
        self._json = log_json
        self.live = log_json or stream.isatty()
        self._begun = time.monotonic()
        self._shown = float("-inf")
        self._width = 0
        self._past: deque[tuple[float, float, float]] = deque()

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._clear()
        if self._json:
            ended = "finished" if error is None else "failed"
            event = "interrupted" if isinstance(error, KeyboardInterrupt) else ended
            self._write({"event": event, "real_s": self._elapsed()})

    def due(self) -> bool:
        """Return whether values given now would be shown: costly ones need not be made else."""
        every = _JSON_EVERY_S if self._json else _EVERY_S
        return self.live and time.monotonic() - self._shown >= every

    def __call__(self, values: Mapping[str, Any]) -> None:
        """Show named values (``epoch``, ``accuracy``, ``simulated_s``, ``packets``…)."""
        stays = any(name.endswith("accuracy") for name in values)
        if not stays and not self.due():
            return
        rates = self._rates(values) if self.live else {}
        if self._json:
            event = "epoch" if stays else "progress"
            self._write({"event": event, **values, **rates, "real_s": self._elapsed()})
            self._shown = time.monotonic()
            return
        shown = values if stays else {**values, **rates}
        line = ", ".join([*_phrases(shown), f"{self._elapsed():.1f} s real"])
        self._clear()
        if stays:
            print(line, file=self._stream, flush=True)
            return
        self._shown = time.monotonic()
        self._width = len(line)
        print(f"\r{line}", end="", file=self._stream, flush=True)

    def _rates(self, values: Mapping[str, Any]) -> dict[str, float]:
        """Return packets and chip time per real second, over the last seconds."""
        if "packets" not in values or "simulated_s" not in values:
            return {}
        now = time.monotonic()
        self._past.append((now, float(values["packets"]), float(values["simulated_s"])))
        while len(self._past) > 2 and now - self._past[1][0] >= _RATE_S:
            self._past.popleft()
        then, packets, simulated = self._past[0]
        if now - then <= 0:
            return {}
        last = self._past[-1]
        return {
            "packets_per_s": (last[1] - packets) / (now - then),
            "chip_ms_per_s": 1000 * (last[2] - simulated) / (now - then),
        }

    def _elapsed(self) -> float:
        return round(time.monotonic() - self._begun, 3)

    def _write(self, values: Mapping[str, Any]) -> None:
        print(json.dumps(values, allow_nan=False), file=self._stream, flush=True)

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
        elif name == "chip_ms_per_s":
            yield f"{value:.3g} ms of chip time a second"
        elif name == "packets_per_s":
            yield f"{value:,.0f} packets a second"
        elif name.endswith("_s"):
            yield f"{value:.3f} s {name.removesuffix('_s').replace('_', ' ')}"
        elif name in ("in_flight", "late") or (name.startswith("packets") and type(value) is int):
            yield f"{value:,} {label}"
        elif isinstance(value, float):
            yield f"{label} {value:.4g}"
        else:
            yield f"{label} {value}"
