"""Reads what a user calls a traffic pattern: ``multicast(4)``, ``hotspot(node=27, share=0.1)``.

A shell needs quotes round brackets, so ``multicast:4`` and ``hotspot:node=27,share=0.1`` mean the
same. An argument may be a pattern itself: ``spiking(period=500, to=multicast(4))``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from chipsim.errors import NetworkError, did_you_mean

_NAME = re.compile(r"[a-z][a-z0-9-]*")

Value = int | float | str


@dataclass(frozen=True)
class Spec:
    """A name with its arguments, as written.

    Attributes
    ----------
    name : str
    arguments : tuple of (str, str)
        Keyword (empty for one given by position) and text of each argument.
    """

    name: str
    arguments: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Parameter:
    """One parameter of a pattern.

    Attributes
    ----------
    name : str
    kind : type
        ``int``, ``float`` or ``str``.
    default : int, float, str or None
        None: it must be given.
    low, high : float
        Range of numbers, both ends included.
    about : str
        One line for people.
    """

    name: str
    kind: type
    default: Value | None
    about: str
    low: float = 0
    high: float = float("inf")

    def read(self, pattern: str, text: str) -> Value:
        """Return the value of ``text``.

        Raises
        ------
        NetworkError
            If it is none, or out of range.
        """
        if self.kind is str:
            return text
        try:
            value: Value = int(text) if self.kind is int else float(text)
        except ValueError:
            value = float("nan")
        if not self.low <= value <= self.high:  # type: ignore[operator]  # a number here
            kind = "a whole number" if self.kind is int else "a number"
            top = f" to {self.high:g}" if self.high < float("inf") else " or more"
            raise NetworkError(
                f"pattern {pattern}: {self.name} = {text}; expected {kind}, {self.low:g}{top} "
                f"({self.about})"
            )
        return value


def parse(text: str) -> Spec:
    """Return the name and arguments of a pattern as written.

    Raises
    ------
    NetworkError
        If it is not of the form ``name``, ``name(arguments)`` or ``name:arguments``.
    """
    text = text.strip()
    name = _NAME.match(text)
    rest = text[name.end() :] if name else ""
    if name is None or (rest and not _is_list(rest)):
        raise NetworkError(
            f"pattern {text!r}: expected NAME, NAME:ARGUMENTS or NAME(ARGUMENTS), for example "
            "uniform, multicast:4 or 'hotspot(node=27, share=0.1)'"
        )
    inner = rest[1:] if rest.startswith(":") else rest[1:-1]
    if name[0] == "replay":  # a path may hold commas and equal signs
        return Spec("replay", (("", inner.strip()),) if inner.strip() else ())
    return Spec(name[0], tuple(_argument(part) for part in _split(inner)))


def bind(spec: Spec, parameters: Sequence[Parameter]) -> Mapping[str, Value]:
    """Return the value of every parameter, by name.

    Raises
    ------
    NetworkError
        For an unknown, missing, doubly given or impossible argument.
    """
    known = {parameter.name: parameter for parameter in parameters}
    values: dict[str, Value] = {}
    for position, (keyword, text) in enumerate(spec.arguments):
        if not keyword and position >= len(parameters):
            raise NetworkError(
                f"pattern {spec.name}: {text!r} is one argument too many; it takes "
                f"{_listing(parameters)}"
            )
        name = keyword or parameters[position].name
        if name not in known:
            hint = did_you_mean(name, known) or "; it takes none"
            raise NetworkError(f"pattern {spec.name}: unknown argument {name!r}{hint}")
        if name in values:
            raise NetworkError(f"pattern {spec.name}: argument {name!r} is given twice; give one")
        values[name] = known[name].read(spec.name, text)
    for name, parameter in known.items():
        if name not in values:
            if parameter.default is None:
                raise NetworkError(
                    f"pattern {spec.name}: no {name} given; write {spec.name}:{name}=... "
                    f"({parameter.about})"
                )
            values[name] = parameter.default
    return values


def _is_list(rest: str) -> bool:
    return rest.startswith(":") or (rest.startswith("(") and rest.endswith(")"))


def _split(text: str) -> list[str]:
    """Return the parts between commas that stand outside brackets."""
    parts, depth = [""], 0
    for letter in text:
        depth += (letter == "(") - (letter == ")")
        if letter == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += letter
    return [part.strip() for part in parts if part.strip()]


def _argument(part: str) -> tuple[str, str]:
    keyword, equals, text = part.partition("=")
    if equals and _NAME.fullmatch(keyword.strip()):
        return keyword.strip(), text.strip()
    return "", part


def _listing(parameters: Sequence[Parameter]) -> str:
    return ", ".join(parameter.name for parameter in parameters) or "none"
