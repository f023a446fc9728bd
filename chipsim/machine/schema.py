"""Which figures a description may hold: form, range and unit of each.

The unit of a figure is the end of its name (``hop_cycles``, ``clock_mhz``); counts and choices have
none. A family's table of figures is what a file is checked against, so that a misspelt or foreign
figure is found when the file is read and not when a run misses it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

Form = Literal[
    "integer", "number", "flag", "text", "capacity", "integers", "tiles", "turns", "places"
]
Value: TypeAlias = "int | float | bool | str | list[int] | list[list[int]] | list[list[int | str]]"

UNITS: Mapping[str, str] = {
    "cycles": "cycles",
    "mhz": "MHz",
    "bits": "bit",
    "ps": "ps",
    "ns": "ns",
    "us": "us",
    "ms": "ms",
    "pj": "pJ",
    "mw": "mW",
    "w": "W",
    "v": "V",
    "kb": "kB",
    "gb": "GB",
    "gbps": "Gbit/s",
    "bytes": "byte",
    "packets": "packets",
}
"""Units by the suffix that stands for them."""

UNBOUNDED_TEXT = "unbounded"
CYCLES_TABLES = ("pe.cycles",)
"""Tables whose entries are all in cycles."""


def unit_of(name: str) -> str:
    """Return the unit of a figure by its name, or ``""`` (``noc.hop_cycles`` is in cycles)."""
    table, _, last = name.rpartition(".")
    if table in CYCLES_TABLES:
        return "cycles"
    head, per, tail = last.partition("_per_")
    if per and tail in ("cycle", "flit", "packet"):
        return f"{head.rpartition('_')[2]}/{tail}"
    return UNITS.get(last.rpartition("_")[2], "")


def stem_of(name: str) -> str:
    """Return a figure's name without its unit (``noc.hop`` for ``noc.hop_cycles``)."""
    head, _, tail = name.rpartition("_")
    return head if tail in UNITS else name


@dataclass(frozen=True)
class Spec:
    """What one figure may be.

    Attributes
    ----------
    form : str
        ``integer``, ``number``, ``flag``, ``text`` (one of ``choices``), ``capacity`` (packets, or
        ``"unbounded"``), ``integers``, ``tiles`` (a list of [x, y]), ``turns`` (a list of
        [x, y, way], the way one of ``choices``) or ``places`` (a list of lists of integers, the
        last of each perhaps one of ``choices``).
    low, high : float
        Range of numbers, and of the members of lists.
    choices : tuple of str
    required : bool
        Whether a machine cannot be built without it.
    """

    form: Form
    low: float = 0
    high: float = 1e9
    choices: tuple[str, ...] = ()
    required: bool = False

    def expected(self) -> str:
        """Return what is expected, as a phrase for messages."""
        span = f"from {_plain(self.low)} to {_plain(self.high)}"
        match self.form:
            case "integer":
                return f"an integer {span}"
            case "number":
                return f"a number {span}"
            case "flag":
                return "true or false"
            case "text":
                return "one of " + ", ".join(map(repr, self.choices))
            case "capacity":
                return f"an integer {span}, or {UNBOUNDED_TEXT!r}"
            case "integers":
                return f"a list of integers {span}"
            case "tiles":
                return f"a list of [x, y] pairs of integers {span}"
            case "turns":
                return f"a list of [x, y, way] with one of the ways {', '.join(self.choices)}"
            case "places":
                end = f", the last one of {', '.join(self.choices)}" if self.choices else ""
                return f"a list of places, each a list of integers{end}"

    def problem(self, value: object) -> str | None:
        """Return what is wrong with ``value`` as ``got …, expected …``, or None."""
        if self._fits(value):
            return None
        shown = repr(value) if len(repr(value)) <= 60 else repr(value)[:57] + "..."
        return f"got {shown} ({_type_name(value)}), expected {self.expected()}"

    def _fits(self, value: object) -> bool:
        match self.form:
            case "integer":
                return self._whole(value)
            case "number":
                return self._number(value)
            case "flag":
                return isinstance(value, bool)
            case "text":
                return isinstance(value, str) and value in self.choices
            case "capacity":
                return value == UNBOUNDED_TEXT or self._whole(value)
            case "integers":
                return isinstance(value, list) and len(value) > 0 and all(map(self._whole, value))
            case "tiles":
                return isinstance(value, list) and all(map(self._pair, value))
            case "turns":
                return isinstance(value, list) and all(map(self._turn, value))
            case "places":
                return isinstance(value, list) and all(map(self._place, value))

    def _number(self, value: object) -> bool:
        if isinstance(value, bool) or not isinstance(value, int | float):
            return False
        return math.isfinite(value) and self.low <= value <= self.high

    def _whole(self, value: object) -> bool:
        return isinstance(value, int) and self._number(value)

    def _pair(self, value: object) -> bool:
        return isinstance(value, list) and len(value) == 2 and all(map(self._whole, value))

    def _turn(self, value: object) -> bool:
        return isinstance(value, list) and self._pair(value[:2]) and value[2:] in self._ways()

    def _place(self, value: object) -> bool:
        if not isinstance(value, list) or not value:
            return False
        numbers = value[:-1] if self.choices else value
        return all(map(self._whole, numbers)) and (not self.choices or value[-1] in self.choices)

    def _ways(self) -> list[list[str]]:
        return [[way] for way in self.choices]


def _plain(number: float) -> str:
    return str(int(number)) if number == int(number) else repr(number)


def _type_name(value: object) -> str:
    names = {bool: "flag", int: "integer", float: "number", str: "text", list: "list"}
    return names.get(type(value), type(value).__name__)


def spec_of(schema: Mapping[str, Spec], name: str) -> Spec | None:
    """Return the spec of figure ``name``, looking into open tables too."""
    return schema.get(name) or schema.get(f"{name.rpartition('.')[0]}.*")


def wrong_unit(schema: Iterable[str], name: str) -> str | None:
    """Return the known figure that is ``name`` in another unit, if there is one."""
    stem = stem_of(name)
    return next((known for known in schema if known != name and stem_of(known) == stem), None)
